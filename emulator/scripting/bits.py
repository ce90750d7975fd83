"""The operations of the Lua library ``bit``, on 32-bit integers.  Source: https://bitop.luajit.org/semantics.html"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import reduce
from operator import and_, or_, xor

_MASK = 0xFFFFFFFF
_DOUBLE = struct.Struct("<d")
_WORDS = struct.Struct("<II")
_SHIFT = float(3 << 51)


def _bits(number: float) -> int:
    """The lower 32 bits of a number, rounded half to even: those of its double once that has no room for a fraction.

    So beyond 2^51 they are whatever bits stand there, as in the original.
    """
    bits: int = _WORDS.unpack(_DOUBLE.pack(number + _SHIFT))[0]
    return bits


def _signed(bits: int) -> int:
    return bits - (bits >> 31 << 32)


def _rotated(bits: int, count: int) -> int:
    return (bits << count | bits >> (32 - count)) & _MASK


_SHIFTS: dict[bytes, Callable[[int, int], int]] = {
    b"lshift": lambda bits, count: bits << count & _MASK,
    b"rshift": lambda bits, count: bits >> count,
    b"arshift": lambda bits, count: _signed(bits) >> count & _MASK,
    b"rol": _rotated,
    b"ror": lambda bits, count: _rotated(bits, 32 - count),
}
_FOLDS: dict[bytes, Callable[[int, int], int]] = {b"band": and_, b"bor": or_, b"bxor": xor}
_UNARY: dict[bytes, Callable[[int], int]] = {
    b"tobit": lambda bits: bits,
    b"bnot": lambda bits: bits ^ _MASK,
    b"bswap": lambda bits: int.from_bytes(bits.to_bytes(4, "little"), "big"),
}


def operate(name: bytes, first: float, *others: float) -> int | bytes:
    """One operation of the library, by its name."""
    bits = _bits(first)
    if name in _UNARY:
        return _signed(_UNARY[name](bits))
    if name in _FOLDS:
        return _signed(reduce(_FOLDS[name], map(_bits, others), bits))
    if name in _SHIFTS:
        return _signed(_SHIFTS[name](bits, _bits(others[0]) & 31))
    return _hexadecimal(bits, _signed(_bits(others[0])) if others else 8)


def _hexadecimal(bits: int, digits: int) -> bytes:
    """``tohex``: so many digits of the lower end, upper-case where their number is negative."""
    text = b"%08x" % bits if digits >= 0 else b"%08X" % bits
    return text[8 - min(abs(digits), 8) :]
