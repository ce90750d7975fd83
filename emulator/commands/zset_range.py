"""Sorted sets: ranges by rank, by score and by the members' bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from emulator.commands.arguments import integer, span
from emulator.commands.options import FLAG, LIMIT, Options, last_given, once, read_options
from emulator.commands.zset import pairs
from emulator.config.notifications import GENERIC, ZSET
from emulator.datatypes.zset import LexRange, Scored, ZSet, members_of
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import Reply
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

BY_RANK, BY_SCORE, BY_LEX = b"RANK", b"BYSCORE", b"BYLEX"
Ranks = Callable[[ZSet], tuple[int, int]]


# Reading the ends of a range


def _score_range(client: Session, low: bytes, high: bytes) -> tuple[float, float, bool, bool]:
    """Return the scores at two ends such as ``(1`` and ``+inf``, and whether each is excluded."""
    excludes_low, excludes_high = low[:1] == b"(", high[:1] == b"("
    read = client.engine.read_double
    least, most = read(low[1:] if excludes_low else low), read(high[1:] if excludes_high else high)
    if least is None or most is None:
        raise CommandError("ERR min or max is not a float")
    return least, most, excludes_low, excludes_high


def _lex_end(text: bytes) -> tuple[bytes | None, bool, int]:
    """Return the member, whether it is excluded, and -1 or 1 for the infinite ends ``-`` and ``+``."""
    if text in (b"-", b"+"):
        return None, False, -1 if text == b"-" else 1
    if text[:1] not in (b"(", b"["):
        raise CommandError("ERR min or max not valid string range item")
    return text[1:], text[:1] == b"(", 0


def lex_range(low: bytes, high: bytes) -> LexRange:
    """Return the range of members between two ends such as ``[a`` and ``(b``."""
    (least, excludes_low, low_end), (most, excludes_high, high_end) = _lex_end(low), _lex_end(high)
    empty = low_end > 0 or high_end < 0
    if least is not None and most is not None:
        empty = empty or least > most or (least == most and (excludes_low or excludes_high))
    return LexRange(least, most, excludes_low, excludes_high, empty)


def _ranks(client: Session, kind: bytes, start: bytes, stop: bytes, backwards: bool = False) -> Ranks:
    """Return the function that finds the ranks of a range in a sorted set."""
    if kind == BY_SCORE:
        scores = _score_range(client, start, stop)
        return lambda members: members.ranks_by_score(*scores)
    if kind == BY_LEX:
        lex = lex_range(start, stop)
        return lambda members: members.ranks_by_lex(lex, backwards)
    first, last = integer(start), integer(stop)
    return lambda members: span(first, last, len(members))


# Ranges


class _Query(NamedTuple):
    """The arguments of a range command; `most` -1 means no limit."""

    kind: bytes
    backwards: bool
    start: bytes
    stop: bytes
    offset: int = 0
    most: int = -1
    with_scores: bool = False


_FIXED_OPTIONS: Final = {b"WITHSCORES": FLAG, b"LIMIT": LIMIT}
"""The options of commands whose name tells the kind and the direction of the range."""
_STORE_OPTIONS: Final = {b"LIMIT": LIMIT, b"REV": FLAG, BY_SCORE: FLAG, BY_LEX: FLAG}
_OPTIONS: Final = {**_STORE_OPTIONS, b"WITHSCORES": FLAG}
_RULES: Final = once(BY_SCORE, BY_LEX) | once(b"REV")


def _parse(
    start: bytes,
    stop: bytes,
    options: Sequence[bytes],
    known: Options = _FIXED_OPTIONS,
    kind: bytes = BY_RANK,
    backwards: bool = False,
) -> _Query:
    if not options:
        return _Query(kind, backwards, start, stop)
    given = read_options(options, known, _RULES)
    kind, backwards = last_given(given, (BY_SCORE, BY_LEX), kind), backwards or b"REV" in given
    offset, count = given.get(b"LIMIT", (0, -1))
    with_scores = b"WITHSCORES" in given
    if count != -1 and kind == BY_RANK:
        raise CommandError("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
    if with_scores and kind == BY_LEX:
        raise CommandError("ERR syntax error, WITHSCORES not supported in combination with BYLEX")
    if kind == BY_RANK:
        offset = 0
    return _Query(kind, backwards, start, stop, offset, count, with_scores)


def _select(client: Session, key: bytes, query: _Query) -> list[Scored]:
    swap = query.backwards and query.kind != BY_RANK
    ends = (query.stop, query.start) if swap else (query.start, query.stop)
    ranks = _ranks(client, query.kind, *ends, query.backwards)
    members = client.db.lookup_read(key, ZSet)
    if members is None:
        return []
    first, last = ranks(members)
    if query.backwards and query.kind == BY_RANK:
        first, last = len(members) - last, len(members) - first
    offset = query.offset
    if not offset and query.most < 0:
        return members.slice(first, last, query.backwards)
    if offset < 0 and client.engine.config.edition.is_valkey and not members.packed:
        offset += last - first  # it counts from the end of a range in a skip list
    if offset < 0:
        return []
    if query.backwards:
        last = max(last - offset, first)
        first = first if query.most < 0 else max(first, last - query.most)
    else:
        first = min(first + offset, last)
        last = last if query.most < 0 else min(last, first + query.most)
    return members.slice(first, last, query.backwards)


def _answer(client: Session, key: bytes, query: _Query) -> Reply:
    selected = _select(client, key, query)
    return pairs(selected) if query.with_scores else members_of(selected)


def _answer_by_rank(client: Session, key: bytes, start: bytes, stop: bytes, backwards: bool) -> Reply:
    """The same where there are no options, as for most ranges of ranks."""
    first, last = integer(start), integer(stop)
    members = client.db.lookup_read(key, ZSet)
    if members is None:
        return []
    size = len(members.scores)
    first, last = span(first, last, size)
    return members_of(members.slice(size - last, size - first, True) if backwards else members.order[first:last])


@command(
    "sorted_set",
    since="1.2.0",
    flags="readonly",
    keys=[keys("RO access", 1)],
    complexity="O(log(N)+M) for M members returned",
)
def zrange(client: Session, key: bytes, start: bytes, stop: bytes, *options: bytes) -> Reply:
    """Returns a range of members, by ranks, scores or bytes, forwards or backwards."""
    if not options:
        return _answer_by_rank(client, key, start, stop, backwards=False)
    return _answer(client, key, _parse(start, stop, options, _OPTIONS))


@command(
    "sorted_set",
    since="6.2.0",
    flags="write denyoom",
    keys=[keys("OW update", 1), keys("RO access", 2)],
    complexity="O(log(N)+M) for M members stored",
)
def zrangestore(client: Session, dst: bytes, src: bytes, min: bytes, max: bytes, *options: bytes) -> int:
    """Stores a range of members in another sorted set; returns how many."""
    query, config = _parse(min, max, options, _STORE_OPTIONS), client.engine.config
    selected = _select(client, src, query)
    scores = {member: score for score, member in selected}
    packs = query.kind == BY_RANK or not config.edition.precedes("7.4.0")
    if packs and not (query.kind == BY_RANK and len(scores) > config.zset_max_listpack_entries):
        # they are added one by one, at first to a listpack, which knows no negative zero
        for score, member in islice(selected, config.zset_max_listpack_entries):
            if len(member) > config.zset_max_listpack_value:
                break
            scores[member] = score + 0.0
    return store(client, dst, scores, b"zrangestore", packs)


def store(client: Session, key: bytes, scores: dict[bytes, float], event: bytes, packs: bool = True) -> int:
    """Store members as a sorted set, which a small one `packs`, or delete the key if there are none; return how many."""
    db = client.db
    if scores:
        value = ZSet.of(scores, client.engine.config)
        if not packs:
            value.unpack()
        db.put(key, value, ZSET, event)
    elif db.peek_entry(key) is not None:
        db.discard(key)
        db.gone(key, GENERIC, b"del")
    return len(scores)


@command(
    "sorted_set",
    since="1.2.0",
    flags="readonly",
    keys=[keys("RO access", 1)],
    complexity="O(log(N)+M) for M members returned",
)
def zrevrange(client: Session, key: bytes, start: bytes, stop: bytes, *options: bytes) -> Reply:
    """Returns the members in a range of ranks, highest score first."""
    if not options:
        return _answer_by_rank(client, key, start, stop, backwards=True)
    return _answer(client, key, _parse(start, stop, options, backwards=True))


@command(
    "sorted_set",
    since="1.0.5",
    flags="readonly",
    keys=[keys("RO access", 1)],
    complexity="O(log(N)+M) for M members returned",
)
def zrangebyscore(client: Session, key: bytes, min: bytes, max: bytes, *options: bytes) -> Reply:
    """Returns the members in a range of scores, lowest first."""
    return _answer(client, key, _parse(min, max, options, kind=BY_SCORE))


@command(
    "sorted_set",
    since="2.2.0",
    flags="readonly",
    keys=[keys("RO access", 1)],
    complexity="O(log(N)+M) for M members returned",
)
def zrevrangebyscore(client: Session, key: bytes, max: bytes, min: bytes, *options: bytes) -> Reply:
    """Returns the members in a range of scores, highest first."""
    return _answer(client, key, _parse(max, min, options, kind=BY_SCORE, backwards=True))


@command(
    "sorted_set",
    since="2.8.9",
    flags="readonly",
    keys=[keys("RO access", 1)],
    complexity="O(log(N)+M) for M members returned",
)
def zrangebylex(client: Session, key: bytes, min: bytes, max: bytes, *options: bytes) -> Reply:
    """Returns the members in a range of bytes, first to last."""
    return _answer(client, key, _parse(min, max, options, kind=BY_LEX))


@command(
    "sorted_set",
    since="2.8.9",
    flags="readonly",
    keys=[keys("RO access", 1)],
    complexity="O(log(N)+M) for M members returned",
)
def zrevrangebylex(client: Session, key: bytes, max: bytes, min: bytes, *options: bytes) -> Reply:
    """Returns the members in a range of bytes, last to first."""
    return _answer(client, key, _parse(max, min, options, kind=BY_LEX, backwards=True))


# Counting and removing


@command("sorted_set", since="2.0.0", flags="readonly fast", keys=[keys("RO access", 1)], complexity="O(log N)")
def zcount(client: Session, key: bytes, min: bytes, max: bytes) -> int:
    """Counts the members in a range of scores."""
    scores = _score_range(client, min, max)
    members = client.db.lookup_read(key, ZSet)
    if members is None:
        return 0
    first, last = members.ranks_by_score(*scores)
    return last - first


@command("sorted_set", since="2.8.9", flags="readonly fast", keys=[keys("RO access", 1)], complexity="O(log N)")
def zlexcount(client: Session, key: bytes, min: bytes, max: bytes) -> int:
    """Counts the members in a range of bytes."""
    lex = lex_range(min, max)
    members = client.db.lookup_read(key, ZSet)
    if members is None:
        return 0
    first, last = members.ranks_by_lex(lex)
    return last - first


def _remove(client: Session, key: bytes, ranks: Ranks, event: bytes) -> int:
    target = client.db.lookup_write(key, ZSet)
    if target is None:
        return 0
    removed = len(target.remove_slice(*ranks(target)))
    if removed:
        client.db.removed_from(key, target.scores, ZSET, event, removed)
    return removed


@command(
    "sorted_set",
    since="2.0.0",
    flags="write",
    keys=[keys("RW delete", 1)],
    complexity="O(log(N)+M) for M members removed",
)
def zremrangebyrank(client: Session, key: bytes, start: bytes, stop: bytes) -> int:
    """Removes the members in a range of ranks; returns how many."""
    return _remove(client, key, _ranks(client, BY_RANK, start, stop), b"zremrangebyrank")


@command(
    "sorted_set",
    since="1.2.0",
    flags="write",
    keys=[keys("RW delete", 1)],
    complexity="O(log(N)+M) for M members removed",
)
def zremrangebyscore(client: Session, key: bytes, min: bytes, max: bytes) -> int:
    """Removes the members in a range of scores; returns how many."""
    return _remove(client, key, _ranks(client, BY_SCORE, min, max), b"zremrangebyscore")


@command(
    "sorted_set",
    since="2.8.9",
    flags="write",
    keys=[keys("RW delete", 1)],
    complexity="O(log(N)+M) for M members removed",
)
def zremrangebylex(client: Session, key: bytes, min: bytes, max: bytes) -> int:
    """Removes the members in a range of bytes; returns how many."""
    return _remove(client, key, _ranks(client, BY_LEX, min, max), b"zremrangebylex")
