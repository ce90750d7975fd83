"""The grammar that COMMAND DOCS answers from, against the table of commands."""

import pytest

from emulator.clients.session import Session
from emulator.clock import ManualClock
from emulator.commands import command
from emulator.commands.table import table
from emulator.config.directives import Config
from emulator.config.edition import EDITIONS as EDITIONS_BY_NAME
from emulator.core.dispatch import run
from emulator.core.engine import Engine
from emulator.table.registry import every_command

EDITIONS = [EDITIONS_BY_NAME[name] for name in ("8.2", "8.6", "valkey-9.1")]
TYPES = {"string", "integer", "double", "key", "pattern", "unix-time", "pure-token", "oneof", "block"}


def parts(arguments):
    """Arguments and those within them."""
    for argument in arguments:
        yield argument
        yield from parts(argument.get("arguments", []))


def commands(edition):
    """The commands and sub-commands of an edition, each with what the grammar says of it."""
    written = command.grammar(edition)
    for entry in every_command(table(edition, hidden=False).known):
        if entry.module in ("", "vectorset"):
            yield entry, written[entry.full_name.decode()]


@pytest.mark.parametrize("edition", EDITIONS, ids=lambda edition: edition.compat)
def test_groups_and_versions_are_those_of_the_table(edition):
    for entry, written in commands(edition):
        assert written["group"] == entry.group.replace("_", "-"), entry.full_name
        if entry.module:
            assert ("since" in written) == edition.includes("8.4.0"), entry.full_name
        else:
            assert written["since"] == ((edition.is_valkey and entry.valkey) or entry.since), entry.full_name


@pytest.mark.parametrize("edition", EDITIONS, ids=lambda edition: edition.compat)
def test_keys_of_the_grammar_are_among_the_key_specifications(edition):
    for entry, written in commands(edition):
        arguments = list(parts(written.get("arguments", [])))
        assert {argument["type"] for argument in arguments} <= TYPES, entry.full_name
        found = {argument["key_spec_index"] for argument in arguments if "key_spec_index" in argument}
        assert found <= set(range(len(entry.keys))), entry.full_name


def test_the_grammar_is_read_when_it_is_asked_for():
    command._data.cache_clear()
    command.grammar.cache_clear()
    session = Session(Engine(Config(), ManualClock()))
    run(session, [[b"COMMAND"], [b"COMMAND", b"INFO", b"get"]], 0, 2)
    assert not command._data.cache_info().currsize
    run(session, [[b"COMMAND", b"DOCS", b"get"]], 0, 1)
    assert command._data.cache_info().currsize
    assert b"key_spec_index" in b"".join(session.out)
