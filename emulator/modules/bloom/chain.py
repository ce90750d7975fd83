"""Bloom filters that grow: a chain of filters, each of which is larger and errs less often than the one before.

The bits that stand for an item are those of RedisBloom, so the same items are taken for one another.
Source: A. Kirsch and M. Mitzenmacher, "Less Hashing, Same Performance"; P. Almeida et al., "Scalable Bloom Filters".
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Final

from emulator.modules.bloom.hashes import pair_of
from emulator.modules.bloom.room import NoRoom, Room, copied, zeroed
from emulator.protocol.numbers import UINT64_MAX

NOT_ROUNDED: Final = 1
WIDE_HASHES: Final = 4
FIXED: Final = 8
"""Options of a chain: sizes are no powers of two, hashes have 64 bits, it does not grow."""

TIGHTENING: Final = 0.5
LARGEST_ERROR: Final = 0.25
CHUNK: Final = 16 << 20
"""The most bytes of a filter that are told at a time."""

_MOST_LOADED: Final = 1024
"""So many filters a header may tell of."""
_BAD_DATA: Final = "ERR received bad data"
_LN2: Final = 0.693147180559945
_LN2_SQUARED: Final = 0.480453013918201
_HEADER: Final = struct.Struct("<QIII")
_LINK: Final = struct.Struct("<QQQddIQB")


class BadChunk(Exception):
    """What is to be loaded does not fit; the text says why."""


class Filter:
    """One filter of a chain, for so many ``entries``; ``size`` of them are in it.  Raises `NoRoom`, `ValueError`."""

    __slots__ = ("bits", "bits_per_entry", "bytes", "entries", "error", "hashes", "room", "size")

    def __init__(self, entries: int, error: float) -> None:
        if not 0 < error < 1 or entries < 1:
            raise ValueError
        self.entries = entries
        self.error = error
        self.bits_per_entry = -math.log(error) / _LN2_SQUARED
        self.hashes = math.ceil(_LN2 * self.bits_per_entry)
        self.bits = int(entries * self.bits_per_entry) + 63 & ~63
        self.bytes = self.bits >> 3
        self.room = zeroed(self.bytes)
        self.size = 0

    def copy(self) -> Filter:
        twin = Filter.__new__(Filter)
        for slot in Filter.__slots__:
            setattr(twin, slot, getattr(self, slot))
        twin.room = copied(self.room)
        return twin

    def add(self, pair: tuple[int, int]) -> bool:
        """Set the bits of an item, of which its two hashes tell; whether it is new."""
        place, step = pair
        room, bits, new = self.room, self.bits, False
        for _ in range(self.hashes):
            bit = place % bits
            mask = 1 << (bit & 7)
            if not room[bit >> 3] & mask:
                room[bit >> 3] |= mask
                new = True
            place = place + step & UINT64_MAX
        self.size += new
        return new


def _have(filters: Sequence[Filter], pair: tuple[int, int]) -> bool:
    """Whether the bits of an item are all set in one of the filters, the last of which has most of the items.

    A chain may have a thousand filters with hundreds of hashes each: each is left at the first bit that is not set.
    """
    first, step = pair
    for filter in reversed(filters):
        place, room, bits = first, filter.room, filter.bits
        for _ in range(filter.hashes):
            bit = place % bits
            if not room[bit >> 3] & 1 << (bit & 7):
                break
            place = place + step & UINT64_MAX
        else:
            return True
    return False


class Full(Exception):
    """A filter that does not grow has taken all the items that it may."""


class Chain:
    """A Bloom filter as a key holds it; ``growth`` is how many times larger than the last a new filter is.

    Adding and looking up: O(n) in the item's length and O(1) in each filter, on average, but O(hashes) in the item's own.
    """

    __slots__ = ("filters", "growth", "options", "size")

    encoding = b"raw"

    def __init__(self, capacity: int, error: float, growth: int, fixed: bool) -> None:
        """Raises `NoRoom`, and ValueError for an error rate too small to be halved."""
        self.options = NOT_ROUNDED | WIDE_HASHES | (FIXED if fixed else 0)
        self.growth = growth
        self.size = 0
        self.filters = [Filter(capacity, error if fixed else error * TIGHTENING)]

    def __len__(self) -> int:
        return 1

    @property
    def fixed(self) -> bool:
        """Whether it takes no more items than it was made for."""
        return bool(self.options & FIXED)

    @property
    def capacity(self) -> int:
        """How many items its filters are for."""
        return sum(filter.entries for filter in self.filters)

    @property
    def footprint(self) -> int:
        """Bytes that it takes in the real server."""
        return 32 + sum(64 + filter.bytes for filter in self.filters)

    def copy(self) -> Chain:
        """The same items, independent of these.  O(n)."""
        twin = Chain.__new__(Chain)
        twin.options, twin.growth, twin.size = self.options, self.growth, self.size
        twin.filters = [filter.copy() for filter in self.filters]
        return twin

    def has(self, data: bytes) -> bool:
        """Whether an item may have been added."""
        return _have(self.filters, pair_of(data))

    def add(self, data: bytes) -> bool:
        """Add an item; whether it is new.  Raises `Full`, and `NoRoom` where there can be no further filter."""
        filters = self.filters
        last = filters[-1]
        pair = pair_of(data)
        if last.size >= last.entries:
            if _have(filters, pair):
                return False
            if self.options & FIXED:
                raise Full
            last = self._next(last)
            filters.append(last)
        elif len(filters) > 1 and _have(filters[:-1], pair):
            return False
        new = last.add(pair)
        self.size += new
        return new

    def _next(self, last: Filter) -> Filter:
        """The filter behind the last one.  Raises `NoRoom`, also where it would be for no item or could err no less often."""
        try:
            return Filter(last.entries * self.growth, last.error * TIGHTENING)
        except ValueError:
            raise NoRoom from None

    # As chunks

    def append(self, entries: int, error: float, size: int) -> Filter:
        """Add a filter with so many items, whose bytes are yet to come.  Raises as `Filter` does."""
        if self.options & ~FIXED != NOT_ROUNDED | WIDE_HASHES:
            raise ValueError
        filter = Filter(entries, error)
        filter.size = size
        self.filters.append(filter)
        self.size += size
        return filter

    def header(self) -> bytes:
        """What has to be known of the filters before their bytes are loaded."""
        parts = [_HEADER.pack(self.size, len(self.filters), self.options, self.growth)]
        for one in self.filters:
            numbers = (one.bytes, one.bits, one.size, one.error, one.bits_per_entry, one.hashes, one.entries, 0)
            parts.append(_LINK.pack(*numbers))
        return b"".join(parts)

    def _find(self, position: int) -> tuple[Room, int] | None:
        """The room in which a byte lies of all the filters' bytes, and its place there."""
        for one in self.filters:
            if 0 <= position < one.bytes:
                return one.room, position
            position -= one.bytes
        return None

    def chunk(self, iterator: int) -> tuple[int, bytes]:
        """The next iterator and the bytes at this one, from 1 on; 0 and nothing behind the last."""
        found = self._find(iterator - 1)
        if found is None:
            return 0, b""
        room, start = found
        portion = bytes(room[start : start + CHUNK])
        return iterator + len(portion), portion

    def load_chunk(self, iterator: int, portion: bytes) -> None:
        """Take over the bytes that came with an iterator.  Raises `BadChunk`."""
        if iterator < max(len(portion), 1):
            raise BadChunk(_BAD_DATA)
        found = self._find(iterator - len(portion) - 1)
        if found is None:
            raise BadChunk("ERR invalid offset - no link found")
        room, start = found
        if len(portion) > len(room) - start:
            raise BadChunk("ERR invalid chunk - Too big for current filter")
        room[start : start + len(portion)] = portion

    @staticmethod
    def from_header(data: bytes) -> Chain:
        """An empty chain as a header describes it.  Raises `BadChunk` where it is none that a chain would write."""
        if len(data) < _HEADER.size:
            raise BadChunk(_BAD_DATA)
        _, count, options, growth = _HEADER.unpack_from(data)
        if not 0 < count <= _MOST_LOADED or len(data) != _HEADER.size + count * _LINK.size:
            raise BadChunk(_BAD_DATA)
        chain = bare(options, growth)
        try:
            for _, _, of_link, error, _, _, entries, _ in _LINK.iter_unpack(data[_HEADER.size :]):
                chain.append(entries, error, of_link)
        except (ValueError, NoRoom):
            raise BadChunk(_BAD_DATA) from None
        if chain.header() != data:
            raise BadChunk(_BAD_DATA)
        return chain


def bare(options: int, growth: int) -> Chain:
    """A chain to which its filters are yet to be appended."""
    chain = Chain.__new__(Chain)
    chain.size, chain.options, chain.growth, chain.filters = 0, options, growth, []
    return chain
