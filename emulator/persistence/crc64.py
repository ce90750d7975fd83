"""The 64-bit checksum of RDB files and payloads.

Source: D. T. Jones, "An Improved 64-bit Cyclic Redundancy Check for Protein Sequences"; reflected, no initial value.
"""

from __future__ import annotations

from functools import cache

_POLYNOMIAL = 0x95AC9329AC4BC9B5


@cache
def _table() -> list[int]:
    table = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (_POLYNOMIAL if number & 1 else 0)
        table.append(number)
    return table


def crc64(data: bytes) -> int:
    """The checksum of some bytes."""
    table = _table()
    number = 0
    for byte in data:
        number = table[(number ^ byte) & 0xFF] ^ number >> 8
    return number
