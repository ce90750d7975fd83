"""How large values are in a listpack, which decides when Redis leaves that encoding.

Source: Redis's listpack specification: an entry is an encoding byte or more, the data, and its own length backwards.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from emulator.protocol.numbers import parse_integer

HEADER_SIZE = 7
"""Bytes of an empty listpack: its total length, its number of elements, the end mark."""

_INTEGERS = ((12, 2), (15, 3), (23, 4), (31, 5))
"""Bits of magnitude and the bytes that an integer of so many takes."""
_BOUNDS = (128, *(1 << bits for bits, _ in _INTEGERS))
_ZERO = ord("0")
_AFTER_DIGITS = b":"
"""No number is as great as this."""
_SHORT = 64


def entry_size(value: bytes) -> int:
    """Bytes that an element takes in a listpack."""
    length = len(value)
    if length < _SHORT and value > _AFTER_DIGITS:  # what most values are
        return length + 2
    if length < len(_SIZES) and value.isdigit() and (value[0] > _ZERO or length == 1):
        bound, below, from_there = _SIZES[length]
        return below if value < bound else from_there
    if length <= 20 and (value.isdigit() or value[:1] == b"-"):
        number = parse_integer(value)
        if number is not None:
            return integer_size(number)
    if length < _SHORT:
        return length + 2
    size = length + (2 if length < 4096 else 5)
    return size + back_length_size(size)


def entry_sizes(values: Collection[bytes]) -> int:
    """Bytes that many elements take.  O(n)."""
    if values and min(values) > _AFTER_DIGITS and max(map(len, values)) < _SHORT:
        return sum(map(len, values)) + 2 * len(values)
    return sum(map(entry_size, values))


def integer_size(number: int) -> int:
    """Bytes that an integer takes in a listpack."""
    if 0 <= number < 128:
        return 2
    magnitude = number if number >= 0 else ~number
    for bits, size in _INTEGERS:
        if magnitude < 1 << bits:
            return size + 1
    return 10


def _sizes_of(digits: int) -> tuple[bytes, int, int]:
    """The sizes of the integers of so many digits: those below a bound, and the others.  No more than two come up."""
    least, most = 10 ** (digits - 1), 10**digits - 1
    below, from_there = integer_size(least), integer_size(most)
    bounds = [b"%d" % bound for bound in _BOUNDS if least < bound <= most]
    return bounds[0] if bounds else _AFTER_DIGITS, below, from_there


_SIZES: Final = [(b"", 0, 0), *map(_sizes_of, range(1, 19))]
"""By the number of digits, of which equally many stand in the order of the integers: none need be read for its size."""


def back_length_size(size: int) -> int:
    """Bytes that the size of an element takes behind it."""
    if size <= 127:
        return 1
    if size < 16383:
        return 2
    if size < 2097151:
        return 3
    return 4 if size < 268435455 else 5
