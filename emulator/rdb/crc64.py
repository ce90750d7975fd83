"""The 64-bit checksum of RDB files and payloads.

Source: D. T. Jones, "An Improved 64-bit Cyclic Redundancy Check for Protein Sequences"; reflected, no initial value.
Eight bytes are taken at a time ("slicing by eight", Kounavis and Berry): a table says for each of the eight places what a
byte there comes to once the others behind it have gone by.

What is large is folded first.  The checksum is the remainder of the bits as a polynomial over GF(2), the first bit being
the highest power, and modulo Jones's polynomial x^14063 = x^618 + x^606 + x^356 + x^29 + x^18 + 1 (found by search; few
terms so close together are rare).  So a bit may be taken away at the front and added at six places some 14,000 bits behind
it; squaring both sides, the same holds for all distances doubled, time and again.  Thus large integers halve the data
with a few shifts.
"""

from __future__ import annotations

from array import array
from functools import cache
from sys import byteorder

_POLYNOMIAL = 0x95AC9329AC4BC9B5
_LOW = 0xFF
_WORD = 8
_POWERS = (0, 18, 29, 356, 606, 618)
_FAR = 14063
_DISTANCES = [_FAR - power for power in _POWERS]
"""How far behind a bit the six are that it may be replaced by."""
_NEAR = min(_DISTANCES)


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


def _folded(data: bytes) -> bytes:
    """Fewer bytes, at most some 3,500, with the same checksum."""
    number = int.from_bytes(data, "little")
    size = 8 * len(data)
    while size >= 2 * _FAR:
        scale = 1 << (size // (2 * _FAR)).bit_length() - 1
        count = scale * _NEAR & ~7
        front = number & (1 << count) - 1
        moved = 0
        for distance in _DISTANCES:
            moved ^= front << scale * distance - count
        number = number >> count ^ moved
        size -= count
    return number.to_bytes(size // 8, "little")


def crc64(data: bytes, before: int = 0) -> int:
    """The checksum of some bytes, which follow others that have the checksum `before`.  O(n)."""
    t0, t1, t2, t3, t4, t5, t6, t7 = _tables()
    number = before
    if before and len(data) >= _WORD:
        number = 0
        data = (int.from_bytes(data[:_WORD], "little") ^ before).to_bytes(_WORD, "little") + data[_WORD:]
    data = _folded(data)
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
