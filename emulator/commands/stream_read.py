"""Streams: reads new entries, and waits for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Final, TypeVar

from emulator.commands.arguments import integer, milliseconds
from emulator.commands.options import FLAG, Option, Options, at_least, read_options
from emulator.commands.stream import Listed, entries, listed
from emulator.commands.stream_groups import consumer_of
from emulator.commands.stream_ids import exact_id
from emulator.datatypes.consumers import Consumer, Group
from emulator.datatypes.run import Body
from emulator.datatypes.stream import MAX_ID, Stream, format_id
from emulator.protocol.errors import NOT_INTEGER, SYNTAX, CommandError, as_text
from emulator.protocol.replies import NULL_ARRAY, Named, Reply
from emulator.table.keyspec import keyword
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.blocking import Block
    from emulator.clients.session import Session
    from emulator.config.edition import Edition

Id = TypeVar("Id", int, bytes)
"""An entry's id, as it is or as clients see it."""

_NEW = MAX_ID
_LAST = -1


def _only_for_groups(option: str) -> Callable[..., None]:
    def refuse(*_: bytes) -> None:
        raise CommandError(f"ERR The {option} option is only supported by XREADGROUP. You called XREAD instead.")

    return refuse


def _together(*words: bytes) -> Sequence[bytes]:
    return words


_OPTIONS: Final[Options] = {
    b"COUNT": (1, lambda text: max(integer(text), 0)),
    b"STREAMS": (lambda words: max(len(words), 1), _together),
    b"GROUP": (2, _only_for_groups("GROUP")),
    b"NOACK": (0, _only_for_groups("NOACK")),
}
_GROUP_OPTIONS: Final[Options] = {**_OPTIONS, b"GROUP": (2, _together), b"NOACK": FLAG}


def _min_idle(text: bytes) -> int:
    span = integer(text, "ERR min-idle-time is not an integer or out of range")
    if span < 0:
        raise CommandError("ERR min-idle-time must be a positive integer")
    return span


def _positive(name: str) -> Option:
    return at_least(1, f"ERR {name} must be a positive integer", NOT_INTEGER)


_SOON: Final = 100
"""Milliseconds after which somebody who waits for something to claim looks again, where there is nothing yet."""


def _options(edition: Edition, for_group: bool) -> Options:
    """The options of XREADGROUP, or those of XREAD, in an edition."""
    known = dict(_GROUP_OPTIONS if for_group else _OPTIONS)
    if edition.includes("8.4.0"):
        known[b"CLAIM"] = 1, _min_idle if for_group else _only_for_groups("CLAIM")
    if edition.includes("8.10.0"):
        known |= {b"MAXCOUNT": _positive("MAXCOUNT"), b"MAXSIZE": _positive("MAXSIZE")}
    return known


def _patience(client: Session, text: bytes) -> int | None:
    """How many milliseconds to wait, None for ever; before 7.4 scripts may not even ask for it."""
    if client.engine.config.edition.precedes("7.4.0") and client.engine.scripting.owns(client):
        name = as_text(client.words[0])
        raise CommandError(f"ERR {name} command is not allowed with BLOCK option from scripts")
    return milliseconds(client, text)


class _Request:
    """The arguments of XREAD and XREADGROUP."""

    def __init__(self, client: Session, name: str, words: Sequence[bytes]) -> None:
        for_group = name == "xreadgroup"
        block = (1, partial(_patience, client))
        edition = client.engine.config.edition
        given = read_options(words, {**_options(edition, for_group), b"BLOCK": block})
        streams: Sequence[bytes] = given.get(b"STREAMS", ())
        half = len(streams) // 2
        if len(streams) % 2:
            of_last = "ID or '$'" if edition.is_as_7_4 else "ID, '+', or '$'"
            ids = "ID or '>'" if for_group else of_last
            raise CommandError(
                f"ERR Unbalanced '{name}' list of streams: for each stream key an {ids} must be specified."
            )
        if not streams:
            raise CommandError(SYNTAX)
        if for_group and b"GROUP" not in given:
            raise CommandError("ERR Missing GROUP option for XREADGROUP")
        if 0 < given.get(b"MAXCOUNT", 0) < given.get(b"COUNT", 0):
            raise CommandError("ERR MAXCOUNT must be greater than or equal to COUNT")
        self.timeout: int | None = given.get(b"BLOCK")
        self.count: int = given.get(b"COUNT", 0)
        self.no_ack: bool = b"NOACK" in given
        self.looks_ahead = edition.precedes("8.0.0")
        self.min_idle: int | None = given.get(b"CLAIM")
        self.group: bytes
        self.consumer: bytes
        self.group, self.consumer = given.get(b"GROUP", (b"", b""))
        self.keys, self.texts = streams[:half], streams[half:]
        self._most: int = given.get(b"MAXCOUNT", 0)
        self._most_bytes: int = given.get(b"MAXSIZE", 0)
        self.is_capped = bool(self._most or self._most_bytes)
        self._begins = client.protocol == 2  # maps have no pairs that are told of
        self._entries = self._bytes = self._head = 0

    def begin(self) -> None:
        """Nothing is answered yet."""
        self._entries = self._bytes = 0

    def enter(self, key: bytes) -> None:
        """What is admitted from now on is of this stream, whose name goes before it."""
        self._head = (_PAIR if self._begins else 0) + _bulk(len(key))

    def admit(self, id: int | bytes, body: Body) -> bool:
        """Whether an entry is answered too: MAXCOUNT and MAXSIZE cap the whole reply, but for its first entry.

        The entry with which the reply has MAXSIZE bytes is the last one.
        """
        full = self._most and self._entries >= self._most
        if full or (self._entries and self._most_bytes and self._bytes >= self._most_bytes):
            return False
        self._entries += 1
        if self._most_bytes:
            text = id if isinstance(id, bytes) else format_id(id)
            words = len(b"*%d\r\n" % len(body)) + sum(_bulk(len(word)) for word in body)
            self._bytes += self._head + _PAIR + _bulk(len(text)) + words
            self._head = 0
        return True

    def capped(self, found: Iterable[tuple[Id, Body]]) -> Iterable[tuple[Id, Body]]:
        """The entries that are answered."""
        return takewhile(lambda entry: self.admit(*entry), found) if self.is_capped else found


_PAIR: Final = len(b"*2\r\n")


def _bulk(size: int) -> int:
    """How many bytes a bulk string of this size takes."""
    return len(b"$%d\r\n\r\n" % size) + size


# XREAD


def _after(client: Session, key: bytes, text: bytes) -> int:
    """Return the id after which to read; `_LAST` stands for the last entry at the time of reading."""
    stream = client.db.lookup_read(key, Stream)
    if text == b"$":
        return 0 if stream is None else stream.last_id
    edition = client.engine.config.edition
    if text == b"+" and not edition.precedes("7.4.0"):
        if edition.is_as_7_4 and stream is not None and stream.last_id:
            return stream.last_id - 1  # nothing comes where the last entry was deleted
        if edition.precedes("8.0.0") and stream is not None:
            raise CommandError("ERR the stream last element ID is 0-0")
        return _LAST
    if text == b">":
        raise CommandError(
            "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
        )
    return exact_id(text)


@command(
    "stream",
    since="5.0.0",
    flags="readonly blocking",
    keys=[keyword("RO access", b"STREAMS", 1, last=-1, limit=2)],
)
def xread(client: Session, streams: bytes, key: bytes, id: bytes, *more: bytes) -> Reply | Block:
    """Returns the entries after given ids from one or several streams; with BLOCK, waits if there are none."""
    request = _Request(client, "xread", (streams, key, id, *more))
    behind = [_after(client, name, text) for name, text in zip(request.keys, request.texts, strict=True)]

    def attempt() -> Reply:
        found = Named()
        request.begin()
        for name, after in zip(request.keys, behind, strict=True):
            stream = client.db.lookup_read(name, Stream)
            if stream is None or not len(stream):
                continue
            start = stream.top_id if after == _LAST else after + 1
            if stream.top_id >= start:
                request.enter(name)
                read = entries(stream, start, MAX_ID, request.count)
                if request.is_capped:
                    read = list(request.capped(read))
                if read:
                    found.append((name, read))
        return found or None

    def again() -> Reply:
        for name in request.keys:  # the whole command is run anew, and looks each key up twice
            client.db.lookup_read(name, Stream)
        return attempt()

    reply = attempt()
    if reply is not None or request.timeout is None:
        return NULL_ARRAY if reply is None else reply
    return client.block(request.keys, request.timeout, Stream, again, NULL_ARRAY)


# XREADGROUP


def _target(client: Session, key: bytes, name: bytes, text: bytes) -> tuple[bytes, Stream, Group, int]:
    stream = client.db.lookup_read(key, Stream)
    if stream is None or name not in stream.groups:
        raise CommandError(
            f"NOGROUP No such key '{as_text(key)}' or consumer group '{as_text(name)}' in XREADGROUP with GROUP option"
        )
    if text == b"$" or (text == b"+" and not client.engine.config.edition.precedes("7.4.0")):
        sign = text.decode()
        raise CommandError(
            f"ERR The {sign} ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer "
            f"by specifying a proper ID, or use the > ID to get new messages. The {sign} ID would just return an empty "
            "result set."
        )
    client.db.alter(key)
    return key, stream, stream.groups[name], _NEW if text == b">" else exact_id(text)


@command(
    "stream",
    since="5.0.0",
    flags="write blocking",
    keys=[keyword("RO access", b"STREAMS", 4, last=-1, limit=2)],
    complexity="O(N) for N entries returned",
)
def xreadgroup(
    client: Session, group: bytes, name: bytes, consumer: bytes, streams: bytes, key: bytes, id: bytes, *more: bytes
) -> Reply | Block:
    """Returns new or pending entries to a consumer of a group; with BLOCK, waits if there are no new ones."""
    request = _Request(client, "xreadgroup", (group, name, consumer, streams, key, id, *more))
    clock = client.engine.clock

    def attempt() -> Reply:
        found = Named()
        request.begin()
        min_idle = request.min_idle
        wanted = zip(request.keys, request.texts, strict=True)
        for name, stream, group, after in [_target(client, key, request.group, text) for key, text in wanted]:
            client.db.lookup_read(name, Stream)  # the real server looks each key up twice
            if request.no_ack and request.consumer not in group.consumers:  # no claim tells of it
                creation = [b"XGROUP", b"CREATECONSUMER", name, request.group, request.consumer]
                client.engine.propagation.add(client.db.index, creation)
            reader = consumer_of(client, name, group, request.consumer)
            reader.seen = clock.now
            request.enter(name)
            if after != _NEW:
                min_idle = None  # behind a history nothing is claimed, as in Redis
                found.append((name, _history(stream, group, reader, after, request, clock.now)))
            elif entries := _unread(stream, group, reader, request, min_idle, clock.now):
                found.append((name, entries))
                client.db.changed_silently(name)
                if min_idle is not None:  # each may have been another consumer's
                    client.db.reweigh(name, len(entries))
        return found or None

    reply = attempt()
    if reply is not None or request.timeout is None:
        return NULL_ARRAY if reply is None else reply
    due = None if request.min_idle is None else partial(_next_claim, client, request, request.min_idle)
    return client.block(request.keys, request.timeout, Stream, attempt, NULL_ARRAY, needs_key=True, due=due)


def _next_claim(client: Session, request: _Request, min_idle: int) -> int:
    """Return after how many milliseconds there may be something to claim, if nobody does anything meanwhile.

    It is looked for again no later than what is delivered from now on may be claimed.
    """
    now = client.engine.clock.now
    streams = (client.db.peek(key) for key in request.keys)
    groups = (stream.groups.get(request.group) for stream in streams if isinstance(stream, Stream))
    earliest = [group.first_delivered_after(now - min_idle) for group in groups if group is not None]
    pending = [moment for moment in earliest if moment is not None]
    return min(pending) + min_idle - now if pending else max(min_idle, _SOON)


def _unread(
    stream: Stream, group: Group, consumer: Consumer, request: _Request, min_idle: int | None, now: int
) -> Collection[Reply]:
    """Deliver what a consumer may claim, and then entries that the group has not read yet."""
    if min_idle is None:
        return _deliver(stream, group, consumer, request, request.count, now)
    claimed = _claim(stream, group, consumer, request, now - min_idle, now)
    left = request.count - len(claimed)
    if request.count and not left:
        return claimed
    new = _deliver(stream, group, consumer, request, max(left, 0), now)
    first_time: list[Reply] = [[id, body, 0, 0] for id, body in new]
    return [*claimed, *first_time]


def _claim(
    stream: Stream, group: Group, consumer: Consumer, request: _Request, latest: int, now: int
) -> list[list[Reply]]:
    """Give a consumer what was delivered by a moment, the earliest first: each with its idle time and deliveries."""
    pending = ((id, stream.get(id)) for id in group.delivered_until(latest))
    late = request.capped((id, body) for id, body in pending if body is not None)
    answer: list[list[Reply]] = []
    for id, body in [*islice(late, request.count or None)]:
        known = group.pending[id]
        answer.append([format_id(id), body, now - known.delivered, known.count])
        group.give(id, consumer)
        group.redeliver(id, now)
        consumer.active = now
    return answer


def _deliver(
    stream: Stream, group: Group, consumer: Consumer, request: _Request, count: int, now: int
) -> Collection[Listed]:
    """Deliver entries that the group has not read yet to a consumer, at most so many or with 0 all."""
    if not len(stream) or stream.top_id <= group.last_id:
        return []
    start = group.last_id + 1
    if request.no_ack and not request.is_capped:
        read = entries(stream, start, MAX_ID, count)
        stream.advance(group, stream.nth(start, 1), stream.nth(start, len(read)), len(read), request.looks_ahead)
        return read
    found = list(islice(request.capped(stream.range(start, MAX_ID)), count or None))
    if not found:
        return []
    stream.advance(group, found[0][0], found[-1][0], len(found), request.looks_ahead)
    if not request.no_ack:
        group.deliver([id for id, _ in found], consumer, now)
        consumer.active = now
    return listed(found)


def _history(stream: Stream, group: Group, consumer: Consumer, after: int, request: _Request, now: int) -> list[Reply]:
    """Deliver the pending entries of a consumer once more; entries that no longer exist have no fields."""
    answer: list[Reply] = []
    own = consumer.pending
    ids = own.irange(after + 1)
    for id in islice(ids, request.count or None):
        body = stream.get(id)
        if request.is_capped and not request.admit(id, body or ()):
            break
        if body is None:
            answer.append([format_id(id), NULL_ARRAY])
            continue
        group.redeliver(id, now)
        answer.append([format_id(id), body])
    return answer
