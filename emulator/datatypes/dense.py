"""Elements in a dense array, in which a deleted one's place is taken by the last.

Random picks are O(1) by it, and a scan walks it downwards from its cursor.  An element only ever moves to a lower place,
so that one which is there from start to end is met, whatever else comes and goes, with no state for each scan.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from random import Random
from typing import Final

_MANY: Final = 8


def _some(random: Random, size: int, count: int) -> dict[int, None]:
    """So many different numbers below `size` in random order, at most half of them.  O(count)."""
    chosen: dict[int, None] = {}
    while len(chosen) < count:
        chosen.update(dict.fromkeys(_numbers(random, size, count - len(chosen))))
    return chosen


def _numbers(random: Random, size: int, count: int) -> list[int]:
    """So many numbers below `size`, which may be the same."""
    if count < _MANY:
        return [int(random.random() * size) for _ in range(count)]
    words = array("I", random.randbytes(4 * count))  # had by one call
    return [word * size >> 32 for word in words]


class DenseIndex:
    """Distinct elements.  Adding, removing, choosing: O(1); building: O(n)."""

    __slots__ = ("_items", "_places")

    def __init__(self, items: Iterable[bytes]) -> None:
        self._items = list(items)
        self._places = dict(zip(self._items, range(len(self._items)), strict=True))

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._items)

    def add(self, item: bytes) -> None:
        """Enter an element that is not there."""
        self._places[item] = len(self._items)
        self._items.append(item)

    def remove(self, item: bytes) -> None:
        """Take out an element that is there."""
        place = self._places.pop(item)
        last = self._items.pop()
        if place < len(self._items):
            self._items[place] = last
            self._places[last] = place

    def choose(self, random: Random) -> bytes:
        """An element, each as likely as another; there must be one.  O(1)."""
        items = self._items
        return items[int(random.random() * len(items))]

    def pick(self, random: Random, count: int) -> list[bytes]:
        """Up to `count` different elements at random, or with a negative count so many that may be the same.  O(count)."""
        if count < 0:
            return list(map(self._items.__getitem__, _numbers(random, len(self._items), -count)))
        items, size = self._items, len(self._items)
        if 2 * count <= size:
            return list(map(items.__getitem__, _some(random, size, count)))
        left_out = _some(random, size, max(size - count, 0))  # quicker where that is fewer
        return [item for place, item in enumerate(items) if place not in left_out]

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """Up to `count` elements from a cursor (0 begins) and the cursor to go on with (0 at the end).  O(count)."""
        end = len(self._items) if cursor == 0 else min(cursor, len(self._items))
        start = max(end - count, 0)
        return start, self._items[start:end]

    def _check(self) -> None:
        assert self._places == {item: place for place, item in enumerate(self._items)}
