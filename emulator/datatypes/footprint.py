"""What a value would take in the real server's memory, by which `maxmemory` means the same here as there.

Sizes are those of jemalloc's classes, in bytes: multiples of 8 up to 64, then four classes between two powers of two.
The values themselves count the bytes of their elements, so that each figure is had in O(1).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

POINTER: Final = 8
DICT_ENTRY: Final = 24
_DICT: Final = 56
_MOVED_BY: Final = 0.8
"""How full a table is when the elements have all moved into it, about."""


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


def _room_of(length: int) -> int:
    return allocated(length + (2 if length < 32 else 4 if length < 256 else 6 if length < 65536 else 10))


_SMALL_ROOMS: Final = tuple(map(_room_of, range(256)))


def room(element: bytes | bytearray) -> int:
    """The room of an element's string, with a header that depends on its length."""
    length = len(element)
    return _SMALL_ROOMS[length] if length < 256 else _room_of(length)


def exact_room(element: bytes | bytearray) -> int:
    """The same as 8.6 counts it: a short one to the byte."""
    length = len(element)
    return length + 2 if length < 32 else room(element)


def rooms(elements: Iterable[bytes]) -> int:
    """The rooms of many elements in all.  O(n)."""
    lengths = list(map(len, elements))
    try:
        return sum(map(_SMALL_ROOMS.__getitem__, lengths))
    except IndexError:  # one is long
        return sum([_SMALL_ROOMS[length] if length < 256 else _room_of(length) for length in lengths])


def _node_of(length: int) -> int:
    """A node of a skip list with an element in it: three of four have one level, the others two or three."""
    element = length + (2 if length < 32 else 4)
    return (3 * allocated(32 + element) + allocated(52 + element)) // 4


_SMALL_NODES: Final = tuple(map(_node_of, range(256)))
_LARGE_NODE: Final = 60


def node_room(member: bytes) -> int:
    """The room of a sorted set's member with its score, on average."""
    length = len(member)
    return _SMALL_NODES[length] if length < 256 else _large_node(length)


def _large_node(length: int) -> int:
    return length + _LARGE_NODE if length < 4096 else allocated(length + _LARGE_NODE)


def node_rooms(members: Iterable[bytes]) -> int:
    """The rooms of many members in all.  O(n)."""
    lengths = list(map(len, members))
    try:
        return sum(map(_SMALL_NODES.__getitem__, lengths))
    except IndexError:  # one is long
        return sum([_SMALL_NODES[length] if length < 256 else _large_node(length) for length in lengths])


def buckets(count: int) -> int:
    """How many buckets a hash table with so many elements has: a power of two."""
    return 1 << max(count - 1, 3).bit_length()


def table_size(count: int) -> int:
    """The room of a hash table with so many elements: its head, its buckets, and an entry for each.

    For a while after it has grown there are the old buckets as well, from which elements move over one by one.
    """
    new = buckets(count)
    old = new // 2 if new > 4 and count < new * _MOVED_BY else 0
    return _DICT + POINTER * (new + old) + count * DICT_ENTRY
