"""In which chunks the real server keeps samples: TS.INFO tells of them, and what is old goes a chunk at a time.

A chunk is filled with samples in the order of time, compressed as Facebook's Gorilla does it, until the next one does not
fit.  Nobody needs to know of chunks while samples are added; they are worked out when somebody asks.
Source: T. Pelkonen et al., "Gorilla: A Fast, Scalable, In-Memory Time Series Database", VLDB 2015.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import Final

_HEADER: Final = 8
_COMPRESSED: Final = 80
_PLAIN: Final = 32
_SAMPLE: Final = 16
_SPANS: Final = ((5, 0b01, 2), (8, 0b011, 3), (11, 0b0111, 4), (15, 0b01111, 5), (32, 0b011111, 6), (64, 0b111111, 6))
"""For each size that a change of the interval may have: its bits, and the head that tells of them."""
_MOST_LEADING: Final = 31
_BLOCK_HEAD: Final = 13
"""Bits before a block of changed bits: two marks, how many zeros lead it, how long it is."""


class Writer:
    """The state of a chunk while samples are appended; ``bits`` are used, which are in ``content`` where that is kept."""

    __slots__ = ("bits", "content", "count", "keeps", "leading", "moment", "step", "trailing", "word")

    def __init__(self, keeps: bool = False) -> None:
        self.bits = self.count = self.content = 0
        self.moment = self.step = self.word = 0
        self.leading, self.trailing = 32, 32
        self.keeps = keeps

    def append(self, moment: int, value: float, room: int) -> bool:
        """Append a sample where so many bits are enough; whether they were."""
        word = as_bits(value)
        if not self.count:
            self.count, self.moment, self.word = 1, moment, word
            return True
        step = moment - self.moment
        code, length = _span_code(step - self.step)
        changed = word ^ self.word
        leading, trailing = self.leading, self.trailing
        if not changed:
            length += 1
        else:
            first = min(64 - changed.bit_length(), _MOST_LEADING)
            last = (changed & -changed).bit_length() - 1
            size, known = 64 - first - last, 64 - leading - trailing
            if first >= leading and last >= trailing and _BLOCK_HEAD - 2 + size > known:
                code |= (1 | changed >> trailing << 2) << length
                length += 2 + known
            else:
                code |= (3 | first << 2 | size - 1 << 7 | changed >> last << _BLOCK_HEAD) << length
                length += _BLOCK_HEAD + size
                leading, trailing = first, last
        if self.bits + length > room:
            return False
        if self.keeps:
            self.content |= code << self.bits
        self.bits += length
        self.count += 1
        self.moment, self.step, self.word, self.leading, self.trailing = moment, step, word, leading, trailing
        return True


def as_bits(value: float) -> int:
    """The bits of a double."""
    bits: int = struct.unpack("<Q", struct.pack("<d", value))[0]
    return bits


def from_bits(bits: int) -> float:
    """The double of some bits."""
    value: float = struct.unpack("<d", struct.pack("<Q", bits))[0]
    return value


def _span_code(change: int) -> tuple[int, int]:
    """A change of the interval, and how many bits that takes."""
    if not change:
        return 0, 1
    bits, head, length = next(span for span in _SPANS if -(1 << span[0] - 1) <= change < 1 << span[0] - 1)
    return head | (change & (1 << bits) - 1) << length, bits + length


def samples_of(moment: int, word: int, count: int, content: int, bits: int) -> Iterator[tuple[int, int]]:
    """The samples of a chunk that begins with one, as moments and the bits of doubles.  Raises ValueError."""
    place, step, leading, trailing = 0, 0, 32, 32

    def taken(length: int) -> int:
        nonlocal place
        if place + length > bits:
            raise ValueError
        found = content >> place & (1 << length) - 1
        place += length
        return found

    for number in range(count):
        if number:
            step += _change(taken)
            moment += step
            if taken(1):
                if taken(1):
                    leading, size = taken(5), taken(6) + 1
                    trailing = 64 - leading - size
                    if trailing < 0:
                        raise ValueError
                word ^= taken(64 - leading - trailing) << trailing
        yield moment, word


def _change(taken: Callable[[int], int]) -> int:
    """The next change of the interval."""
    heads = 0
    while heads < len(_SPANS) and taken(1):
        heads += 1
    if not heads:
        return 0
    size = _SPANS[heads - 1][0]
    change = taken(size)
    return change - (1 << size) if change >> size - 1 else change


_STEP: Final = 500


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
            kept = max(
                bisect_left(self.starts, place), 1
            )  # where these begin, no sample from the place on has a say in
            del self.starts[kept:]
            self._known, self._writer = self.starts[-1], Writer()

    def settle_in_steps(self, times: Sequence[int], values: Sequence[float]) -> Iterator[None]:
        """Find out where chunks begin, some samples at a time."""
        for behind in range(self._known + _STEP, len(times), _STEP):
            self.settle(times, values, behind)
            yield

    def settle(self, times: Sequence[int], values: Sequence[float], behind: int | None = None) -> list[int]:
        """The places at which chunks begin, as far as the samples before `behind` tell.  O(samples that were added since)."""
        if not self.compressed:
            self.starts = list(range(0, len(times), self.size // _SAMPLE)) or [0]
            return self.starts
        writer, room = self._writer, self.size << 3
        behind = len(times) if behind is None else behind
        for place in range(self._known, behind):
            if not writer.append(times[place], values[place], room):
                self.starts.append(place)
                writer = self._writer = Writer()
                writer.append(times[place], values[place], room)
        self._known = behind
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
