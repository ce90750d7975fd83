"""Count-min sketches: how often each item was counted, never less than it was.

Source: G. Cormode and S. Muthukrishnan, "An Improved Data Stream Summary: The Count-Min Sketch and its Applications".
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from typing import Final

from emulator.modules.bloom.hashes import places
from emulator.modules.bloom.room import copied, zeroed

MOST: Final = (1 << 32) - 1
"""No count is larger; one that is as large says no more than that."""

MOST_DEPTH: Final = 4096
"""More rows would only keep others waiting at each item."""

_CELL: Final = 4
_PORTION: Final = 4096
"""Counters that are merged at a time."""

_STEP: Final = 4
"""So many counters are as long as one digit: no sum of them with weights of 64 bits is too long for it."""
_FIRST: Final = int.from_bytes(struct.pack("<QQ", MOST, 0) * (_PORTION // _STEP), "little")
_MASKS: Final = [_FIRST << lane * 8 * _CELL for lane in range(_STEP)]
"""Which counters each of the large integers is made of."""
_UPPER_ZERO: Final = 1 << 63
"""The upper half of a digit of zero; a negative one is less, and so it borrows nothing from the next."""
_ZEROS: Final = int.from_bytes(struct.pack("<QQ", 0, _UPPER_ZERO) * (_PORTION // _STEP), "little")


class Overflow(Exception):
    """A count would be less than 0 or more than `MOST`."""


class Sketch:
    """Counters in ``depth`` rows of ``width``; ``count`` is the sum of all increments.  Raises `NoRoom`.  O(depth) each."""

    __slots__ = ("cells", "count", "depth", "room", "width")

    encoding = b"raw"

    def __init__(self, width: int, depth: int) -> None:
        self.width = width
        self.depth = depth
        self.count = 0
        self.room = zeroed(width * depth * _CELL)
        self.cells = memoryview(self.room).cast("I")

    def __len__(self) -> int:
        return 1

    @property
    def footprint(self) -> int:
        """Bytes that it takes in the real server, as that counts them."""
        return 8 + 8 * self.width * self.depth

    def copy(self) -> Sketch:
        """The same counts, independent of these.  O(width * depth)."""
        twin = Sketch.__new__(Sketch)
        twin.width, twin.depth, twin.count = self.width, self.depth, self.count
        twin.room = copied(self.room)
        twin.cells = memoryview(twin.room).cast("I")
        return twin

    def add(self, item: bytes, increment: int) -> int:
        """Count an item; its count, which `MOST` stands for if it would be larger."""
        cells = self.cells
        least = MOST
        for place in places(item, self.depth, self.width):
            number = cells[place] + increment
            if number < MOST:
                cells[place] = number
                if number < least:
                    least = number
            else:
                cells[place] = MOST
        self.count += increment
        return least

    def query(self, item: bytes) -> int:
        """How often an item was counted, at most."""
        cells = self.cells
        return min(cells[place] for place in places(item, self.depth, self.width))

    def merge(self, sources: Sequence[tuple[Sketch, int]]) -> None:
        """Become the sum of sketches of the same size, each multiplied.  Raises `Overflow`, and nothing has changed then.

        O(width * depth * sources).
        """
        starts = range(0, len(self.cells), _PORTION)
        sums = [(start, portion) for start in starts if (portion := _sums(sources, start)) is not None]
        count = sum(source.count * factor for source, factor in sources)
        for start in starts:
            if not _is_zero(self, start):
                self.cells[start : start + _PORTION] = array("I", bytes(self.cells[start : start + _PORTION].nbytes))
        for start, portion in sums:
            self.cells[start : start + _PORTION] = portion
        self.count = count


def _is_zero(sketch: Sketch, start: int) -> bool:
    """Whether a portion of the counters is zero, as most are of a sketch that is larger than need be."""
    portion = sketch.room[start * _CELL : (start + _PORTION) * _CELL]
    return portion.count(0) == len(portion)


def _sums(sources: Sequence[tuple[Sketch, int]], start: int) -> array[int] | None:
    """A portion of the sums, None where it is zero.  Raises `Overflow`.

    Every fourth counter is a digit of a large integer, so that a thousand are multiplied and added at once.
    """
    totals = [0] * _STEP
    for source, factor in sources:
        if not _is_zero(source, start):
            number = int.from_bytes(source.cells[start : start + _PORTION], "little")
            for lane, mask in enumerate(_MASKS):
                totals[lane] += (number & mask) * factor
    if not any(totals):
        return None
    sums = array("I", bytes(_PORTION * _CELL))
    for lane, total in enumerate(totals):
        digits = (total >> lane * 8 * _CELL) + _ZEROS
        halves = memoryview(digits.to_bytes(_PORTION * _CELL, "little")).cast("Q")
        lower = halves[::2].tolist()
        if max(lower) > MOST or set(halves[1::2].tolist()) != {_UPPER_ZERO}:
            raise Overflow
        sums[lane::_STEP] = array("I", lower)
    return sums[: len(sources[0][0].cells) - start]
