"""Arrays: values at indexes from 0 to 2**64-2, most of which may be empty, and a cursor for the next insertion.

Source: https://redis.io/docs/latest/develop/data-types/arrays/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sortedcontainers import SortedDict

from emulator.datatypes.footprint import POINTER, allocated, room

LAST_INDEX: Final = (1 << 64) - 2
EXHAUSTED: Final = LAST_INDEX + 1
"""The cursor behind the last index."""
SLICE: Final = 4096
_HEAD: Final = 64


class Array:
    """An array; ``ring`` is the size of the ring that ARRING has made of it, 0 where it has not.  Methods are O(log n)."""

    __slots__ = ("_size", "cursor", "ring", "slots")

    def __init__(self) -> None:
        self.slots: SortedDict[int, bytes] = SortedDict()
        self.cursor = 0
        self.ring = 0
        self._size = 0

    def __len__(self) -> int:
        """How many indexes have a value."""
        return len(self.slots)

    @property
    def encoding(self) -> bytes:
        return b"sliced-array"

    @property
    def footprint(self) -> int:
        """Bytes of the values and of their places, about."""
        return allocated(_HEAD) + self._size + POINTER * len(self.slots)

    @property
    def length(self) -> int:
        """The greatest index that has a value, and one."""
        return self.slots.peekitem(-1)[0] + 1 if self.slots else 0

    def copy(self) -> Array:
        """An array of its own that is the same.  O(n)."""
        twin = Array()
        twin.slots = self.slots.copy()
        twin.cursor, twin.ring, twin._size = self.cursor, self.ring, self._size
        return twin

    def put(self, index: int, value: bytes) -> bool:
        """Set the value at an index; whether there was none."""
        before: bytes | None = self.slots.get(index)
        self.slots[index] = value
        self._size += room(value) - (0 if before is None else room(before))
        return before is None

    def remove(self, index: int) -> bool:
        """Empty an index; whether there was a value."""
        value: bytes | None = self.slots.pop(index, None)
        if value is None:
            return False
        self._size -= room(value)
        return True

    def between(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        """The values from one index to another with their indexes, backwards where the second is less; O(n) in all."""
        least, most = min(start, end), max(start, end)
        for index in self.slots.irange(least, most, reverse=start > end):
            yield index, self.slots[index]

    def insert(self, value: bytes) -> int:
        """Set the value at the cursor, which moves on; the index."""
        index = self.cursor
        self.put(index, value)
        self.cursor = index + 1
        return index

    def resize(self, size: int) -> None:
        """Be a ring of so many places; what is beyond them goes.  O(values beyond)."""
        self.ring = size
        for index in [*self.slots.irange(size)]:
            self.remove(index)

    def turn(self, value: bytes) -> int:
        """Set the value at the next place of the ring; the place."""
        self.cursor %= self.ring
        return self.insert(value)

    def latest(self, count: int) -> list[bytes | None]:
        """What was inserted last, at most so many values, the latest first; None for places that were emptied.  O(count)."""
        if self.ring:
            places = [(self.cursor - step) % self.ring for step in range(1, min(count, len(self)) + 1)]
        else:
            places = [self.cursor - step for step in range(1, min(count, self.cursor, self.length) + 1)]
        return [self.slots.get(place) for place in places]

    def _check(self) -> None:
        assert self._size == sum(map(room, self.slots.values()))
        assert 0 <= self.cursor <= EXHAUSTED
        assert not self.slots or 0 <= self.slots.peekitem(0)[0] <= self.slots.peekitem(-1)[0] <= LAST_INDEX
