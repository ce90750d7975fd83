"""Large values to bytes in slices, between which others have their turns.

What is written is the value as it was at the beginning: whoever is about to change it says so by `freeze`, and what is not
bytes yet is kept aside, which takes a fraction of the time.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, Final

from emulator.datatypes.hash import Hash
from emulator.datatypes.list import List
from emulator.datatypes.set import Set
from emulator.datatypes.stream import Stream
from emulator.datatypes.types import TYPES, Text, Value
from emulator.datatypes.vectorset import VectorSet
from emulator.datatypes.zset import ZSet
from emulator.rdb import kinds, long_string, module, payload, quicklist, stream, vectorset
from emulator.rdb.payload import OF_VALKEY, length, strings

_LARGE: Final = 1 << 18
"""Bytes from which on a value is saved in slices."""
_BATCH: Final = 500
_BATCH_SIZE: Final = 1 << 16
"""Elements that become bytes at a time, and bytes that they have on average."""
_SCORE: Final = struct.Struct("<d").pack


class Slices:
    """A value on its way: its kind, and `pieces`, which tell the bytes; some may be empty.  ``head`` stands before them."""

    kind = kinds.MODULE
    head = b""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def pieces(self) -> Iterator[bytes]:
        """The bytes."""
        while True:
            piece = next(self._pieces, None)
            if piece is None:
                return
            yield piece

    def freeze(self) -> None:
        """The value is about to change, or to go."""
        self._pieces = iter(list(self._pieces))


class _Elements(Slices):
    """Columns of elements, of which `encode` makes bytes batch by batch."""

    def __init__(
        self, kind: int, head: bytes, batch: int, encode: Callable[..., bytes], *columns: Iterable[Any]
    ) -> None:
        self.kind = kind
        self._head = head
        self._batch = batch
        self._encode = encode
        self._columns: Sequence[Iterator[Any]] = [iter(column) for column in columns]

    def pieces(self) -> Iterator[bytes]:
        yield self._head
        while (batch := [list(islice(column, self._batch)) for column in self._columns])[0]:
            yield self._encode(*batch)

    def freeze(self) -> None:
        self._columns = [iter(list(column)) for column in self._columns]


class _Entries(Slices):
    """A stream, whose runs stay where they are."""

    kind = kinds.STREAM_3

    def __init__(self, value: Stream, text: Text, version: int) -> None:
        self._value = value
        self._text = text
        self._tells_messages = version == kinds.WITH_MESSAGES
        if self._tells_messages:
            self.kind = kinds.STREAM_4 & 0xFF

    def pieces(self) -> Iterator[bytes]:
        yield length(len(self._value.runs))
        for number in range(len(self._value.runs)):
            yield stream.saved_run(self._value.runs[number], self._text)
        yield stream.saved_rest(self._value, self._text)
        if self._tells_messages:
            yield stream.messages(self._value, self._text)

    def freeze(self) -> None:
        self._value = self._value.copy()


class _Vectors(Slices):
    """A vector set, whose graph is found first; that begins anew where it changes meanwhile."""

    def __init__(self, value: VectorSet, text: Text) -> None:
        self._value = value
        super().__init__(self._steps(text))

    def _steps(self, text: Text) -> Iterator[bytes]:
        graph: vectorset.Graph | None = None
        while graph is None:
            value = self._value
            for graph in vectorset.graph_in_steps(value):
                yield b""
                if self._value is not value:
                    graph = None
                    break
        yield from module.framed(value, vectorset.parts(self._value, graph, text))

    def freeze(self) -> None:
        self._value = self._value.copy()


def is_large(value: Value, weight: int) -> bool:
    """Whether a value that weighs so much is to be saved in slices; those of modules may take longer than they weigh."""
    return weight >= _LARGE or TYPES[value.__class__].payload is not None


def sliced(value: Value, weight: int, text: Text, version: int) -> Slices | None:
    """A value in slices, None where it is small, or of a form that is found as a whole."""
    if isinstance(value, bytes | bytearray):
        return _string(bytes(value), text) if len(value) >= long_string.LONG else None
    batch = max(1, min(_BATCH, _BATCH_SIZE * len(value) // max(weight, 1)))
    if isinstance(value, Stream):
        return _Entries(value, text, version)
    if isinstance(value, VectorSet):
        return _Vectors(value, text)
    if isinstance(value, Hash):
        return None if value.packed else _hash(value, text, batch, version)
    if isinstance(value, Set):
        if value.packed or value.encoding == b"intset":
            return None
        return _Elements(kinds.SET, length(len(value)), batch, lambda members: strings(members, text), value)
    if isinstance(value, ZSet):
        return None if value.packed else _zset(value, text, batch)
    if isinstance(value, List):
        return _Elements(
            kinds.LIST_OF_LISTPACKS,
            length(value.node_count),
            1,
            lambda nodes: quicklist.pack(nodes[0], text),
            value.in_nodes(),
        )
    described = TYPES[value.__class__].payload
    assert described is not None
    save = described.save_in_file or described.save
    if described.copies_quickly:
        return _Copied(iter(module.framed(value, save(value.copy(), text))))
    return Slices(iter(module.framed(value, save(value, text))))


class _Copied(Slices):
    """A value that was copied at once."""

    def freeze(self) -> None:
        pass


class _Kept(Slices):
    kind = kinds.STRING


def _string(value: bytes, text: Text) -> Slices:
    return _Kept(long_string.pieces(value, compresses=text is payload.string))


def _hash(value: Hash, text: Text, batch: int, version: int) -> Slices:
    first, deadlines = value.next_deadline, value.deadlines
    count = length(len(value))
    if deadlines is None or first is None:
        return _Elements(
            kinds.HASH,
            count,
            batch,
            lambda fields, contents: strings(list(chain.from_iterable(zip(fields, contents, strict=True))), text),
            value.fields,
            value.fields.values(),
        )
    moments = deadlines.by_field
    if version >= OF_VALKEY:
        return _Elements(
            kinds.HASH_OF_VALKEY & 0xFF,
            count,
            batch,
            lambda fields, contents, told: b"".join(
                text(field) + text(content) + moment.to_bytes(8, "little", signed=True)
                for field, content, moment in zip(fields, contents, told, strict=True)
            ),
            value.fields,
            value.fields.values(),
            (moments.get(field, -1) for field in value.fields),
        )
    return _Elements(
        kinds.HASH_EXPIRING,
        first.to_bytes(8, "little") + count,
        batch,
        lambda fields, contents, told: b"".join(
            length(later) + text(field) + text(content)
            for field, content, later in zip(fields, contents, told, strict=True)
        ),
        value.fields,
        value.fields.values(),
        (moments.get(field, first - 1) - first + 1 for field in value.fields),
    )


def _zset(value: ZSet, text: Text, batch: int) -> Slices:
    return _Elements(
        kinds.ZSET,
        length(len(value)),
        batch,
        lambda pairs: strings([member for _, member in pairs], text, b"".join([_SCORE(score) for score, _ in pairs])),
        reversed(value.order),
    )
