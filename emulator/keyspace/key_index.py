"""The keys of a database in an array, to choose from and to scan.

It is made of millions of keys as quickly as a list is copied, and takes eight bytes for each.  So it does not know where
a key is: one that is removed is noted as gone and stays in its place, until there are many.  Then a sweep moves the
others together, a few steps at each removal.

A scan walks the array downwards from its cursor.  A key only ever moves to a lower place, so that one which is there from
start to end is met, whatever else comes and goes, with no state for each scan.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import Final

_SMALL: Final = 64
"""Up to so many keys are moved together at each removal."""
_MOST_GONE: Final = 4
"""The sweep begins when one key of so many is gone."""
_STEPS: Final = 8
"""More than twice as many as are needed for a sweep to end before a quarter more is gone."""


class KeyIndex:
    """Distinct keys.  Adding, removing, choosing: O(1); making: O(n)."""

    __slots__ = ("_count", "_from", "_gone", "_keys", "_to")

    def __init__(self, keys: Iterable[bytes]) -> None:
        self._keys: list[bytes | None] = list(keys)
        self._count = len(self._keys)
        self._gone: set[bytes | None] = set()
        self._from = self._to = 0  # between them a sweep has left nothing

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[bytes]:
        gone = self._gone
        return (key for key in self._keys if key is not None and key not in gone)

    def add(self, key: bytes) -> None:
        """Enter a key that is not there."""
        self._count += 1
        if key in self._gone:
            self._gone.discard(key)
        else:
            self._keys.append(key)

    def remove(self, key: bytes) -> None:
        """Take out a key that is there."""
        self._count -= 1
        size = len(self._keys)
        if size <= _SMALL and not self._from:
            self._keys.remove(key)
            return
        self._gone.add(key)
        if self._from or _MOST_GONE * len(self._gone) > size:
            self._sweep()

    def _sweep(self) -> None:
        keys, gone = self._keys, self._gone
        for place in range(self._from, min(self._from + _STEPS, len(keys))):
            key = keys[place]
            keys[place] = None
            if key in gone:
                gone.discard(key)
            else:
                keys[self._to] = key
                self._to += 1
        self._from += _STEPS
        if self._from >= len(keys):
            del keys[self._to :]
            self._from = self._to = 0

    def choose(self, random: Random) -> bytes:
        """A key, each as likely as another; there must be one."""
        keys, gone = self._keys, self._gone
        while True:
            key = keys[int(random.random() * len(keys))]
            if key is not None and key not in gone:
                return key

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """Keys of up to `count` places from a cursor (0 begins) and the cursor to go on with (0 at the end).  O(count)."""
        keys, gone = self._keys, self._gone
        end = len(keys) if cursor == 0 else min(cursor, len(keys))
        start = max(end - count, 0)
        return start, [key for key in keys[start:end] if key is not None and key not in gone]

    def _check(self) -> None:
        there = [key for key in self._keys if key is not None]
        assert len(there) == len(set(there)) and self._gone <= set(there)
        assert self._count == len(there) - len(self._gone)
        assert all(key is None for key in self._keys[self._to : self._from])
        assert len(self._keys) <= 2 * self._count + _SMALL
