"""The page of the documentation that lists every option."""

from conformance.grammar import plain
from conformance.pages import written
from conformance.resp import Connection
from emulator.config.directives import Config
from tests import options_page


def test_it_is_current():
    page = options_page.PAGE.read_text()
    assert page == written(page, "tests.options_page", options_page.render()), "python -m tests.options_page"


def test_the_options_that_are_ours_alone_are_those_that_the_oracle_does_not_know(addresses):
    connection = Connection(addresses[1])
    known = [name for name, directive in Config().directives.items() if not directive.module]
    unknown = {name for name in known if not plain(connection("CONFIG", "GET", name))}
    connection.close()
    assert unknown == set(options_page.OWN)
