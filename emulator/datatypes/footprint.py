"""What a value would take in the real server's memory, by which `maxmemory` means the same here as there.

Sizes are those of jemalloc's classes, in bytes: multiples of 8 up to 64, then four classes between two powers of two.
The values themselves count the bytes of their elements, so that each figure is had in O(1).
"""

from __future__ import annotations

from typing import Final

POINTER: Final = 8
DICT_ENTRY: Final = 24
_ROUNDING: Final = 4
"""What an element's room exceeds its bytes by, on average."""


def _class_of(size: int) -> int:
    if size <= 64:
        return max((size + 7) & ~7, 8)
    step = 1 << ((size - 1).bit_length() - 3)
    return (size + step - 1) & -step


_SMALL: Final = tuple(_class_of(8 * eighth) for eighth in range(513))


def allocated(size: int) -> int:
    """The room that is allocated for so many bytes."""
    return _SMALL[(size + 7) >> 3] if size <= 4096 else _class_of(size)


def string_size(length: int) -> int:
    """The room of a string with a header of its own."""
    if length < 256:
        return allocated(length + 4)
    return allocated(length + (6 if length < 65536 else 10))


def table_size(count: int) -> int:
    """The room of a hash table's buckets."""
    return POINTER << max(count - 1, 3).bit_length()


def strings_size(count: int, payload: int) -> int:
    """The room of so many strings that have so many bytes together, about."""
    return count * (2 + _ROUNDING) + payload + (payload >> 4)
