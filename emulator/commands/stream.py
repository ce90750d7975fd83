"""Streams: adds, reads and deletes entries.  Trimming is in `stream_trim`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import integer, wrong_arity
from emulator.commands.options import FLAG, Options, Rule, at_least, leading_options, read_options
from emulator.commands.stream_ids import ACKED, DELREF, end_of_interval, exact_id, ids_to_delete, start_of_interval
from emulator.commands.stream_messages import (
    MESSAGE_OPTIONS,
    MESSAGE_RULES,
    Message,
    known_message,
    new_stream,
    record_message,
)
from emulator.commands.stream_trim import TRIM_OPTIONS, TRIM_RULES, Trimming, read_trimming, trim_options
from emulator.config.edition import Edition
from emulator.config.notifications import STREAM
from emulator.datatypes.run import Body, Entry
from emulator.datatypes.stream import MAX_ID, Stream, format_id, format_ids
from emulator.protocol.errors import NO_SUCH_KEY, NOT_INTEGER, CommandError
from emulator.protocol.numbers import UINT64_MAX
from emulator.protocol.replies import NULL_ARRAY, OK, Entries, Reply, Status
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.keyspace.database import Database


_FEW: Final = 64
"""So many entries of a longer stream are found more quickly one by one."""
Listed = tuple[bytes, Body]
"""An entry as clients see it, id and fields."""


def listed(found: Sequence[Entry]) -> list[Listed]:
    """Return entries as clients see them."""
    return list(zip(format_ids([id for id, _ in found]), [body for _, body in found], strict=True))


def entries(stream: Stream, start: int, end: int, count: int = 0, backwards: bool = False) -> Collection[Listed]:
    """Return the entries from one id to another; at most `count` unless it is 0."""
    if 0 < count <= _FEW < len(stream):
        return listed(list(islice(stream.range(start, end, backwards), count)))
    chunks, left = [], count or len(stream)
    for chunk in stream.listed(start, end, backwards):
        chunks.append([column[:left] for column in chunk] if left < len(chunk[0]) else chunk)
        left -= len(chunk[0])
        if left <= 0:
            break
    return Entries(chunks)


# Adding

_ADD_OPTIONS: Final = {**TRIM_OPTIONS, b"NOMKSTREAM": FLAG}


@cache
def _add_options(edition: Edition) -> tuple[Options, Mapping[bytes, Rule]]:
    """XADD's options in an edition, and which of them exclude each other."""
    if edition.includes("8.6.0"):
        return _ADD_OPTIONS | MESSAGE_OPTIONS, TRIM_RULES | MESSAGE_RULES
    return trim_options(edition, _ADD_OPTIONS), TRIM_RULES


@dataclass(slots=True)
class _Asked:
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
    trimming = read_trimming(given, run, edition, for_adding=True, obeyed=obeyed)
    return _Asked(trimming, b"NOMKSTREAM" not in given, id, open_ended, len(words) - len(rest), message)


@lru_cache(maxsize=64)
def _asked_again(words: Body, run: int, edition: Edition) -> _Asked:
    """The same for words that end with the id ``*``, kept since they come time and again; raises ValueError for others."""
    asked = _asked(words, run, edition)
    if asked.id is not None or asked.message is not None:
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


def _add_together(client: Session, key: bytes, *columns: Sequence[bytes]) -> list[bytes] | None:
    """Add an entry for each call to a stream, with the same options, which are read once, and ids by the clock."""
    asked = _any_asked(client, tuple([column[0] for column in columns]))
    place, many = asked.place + 1, len(columns[0])
    fields = columns[place:]
    if not fields or len(fields) % 2 or any(column.count(column[0]) < many for column in columns[:place]):
        return None
    db, config = client.db, client.engine.config
    stream = db.lookup_write(key, Stream)
    if stream is None or asked.id is not None or asked.message is not None:
        return None
    trimming, first = asked.trimming, _next_id(client, stream, asked)
    if first > MAX_ID - many or (trimming is not None and not trimming.spares(many)):
        return None
    max_bytes, max_entries = config.stream_node_max_bytes, config.stream_node_max_entries
    ids = [first + ahead for ahead in range(many)]
    for id, body in zip(ids, zip(*fields, strict=True), strict=True):
        stream.append(id, body, max_bytes, max_entries)
    db.changed(key, STREAM, b"xadd", many)
    if trimming is not None:
        for _ in ids:  # as often as it would be done, since each time no more than a limit may go
            if not trimming.apply(db, key, stream):
                break
    return format_ids(ids)


@command(
    "stream",
    since="5.0.0",
    flags="write denyoom fast",
    keys=[keys("RW update", 1, notes="UPDATE instead of INSERT because of the optional trimming feature")],
    tips="nondeterministic_output",
    complexity="O(1), and O(N) for N entries that are trimmed",
    together=_add_together,
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
            db.changed_silently(key)  # it counts as a change to the server
            return format_id(known)
        new = _next_id(client, stream, asked)
        if key in db.blocked:
            client.engine.blocking.signal(db, key, Stream)
    if asked.message is not None:
        record_message(client, stream, asked.message, body, new)
    stream.append(new, body, config.stream_node_max_bytes, config.stream_node_max_entries)
    db.changed(key, STREAM, b"xadd")
    if asked.trimming is not None:
        gone = asked.trimming.apply(db, key, stream)
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


def delete_entry(db: Database, key: bytes, stream: Stream, id: int, strategy: bytes) -> int:
    """Delete an entry by a strategy; return `DELETED`, `STILL_NEEDED` (by a consumer group) or `NOT_THERE`."""
    if strategy == ACKED and stream.is_referenced(id):
        return STILL_NEEDED
    if strategy == DELREF:
        db.reweigh(key, stream.forget(id))
    return DELETED if stream.delete(id) else NOT_THERE


@command("stream", since="8.2.0", flags="write fast", keys=[keys("RW delete", 1)], complexity="O(1) for each entry")
def xdelex(client: Session, key: bytes, ids: bytes, numids: bytes, id: bytes, *more: bytes) -> list[int]:
    """Deletes entries with respect to consumer groups; returns 1 (deleted), 2 (still referenced) or -1 (missing) each."""
    stream = client.db.lookup_write(key, Stream)
    strategy, texts = ids_to_delete((ids, numids, id, *more))
    if stream is None:
        return [NOT_THERE] * len(texts)
    db = client.db
    answers = [delete_entry(db, key, stream, number, strategy) for number in [exact_id(text) for text in texts]]
    gone = answers.count(DELETED)
    if gone:
        db.changed(key, STREAM, b"xdel", gone)
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
