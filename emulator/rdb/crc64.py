"""The 64-bit checksum of RDB files and payloads.

Source: D. T. Jones, "An Improved 64-bit Cyclic Redundancy Check for Protein Sequences"; reflected, no initial value.
Eight bytes are taken at a time ("slicing by eight", Kounavis and Berry): a table says for each of the eight places what a
byte there comes to once the others behind it have gone by.  LuaJIT does it where lupa has it.
"""

from __future__ import annotations

from array import array
from functools import cache
from sys import byteorder
from typing import Any

from emulator.lua import function

_POLYNOMIAL = 0x95AC9329AC4BC9B5
_LOW = 0xFF
_WORD = 8


@cache
def _tables() -> list[list[int]]:
    """For each place of a byte among eight, the last one first, its remainder."""
    first = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (_POLYNOMIAL if number & 1 else 0)
        first.append(number)
    tables = [first]
    for _ in range(7):
        tables.append([first[number & _LOW] ^ number >> 8 for number in tables[-1]])
    return tables


@cache
def _in_lua() -> Any:
    """What computes the bytes of a checksum, the lowest first; None where only plain Lua is there."""
    prepared = function("rdb/crc64", "prepared")
    return prepared and prepared(b"".join([number.to_bytes(8, "little") for table in _tables() for number in table]))


def checksum(data: bytes) -> bytes:
    """The checksum of some bytes as it stands behind them.  O(n)."""
    quick = _in_lua()
    told: bytes = _slowly(data, 0).to_bytes(_WORD, "little") if quick is None else quick(data)
    return told


def crc64(data: bytes, before: int = 0) -> int:
    """The checksum of some bytes, which follow others that have the checksum `before`.  O(n)."""
    quick = _in_lua()
    if quick is None or (before and len(data) < _WORD):
        return _slowly(data, before)
    if before:  # what was before is the same as another first word
        data = (int.from_bytes(data[:_WORD], "little") ^ before).to_bytes(_WORD, "little") + data[_WORD:]
    return int.from_bytes(quick(data), "little")


def _slowly(data: bytes, number: int) -> int:
    t0, t1, t2, t3, t4, t5, t6, t7 = _tables()
    whole = len(data) & ~7
    words = array("Q", data[:whole])
    if byteorder == "big":
        words.byteswap()
    for word in words:
        number ^= word
        number = (
            t7[number & _LOW]
            ^ t6[number >> 8 & _LOW]
            ^ t5[number >> 16 & _LOW]
            ^ t4[number >> 24 & _LOW]
            ^ t3[number >> 32 & _LOW]
            ^ t2[number >> 40 & _LOW]
            ^ t1[number >> 48 & _LOW]
            ^ t0[number >> 56]
        )
    for byte in data[whole:]:
        number = t0[(number ^ byte) & _LOW] ^ number >> 8
    return number
