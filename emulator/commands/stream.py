"""Streams: adds, reads, deletes and trims entries."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from emulator.commands.arguments import integer, wrong_arity
from emulator.commands.options import (
    FLAG,
    Given,
    Options,
    Rule,
    at_least,
    last_given,
    leading_options,
    once,
    read_options,
)
from emulator.commands.stream_ids import (
    ACKED,
    DELREF,
    KEEPREF,
    STRATEGIES,
    end_of_interval,
    exact_id,
    ids_to_delete,
    start_of_interval,
)
from emulator.commands.stream_messages import (
    MESSAGE_OPTIONS,
    MESSAGE_RULES,
    Message,
    known_message,
    new_stream,
    record_message,
)
from emulator.config.edition import Edition
from emulator.config.notifications import STREAM
from emulator.datatypes.run import Body
from emulator.datatypes.stream import MAX_ID, Stream, format_id
from emulator.protocol.errors import NO_SUCH_KEY, NOT_INTEGER, CommandError
from emulator.protocol.numbers import UINT64_MAX
from emulator.protocol.replies import NULL_ARRAY, OK, Entries, Reply, Status
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session


_FEW: Final = 64
"""So many entries are found more quickly one by one."""
Listed = tuple[bytes, Body]
"""An entry as clients see it, id and fields."""


def entries(stream: Stream, start: int, end: int, count: int = 0, backwards: bool = False) -> Collection[Listed]:
    """Return the entries from one id to another; at most `count` unless it is 0."""
    if 0 < count <= _FEW:
        return [(format_id(id), body) for id, body in islice(stream.range(start, end, backwards), count)]
    chunks, left = [], count or len(stream)
    for chunk in stream.listed(start, end, backwards):
        chunks.append([column[:left] for column in chunk] if left < len(chunk[0]) else chunk)
        left -= len(chunk[0])
        if left <= 0:
            break
    return Entries(chunks)


# Trimming


class Trimming(NamedTuple):
    """A trimming by MAXLEN (`length`) or MINID (`least_id`), with their options."""

    length: int | None = None
    least_id: int | None = None
    whole_runs: bool = False
    limit: int = 0
    strategy: bytes = KEEPREF

    def apply(self, stream: Stream) -> int:
        """Trim a stream; return how many entries were removed.  DELREF and ACKED look at each entry, also with ``~``."""
        if self.strategy == KEEPREF:
            if self.length is not None:
                return stream.trim_to_length(self.length, self.whole_runs, self.limit)
            return stream.trim_to_id(self.least_id or 0, self.whole_runs, self.limit)

        def enough(id: int) -> bool:
            return len(stream) <= self.length if self.length is not None else id >= (self.least_id or 0)

        def may_go(id: int) -> bool:
            if self.strategy == ACKED:
                return not stream.is_referenced(id)
            stream.forget(id)
            return True

        return stream.trim_one_by_one(enough, may_go, self.limit)


def _threshold(words: Sequence[bytes]) -> int:
    """Return the number of words of ``[=|~] threshold``."""
    return 2 if len(words) > 1 and words[0] in (b"~", b"=") else 1


def _max_length(*words: bytes) -> tuple[bool, int]:
    length = integer(words[-1])
    if length < 0:
        raise CommandError("ERR The MAXLEN argument must be >= 0.")
    return words[0] == b"~", length


def _least_id(*words: bytes) -> tuple[bool, int]:
    return words[0] == b"~", exact_id(words[-1])


_TRIM_OPTIONS: Final[Options] = {
    **dict.fromkeys(STRATEGIES, FLAG),
    b"MAXLEN": (_threshold, _max_length),
    b"MINID": (_threshold, _least_id),
    b"LIMIT": at_least(0, "ERR The LIMIT argument must be >= 0.", NOT_INTEGER),
}
_ADD_OPTIONS: Final = {**_TRIM_OPTIONS, b"NOMKSTREAM": FLAG}
_TRIM_RULES: Final = once(*STRATEGIES) | once(
    b"MAXLEN", b"MINID", error="ERR syntax error, MAXLEN and MINID options at the same time are not compatible"
)


@cache
def _add_options(edition: Edition) -> tuple[Options, Mapping[bytes, Rule]]:
    """XADD's options in an edition, and which of them exclude each other."""
    if edition.includes("8.6.0"):
        return _ADD_OPTIONS | MESSAGE_OPTIONS, _TRIM_RULES | MESSAGE_RULES
    return _of_edition(edition, _ADD_OPTIONS), _TRIM_RULES


def _of_edition(edition: Edition, options: Options) -> Options:
    """What becomes of entries that groups refer to is said since 8.2."""
    if edition.includes("8.2.0"):
        return options
    return {word: option for word, option in options.items() if word not in STRATEGIES}


def _trimming(given: Given, run: int, edition: Edition, for_adding: bool, obeyed: bool) -> Trimming | None:
    """The trimming that options ask for, with so many entries in a run; None if they ask for none, as only XADD may.

    The words of one who is `obeyed` have been rewritten, and may have a limit that is of no use.
    """
    limit: int | None = given.get(b"LIMIT")
    by_length, by_id = given.get(b"MAXLEN"), given.get(b"MINID")
    asked = by_length or by_id
    if limit and not asked:
        raise CommandError("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
    if not asked and not for_adding:
        raise CommandError("ERR syntax error, XTRIM must be called with a trimming strategy")
    whole_runs, threshold = asked or (False, 0)
    if limit is not None and not whole_runs and not obeyed:
        raise CommandError("ERR syntax error, LIMIT cannot be used without the special ~ option")
    if not asked:
        return None
    if limit is None and whole_runs:
        limit = min(100 * run, 1_000_000) or 10_000
    strategy = last_given(given, STRATEGIES, KEEPREF)
    if whole_runs and strategy != KEEPREF and not edition.includes("8.4.0"):  # ``~`` did nothing with them
        return Trimming(least_id=0)
    length, least_id = (threshold, None) if by_length else (None, threshold)
    return Trimming(length, least_id, whole_runs, limit or 0, strategy)


@command(
    "stream",
    since="5.0.0",
    flags="write",
    keys=[keys("RW delete", 1)],
    tips="nondeterministic_output",
    complexity="O(N) for N entries that go",
)
def xtrim(client: Session, key: bytes, strategy: bytes, threshold: bytes, *options: bytes) -> int:
    """Removes the oldest entries of a stream, by its length or by their ids; returns how many."""
    config = client.engine.config
    known, run = _of_edition(config.edition, _TRIM_OPTIONS), config.stream_node_max_entries
    given = read_options((strategy, threshold, *options), known, _TRIM_RULES)
    trimming = _trimming(given, run, config.edition, for_adding=False, obeyed=client.is_obeyed)
    stream = client.db.lookup_write(key, Stream)
    gone = trimming.apply(stream) if trimming and stream is not None else 0
    if gone:
        client.db.changed(key, STREAM, b"xtrim", gone)
    return gone


# Adding


class _Asked(NamedTuple):
    """What stands before the fields of XADD, up to a ``place``.

    The id is None for ``*``; with ``ms-*`` it is `open_ended`, and the stream is to find the sequence number.
    """

    trimming: Trimming | None = None
    make: bool = True
    id: int | None = None
    open_ended: bool = False
    place: int = 0
    message: Message | None = None


def _asked(words: Body, run: int, edition: Edition, obeyed: bool = False) -> _Asked:
    """The options and the id in the words of XADD, with so many entries in a run of a stream."""
    given, rest = leading_options(words, *_add_options(edition))
    if not rest:
        raise wrong_arity("xadd")
    text = rest[0]
    open_ended = text.endswith(b"-*")
    id = None if text == b"*" else exact_id(text[:-2] if open_ended else text)
    message = given.get(b"IDMP") or given.get(b"IDMPAUTO")
    if message is not None and id is not None:
        raise CommandError("ERR syntax error, IDMP/IDMPAUTO can be used only with auto-generated IDs")
    trimming = _trimming(given, run, edition, for_adding=True, obeyed=obeyed)
    return _Asked(trimming, b"NOMKSTREAM" not in given, id, open_ended, len(words) - len(rest), message)


@lru_cache(maxsize=64)
def _asked_again(words: Body, run: int, edition: Edition) -> _Asked:
    """The same for words that end with the id ``*``, kept since they come time and again; raises ValueError for others."""
    asked = _asked(words, run, edition)
    if asked.id is not None:
        raise ValueError(words)  # which may be long and must not be kept
    return asked


def _any_asked(client: Session, words: Body) -> _Asked:
    config = client.engine.config
    run, edition = config.stream_node_max_entries, config.edition
    try:
        return _asked_again(words[: words.index(b"*") + 1], run, edition)
    except (ValueError, CommandError):  # not ``contextlib.suppress``, which takes longer than the rest
        return _asked(words, run, edition, client.is_obeyed)


def _next_id(client: Session, stream: Stream, asked: _Asked) -> int:
    """The id of the next entry of a stream."""
    last, id = stream.last_id, asked.id
    if last == MAX_ID:
        raise CommandError("ERR The stream has exhausted the last possible ID, unable to add more items")
    if id is None:
        now = client.engine.clock.now << 64
        return now if now > last else last + 1
    if asked.open_ended and id >> 64 == last >> 64 and last & UINT64_MAX != UINT64_MAX:
        return last + 1
    if id <= last:
        raise CommandError("ERR The ID specified in XADD is equal or smaller than the target stream top item")
    return id


_PLAIN: Final = _Asked()


@command(
    "stream",
    since="5.0.0",
    flags="write denyoom fast",
    keys=[keys("RW update", 1, notes="UPDATE instead of INSERT because of the optional trimming feature")],
    tips="nondeterministic_output",
    complexity="O(1), and O(N) for N entries that are trimmed",
)
def xadd(client: Session, key: bytes, id: bytes, field: bytes, value: bytes, *more: bytes) -> bytes | None:
    """Appends an entry to a stream, which is created if necessary; returns the id."""
    db, config = client.db, client.engine.config
    words: Body = (id, field, value, *more)
    asked = _PLAIN if id == b"*" else _any_asked(client, words)
    body = words[asked.place + 1 :]
    if not body or len(body) % 2:
        raise wrong_arity("xadd")
    if asked.id == 0 and not asked.open_ended:
        raise CommandError("ERR The ID specified in XADD must be greater than 0-0")
    stream = db.lookup_write(key, Stream)
    if stream is None:
        if not asked.make:
            return None
        stream = new_stream(client)
        new = _next_id(client, stream, asked)
        db.insert(key, stream)
    else:
        known = None if asked.message is None else known_message(client, stream, asked.message, body)
        if known is not None:
            return format_id(known)
        new = _next_id(client, stream, asked)
        if key in db.blocked:
            client.engine.blocking.signal(db, key, Stream)
    if asked.message is not None:
        record_message(client, stream, asked.message, body, new)
    stream.append(new, body, config.stream_node_max_bytes, config.stream_node_max_entries)
    db.changed(key, STREAM, b"xadd")
    if asked.trimming is not None:
        gone = asked.trimming.apply(stream)
        if gone:
            db.changed(key, STREAM, b"xtrim", 0)
    return b"%d-%d" % (new >> 64, new & UINT64_MAX)


# Reading


@command("stream", since="5.0.0", flags="readonly fast", keys=[keys("RO", 1)], complexity="O(1)")
def xlen(client: Session, key: bytes) -> int:
    """Returns the number of entries."""
    stream = client.db.lookup_read(key, Stream)
    return 0 if stream is None else len(stream)


_RANGE_OPTIONS: Final[Options] = {b"COUNT": (1, lambda text: max(integer(text), 0))}


def _range(client: Session, key: bytes, low: bytes, high: bytes, options: Sequence[bytes], reverse: bool) -> Reply:
    start, end = start_of_interval(low), end_of_interval(high)
    count = read_options(options, _RANGE_OPTIONS).get(b"COUNT", -1)
    stream = client.db.lookup_read(key, Stream)
    if stream is None:
        return []
    if not count:
        return NULL_ARRAY
    return entries(stream, start, end, max(count, 0), reverse)


@command(
    "stream",
    since="5.0.0",
    flags="readonly",
    keys=[keys("RO access", 1)],
    complexity="O(N) for N entries returned",
)
def xrange(client: Session, key: bytes, start: bytes, end: bytes, *options: bytes) -> Reply:
    """Returns the entries with ids from start to end, oldest first."""
    return _range(client, key, start, end, options, reverse=False)


@command(
    "stream",
    since="5.0.0",
    flags="readonly",
    keys=[keys("RO access", 1)],
    complexity="O(N) for N entries returned",
)
def xrevrange(client: Session, key: bytes, end: bytes, start: bytes, *options: bytes) -> Reply:
    """Returns the entries with ids from end to start, newest first."""
    return _range(client, key, start, end, options, reverse=True)


# Deleting


@command("stream", since="5.0.0", flags="write fast", keys=[keys("RW delete", 1)], complexity="O(1) for each entry")
def xdel(client: Session, key: bytes, id: bytes, *more: bytes) -> int:
    """Deletes entries; returns how many existed."""
    stream = client.db.lookup_write(key, Stream)
    if stream is None:
        return 0
    gone = sum([stream.delete(number) for number in [exact_id(text) for text in (id, *more)]])
    if gone:
        client.db.changed(key, STREAM, b"xdel", gone)
    return gone


DELETED = 1
STILL_NEEDED = 2
NOT_THERE = -1


def delete_entry(stream: Stream, id: int, strategy: bytes) -> int:
    """Delete an entry by a strategy; return `DELETED`, `STILL_NEEDED` (by a consumer group) or `NOT_THERE`."""
    if strategy == ACKED and stream.is_referenced(id):
        return STILL_NEEDED
    if strategy == DELREF:
        stream.forget(id)
    return DELETED if stream.delete(id) else NOT_THERE


@command("stream", since="8.2.0", flags="write fast", keys=[keys("RW delete", 1)], complexity="O(1) for each entry")
def xdelex(client: Session, key: bytes, ids: bytes, numids: bytes, id: bytes, *more: bytes) -> list[int]:
    """Deletes entries with respect to consumer groups; returns 1 (deleted), 2 (still referenced) or -1 (missing) each."""
    stream = client.db.lookup_write(key, Stream)
    strategy, texts = ids_to_delete((ids, numids, id, *more))
    if stream is None:
        return [NOT_THERE] * len(texts)
    answers = [delete_entry(stream, number, strategy) for number in [exact_id(text) for text in texts]]
    gone = answers.count(DELETED)
    if gone:
        client.db.changed(key, STREAM, b"xdel", gone)
    return answers


_ENTRIES_ADDED: Final = at_least(0, "ERR entries_added must be positive", NOT_INTEGER)


@command("stream", since="5.0.0", flags="write denyoom fast", keys=[keys("RW update", 1)], complexity="O(1)")
def xsetid(client: Session, key: bytes, last_id: bytes, *options: bytes) -> Status:
    """Sets the last id of a stream and related counters; meant for replication."""
    id = exact_id(last_id)

    def max_deleted_id(text: bytes) -> int:
        number = exact_id(text)
        if id < number:
            raise CommandError("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
        return number

    given = read_options(options, {b"ENTRIESADDED": _ENTRIES_ADDED, b"MAXDELETEDID": (1, max_deleted_id)})
    added: int | None = given.get(b"ENTRIESADDED")
    stream = client.db.lookup_write(key, Stream)
    if stream is None:
        raise CommandError(NO_SUCH_KEY)
    if id < stream.max_deleted:
        raise CommandError("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id")
    if len(stream):
        if id < stream.top_id:
            raise CommandError("ERR The ID specified in XSETID is smaller than the target stream top item")
        if added is not None and len(stream) > added:
            raise CommandError("ERR The entries_added specified in XSETID is smaller than the target stream length")
    stream.last_id = id
    stream.added = stream.added if added is None else added
    stream.max_deleted = given.get(b"MAXDELETEDID") or stream.max_deleted
    client.db.changed_silently(key, STREAM, b"xsetid")
    return OK
