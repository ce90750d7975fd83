"""The grammar that COMMAND DOCS answers from, against the table of commands."""

import pytest

from emulator.clients.session import Session
from emulator.clock import ManualClock
from emulator.commands import command
from emulator.config.directives import Config
from emulator.core.dispatch import run
from emulator.core.engine import Engine
from emulator.table.registry import REGISTRY

ENTRIES = {
    each.full_name.decode(): each
    for entry in REGISTRY.values()
    for each in (entry, *entry.subcommands.values())
    if not each.hidden
}
TYPES = {"string", "integer", "double", "key", "pattern", "unix-time", "pure-token", "oneof", "block"}


def parts(arguments):
    """Arguments and those within them."""
    for argument in arguments:
        yield argument
        yield from parts(argument.get("arguments", []))


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_group_and_version_are_those_of_the_table(name):
    entry, written = ENTRIES[name], command._data("grammar")[name]
    assert written["group"] == entry.group.replace("_", "-")
    assert written.get("since", "") == ("" if entry.module else entry.since)


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_keys_of_the_grammar_are_among_the_key_specifications(name):
    arguments = list(parts(command._data("grammar")[name].get("arguments", [])))
    assert {argument["type"] for argument in arguments} <= TYPES
    found = {argument["key_spec_index"] for argument in arguments if "key_spec_index" in argument}
    assert found <= set(range(len(ENTRIES[name].keys)))


def test_the_grammar_is_read_when_it_is_asked_for():
    command._data.cache_clear()
    session = Session(Engine(Config(), ManualClock()))
    run(session, [[b"COMMAND"], [b"COMMAND", b"INFO", b"get"]], 0, 2)
    assert not command._data.cache_info().currsize
    run(session, [[b"COMMAND", b"DOCS", b"get"]], 0, 1)
    assert command._data.cache_info().currsize
    assert b"key_spec_index" in b"".join(session.out)
