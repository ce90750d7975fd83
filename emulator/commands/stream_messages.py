"""Streams whose producers say which message is which, so that none is added twice: XADD's IDMP, XCFGSET, XIDMPRECORD."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from emulator.commands.arguments import integer
from emulator.commands.options import Options, once, read_options
from emulator.commands.stream_ids import exact_id
from emulator.datatypes.idempotence import DURATION, MOST, Idempotence
from emulator.datatypes.run import Body
from emulator.datatypes.stream import Stream
from emulator.datatypes.xxh3 import xxh3
from emulator.protocol.errors import NO_SUCH_KEY, CommandError
from emulator.protocol.replies import OK, Reply, Status
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_LONGEST: Final = 86400
_LARGEST: Final = 10000


class Message(NamedTuple):
    """The producer of a message, and the idempotent id by which it is known; None where its fields tell."""

    producer: bytes
    id: bytes | None = None


def _message(producer: bytes, id: bytes) -> Message:
    if not producer:
        raise CommandError("ERR syntax error, IDMP requires a non-empty producer ID")
    if not id:
        raise CommandError("ERR syntax error, IDMP requires a non-empty idempotent ID")
    return Message(producer, id)


def _message_by_fields(producer: bytes) -> Message:
    if not producer:
        raise CommandError("ERR syntax error, IDMPAUTO requires a non-empty producer ID")
    return Message(producer)


MESSAGE_OPTIONS: Final[Options] = {b"IDMP": (2, _message), b"IDMPAUTO": (1, _message_by_fields)}
"""XADD's options by which a message is known."""
MESSAGE_RULES: Final = once(b"IDMP", b"IDMPAUTO", error="ERR syntax error, IDMP/IDMPAUTO specified multiple times")


def _id_of(message: Message, body: Body) -> bytes:
    if message.id is not None:
        return message.id
    return xxh3(b"".join(b"%d:%b" % (len(word), word) for word in body)).to_bytes(8, "big")


def new_stream(client: Session) -> Stream:
    """An empty stream that keeps messages by the settings of now, in editions that know of messages."""
    stream = Stream()
    config = client.engine.config
    if config.edition.includes("8.6.0"):
        stream.idempotence = Idempotence(config.stream_idmp_duration, config.stream_idmp_maxsize)
    return stream


def _idempotence(stream: Stream) -> Idempotence:
    """What a stream knows of messages; one that an older server has written keeps them by the defaults."""
    if stream.idempotence is None:
        stream.idempotence = Idempotence(DURATION, MOST)
    return stream.idempotence


def known_message(client: Session, stream: Stream, message: Message, body: Body) -> int | None:
    """The id of the entry that a message has become before, None where it is new."""
    if stream.idempotence is None:
        return None
    known = stream.idempotence.find(message.producer, _id_of(message, body), client.engine.clock.now)
    stream.idempotence.duplicates += known is not None
    return known


def record_message(client: Session, stream: Stream, message: Message, body: Body, id: int) -> None:
    """Know a message that becomes an entry of this id."""
    found = _idempotence(stream)
    found.record(message.producer, _id_of(message, body), id, client.engine.clock.now)


def figures(stream: Stream) -> dict[bytes, Reply]:
    """What XINFO tells of a stream's messages."""
    found = _idempotence(stream)
    return {
        b"idmp-duration": found.duration,
        b"idmp-maxsize": found.most,
        b"pids-tracked": len(found.producers),
        b"iids-tracked": found.messages,
        b"iids-added": found.added,
        b"iids-duplicates": found.duplicates,
    }


def _bounded(name: str, most: int, unit: str) -> tuple[int, Callable[[bytes], int]]:
    def read(text: bytes) -> int:
        number = integer(text)
        if not 1 <= number <= most:
            raise CommandError(f"ERR {name} must be between 1 and {most} {unit}")
        return number

    return 1, read


_SETTINGS: Final[Options] = {
    b"IDMP-DURATION": _bounded("IDMP-DURATION", _LONGEST, "seconds"),
    b"IDMP-MAXSIZE": _bounded("IDMP-MAXSIZE", _LARGEST, "entries"),
}
_RULES: Final = once(b"IDMP-DURATION", error="ERR IDMP-DURATION specified multiple times") | once(
    b"IDMP-MAXSIZE", error="ERR IDMP-MAXSIZE specified multiple times"
)


@command("stream", since="8.6.0", flags="write fast", keys=[keys("RW update", 1)], complexity="O(1)")
def xcfgset(client: Session, key: bytes, *settings: bytes) -> Status:
    """Say how long a stream knows the messages of its producers, and how many of each."""
    stream = _existing(client, key)
    given = read_options(settings, _SETTINGS, _RULES)
    if not given:
        raise CommandError("ERR At least one parameter must be specified")
    found = _idempotence(stream)
    found.configure(given.get(b"IDMP-DURATION", found.duration), given.get(b"IDMP-MAXSIZE", found.most))
    client.db.changed_silently(key)
    return OK


@command("stream", since="8.6.2", flags="write denyoom fast", keys=[keys("RW update", 1)], complexity="O(1)")
def xidmprecord(client: Session, key: bytes, producer: bytes, message: bytes, id: bytes) -> Status:
    """Know an entry that is there as a message of a producer."""
    number = exact_id(id)
    if not producer:
        raise CommandError("ERR producer ID must be non-empty")
    if not message:
        raise CommandError("ERR idempotent ID must be non-empty")
    stream = _existing(client, key)
    if stream.get(number) is None:
        raise CommandError("ERR No such message in stream")
    found, now = _idempotence(stream), client.engine.clock.now
    if found.find(producer, message, now) is None:
        found.record(producer, message, number, now)
        client.db.changed_silently(key)
    return OK


def _existing(client: Session, key: bytes) -> Stream:
    stream = client.db.lookup_write(key, Stream)
    if stream is None:
        raise CommandError(NO_SUCH_KEY)
    return stream
