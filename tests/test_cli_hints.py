"""What our redis-cli says of a command's arguments while they are typed."""

import pytest

from emulator.cli.documentation import documentation
from emulator.cli.hints import completions, hint
from emulator.cli.options import ClientOptions


@pytest.fixture(scope="module")
def commands():
    return documentation(ClientOptions(), reachable=False)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("get", " key"),
        ("GET ", "key"),
        ("get k", ""),
        ("get k more", ""),
        ("getex k", " [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|PERSIST]"),
        ("getex k ex ", "seconds"),
        ("getex k px 5", ""),
        ("mset", " key value [key value ...]"),
        ("mset a", " value [key value ...]"),
        ("mset a 1", " [key value ...]"),
        ("mset a 1 b", " value [key value ...]"),
        ("copy a b replace", " [DB destination-db]"),
        ("copy a b db 1 ", "[REPLACE]"),
        ("zunionstore d 2 a b weights 1 2 ", "[weight ...] [AGGREGATE SUM|MIN|MAX]"),
        ("config ge", ""),
        ("config get", " parameter [parameter ...]"),
        ('set "a', ""),
        ("nosuch x", ""),
        ("", ""),
    ],
)
def test_what_is_still_to_come(commands, line, shown):
    assert hint(line, commands) == shown


def test_every_command_can_be_hinted_at(commands):
    """No grammar is too odd: each begun command has a hint or none, whatever words follow."""
    for command in commands:
        assert hint(command.name, commands).strip() == command.syntax
        hint(command.name + " a 1 b 2 c 3", commands)


def test_completions(commands):
    assert completions("geoh", commands) == ["GEOHASH"]
    assert completions("config g", commands) == ["CONFIG GET"]
    assert completions("help @geo", commands) == ["help @geo"]
    assert completions("? conf", commands)[:2] == ["? CONFIG", "? CONFIG GET"]
    assert completions("zzz", commands) == []
