"""In which chunks the real server keeps samples: TS.INFO tells of them, and what is old goes a chunk at a time.

A chunk is filled with samples in the order of time, compressed as Facebook's Gorilla does it, until the next one does not
fit.  Nobody needs to know of chunks while samples are added; they are worked out when somebody asks.
Source: T. Pelkonen et al., "Gorilla: A Fast, Scalable, In-Memory Time Series Database", VLDB 2015.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final

_HEADER: Final = 8
_COMPRESSED: Final = 80
_PLAIN: Final = 32
_SAMPLE: Final = 16
_SPANS: Final = ((5, 2), (8, 3), (11, 4), (15, 5), (32, 6))
"""How many bits a change of the interval needs, and how many tell that it does."""
_LARGEST_SPAN: Final = 70
_MOST_LEADING: Final = 31
_SPAN_HEAD: Final = 13


class Writer:
    """The state of a chunk while samples are appended; ``bits`` are used."""

    __slots__ = ("bits", "count", "leading", "moment", "step", "trailing", "word")

    def __init__(self) -> None:
        self.bits = self.count = 0
        self.moment = self.step = self.word = 0
        self.leading, self.trailing = 32, 32

    def append(self, moment: int, value: float, room: int) -> bool:
        """Append a sample where so many bits are enough; whether they were."""
        word: int = struct.unpack("<Q", struct.pack("<d", value))[0]
        if not self.count:
            self.count, self.moment, self.word = 1, moment, word
            return True
        step = moment - self.moment
        needed = _span_bits(step - self.step)
        changed = word ^ self.word
        leading, trailing = self.leading, self.trailing
        if not changed:
            needed += 1
        else:
            first = min(64 - changed.bit_length(), _MOST_LEADING)
            last = (changed & -changed).bit_length() - 1
            size, known = 64 - first - last, 64 - leading - trailing
            if first >= leading and last >= trailing and _SPAN_HEAD - 2 + size > known:
                needed += 2 + known
            else:
                needed += _SPAN_HEAD + size
                leading, trailing = first, last
        if self.bits + needed > room:
            return False
        self.bits += needed
        self.count += 1
        self.moment, self.step, self.word, self.leading, self.trailing = moment, step, word, leading, trailing
        return True


def _span_bits(change: int) -> int:
    """How many bits a change of the interval takes."""
    if not change:
        return 1
    for bits, head in _SPANS:
        if -(1 << bits - 1) <= change < 1 << bits - 1:
            return bits + head
    return _LARGEST_SPAN


class Layout:
    """The chunks of a series, each of ``size`` bytes; ``starts`` are the places of their first samples, if known."""

    __slots__ = ("_known", "_writer", "compressed", "size", "starts")

    def __init__(self, size: int, compressed: bool) -> None:
        self.size = size
        self.compressed = compressed
        self.starts = [0]
        self._known = 0
        self._writer = Writer()

    def copy(self) -> Layout:
        """The same chunks, to be worked out anew."""
        return Layout(self.size, self.compressed)

    def disturb(self, place: int) -> None:
        """The samples from a place on are others than before."""
        if place < self._known:
            self.starts, self._known, self._writer = [0], 0, Writer()

    def settle(self, times: Sequence[int], values: Sequence[float]) -> list[int]:
        """The places at which chunks begin.  O(samples that were added since)."""
        if not self.compressed:
            self.starts = list(range(0, len(times), self.size // _SAMPLE)) or [0]
            return self.starts
        writer, room = self._writer, self.size << 3
        for place in range(self._known, len(times)):
            if not writer.append(times[place], values[place], room):
                self.starts.append(place)
                writer = self._writer = Writer()
                writer.append(times[place], values[place], room)
        self._known = len(times)
        return self.starts

    def expired(self, times: Sequence[int], values: Sequence[float], oldest: int) -> int:
        """How many samples at the beginning are in chunks that have nothing from this moment on; they are to be deleted."""
        starts = self.settle(times, values)
        gone = 0
        while gone + 1 < len(starts) and times[starts[gone + 1] - 1] < oldest:
            gone += 1
        count = starts[gone]
        self.starts = [start - count for start in starts[gone:]]
        self._known -= count if self.compressed else 0
        return count

    def footprint(self, times: Sequence[int], values: Sequence[float]) -> int:
        """Bytes of all chunks."""
        head = _COMPRESSED if self.compressed else _PLAIN
        return _HEADER + len(self.settle(times, values)) * (head + self.size)

    def described(self, times: Sequence[int], values: Sequence[float]) -> Iterator[tuple[int, int]]:
        """The places of the first and behind the last sample of each chunk."""
        starts = self.settle(times, values)
        yield from zip(starts, [*starts[1:], len(times)], strict=True)
