"""IEEE 754 numbers as bytes, for the Lua libraries that pack binary data: big-endian."""

from __future__ import annotations

import struct

_DOUBLE = struct.Struct(">d")
_FLOAT = struct.Struct(">f")


def double(number: float) -> bytes:
    """Eight bytes."""
    return _DOUBLE.pack(number)


def float_(number: float) -> bytes:
    """Four bytes; what is too large becomes infinite."""
    try:
        return _FLOAT.pack(number)
    except OverflowError:
        return _FLOAT.pack(float("inf") if number > 0 else float("-inf"))


def read_double(data: bytes) -> float:
    """The number in eight bytes."""
    number: float = _DOUBLE.unpack(data)[0]
    return number


def read_float(data: bytes) -> float:
    """The number in four bytes."""
    number: float = _FLOAT.unpack(data)[0]
    return number
