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
    """An array; its cursor is the index of the next insertion, 0 where there was none yet.  Methods are O(log n)."""

    __slots__ = ("_size", "cursor", "slots")

    def __init__(self) -> None:
        self.slots: SortedDict[int, bytes] = SortedDict()
        self.cursor = 0
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
        twin.cursor, twin._size = self.cursor, self._size
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
        """Get ready to be a ring of so many places: what stays moves to its first places, the oldest first.  O(kept).

        A smaller ring keeps the latest values up to the first hole; a larger one all of them, if it has gone round.
        """
        span = self.length
        if size >= span and (size == span or not 0 < self.cursor < span):
            return
        kept: list[bytes] = []
        for value in self._backwards(self.cursor - 1 if self.cursor else span - 1, min(size, span)):
            if value is None:
                break
            kept.append(value)
        self.slots.clear()
        self._size = self.cursor = 0
        for value in reversed(kept):
            self.insert(value)

    def turn(self, value: bytes, size: int) -> int:
        """Set the value at the next place of a ring; the place."""
        self.cursor %= size
        return self.insert(value)

    def latest(self, count: int) -> list[bytes | None]:
        """The values at the cursor and before it, at most so many, round the end; None for holes.  O(count)."""
        last = self.length - 1
        return [*self._backwards(self.cursor - 1 if 0 < self.cursor <= last else last, min(count, last + 1))]

    def _backwards(self, place: int, count: int) -> Iterator[bytes | None]:
        """Values from a place back, over the first index to the last."""
        span = self.length
        for step in range(count):
            yield self.slots.get((place - step) % span)

    def _check(self) -> None:
        assert self._size == sum(map(room, self.slots.values()))
        assert 0 <= self.cursor <= EXHAUSTED
        assert not self.slots or 0 <= self.slots.peekitem(0)[0] <= self.slots.peekitem(-1)[0] <= LAST_INDEX
