"""The keys of a database in an array, to choose from and to scan.

It is made of many keys as quickly as a list is copied, and takes eight bytes for each.  So it does not know where a key is:
one that is removed is noted as gone and stays in its place, until there are many.  Then a sweep moves the others together, a
few steps at each removal.  Very many keys, which are in parts, get their places at once, but are read part by part, when
somebody looks at the places of one: to read a million takes too long.

A scan walks the array downwards from its cursor.  A key only ever moves to a lower place, so that one which is there from
start to end is met, whatever else comes and goes, with no state for each scan.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from random import Random
from typing import Any, Final

from emulator.keyspace.parted import PARTS, Parted

_SMALL: Final = 64
"""Up to so many keys are moved together at each removal."""
_MOST_GONE: Final = 4
"""The sweep begins when one key of so many is gone."""
_STEPS: Final = 8
"""More than twice as many as are needed for a sweep to end before a quarter more is gone."""


class KeyIndex:
    """Distinct keys.  Adding, removing, choosing: O(1); making: O(n).

    ``unread`` are the numbers of the parts that were not read yet, and where their places begin; ``late`` the keys that came
    to one of them since, and so stand at the end.
    """

    __slots__ = ("_count", "_from", "_gone", "_keys", "_late", "_parts", "_to", "_unread")

    def __init__(self, keys: Iterable[bytes]) -> None:
        self._unread: dict[int, slice] = {}
        self._late: set[bytes] = set()
        self._parts: Sequence[dict[bytes, Any]] = ()
        if keys.__class__ is Parted:
            self._parts = keys.dicts
            ends = list(accumulate(map(len, self._parts), initial=0))
            self._unread = {number: slice(*ends[number : number + 2]) for number in range(PARTS)}
        self._keys: list[bytes | None] = [None] * ends[-1] if self._unread else list(keys)
        self._count = len(self._keys)
        self._gone: set[bytes | None] = set()
        self._from = self._to = 0  # between them a sweep has left nothing

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[bytes]:
        self._read(0, len(self._keys))
        gone = self._gone
        return (key for key in self._keys if key is not None and key not in gone)

    def _read(self, start: int, stop: int) -> None:
        """Let the keys stand in their places, where these are among some."""
        for number, places in list(self._unread.items()):
            if places.start < stop and start < places.stop:
                self._read_part(number)

    def _read_part(self, number: int) -> None:
        late, places = self._late, self._unread.pop(number)
        found: list[bytes | None] = [key for key in self._parts[number] if key not in late]
        self._keys[places] = found + [None] * (places.stop - places.start - len(found))
        if not self._unread:
            self._parts = ()
            late.clear()

    def _is_unread(self, key: bytes) -> bool:
        return bool(self._unread) and Parted.number_of(key) in self._unread

    def add(self, key: bytes) -> None:
        """Enter a key that is not there."""
        self._count += 1
        if self._is_unread(key):
            self._late.add(key)
        if key in self._gone:
            self._gone.discard(key)
        else:
            self._keys.append(key)

    def remove(self, key: bytes) -> None:
        """Take out a key that is there."""
        self._count -= 1
        size = len(self._keys)
        if size <= _SMALL and not self._from and not self._unread:
            self._keys.remove(key)
            return
        if not self._is_unread(key) or key in self._late:
            self._late.discard(key)
            self._gone.add(key)
        if self._from or _MOST_GONE * (size - self._count) > size:
            self._sweep()

    def _sweep(self) -> None:
        if self._unread:
            self._read_part(next(iter(self._unread)))
            return
        keys, gone = self._keys, self._gone
        for place in range(self._from, min(self._from + _STEPS, len(keys))):
            key = keys[place]
            keys[place] = None
            if key in gone:
                gone.discard(key)
            elif key is not None:
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
            place = int(random.random() * len(keys))
            if self._unread:
                self._read(place, place + 1)
            key = keys[place]
            if key is not None and key not in gone:
                return key

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """Keys of up to `count` places from a cursor (0 begins) and the cursor to go on with (0 at the end).  O(count)."""
        keys, gone = self._keys, self._gone
        end = len(keys) if cursor == 0 else min(cursor, len(keys))
        start = max(end - count, 0)
        if self._unread:
            self._read(start, end)
        return start, [key for key in keys[start:end] if key is not None and key not in gone]

    def _check(self) -> None:
        there = [key for key in self._keys if key is not None]
        to_come = [key for number in self._unread for key in self._parts[number] if key not in self._late]
        assert len(there) == len(set(there)) and self._gone <= set(there)
        assert self._count == len(there) - len(self._gone) + len(to_come)
        assert all(key is None for key in self._keys[self._to : self._from])
        assert len(self._keys) <= 2 * self._count + _SMALL + PARTS  # which are read before a sweep, one at each removal
