"""A sequence that grows and shrinks at both ends, and whose every place is reached at once.

It is two lists: ``front`` is turned round, so that the first value stands at its end, and ``back`` goes on behind it.  Where
one of them is used up it gets half of the other: each value taken pays for one that is moved, so the ends are amortised O(1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

_FEW = 64
"""So many values are shifted by one more quickly than parted."""


class TwoEnded:
    """Values in order.  ``front`` and ``back`` may be extended, and are else for reading.

    The ends and any place: O(1); inserting and deleting: O(n), by moving blocks of memory.
    """

    __slots__ = ("back", "front")

    def __init__(self, values: Iterable[bytes] = ()) -> None:
        self.front: list[bytes] = []
        self.back = list(values)

    def __len__(self) -> int:
        return len(self.front) + len(self.back)

    def __iter__(self) -> Iterator[bytes]:
        return chain(reversed(self.front), self.back)

    def __reversed__(self) -> Iterator[bytes]:
        return chain(reversed(self.back), self.front)

    def copy(self) -> TwoEnded:
        """The same values in lists of their own.  O(n)."""
        twin = TwoEnded(self.back)
        twin.front = self.front.copy()
        return twin

    # Ends

    def pop_left(self) -> bytes:
        """Take the first value; raises IndexError where there is none."""
        if not self.front:
            if len(self.back) <= _FEW:
                return self.back.pop(0)
            self._fill_front(0)
        return self.front.pop()

    def pop_right(self) -> bytes:
        """Take the last value; raises IndexError where there is none."""
        if not self.back:
            if len(self.front) <= _FEW:
                return self.front.pop(0)
            self._fill_back(0)
        return self.back.pop()

    def take_left(self, count: int) -> list[bytes]:
        """Take some of the first values, of which there must be as many, the first one first.  O(count), amortised."""
        if len(self.front) < count:
            self._fill_front(count)
        front = self.front
        taken = front[len(front) - count :]
        del front[len(front) - count :]
        taken.reverse()
        return taken

    def take_right(self, count: int) -> list[bytes]:
        """Take some of the last values, the last one first."""
        if len(self.back) < count:
            self._fill_back(count)
        back = self.back
        taken = back[len(back) - count :]
        del back[len(back) - count :]
        taken.reverse()
        return taken

    def drop_left(self, count: int) -> None:
        """Give up some of the first values, of which there must be as many."""
        kept = len(self.front) - count
        del self.front[max(kept, 0) :]
        del self.back[: max(-kept, 0)]

    def drop_right(self, count: int) -> None:
        """Give up some of the last values."""
        kept = len(self.back) - count
        del self.back[max(kept, 0) :]
        del self.front[: max(-kept, 0)]

    def _fill_front(self, least: int) -> None:
        """Move half of the values from the back to the front, and so many that it has `least`."""
        moved = max((len(self.back) + 1) // 2, least - len(self.front))
        self.front = self.back[moved - 1 :: -1] + self.front
        del self.back[:moved]

    def _fill_back(self, least: int) -> None:
        moved = max((len(self.front) + 1) // 2, least - len(self.back))
        self.back = self.front[moved - 1 :: -1] + self.back
        del self.front[:moved]

    # Places, which negative indexes count from the end

    def __getitem__(self, index: int) -> bytes:
        values, place = self._place(index)
        return values[place]

    def __setitem__(self, index: int, value: bytes) -> None:
        values, place = self._place(index)
        values[place] = value

    def __delitem__(self, index: int) -> None:
        values, place = self._place(index)
        del values[place]

    def _place(self, index: int) -> tuple[list[bytes], int]:
        """The list that has the value of an index, and where; raises IndexError."""
        ahead = len(self.front)
        size = ahead + len(self.back)
        if not -size <= index < size:
            raise IndexError(index)
        index %= size
        return (self.front, ahead - 1 - index) if index < ahead else (self.back, index - ahead)

    def insert(self, index: int, value: bytes) -> None:
        """Put a value where it has an index from 0 to the number of values."""
        ahead = len(self.front)
        if index < ahead:
            self.front.insert(ahead - index, value)
        else:
            self.back.insert(index - ahead, value)

    def slice(self, start: int, stop: int) -> list[bytes]:
        """The values from start up to stop, which lie between 0 and the number of values.  O(values)."""
        ahead = len(self.front)
        if start >= ahead:
            return self.back[start - ahead : stop - ahead]
        first = self.front[max(ahead - stop, 0) : ahead - start]
        first.reverse()
        return first + self.back[: stop - ahead] if stop > ahead else first
