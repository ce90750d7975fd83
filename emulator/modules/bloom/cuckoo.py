"""Cuckoo filters: sets of fingerprints of one byte, from which items can be taken out again.

A key holds a list of filters, the later ones as large or larger.  Where an item may lie is the same as in RedisBloom, so
that the same items are taken for one another.
Source: B. Fan et al., "Cuckoo Filter: Practically Better Than Bloom", CoNEXT 2014.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

from emulator import lua
from emulator.datatypes.murmur import hash64
from emulator.modules.bloom.room import NoRoom, Room, copied, occupied, zeroed
from emulator.protocol.numbers import UINT64_MAX

CHUNK: Final = 16 << 20
"""The most bytes of a filter that are told at a time."""

_HEADER: Final = struct.Struct("<QQQQHHH")
_OTHER: Final = 0x5BD1E995
_COMPACTED_FROM: Final = 0.1
"""Which part of the items has to be deleted before the filters are compacted by themselves."""
_MOST_SETTING: Final = 65535
_MOST_FILTERS: Final = 1024
_FEW: Final = 64
"""So many iterations are no reason to start Lua for."""
_MOST_QUICK: Final = 1 << 30
"""So many buckets have numbers of 32 bits in Lua."""
_MOST_BUCKETS: Final = 1 << 56
"""What one command may make of a filter."""


class Full(Exception):
    """There is no place for an item, and no filter may be added."""


class BadHeader(Exception):
    """No cuckoo filter has such a header."""


class Settings(NamedTuple):
    """What a key is made with: fingerprints in a bucket, how often they are moved at most, how the next filter grows."""

    bucket_size: int
    iterations: int
    expansion: int


def power_of_two(number: int) -> int:
    """The next power of two; 0 for 0."""
    return 1 << (number - 1).bit_length() if number else 0


class Cuckoo:
    """A cuckoo filter as a key holds it.

    ``first`` is how many buckets the first filter has, a power of two.  ``unfilled`` are at least those of the ``filters``
    that have a free slot: in a long list most have none.  Raises `NoRoom`.  Adding, looking up and deleting: O(n) in the
    item's length and O(1) in each filter, adding in each unfilled one.
    """

    __slots__ = ("deleted", "filters", "first", "items", "settings", "unfilled")

    encoding = b"raw"

    def __init__(self, capacity: int, settings: Settings) -> None:
        self.settings = settings._replace(expansion=power_of_two(settings.expansion))
        self.first = power_of_two(capacity // settings.bucket_size) or 1
        self.items = self.deleted = 0
        self.filters: list[Room] = []
        self.unfilled: list[Room] = []
        self.grow()

    def __len__(self) -> int:
        return 1

    @property
    def footprint(self) -> int:
        """Bytes that it takes in the real server."""
        return 40 + sum(16 + len(room) for room in self.filters)

    def copy(self) -> Cuckoo:
        """The same items, independent of these.  O(n)."""
        twin = Cuckoo.__new__(Cuckoo)
        twin.settings, twin.first, twin.items, twin.deleted = self.settings, self.first, self.items, self.deleted
        twin.filters = [copied(room) for room in self.filters]
        twin.unfilled = twin.filters[:]
        return twin

    def grow(self) -> None:
        """Add a filter.  Raises `NoRoom`."""
        room = zeroed(self.size_of(len(self.filters)))
        self.filters.append(room)
        self.unfilled = [*(one for one in self.unfilled if one.find(b"\0") >= 0), room]

    def size_of(self, index: int) -> int:
        """Bytes of the filter of an index."""
        factor: int = self.settings.expansion**index
        if self.first * factor > _MOST_BUCKETS:
            raise NoRoom
        return self.first * factor * self.settings.bucket_size

    # Places

    def _places(self, room: Room, hash: int, fingerprint: int) -> tuple[int, int]:
        """Where the two buckets of an item begin."""
        size = self.settings.bucket_size
        buckets = len(room) // size
        return hash % buckets * size, (hash ^ fingerprint * _OTHER) % buckets * size

    def _find(self, rooms: Iterable[Room], hash: int, fingerprint: int, sought: int) -> tuple[Room, int] | None:
        """The first slot in an item's buckets of some filters that holds what is sought, None where none does."""
        size, byte, other = self.settings.bucket_size, bytes((sought,)), hash ^ fingerprint * _OTHER
        for room in rooms:
            buckets = len(room) // size
            start = hash % buckets * size
            place = room.find(byte, start, start + size)
            if place < 0:
                start = other % buckets * size
                place = room.find(byte, start, start + size)
            if place >= 0:
                return room, place
        return None

    # Items

    def has(self, item: bytes) -> bool:
        """Whether an item may be there."""
        hash = hash64(item)
        fingerprint = hash % 255 + 1
        return self._find(self.filters, hash, fingerprint, fingerprint) is not None

    def count(self, item: bytes) -> int:
        """How often an item may have been added."""
        hash = hash64(item)
        fingerprint = hash % 255 + 1
        size = self.settings.bucket_size
        return sum(
            room[start : start + size].count(fingerprint)
            for room in self.filters
            for start in self._places(room, hash, fingerprint)
        )

    def add(self, item: bytes) -> None:
        """Add an item, once more if it is there.  Raises `Full`, and `NoRoom` where another filter is too large."""
        hash = hash64(item)
        fingerprint = hash % 255 + 1
        while not self._place(hash, fingerprint):
            if not self.settings.expansion or len(self.filters) >= _MOST_FILTERS:
                raise Full
            self.grow()
        self.items += 1

    def _place(self, hash: int, fingerprint: int) -> bool:
        free = self._find(reversed(self.unfilled), hash, fingerprint, 0)
        if free is None:
            return self._displace(self.filters[-1], hash, fingerprint)
        room, slot = free
        room[slot] = fingerprint
        return True

    def _displace(self, room: Room, hash: int, fingerprint: int) -> bool:
        """Make place in the last filter by moving others about; where that fails all is as before."""
        size, iterations, _ = self.settings
        buckets = len(room) // size
        if iterations > _FEW and buckets <= _MOST_QUICK and not buckets & (buckets - 1):
            displace = lua.function("modules/bloom/displace", "displace")
            if displace is not None:
                return bool(displace(lua.address(room), buckets, size, iterations, hash % buckets, fingerprint))
        bucket, slot = hash % buckets, 0
        moved: list[tuple[int, int]] = []
        for _ in range(iterations):
            place = bucket * size + slot
            moved.append((place, room[place]))
            room[place], fingerprint = fingerprint, room[place]
            bucket = (bucket ^ fingerprint * _OTHER) % buckets
            free = room.find(b"\0", bucket * size, (bucket + 1) * size)
            if free >= 0:
                room[free] = fingerprint
                return True
            slot = (slot + 1) % size
        for place, before in reversed(moved):
            room[place] = before
        return False

    def remove(self, item: bytes) -> bool:
        """Take an item out once; whether it was there."""
        hash = hash64(item)
        fingerprint = hash % 255 + 1
        found = self._find(reversed(self.filters), hash, fingerprint, fingerprint)
        if found is None:
            return False
        room, slot = found
        room[slot] = 0
        self.unfilled = self.filters[:]
        self.items -= 1
        self.deleted += 1
        if len(self.filters) > 1 and self.deleted > self.items * _COMPACTED_FROM:
            self.compact(stubborn=False)
        return True

    def compact(self, stubborn: bool) -> None:
        """Move what is in later filters to earlier ones; without `stubborn` up to the first that is not emptied.  O(n)."""
        for index in range(len(self.filters) - 1, 0, -1):
            emptied = self._empty(index)
            if emptied and index == len(self.filters) - 1:
                self.filters.pop()
            if not emptied and not stubborn:
                break
        self.unfilled = self.filters[:]
        self.deleted = 0

    def _empty(self, index: int) -> bool:
        """Move what one filter has to those before it; whether all has gone."""
        room, earlier, size = self.filters[index], self.filters[:index], self.settings.bucket_size
        emptied = True
        for place, fingerprint in occupied(room):
            free = self._find(earlier, place // size, fingerprint, 0)
            if free is None:
                emptied = False
            else:
                free[0][free[1]] = fingerprint
                room[place] = 0
        return emptied

    # As chunks

    def header(self) -> bytes:
        """What has to be known of the filters before their bytes are loaded."""
        counts = self.items & UINT64_MAX, self.first, self.deleted & UINT64_MAX, len(self.filters)
        return _HEADER.pack(*counts, *self.settings)

    def chunk(self, position: int) -> tuple[int, bytes | None]:
        """The next position and the bytes at this one, from 1 on; 0 and nothing behind the last.

        What fits into one chunk is told whole, wherever in it the position is.
        """
        offset = position - 1
        for room in self.filters:
            size = len(room)
            if offset < size:
                portion = bytes(room if size <= CHUNK else room[offset : offset + CHUNK])
                return position + len(portion), portion
            offset -= size
        return 0, None

    def load_chunk(self, position: int, portion: bytes) -> bool:
        """Take over the bytes that came with a position; whether they fit."""
        offset, length = position - len(portion) - 1, len(portion)
        if offset < 0 or not length:
            return False
        for room in self.filters:
            if offset < len(room):
                if length > len(room) - offset:
                    return False
                room[offset : offset + length] = portion
                self.unfilled = self.filters[:]
                return True
            offset -= len(room)
        return False

    @staticmethod
    def from_header(data: bytes) -> Cuckoo | None:
        """An empty filter as a header describes it, None where it is none.  Raises `BadHeader` for a length of its own."""
        if len(data) != _HEADER.size:
            raise BadHeader
        items, first, deleted, filters, *numbers = _HEADER.unpack(data)
        return described(items, deleted, first, filters, Settings(*numbers))


def described(items: int, deleted: int, first: int, filters: int, settings: Settings) -> Cuckoo | None:
    """A filter whose fingerprints are yet to come, None where no filter is like that."""
    if not (first and settings.bucket_size and settings.iterations and 0 < filters <= _MOST_FILTERS):
        return None
    if first & (first - 1) or max(settings) > _MOST_SETTING:
        return None
    value = Cuckoo.__new__(Cuckoo)
    value.items, value.deleted, value.first, value.settings = items, deleted, first, settings
    value.filters, value.unfilled = [], []
    try:
        for _ in range(filters):
            value.grow()
    except NoRoom:
        return None
    return value if all(len(room) for room in value.filters) else None
