"""Streams to bytes and back.

Each run of entries is a listpack: how many there are, how many of them deleted, the fields of the first one, a zero; then
the entries, each with flags, how far its id is from the run's, its fields unless they are those of the first, its values
and how many elements all that was.  Then come the stream's own figures and its consumer groups.

Source: the RDB file format; https://redis.io/docs/latest/develop/data-types/streams/.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from emulator.datatypes.consumers import UNKNOWN, Group, Pending
from emulator.datatypes.idempotence import DURATION, MOST, Idempotence
from emulator.datatypes.run import Body, PackedRun, Run
from emulator.datatypes.stream import Stream
from emulator.protocol.numbers import UINT64_MAX, wrapped
from emulator.rdb import kinds, listpack
from emulator.rdb.errors import BadData
from emulator.rdb.payload import length

if TYPE_CHECKING:
    from emulator.datatypes.types import Text
    from emulator.rdb.payload import Reader

_DELETED, _SAME_FIELDS = 1, 2
_ID_SIZE = 16


def save(value: Stream, text: Text) -> tuple[int, bytes]:
    """A stream's kind and its bytes.  O(n)."""
    runs = [saved_run(run, text) for run in value.runs]
    return kinds.STREAM_3, b"".join((length(len(runs)), *runs, saved_rest(value, text)))


def saved_run(run: Run | PackedRun, text: Text) -> bytes:
    """A run: the id that it begins with, and its listpack."""
    return text(run.first.to_bytes(_ID_SIZE)) + text(_packed(run))


def saved_rest(value: Stream, text: Text) -> bytes:
    """What comes behind the runs, with the groups."""
    parts = [
        length(len(value)),
        _id(value.last_id),
        _id(value.first_id),
        _id(value.max_deleted),
        _count(value.added),
        length(len(value.groups)),
    ]
    for name in sorted(value.groups):
        parts += text(name), _group(value.groups[name], text)
    return b"".join(parts)


def messages(value: Stream, text: Text) -> bytes:
    """What Redis 8.6 has behind a stream: which messages of producers it knows."""
    known = value.idempotence or Idempotence(DURATION, MOST)
    parts = [length(known.duration), length(known.most), length(len(known.producers))]
    for producer, entries in known.producers.items():
        parts += text(producer), length(len(entries))
        for message, (id, _) in entries.items():
            parts += text(message), _id(id)
    return b"".join((*parts, length(known.added), length(known.duplicates)))


def load_messages(reader: Reader, now: int) -> Idempotence:
    """Read them; they count as having come at `now`, since the file does not tell."""
    known = Idempotence(reader.length(), reader.length())
    for _ in range(reader.length()):
        producer = reader.string()
        known.producers[producer] = {}
        for _ in range(reader.length()):
            message = reader.string()
            known.producers[producer][message] = _read_id(reader), now
    known.added, known.duplicates = reader.length(), reader.length()
    return known


def _id(id: int) -> bytes:
    return length(id >> 64) + length(id & UINT64_MAX)


def _count(number: int) -> bytes:
    """A signed number as an unsigned one."""
    return length(number & UINT64_MAX)


def _packed(run: Run | PackedRun) -> bytes:
    """A run's listpack."""
    packed = run.pack() if isinstance(run, Run) else run
    if packed is not None:
        return packed.packed
    assert isinstance(run, Run)
    head = [b"%d" % len(run.ids), b"%d" % len(run.deleted), b"%d" % len(run.fields), *run.fields, b"0"]
    return listpack.pack(head + _elements(run))


def _elements(run: Run) -> list[bytes]:
    """The elements of the entries, whatever fields they have and whether they are deleted."""
    first, fields = run.first, run.fields
    elements: list[bytes] = []
    here = [(id, body, 0) for id, body in zip(run.ids, run.bodies, strict=True)]
    gone = [(id, body, _DELETED) for id, body in run.deleted]
    for id, body, flags in sorted(here + gone, key=lambda entry: entry[0]):
        later, sequence = wrapped((id >> 64) - (first >> 64)), wrapped((id & UINT64_MAX) - (first & UINT64_MAX))
        distance = b"%d" % later, b"%d" % sequence
        if body[::2] == fields:
            elements += b"%d" % (flags | _SAME_FIELDS), *distance, *body[1::2], b"%d" % (len(fields) + 3)
        else:
            elements += b"%d" % flags, *distance, b"%d" % (len(body) // 2), *body, b"%d" % (len(body) + 4)
    return elements


def _group(group: Group, text: Text) -> bytes:
    parts = [_id(group.last_id), _count(group.read), length(len(group.pending))]
    parts += [
        id.to_bytes(_ID_SIZE) + _moment(pending.delivered) + _count(pending.count)
        for id, pending in group.pending.items()
    ]
    parts.append(length(len(group.consumers)))
    for name, consumer in group.consumers.items():
        parts += text(name), _moment(consumer.seen), _moment(consumer.active), length(len(consumer.pending))
        parts += [id.to_bytes(_ID_SIZE) for id in consumer.pending]
    return b"".join(parts)


def _moment(milliseconds: int) -> bytes:
    return (milliseconds & UINT64_MAX).to_bytes(8, "little")


# Loading


def load(reader: Reader, limits: Any) -> Stream:
    """A stream as Redis 7.2 and later write it; raises `BadData`.  O(n)."""
    return _load(reader, version=3)


def load_first(reader: Reader, limits: Any) -> Stream:
    """One of Redis 5 and 6, which do not tell how many entries there ever were."""
    return _load(reader, version=1)


def load_second(reader: Reader, limits: Any) -> Stream:
    """One of Redis 7.0, which does not tell when consumers were active."""
    return _load(reader, version=2)


def _load(reader: Reader, version: int) -> Stream:
    stream = Stream()
    last = -1
    for _ in range(reader.length()):
        run = _read_run(reader)
        if run.first <= last:
            raise BadData
        last = run.last
        stream.enter(run)
    count = reader.length()
    stream.last_id = _read_id(reader)
    stream.added = count
    if version > 1:
        _read_id(reader)
        stream.max_deleted = _read_id(reader)
        stream.added = wrapped(reader.length())
    if count != len(stream) or last > stream.last_id:
        raise BadData
    for _ in range(reader.length()):
        name = reader.string()
        if name in stream.groups:
            raise BadData
        stream.groups[name] = _read_group(reader, stream, version)
    stream.weights.total()  # all of it is new: this takes less than the rest has
    return stream


def _read_id(reader: Reader) -> int:
    return reader.length() << 64 | reader.length()


def _read_run(reader: Reader) -> Run | PackedRun:
    text = reader.string()
    if len(text) != _ID_SIZE:
        raise BadData
    first, packed = int.from_bytes(text), reader.string()
    try:
        return PackedRun.of(first, packed) or _run(first, listpack.unpack(packed))
    except (IndexError, ValueError):
        raise BadData from None


def _run(first: int, elements: list[bytes]) -> Run:
    """A run of what its listpack holds.

    Raises IndexError at the end of what it holds, ValueError for a number that is none.
    """
    alive, deleted, width = map(int, elements[:3])
    place = 4 + width
    if width < 0 or int(elements[place - 1]) != 0 or alive <= 0:
        raise BadData
    run = Run(first, tuple(elements[3 : place - 1]))
    milliseconds, least = first >> 64, first & UINT64_MAX
    before = -1
    while place < len(elements):
        flags, later, sequence = map(int, elements[place : place + 3])
        id = (milliseconds + later & UINT64_MAX) << 64 | least + sequence & UINT64_MAX
        start = place + 3
        if flags & _SAME_FIELDS:
            place, body, told = start + width, _with_fields(run.fields, elements[start : start + width]), width + 3
        else:
            count = 2 * int(elements[start])
            if count < 0:
                raise BadData
            place, body, told = start + 1 + count, tuple(elements[start + 1 : start + 1 + count]), count + 4
        if id <= before or id < first or told != int(elements[place]):
            raise BadData
        place += 1
        before = id
        run.append(id, body)
        if flags & _DELETED:
            run.remove(len(run.ids) - 1)
    if (len(run.ids), len(run.deleted)) != (alive, deleted):
        raise BadData
    return run


def _with_fields(fields: Body, values: list[bytes]) -> Body:
    return tuple(chain.from_iterable(zip(fields, values, strict=True)))


def _read_group(reader: Reader, stream: Stream, version: int) -> Group:
    last_id = _read_id(reader)
    group = Group(stream.weights, last_id, UNKNOWN)
    group.read = wrapped(reader.length()) if version > 1 else stream.read_up_to(last_id)
    unclaimed = {}
    for _ in range(reader.length()):
        id, delivered = int.from_bytes(reader.take(_ID_SIZE)), _read_moment(reader)
        if id in unclaimed:
            raise BadData
        unclaimed[id] = delivered, wrapped(reader.length())
    for _ in range(reader.length()):
        name = reader.string()
        if name in group.consumers:
            raise BadData
        consumer = group.create(name, _read_moment(reader))
        consumer.active = _read_moment(reader) if version > 2 else consumer.seen
        own = []
        for _ in range(reader.length()):
            id = int.from_bytes(reader.take(_ID_SIZE))
            if id not in unclaimed:
                raise BadData
            own.append((id, Pending(name, *unclaimed.pop(id))))
        group.enter(consumer, own)
    if any(delivered for delivered, _ in unclaimed.values()):
        raise BadData
    if unclaimed:  # XNACK has released them
        group.enter(group.released, [(id, Pending(None, *kept)) for id, kept in unclaimed.items()])
    return group


def _read_moment(reader: Reader) -> int:
    return wrapped(reader.integer(8))
