"""Intsets, in which Redis keeps small sets of integers: to bytes and back.

The bytes of an integer and how many there are (4 bytes each), then the integers in order; the lowest byte always first.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Sequence
from operator import ge
from typing import Final

from emulator.rdb.errors import BadData

_HEAD: Final = struct.Struct("<II").pack
_HEADER: Final = 8
_TYPES: Final = {2: "h", 4: "i", 8: "q"}


def pack(numbers: Sequence[int]) -> bytes:
    """An intset of integers in ascending order, as narrow as they allow."""
    least, most = (numbers[0], numbers[-1]) if numbers else (0, 0)
    furthest = max(most, ~least)
    width = 2 if furthest < 1 << 15 else 4 if furthest < 1 << 31 else 8
    items = array(_TYPES[width], numbers)
    if sys.byteorder == "big":
        items.byteswap()
    return _HEAD(width, len(numbers)) + items.tobytes()


def unpack(data: bytes) -> list[int]:
    """The integers; raises `BadData` for what is no intset."""
    width, count = int.from_bytes(data[:4], "little"), int.from_bytes(data[4:_HEADER], "little")
    if width not in _TYPES or not count or len(data) != _HEADER + width * count:
        raise BadData
    items = array(_TYPES[width], data[_HEADER:])
    if sys.byteorder == "big":
        items.byteswap()
    numbers = items.tolist()
    if any(map(ge, numbers, numbers[1:])):
        raise BadData
    return numbers
