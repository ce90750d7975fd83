"""Lists: a double-ended queue, and what Redis's encoding of it would be.

Redis keeps a small list in one listpack and a larger one in a quicklist of them.  The limit is `list-max-listpack-size`:
a positive one counts elements (with 8 KB besides), a negative one is a size from 4 KB (-1) to 64 KB (-5).  A quicklist
becomes a listpack again once it has shrunk to half the limit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from emulator.datatypes.listpack import HEADER_SIZE, entry_size

_SIZES = (4096, 8192, 16384, 32768, 65536)
_SAFE_SIZE = 8192


class List:
    """Values in order.  Both ends are O(1); the middle is O(n) to reach, from the nearer end.

    ``size`` is what the values take in a listpack; ``packed`` says that the encoding is one.
    """

    __slots__ = ("packed", "size", "values")

    type_name = b"list"

    def __init__(self) -> None:
        self.values: deque[bytes] = deque()
        self.size = HEADER_SIZE
        self.packed = True

    @classmethod
    def of(cls, values: Sequence[bytes], limit: int) -> List:
        """A list of values."""
        new = cls()
        new.grow(values, limit)
        new.extend_right(values)
        return new

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.values)

    @property
    def encoding(self) -> bytes:
        """``listpack`` or ``quicklist``."""
        return b"listpack" if self.packed else b"quicklist"

    def copy(self) -> List:
        """A list of its own with the same values.  O(n)."""
        twin = List()
        twin.values = self.values.copy()
        twin.size = self.size
        twin.packed = self.packed
        return twin

    # Encoding

    def grow(self, values: Sequence[bytes], limit: int) -> None:
        """Choose the encoding before values are added."""
        if self.packed and _exceeds(self.size + sum(map(len, values)), len(self.values) + len(values), limit):
            self.packed = False

    def shrink(self, limit: int) -> None:
        """Choose the encoding after values were taken away."""
        if not self.packed:
            if limit < 0:
                small = self.size <= _SIZES[min(-limit, 5) - 1] // 2
            else:
                small = self.size <= _SAFE_SIZE and len(self.values) <= max(limit, 1) // 2
            if small:
                self.packed = True

    # Ends

    def extend_left(self, values: Iterable[bytes]) -> None:
        """Put values before the first, one after the other.  O(1) each."""
        for value in values:
            self.values.appendleft(value)
            self.size += entry_size(value)

    def extend_right(self, values: Iterable[bytes]) -> None:
        """Put values after the last.  O(1) each."""
        for value in values:
            self.values.append(value)
            self.size += entry_size(value)

    def pop_left(self) -> bytes:
        """Take the first value.  O(1)."""
        value = self.values.popleft()
        self.size -= entry_size(value)
        return value

    def pop_right(self) -> bytes:
        """Take the last value.  O(1)."""
        value = self.values.pop()
        self.size -= entry_size(value)
        return value

    # Middle

    def slice(self, start: int, stop: int) -> list[bytes]:
        """Values from start up to stop.  O(s+n), s being the distance from the nearer end."""
        values = self.values
        if start >= stop:
            return []
        if start <= len(values) - stop:
            return list(islice(values, start, stop))
        tail = list(islice(reversed(values), len(values) - stop, len(values) - start))
        tail.reverse()
        return tail

    def set(self, index: int, value: bytes) -> None:
        """Replace a value.  O(n)."""
        self.size += entry_size(value) - entry_size(self.values[index])
        self.values[index] = value

    def insert(self, index: int, value: bytes) -> None:
        """Put a value at an index.  O(n)."""
        self.values.insert(index, value)
        self.size += entry_size(value)

    def remove(self, value: bytes, most: int, backwards: bool) -> int:
        """Take away up to `most` values that are equal, from the last one on if `backwards`; how many.  O(n)."""
        found = [index for index, other in enumerate(self.values) if other == value]
        found = found[-most:] if backwards else found[:most]
        if found:
            chosen = frozenset(found)
            self.values = deque(other for index, other in enumerate(self.values) if index not in chosen)
            self.size -= len(found) * entry_size(value)
        return len(found)

    def trim(self, start: int, stop: int) -> None:
        """Keep the values from start up to stop.  O(values taken away)."""
        for _ in range(len(self.values) - stop):
            self.pop_right()
        for _ in range(start):
            self.pop_left()

    def _check(self) -> None:
        assert self.size == HEADER_SIZE + sum(map(entry_size, self.values))


def _exceeds(size: int, count: int, limit: int) -> bool:
    if limit < 0:
        return size > _SIZES[min(-limit, 5) - 1]
    return size > _SAFE_SIZE or count > max(limit, 1)
