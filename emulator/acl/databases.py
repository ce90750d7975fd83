"""The databases that a call uses, by which Valkey's rules for databases refuse it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from emulator.protocol.numbers import parse_integer
from emulator.table.registry import Command

_MOST: Final = 2**31 - 1
_USING: Final = frozenset(("keyspace", "read", "write"))
_OF_ALL: Final = frozenset(
    (b"flushall", b"cluster|cancelslotmigrations", b"cluster|flushslot", b"cluster|migrateslots")
)
_ONLY_NAMED: Final = frozenset((b"swapdb",))


def parse_rule(rule: bytes) -> frozenset[int] | str:
    """The databases of ``0,3,5``, or what is wrong with it."""
    numbers: set[int] = set()
    for word in rule.split(b","):
        number = parse_integer(word)
        if number is None:
            return "Syntax error"
        if not 0 <= number <= _MOST:
            return "The provided database ID is out of range"
        numbers.add(number)
    return frozenset(numbers)


def uses_all(command: Command) -> bool:
    """Whether a command works on every database."""
    return command.full_name in _OF_ALL


def uses_current(command: Command) -> bool:
    """Whether a command works on the client's own database."""
    if command.full_name in _ONLY_NAMED:
        return False
    return not _USING.isdisjoint(command.categories) or any("not_key" not in spec.flags for spec in command.keys)


def named(command: Command, args: Sequence[bytes]) -> list[bytes]:
    """The words of a call that are the numbers of databases."""
    find = _NAMED.get(command.full_name)
    return [] if find is None else find(args)


def _of_copy(args: Sequence[bytes]) -> list[bytes]:
    found: list[bytes] = []
    place = 3
    while place < len(args):
        word = args[place].upper()
        if word == b"DB" and place + 1 < len(args):
            found = [args[place + 1]]
            place += 1
        elif word != b"REPLACE":
            return []
        place += 1
    return found


_NAMED: Final[dict[bytes, Callable[[Sequence[bytes]], list[bytes]]]] = {
    b"select": lambda args: [args[1]],
    b"swapdb": lambda args: list(args[1:3]),
    b"move": lambda args: [args[2]],
    b"copy": _of_copy,
}
