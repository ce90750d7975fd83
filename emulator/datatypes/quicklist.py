"""The nodes of a quicklist: what `list-max-listpack-size` lets one have, and how they are joined.

A node is the number of its values and the bytes that they take in a listpack.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from math import inf

from emulator.datatypes.listpack import HEADER_SIZE

SIZES = (4096, 8192, 16384, 32768, 65536)
_SAFE_SIZE = 8192
OVERHEAD = 8
NONE_LARGE = 1 << 30
"""A threshold that no value reaches, as it was before Redis 7.4."""


class Fill(int):
    """A limit with which values of ``packed`` bytes and more have nodes for themselves (DEBUG QUICKLIST-PACKED-THRESHOLD)."""

    packed = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fill) and int(self) == int(other) and self.packed == other.packed

    def __hash__(self) -> int:
        return int(self)


def fill_with(limit: int, packed: int) -> int:
    """The limit, with this threshold instead of what it has; with 0 a plain one."""
    if not packed:
        return int(limit)
    fill = Fill(limit)
    fill.packed = packed
    return fill


class Plain(list[int]):
    """A node that is no listpack but one large value."""

    __slots__ = ()


def exceeds(size: int, count: int, limit: int) -> bool:
    """Whether a listpack of that size and number of values is beyond the limit."""
    most_bytes, most_values, _ = room(limit)
    return size > most_bytes or count > most_values


@lru_cache(maxsize=64)
def room(limit: int) -> tuple[int, float, int]:
    """The most bytes and values that a listpack may have, and the bytes of the largest value that may stand in one."""
    packed = limit.packed if isinstance(limit, Fill) else 0
    most_bytes = SIZES[min(-limit, 5) - 1] if limit < 0 else _SAFE_SIZE
    return most_bytes, inf if limit < 0 else max(limit, 1), packed - 1 if packed else most_bytes


def largest(limit: int) -> int:
    """The bytes of the largest value that does not have a node for itself."""
    return room(limit)[2]


def accepts(node: list[int], value: bytes, limit: int) -> bool:
    """Whether a node of a quicklist has room for a value that is not large, by Redis's estimate."""
    return node.__class__ is list and not exceeds(node[1] + len(value) + OVERHEAD, node[0] + 1, limit)


def change(node: list[int], count: int, size: int) -> None:
    """So many values and bytes come to a node, or go."""
    node[0] += count
    node[1] += size


def merge_around(nodes: deque[list[int]], center: int, limit: int) -> None:
    """Join the two nodes before one, the two behind it, and then it with either neighbour, where there is room."""

    def merge(place: int) -> bool:
        if not 0 <= place < len(nodes) - 1:
            return False
        if not nodes[place].__class__ is nodes[place + 1].__class__ is list:
            return False
        (count, size), (more, further) = nodes[place], nodes[place + 1]
        if exceeds(size + further - HEADER_SIZE, count + more, limit):
            return False
        nodes[place] = [count + more, size + further - HEADER_SIZE]
        del nodes[place + 1]
        return True

    center -= merge(center - 2)
    merge(center + 1)
    center -= merge(center - 1)
    merge(center)


def remove_from(nodes: deque[list[int]], indexes: Sequence[int], size: int) -> None:
    """Take values of one size away at ascending indexes."""
    ends = list(accumulate(node[0] for node in nodes))
    place = 0
    for index in indexes:
        while index >= ends[place]:
            place += 1
        change(nodes[place], -1, -size)
    for node in [node for node in nodes if not node[0]]:
        nodes.remove(node)


class NodeIndex:
    """Where the nodes of a quicklist end, counted in values.

    That values come or go at an end is found out; who changes how many there are in a node between them makes another index.
    """

    __slots__ = ("_ends", "_first", "_last", "_told")

    def __init__(self, nodes: deque[list[int]]) -> None:
        self._first, self._last = nodes[0], nodes[-1]
        self._told = len(nodes), self._first[0], self._last[0]
        self._ends = array("Q", accumulate([count for count, _ in nodes]))

    def is_of(self, nodes: deque[list[int]]) -> bool:
        """Whether it is still true of these nodes."""
        first, last = nodes[0], nodes[-1]
        return first is self._first and last is self._last and self._told == (len(nodes), first[0], last[0])

    def locate(self, index: int) -> tuple[int, int]:
        """The place of the node that has the value of an index, behind all the last, and where in the node.  O(log nodes)."""
        place = bisect_right(self._ends, index, hi=len(self._ends) - 1)
        return place, index - self._ends[place - 1] if place else index
