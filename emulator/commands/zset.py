"""Sorted sets: members, scores, ranks, removal.  Ranges, combinations and blocking pops have modules of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from typing import TYPE_CHECKING

from emulator.commands.arguments import core_double, positive, random_count, wrong_arity
from emulator.commands.options import FLAG, leading_options
from emulator.commands.scan import SCORES, of_edition, scan_cursor, scan_options
from emulator.config.notifications import ZSET
from emulator.datatypes.columns import in_turns
from emulator.datatypes.zset import Scored, ZSet, members_of, scores_of
from emulator.protocol.errors import SYNTAX, CommandError
from emulator.protocol.numbers import format_doubles
from emulator.protocol.replies import NULL_ARRAY, Pairs, Reply
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_OPTIONS = dict.fromkeys((b"NX", b"XX", b"GT", b"LT", b"CH", b"INCR"), FLAG)
_NO_OPTIONS: frozenset[bytes] = frozenset()
_NOT_A_NUMBER = "ERR resulting score is not a number (NaN)"


def pairs(members: Sequence[Scored]) -> Pairs:
    """Return members with their scores."""
    return Pairs(members_of(members), scores_of(members))


# Adding


def _add_together(
    client: Session, key: bytes, scores: Sequence[bytes], members: Sequence[bytes], *more: Sequence[bytes]
) -> list[int] | None:
    """ZADD of one member each, without options."""
    numbers = [number for text in scores if (number := client.engine.parse_double(text)) is not None]
    target = client.db.lookup_write(key, ZSet)
    limits = client.engine.config
    if more or len(numbers) < len(scores) or target is None or limits.zset_max_listpack_entries < 1:
        return None
    changed, added = 0, []
    for number, member in zip(numbers, members, strict=True):
        old = target.scores.get(member)
        if old != number:
            target.set(member, number, limits)
            changed += 1
        added.append(1 if old is None else 0)
    if changed:
        client.db.changed(key, ZSET, b"zadd", changed)
    return added


@command(
    "sorted_set",
    since="1.2.0",
    flags="write denyoom fast",
    keys=[keys("RW update", 1)],
    complexity="O(log N) a member",
    together=_add_together,
)
def zadd(client: Session, key: bytes, score: bytes, member: bytes, *more: bytes) -> Reply:
    """Adds members with scores; returns how many are new (with CH: new or changed), or with INCR the new score."""
    if not more and (number := client.engine.parse_double(score)) is not None:  # as in most calls
        return _add_one(client, key, number, member)
    plain = score.upper() not in _OPTIONS
    words = (score, member, *more)
    given, rest = ({}, words) if plain else leading_options(words, _OPTIONS)
    options = given.keys()
    if len(rest) % 2 or not rest:
        raise CommandError(SYNTAX)
    if options:
        _check_options(options, len(rest) // 2)
    scores = [core_double(client, text) for text in rest[::2]]
    return add_scores(client, key, scores, rest[1::2], options)


def _add_one(client: Session, key: bytes, score: float, member: bytes) -> int:
    """ZADD of one member without options; returns whether it is new."""
    target = client.db.lookup_write(key, ZSet)
    if target is None:
        return int(add_scores(client, key, (score,), (member,), _NO_OPTIONS) or 0)
    limits = client.engine.config
    if limits.zset_max_listpack_entries < 1:
        target.unpack()
        client.db.reweigh(key)
    old = target.scores.get(member)
    if old != score:
        target.set(member, score, limits)
        client.db.changed(key, ZSET, b"zadd")
    return 1 if old is None else 0


def _check_options(options: Set[bytes], members: int) -> None:
    if {b"NX", b"XX"} <= options:
        raise CommandError("ERR XX and NX options at the same time are not compatible")
    if len(options & {b"GT", b"LT", b"NX"}) > 1:
        raise CommandError("ERR GT, LT, and/or NX options at the same time are not compatible")
    if b"INCR" in options and members > 1:
        raise CommandError("ERR INCR option supports a single increment-element pair")


def add_scores(
    client: Session, key: bytes, scores: Sequence[float], members: Sequence[bytes], options: Set[bytes]
) -> float | None:
    """Execute ZADD or GEOADD after their arguments are read."""
    db = client.db
    increments = b"INCR" in options
    target = db.lookup_write(key, ZSet)
    new = target is None
    if target is None:
        if b"XX" in options:
            return None if increments else 0
        target = ZSet()
    limits = client.engine.config
    if len(members) > limits.zset_max_listpack_entries:
        target.unpack()  # Redis converts by the number of words, before it notices duplicates
    if limits.edition.is_valkey and max(map(len, members)) > limits.zset_max_listpack_value:
        target.unpack()  # and Valkey by their lengths
    added = changed = 0
    result: float | None = None
    for score, member in zip(scores, members, strict=True):
        old = target.scores.get(member)
        if old is None:
            if b"XX" not in options:
                target.set(member, score, limits)
                added += 1
                result = score
            continue
        if b"NX" in options:
            continue
        if increments:
            score += old
            if math.isnan(score):
                raise CommandError(_NOT_A_NUMBER)
        if options and ((b"GT" in options and score <= old) or (b"LT" in options and score >= old)):
            continue
        result = score
        if score != old:
            target.set(member, score, limits)
            changed += 1
    if new and added:
        db.insert(key, target)
    if added or changed:
        db.changed(key, ZSET, b"zincr" if increments else b"zadd", added + changed)
    elif not new:
        db.reweigh(key)
    if increments:
        return result
    return added + changed if b"CH" in options else added


@command(
    "sorted_set",
    since="1.2.0",
    flags="write denyoom fast",
    keys=[keys("RW access update", 1)],
    complexity="O(log N)",
)
def zincrby(client: Session, key: bytes, increment: bytes, member: bytes) -> float | None:
    """Adds to the score of a member, 0 if it is missing; returns the new score."""
    if increment.upper() in _OPTIONS:  # Redis reads it as an option of ZADD
        raise CommandError(SYNTAX)
    amount = core_double(client, increment)
    return add_scores(client, key, [amount], [member], frozenset((b"INCR",)))


# Removing


@command(
    "sorted_set",
    since="1.2.0",
    flags="write fast",
    keys=[keys("RW delete", 1)],
    complexity="O(log N) a member",
)
def zrem(client: Session, key: bytes, member: bytes, *more: bytes) -> int:
    """Removes members; returns how many existed."""
    target = client.db.lookup_write(key, ZSet)
    if target is None:
        return 0
    removed = int(target.remove(member))
    if more:
        removed += sum(map(target.remove, more))
    if removed:
        client.db.removed_from(key, target.scores, ZSET, b"zrem", removed)
    return removed


def pop(client: Session, key: bytes, target: ZSet, lowest: bool, count: int) -> list[Scored]:
    """Remove and return up to `count` members with the lowest or highest scores."""
    size = len(target)
    first, last = (0, min(count, size)) if lowest else (max(size - count, 0), size)
    members = target.remove_slice(first, last)
    if members:
        if not lowest:
            members.reverse()
        client.db.removed_from(key, target.scores, ZSET, b"zpopmin" if lowest else b"zpopmax", len(members))
    return members


def _pop(client: Session, key: bytes, count: Sequence[bytes], lowest: bool) -> Reply:
    if len(count) > 1:
        raise CommandError(SYNTAX)
    most = 1
    if count:
        most = positive(count[0])
    target = client.db.lookup_write(key, ZSet)
    members = [] if target is None else pop(client, key, target, lowest, most)
    if count:
        return pairs(members)
    return [member for score, name in members for member in (name, score)]


@command(
    "sorted_set",
    since="5.0.0",
    flags="write fast",
    keys=[keys("RW access delete", 1)],
    complexity="O(log(N)*M) for M members taken",
)
def zpopmin(client: Session, key: bytes, *count: bytes) -> Reply:
    """Removes and returns the member with the lowest score, or several."""
    return _pop(client, key, count, lowest=True)


@command(
    "sorted_set",
    since="5.0.0",
    flags="write fast",
    keys=[keys("RW access delete", 1)],
    complexity="O(log(N)*M) for M members taken",
)
def zpopmax(client: Session, key: bytes, *count: bytes) -> Reply:
    """Removes and returns the member with the highest score, or several."""
    return _pop(client, key, count, lowest=False)


# Reading


@command("sorted_set", since="1.2.0", flags="readonly fast", keys=[keys("RO", 1)], complexity="O(1)")
def zcard(client: Session, key: bytes) -> int:
    """Returns the number of members, 0 if there is no sorted set."""
    members = client.db.lookup_read(key, ZSet)
    return 0 if members is None else len(members)


@command("sorted_set", since="1.2.0", flags="readonly fast", keys=[keys("RO access", 1)], complexity="O(1)")
def zscore(client: Session, key: bytes, member: bytes) -> float | None:
    """Returns the score of a member, or null if it is missing."""
    members = client.db.lookup_read(key, ZSet)
    return None if members is None else members.scores.get(member)


@command(
    "sorted_set",
    since="6.2.0",
    flags="readonly fast",
    keys=[keys("RO access", 1)],
    complexity="O(1) a member",
)
def zmscore(client: Session, key: bytes, member: bytes, *more: bytes) -> list[float | None]:
    """Returns the scores of members, null for each that is missing."""
    members = client.db.lookup_read(key, ZSet)
    return [None] * (1 + len(more)) if members is None else list(map(members.scores.get, (member, *more)))


def _rank(client: Session, key: bytes, member: bytes, options: Sequence[bytes], name: str, backwards: bool) -> Reply:
    if len(options) > 1:
        raise wrong_arity(name)
    if options and options[0].upper() != b"WITHSCORE":
        raise CommandError(SYNTAX)
    members = client.db.lookup_read(key, ZSet)
    rank = None if members is None else members.rank(member)
    if members is None or rank is None:
        return NULL_ARRAY if options else None
    if backwards:
        rank = len(members) - 1 - rank
    return [rank, members.scores[member]] if options else rank


@command("sorted_set", since="2.0.0", flags="readonly fast", keys=[keys("RO access", 1)], complexity="O(log N)")
def zrank(client: Session, key: bytes, member: bytes, *options: bytes) -> Reply:
    """Returns the rank of a member, 0 for the lowest score, or null if it is missing."""
    return _rank(client, key, member, options, "zrank", backwards=False)


@command("sorted_set", since="2.0.0", flags="readonly fast", keys=[keys("RO access", 1)], complexity="O(log N)")
def zrevrank(client: Session, key: bytes, member: bytes, *options: bytes) -> Reply:
    """Returns the rank of a member, 0 for the highest score, or null if it is missing."""
    return _rank(client, key, member, options, "zrevrank", backwards=True)


@command(
    "sorted_set",
    since="6.2.0",
    flags="readonly",
    keys=[keys("RO access", 1)],
    tips="nondeterministic_output",
    complexity="O(N) for N members returned",
)
def zrandmember(client: Session, key: bytes, *options: bytes) -> Reply:
    """Returns a random member, or several: different ones for a positive count, repeatable ones for a negative."""
    if not options:
        members = client.db.lookup_read(key, ZSet)
        return None if members is None else members.index.choose(client.engine.random)
    count, with_scores = random_count(options, b"WITHSCORES")
    members = client.db.lookup_read(key, ZSet)
    if members is None:
        return []
    chosen = _choose(client, members, count)
    if with_scores:
        return Pairs(chosen, list(map(members.scores.__getitem__, chosen)))
    return chosen


def _choose(client: Session, members: ZSet, count: int) -> list[bytes]:
    if count >= len(members):
        return list(members)
    return members.index.pick(client.engine.random, client.producible(count))


@command(
    "sorted_set",
    since="2.8.0",
    flags="readonly",
    keys=[keys("RO access", 1)],
    tips="nondeterministic_output",
    complexity="O(1) a call, O(N) for all",
)
def zscan(client: Session, key: bytes, cursor: bytes, *options: bytes) -> list[Reply]:
    """Returns some members with scores and the cursor to continue with, 0 at the end."""
    position = scan_cursor(cursor, client.engine.config.edition)
    members = client.db.lookup_read(key, ZSet)
    if members is None:
        return [b"0", []]
    asked = scan_options(options, of_edition(client.engine.config.edition, SCORES))
    after, found = (0, list(members)) if members.packed else members.index.scan(position, asked.most)
    chosen = asked.chosen(found)
    if asked.no_values:
        return [b"%d" % after, chosen]
    scores = list(map(members.scores.__getitem__, chosen))
    # for scans of a hash table, Redis prints scores in full
    texts = format_doubles(scores) if members.packed else list(map(b"%.17g".__mod__, scores))
    return [b"%d" % after, in_turns(chosen, texts)]
