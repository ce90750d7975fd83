"""Sorted sets: unions, intersections and differences; members of plain sets have the score 1."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from emulator.commands.arguments import core_double, integer
from emulator.commands.options import FLAG, UP_TO_LIMIT, Options, read_options
from emulator.commands.zset import pairs
from emulator.commands.zset_range import store
from emulator.datatypes.set import Set, in_all
from emulator.datatypes.zset import ZSet
from emulator.protocol.errors import SYNTAX, WRONGTYPE, CommandError
from emulator.protocol.replies import Reply
from emulator.table.keyspec import keys, numkeys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

Scores = dict[bytes, float]


def _sum(one: float, two: float) -> float:
    """Return the sum, zero instead of NaN (the sum of both infinities)."""
    total = one + two
    return 0.0 if math.isnan(total) else total


def _count(a: float, b: float) -> float:
    """COUNT (Redis 8.8): in how many of the keys a member is; each counts as its weight."""
    return _sum(a, b)


_AGGREGATES: Final[dict[bytes, Callable[[float, float], float]]] = {
    b"SUM": _sum,
    b"MIN": min,
    b"MAX": max,
    b"COUNT": _count,
}


class _Operand(NamedTuple):
    """The members of one key, as scores of a sorted set or as a plain set, and their weight."""

    members: Scores | Set
    weight: float = 1.0

    def scored(self) -> Iterable[tuple[bytes, float]]:
        """Yield the members with their weighted scores."""
        members, weight = self.members, self.weight
        if isinstance(members, Set):
            return ((member, weight) for member in members)
        if weight == 1:
            return members.items()
        return ((member, _weighed(score, weight)) for member, score in members.items())

    def score(self, member: bytes) -> float | None:
        """Return the weighted score of a member, None if it is missing.  O(1)."""
        members = self.members
        if isinstance(members, Set):
            return self.weight if member in members else None
        score = members.get(member)
        return None if score is None else score * self.weight


def _size(operand: _Operand) -> int:
    return len(operand.members)


def _weighed(score: float, weight: float) -> float:
    """Return the product; infinity times zero is zero."""
    product = score * weight
    return 0.0 if math.isnan(product) else product


class _Query(NamedTuple):
    """The sets to be combined, the function that aggregates scores, and whether scores are returned."""

    operands: list[_Operand]
    aggregate: Callable[[float, float], float]
    with_scores: bool


def _names(name: str, words: Sequence[bytes]) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """Return the keys after ``numkeys``, and the words after them."""
    number = integer(words[0])
    if number < 1:
        raise CommandError(f"ERR at least 1 input key is needed for '{name}' command")
    if number > len(words) - 1:
        raise CommandError(SYNTAX)
    return words[1 : number + 1], words[number + 1 :]


def _members(client: Session, key: bytes) -> Scores | Set:
    value = client.db.lookup_read_any(key)
    if value is None:
        return {}
    if isinstance(value, ZSet):
        return value.scores
    if isinstance(value, Set):
        return value
    raise CommandError(WRONGTYPE)


def _weights(client: Session, *texts: bytes) -> list[float]:
    return [core_double(client, text, "ERR weight value is not a float") for text in texts]


def _aggregate(word: bytes) -> Callable[[float, float], float]:
    found = _AGGREGATES.get(word.upper())
    if found is None:
        raise CommandError(SYNTAX)
    return found


def _query(client: Session, name: str, words: Sequence[bytes], weighs: bool = True, stores: bool = False) -> _Query:
    names, options = _names(name, words)
    members = [_members(client, key) for key in names]
    known: Options = {} if stores else {b"WITHSCORES": FLAG}
    if weighs:
        known |= {b"WEIGHTS": (len(names), partial(_weights, client)), b"AGGREGATE": (1, _aggregate)}
    given = read_options(options, known)
    weights, aggregate = given.get(b"WEIGHTS", [1.0] * len(names)), given.get(b"AGGREGATE", _sum)
    if aggregate is _count:
        if not client.engine.config.edition.includes("8.8.0"):
            raise CommandError(SYNTAX)
        members = [each if isinstance(each, Set) else dict.fromkeys(each, 1.0) for each in members]
    return _Query(list(map(_Operand, members, weights)), aggregate, b"WITHSCORES" in given)


def _union(query: _Query) -> Scores:
    result: Scores = {}
    for operand in sorted(query.operands, key=_size):
        for member, score in operand.scored():
            old = result.get(member)
            result[member] = score if old is None else query.aggregate(old, score)
    return result


def _intersection(query: _Query) -> Scores:
    first, *others = sorted(query.operands, key=_size)
    result: Scores = {}
    for member, total in first.scored():
        for other in others:
            score = other.score(member)
            if score is None:
                break
            total = query.aggregate(total, score)
        else:
            result[member] = total
    return result


def _difference(query: _Query) -> Scores:
    """Return the first set without the members of the others.  Each step costs O(N) for the smaller of two sets."""
    first, *others = query.operands
    result = dict(first.scored())
    for other in others:
        if _size(other) < len(result):
            for member in other.members:
                result.pop(member, None)
        else:
            result = {member: score for member, score in result.items() if member not in other.members}
    return result


def _answer(result: Scores, with_scores: bool) -> Reply:
    ordered = sorted((score, member) for member, score in result.items())
    if with_scores:
        return pairs(ordered)
    return [member for _, member in ordered]


@command(
    "sorted_set",
    since="6.2.0",
    flags="readonly",
    keys=[numkeys("RO access", 1)],
    complexity="O(N)+O(M*log(M)) for N members in all and M in the result",
)
def zunion(client: Session, numkeys: bytes, key: bytes, *more: bytes) -> Reply:
    """Returns the members that any of several sorted sets has, with aggregated scores."""
    query = _query(client, "zunion", (numkeys, key, *more))
    return _answer(_union(query), query.with_scores)


@command(
    "sorted_set",
    since="2.0.0",
    flags="write denyoom",
    keys=[keys("OW update", 1), numkeys("RO access", 2)],
    complexity="O(N)+O(M*log(M)) for N members in all and M in the result",
)
def zunionstore(client: Session, destination: bytes, numkeys: bytes, key: bytes, *more: bytes) -> int:
    """Stores the members that any of several sorted sets has; returns how many."""
    query = _query(client, "zunionstore", (numkeys, key, *more), stores=True)
    return store(client, destination, _union(query), b"zunionstore")


@command(
    "sorted_set",
    since="6.2.0",
    flags="readonly",
    keys=[numkeys("RO access", 1)],
    complexity="O(N*K)+O(M*log(M)) for N members in the smallest of K and M in the result",
)
def zinter(client: Session, numkeys: bytes, key: bytes, *more: bytes) -> Reply:
    """Returns the members that all of several sorted sets have, with aggregated scores."""
    query = _query(client, "zinter", (numkeys, key, *more))
    return _answer(_intersection(query), query.with_scores)


@command(
    "sorted_set",
    since="2.0.0",
    flags="write denyoom",
    keys=[keys("OW update", 1), numkeys("RO access", 2)],
    complexity="O(N*K)+O(M*log(M)) for N members in the smallest of K and M in the result",
)
def zinterstore(client: Session, destination: bytes, numkeys: bytes, key: bytes, *more: bytes) -> int:
    """Stores the members that all of several sorted sets have; returns how many."""
    query = _query(client, "zinterstore", (numkeys, key, *more), stores=True)
    return store(client, destination, _intersection(query), b"zinterstore")


@command(
    "sorted_set",
    since="7.0.0",
    flags="readonly",
    keys=[numkeys("RO access", 1)],
    complexity="O(N*K) for N members in the smallest of K",
)
def zintercard(client: Session, numkeys: bytes, key: bytes, *more: bytes) -> int:
    """Counts the members that all of several sorted sets have, up to a limit."""
    names, options = _names("zintercard", (numkeys, key, *more))
    operands = [_members(client, name) for name in names]
    first, *others = sorted((each.members if isinstance(each, Set) else each for each in operands), key=len)
    limit = read_options(options, UP_TO_LIMIT).get(b"LIMIT", 0)
    return sum(1 for _ in islice(in_all(first, others), limit or None))


@command(
    "sorted_set",
    since="6.2.0",
    flags="readonly",
    keys=[numkeys("RO access", 1)],
    complexity="O(L+(N-K)log(N)) for L members in all, N in the first and K in the result",
)
def zdiff(client: Session, numkeys: bytes, key: bytes, *more: bytes) -> Reply:
    """Returns the members of the first sorted set that no other has."""
    query = _query(client, "zdiff", (numkeys, key, *more), weighs=False)
    return _answer(_difference(query), query.with_scores)


@command(
    "sorted_set",
    since="6.2.0",
    flags="write denyoom",
    keys=[keys("OW update", 1), numkeys("RO access", 2)],
    complexity="O(L+(N-K)log(N)) for L members in all, N in the first and K in the result",
)
def zdiffstore(client: Session, destination: bytes, numkeys: bytes, key: bytes, *more: bytes) -> int:
    """Stores the members of the first sorted set that no other has; returns how many."""
    query = _query(client, "zdiffstore", (numkeys, key, *more), weighs=False, stores=True)
    return store(client, destination, _difference(query), b"zdiffstore")
