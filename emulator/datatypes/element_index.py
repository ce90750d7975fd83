"""Elements in an array, to choose from and to scan.

It is made as quickly as a list is copied, and takes eight bytes for each element.  So it does not know where one is: one that
is removed is noted as gone and stays in its place, until there are many.  Then a sweep moves the others together, a few steps
at each removal.

A scan walks the array downwards from its cursor.  An element only ever moves to a lower place, so that one which is there
from start to end is met, whatever else comes and goes, with no state for each scan.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from random import Random
from typing import Final, cast

SMALL: Final = 64
"""Up to so many elements are moved together at each removal."""
_MOST_GONE: Final = 4
"""The sweep begins when one element of so many is gone."""
_STEPS: Final = 8
"""More than twice as many as are needed for a sweep to end before a quarter more is gone."""
_MANY: Final = 8


def _numbers(random: Random, size: int, count: int) -> list[int]:
    """So many numbers below `size`, which may be the same."""
    if count < _MANY:
        return [int(random.random() * size) for _ in range(count)]
    words = array("I", random.randbytes(4 * count))  # had by one call
    return [word * size >> 32 for word in words]


class ElementIndex:
    """Distinct elements.  Adding, removing, choosing: O(1); making: O(n).

    A place has an element, one of those that are gone, or None.
    """

    __slots__ = ("_count", "_from", "_gone", "_items", "_to")

    def __init__(self, items: Iterable[bytes]) -> None:
        self._items: list[bytes | None] = list(items)
        self._count = len(self._items)
        self._gone: set[bytes | None] = set()
        self._from = self._to = 0  # between them a sweep has left nothing

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._between(0, len(self._items)))

    def add(self, item: bytes) -> None:
        """Enter an element that is not there."""
        self._count += 1
        if item in self._gone:
            self._gone.discard(item)
        else:
            self._items.append(item)

    def remove(self, item: bytes) -> None:
        """Take out an element that is there."""
        self._count -= 1
        if len(self._items) <= SMALL and not self._from:
            self._items.remove(item)
        else:
            self._gone.add(item)
            self._tidy()

    def _tidy(self) -> None:
        """Sweep a little, where that is due."""
        size = len(self._items)
        if self._from or _MOST_GONE * (size - self._count) > size:
            self._sweep()

    def _sweep(self) -> None:
        items, gone = self._items, self._gone
        for place in range(self._from, min(self._from + _STEPS, len(items))):
            item = items[place]
            items[place] = None
            if item in gone:
                gone.discard(item)
            elif item is not None:
                items[self._to] = item
                self._to += 1
        self._from += _STEPS
        if self._from >= len(items):
            del items[self._to :]
            self._from = self._to = 0

    def _at(self, place: int) -> bytes | None:
        """The element in a place, None where there is none."""
        item = self._items[place]
        return None if item in self._gone else item

    def _between(self, start: int, stop: int) -> list[bytes]:
        """The elements in some places."""
        items, gone = self._items[start:stop], self._gone
        if self._count == len(self._items):
            return cast(list[bytes], items)
        return [item for item in items if item is not None and item not in gone]

    def choose(self, random: Random) -> bytes:
        """An element, each as likely as another; there must be one.  O(1)."""
        while True:
            item = self._at(int(random.random() * len(self._items)))
            if item is not None:
                return item

    def pick(self, random: Random, count: int) -> list[bytes]:
        """Up to `count` different elements at random, or with a negative count so many that may be the same.  O(count)."""
        size = self._count
        if count < 0:
            return self._draw(random, -count) if size else []
        if 2 * count > size:  # quicker by those that are left out
            left_out = frozenset(self.pick(random, max(size - count, 0)))
            return [item for item in self if item not in left_out]
        chosen: dict[bytes, None] = {}
        while len(chosen) < count:
            chosen.update(dict.fromkeys(self._draw(random, count - len(chosen))))
        return list(chosen)

    def _draw(self, random: Random, count: int) -> list[bytes]:
        """So many elements, which may be the same; there must be one."""
        drawn: list[bytes] = []
        while len(drawn) < count:
            found = map(self._at, _numbers(random, len(self._items), count - len(drawn)))
            drawn += [item for item in found if item is not None]
        return drawn

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """The cursor to go on with (0 at the end), and the elements of `count` places from one (0 begins).  O(count)."""
        size = len(self._items)
        end = min(cursor, size) or size
        start = max(end - count, 0)
        return start, self._between(start, end)

    def _check(self) -> None:
        there = [item for item in self._items if item is not None]
        assert len(there) == len(set(there)) and self._gone <= set(there)
        assert self._count == len(there) - len(self._gone)
        assert all(item is None for item in self._items[self._to : self._from])
        assert len(self._items) <= 2 * self._count + SMALL
