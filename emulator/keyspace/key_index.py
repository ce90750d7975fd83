"""The keys of a database in an array, to choose from and to scan.

Very many keys, which are in parts, get their places at once, but are read part by part, when somebody looks at the places of
one: to read a million takes too long.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

from emulator.datatypes.element_index import SMALL, ElementIndex
from emulator.keyspace.parted import PARTS, Parted


class KeyIndex(ElementIndex):
    """Distinct keys.  Adding, removing, choosing: O(1); making: O(n).

    ``unread`` are the numbers of the parts that were not read yet, and where their places begin; ``late`` the keys that came
    to one of them since, and so stand at the end.
    """

    __slots__ = ("_late", "_parts", "_unread")

    def __init__(self, keys: Iterable[bytes]) -> None:
        self._unread: dict[int, slice] = {}
        self._late: set[bytes] = set()
        self._parts: Sequence[dict[bytes, Any]] = ()
        if keys.__class__ is not Parted:
            super().__init__(keys)
            return
        super().__init__(())
        self._parts = keys.dicts
        ends = list(accumulate(map(len, self._parts), initial=0))
        self._unread = {number: slice(*ends[number : number + 2]) for number in range(PARTS)}
        self._count = ends[-1]
        self._items = [None] * self._count

    def _read(self, start: int, stop: int) -> None:
        """Let the keys stand in their places, where these are among some."""
        for number, places in list(self._unread.items()):
            if places.start < stop and start < places.stop:
                self._read_part(number)

    def _read_part(self, number: int) -> None:
        late, places = self._late, self._unread.pop(number)
        found: list[bytes | None] = [key for key in self._parts[number] if key not in late]
        self._items[places] = found + [None] * (places.stop - places.start - len(found))
        if not self._unread:
            self._parts = ()
            late.clear()

    def _is_unread(self, key: bytes) -> bool:
        return bool(self._unread) and Parted.number_of(key) in self._unread

    def add(self, key: bytes) -> None:
        if self._is_unread(key):
            self._late.add(key)
        super().add(key)

    def remove(self, key: bytes) -> None:
        if not self._unread:
            super().remove(key)
            return
        self._count -= 1
        if not self._is_unread(key) or key in self._late:
            self._late.discard(key)
            self._gone.add(key)
        self._tidy()

    def _sweep(self) -> None:
        if self._unread:
            self._read_part(next(iter(self._unread)))
        else:
            super()._sweep()

    def _at(self, place: int) -> bytes | None:
        if self._unread:
            self._read(place, place + 1)
        return super()._at(place)

    def _between(self, start: int, stop: int) -> list[bytes]:
        if self._unread:
            self._read(start, stop)
        return super()._between(start, stop)

    def _check(self) -> None:
        there = [key for key in self._items if key is not None]
        to_come = [key for number in self._unread for key in self._parts[number] if key not in self._late]
        assert len(there) == len(set(there)) and self._gone <= set(there)
        assert self._count == len(there) - len(self._gone) + len(to_come)
        assert all(key is None for key in self._items[self._to : self._from])
        assert len(self._items) <= 2 * self._count + SMALL + PARTS  # which are read before a sweep, one at each removal
