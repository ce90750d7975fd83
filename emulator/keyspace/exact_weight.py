"""What a key weighs as MEMORY USAGE tells it from 8.6 on: what Redis counts to the byte, without the steps of the allocator.

Of a large table the first thousand elements stand for all.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from emulator.datatypes.footprint import POINTER, allocated, exact_room, room, string_size
from emulator.datatypes.hash import Hash
from emulator.datatypes.list import List
from emulator.datatypes.set import Set
from emulator.datatypes.stream import Stream
from emulator.datatypes.stream_footprint import exact_footprint
from emulator.datatypes.string import encoding
from emulator.datatypes.types import Value
from emulator.datatypes.zset import ZSet
from emulator.keyspace.weight import weigh

_SAMPLE: Final = 1000
_SHORT: Final = 32
_VALUE_HEAD: Final = 4
_LARGEST_ENTRY: Final = 128
"""A field of a hash has its value beside it up to here."""


def exact_weight(key: bytes, value: Value, expires: bool) -> int:
    """Bytes of a key with its value.  O(1), but for streams: O(runs and consumers)."""
    return weigh(key, value, expires) - _surplus(key, value, expires)


def _surplus(key: bytes, value: Value, expires: bool) -> int:
    """By how much `weigh` tells more."""
    if isinstance(value, bytes | bytearray):
        return _surplus_of_string(key, value, expires)
    if isinstance(value, Stream):
        return value.footprint - exact_footprint(value)
    if isinstance(value, Hash | List | Set | ZSet) and (block := value.packed_size):
        return allocated(block) - block
    if isinstance(value, Hash):
        parts = [
            room(field) + room(text) - _entry(field, text) for field, text in islice(value.fields.items(), _SAMPLE)
        ]
        return _of_all(parts, len(value))
    if isinstance(value, Set):
        return _of_all([room(member) - exact_room(member) for member in islice(value.members, _SAMPLE)], len(value))
    return value.surplus if isinstance(value, List) else 0


def _surplus_of_string(key: bytes, value: bytes | bytearray, expires: bool) -> int:
    """Of a short one that is not beside its key."""
    if len(value) >= _SHORT or encoding(value, key, expires) != b"raw":
        return 0
    counted = room(value) if isinstance(value, bytearray) else string_size(len(value))
    return counted - exact_room(value)


def _of_all(parts: list[int], count: int) -> int:
    return sum(parts) * count // len(parts)


def _entry(field: bytes, value: bytes) -> int:
    """A field of a hash and its value: in one block where that is small."""
    together = len(field) + (2 if len(field) < _SHORT else 4) + len(value) + _VALUE_HEAD
    if together <= _LARGEST_ENTRY:
        return together
    return len(field) + 4 + POINTER + exact_room(value)
