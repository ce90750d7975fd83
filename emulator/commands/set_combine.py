"""Intersections, unions and differences of sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import bounded
from emulator.commands.options import FLAG, UP_TO_LIMIT, Options, read_options
from emulator.commands.set import read_set
from emulator.config.notifications import SET
from emulator.datatypes.set import INTSET, LISTPACK, Set, in_all
from emulator.protocol import replies
from emulator.protocol.errors import CommandError
from emulator.protocol.numbers import INT64_MAX
from emulator.table.keyspec import keys, numkeys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session


def _read_all(client: Session, names: Sequence[bytes]) -> list[Set]:
    return [read_set(client, name) for name in names]


def _intersection(sets: Sequence[Set]) -> Iterator[bytes]:
    """Yield the members that all sets have, in the order of the smallest set.  O(N*M) for M sets, the smallest with N."""
    first, *others = sorted(sets, key=len)
    return in_all(first, [other.members for other in others])


def _union(sets: Sequence[Set]) -> Iterable[bytes]:
    """Return the members that any of the sets has.  O(N) for N members in all."""
    union = dict[bytes, None]()
    for other in sets:
        union |= other.members
    return sorted(union, key=int) if all(other.encoding == b"intset" for other in sets if other) else union


def _difference(sets: Sequence[Set]) -> Iterable[bytes]:
    """Return the members of the first set that no other has.  O(N) for N members in all."""
    first, *others = sets
    left = dict.fromkeys(first)
    for other in others:
        for member in left.keys() & other.members.keys():
            del left[member]
    return left


def _takes_away(sets: Sequence[Set]) -> bool:
    """Return whether Redis takes the others' members out of a copy of the first set, rather than look for each of its own."""
    sizes = [len(each.members) for each in sets]
    return (len(sizes) - sizes.count(0)) * sizes[0] // 2 > sum(sizes)


def _store(client: Session, destination: bytes, result: Set, event: bytes) -> int:
    """Store a set, or delete the key if it is empty; return how many members there are."""
    if result:
        client.db.put(destination, result, SET, event)
    else:
        client.db.delete(destination)
    return len(result)


@command(
    "set",
    since="1.0.0",
    flags="readonly",
    keys=[keys("RO access", 1, -1)],
    tips="nondeterministic_output_order",
    complexity="O(N*M) for M sets, the smallest of N members",
)
def sinter(client: Session, key: bytes, *more: bytes) -> replies.SetReply:
    """Returns the members that all of several sets have."""
    return replies.SetReply(_intersection(_read_all(client, (key, *more))))


@command(
    "set",
    since="1.0.0",
    flags="write denyoom",
    keys=[keys("OW update", 1), keys("RO access", 2, -1)],
    complexity="O(N*M) for M sets, the smallest of N members",
)
def sinterstore(client: Session, destination: bytes, key: bytes, *more: bytes) -> int:
    """Stores the members that all of several sets have; returns how many."""
    sets, config = _read_all(client, (key, *more)), client.engine.config
    smallest = min(sets, key=len)
    result = Set.of(_intersection(sets), config, INTSET if smallest.encoding is INTSET else LISTPACK)
    result.settle(config)
    return _store(client, destination, result, b"sinterstore")


@command(
    "set",
    since="7.0.0",
    flags="readonly",
    keys=[numkeys("RO access", 1)],
    complexity="O(N*M) for M sets, the smallest of N members",
)
def sintercard(client: Session, count: bytes, key: bytes, *more: bytes) -> int:
    """Counts the members that all of several sets have, up to a limit."""
    names, options = _counted(count, (key, *more))
    limit = read_options(options, UP_TO_LIMIT).get(b"LIMIT")
    found = _intersection(_read_all(client, names))
    return sum(1 for _ in islice(found, limit or None))


def _counted(count: bytes, words: Sequence[bytes]) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """Return so many keys, and the words behind them."""
    number = bounded(count, 1, INT64_MAX, "ERR numkeys should be greater than 0")
    if number > len(words):
        raise CommandError("ERR Number of keys can't be greater than number of args")
    return words[:number], words[number:]


_UP_TO: Final[Options] = {**UP_TO_LIMIT, b"APPROX": FLAG}


@command(
    "set",
    since="8.10.0",
    flags="readonly",
    keys=[numkeys("RO access", 1)],
    complexity="O(N) for N members in all",
)
def sunioncard(client: Session, count: bytes, key: bytes, *more: bytes) -> int:
    """Counts the members that any of several sets has, up to a limit; APPROX allows an estimate, which here is exact."""
    names, options = _counted(count, (key, *more))
    limit = read_options(options, _UP_TO).get(b"LIMIT")
    return min(len({*chain.from_iterable(_read_all(client, names))}), limit or INT64_MAX)


@command(
    "set",
    since="8.10.0",
    flags="readonly",
    keys=[numkeys("RO access", 1)],
    complexity="O(N) for N members in all",
)
def sdiffcard(client: Session, count: bytes, key: bytes, *more: bytes) -> int:
    """Counts the members of the first set that no other has, up to a limit."""
    names, options = _counted(count, (key, *more))
    limit = read_options(options, UP_TO_LIMIT).get(b"LIMIT")
    return min(sum(1 for _ in _difference(_read_all(client, names))), limit or INT64_MAX)


@command(
    "set",
    since="1.0.0",
    flags="readonly",
    keys=[keys("RO access", 1, -1)],
    tips="nondeterministic_output_order",
    complexity="O(N) for N members in all",
)
def sunion(client: Session, key: bytes, *more: bytes) -> replies.SetReply:
    """Returns the members that any of several sets has."""
    return replies.SetReply(_union(_read_all(client, (key, *more))))


@command(
    "set",
    since="1.0.0",
    flags="write denyoom",
    keys=[keys("OW update", 1), keys("RO access", 2, -1)],
    complexity="O(N) for N members in all",
)
def sunionstore(client: Session, destination: bytes, key: bytes, *more: bytes) -> int:
    """Stores the members that any of several sets has; returns how many."""
    result = Set.of(_union(_read_all(client, (key, *more))), client.engine.config)
    return _store(client, destination, result, b"sunionstore")


@command(
    "set",
    since="1.0.0",
    flags="readonly",
    keys=[keys("RO access", 1, -1)],
    tips="nondeterministic_output_order",
    complexity="O(N) for N members in all",
)
def sdiff(client: Session, key: bytes, *more: bytes) -> replies.SetReply:
    """Returns the members of the first set that no other set has."""
    return replies.SetReply(_difference(_read_all(client, (key, *more))))


@command(
    "set",
    since="1.0.0",
    flags="write denyoom",
    keys=[keys("OW update", 1), keys("RO access", 2, -1)],
    complexity="O(N) for N members in all",
)
def sdiffstore(client: Session, destination: bytes, key: bytes, *more: bytes) -> int:
    """Stores the members of the first set that no other set has; returns how many."""
    sets, config = _read_all(client, (key, *more)), client.engine.config
    members = _difference(sets)
    if _takes_away(sets):  # what once was no longer small stays so
        result = Set.encoded(members, Set.of(sets[0], config).encoding)
    else:
        result = Set.of(members, config)
    return _store(client, destination, result, b"sdiffstore")
