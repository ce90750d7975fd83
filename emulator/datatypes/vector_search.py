"""Exact search for the vectors nearest to one: in pure Python, yet over many at a time.

Vectors stored as bytes are searched a block of them at once.  For each dimension a block has one integer in which every
vector has a lane of 32 bits (64 where there are very many dimensions) with its code plus 128.  A query's code times that
integer is a multiplication of all lanes; the sum over the dimensions, one ``sum(map(mul, …))``, holds every inner product.

Vectors of full precision have such blocks of coarse codes as well.  What these say of a vector's inner product is at
most so wrong as can be told beforehand, so that only few vectors must be looked at themselves.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from heapq import nlargest, nsmallest
from operator import mul
from typing import Final, Protocol

from emulator.datatypes.vector_math import BYTES, SIGNS, Storage, Vector

BLOCK: Final = 1024
"""Vectors in a block."""

_UNSIGNED: Final = bytes((code + 128) % 256 for code in range(256))
_ROUNDING: Final = 1e-7


class Place(Protocol):
    """Something with a vector."""

    vector: Vector


class Block:
    """Up to `BLOCK` vectors as columns.  Building it: O(n*d)."""

    __slots__ = ("_columns", "_lane", "_ones", "_size", "spreads")

    def __init__(self, vectors: Sequence[Vector], dimension: int) -> None:
        size = len(vectors)
        lane = 4 if dimension < 1 << 16 else 8
        codes = b"".join([vector.codes for vector in vectors]).translate(_UNSIGNED)
        self._columns = []
        for place in range(dimension):
            column = bytearray(lane * size)
            column[::lane] = codes[place::dimension]
            self._columns.append(int.from_bytes(column, "little"))
        self._ones = int.from_bytes((b"\1" + bytes(lane - 1)) * size, "little")
        self._lane = lane
        self._size = size
        self.spreads = [vector.spread for vector in vectors]

    def products(self, query: Sequence[int]) -> list[int]:
        """The inner product of the query's codes with each vector's.  O(n*d)."""
        middle = 1 << (8 * self._lane - 1)
        total = sum(map(mul, query, self._columns)) + (middle - 128 * sum(query)) * self._ones
        lanes = array("I" if self._lane == 4 else "Q")
        lanes.frombytes(total.to_bytes(self._lane * self._size, "little"))
        return [lane - middle for lane in lanes]


class Index:
    """The blocks of a growing and shrinking list of elements; a block is built when a search first needs it."""

    __slots__ = ("_blocks", "_dimension", "_storage")

    def __init__(self, storage: Storage, dimension: int) -> None:
        self._storage = storage
        self._dimension = dimension
        self._blocks: dict[int, Block] = {}

    def touch(self, place: int) -> None:
        """The element at a place is another one, or is no more."""
        self._blocks.pop(place // BLOCK, None)

    def nearest(self, query: Vector, elements: Sequence[Place], count: int) -> list[tuple[float, int]]:
        """Distance and place of up to `count` elements, the nearest first.  O(n*d)."""
        count = min(count, len(elements))
        if self._storage is SIGNS:
            places = self._by_signs(query, elements, count)
        elif self._storage is BYTES:
            places = self._by_codes(query, elements, count)
        else:
            places = self._by_components(query, elements, count)
        distance, dimension = self._storage.distance, self._dimension
        found = [(distance(query, elements[place].vector, dimension), place) for place in places]
        return sorted(found, key=lambda pair: pair[0])

    def _by_signs(self, query: Vector, elements: Sequence[Place], count: int) -> Sequence[int]:
        bits = query.codes
        differences = [(element.vector.codes ^ bits).bit_count() for element in elements]
        return _best(differences, count, smallest=True)

    def _by_codes(self, query: Vector, elements: Sequence[Place], count: int) -> Sequence[int]:
        codes = array("b", query.codes)
        scores: list[float] = []
        for block in self._all_blocks(elements):
            scores += map(mul, block.products(codes), block.spreads)
        return _best(scores, count)

    def _by_components(self, query: Vector, elements: Sequence[Place], count: int) -> Sequence[int]:
        places = range(len(elements))
        if count == len(elements) or not math.isfinite(query.norm):
            return places if count == len(elements) else places[:count]
        likely = self._likely(query.codes, elements, count)
        components = query.codes.tolist()
        scores = [sum(map(mul, components, elements[place].vector.codes)) for place in likely]
        return [likely[choice] for choice in _best(scores, count)]

    def _likely(self, components: array[float], elements: Sequence[Place], count: int) -> list[int]:
        """Places among which the nearest are, by the coarse codes and how wrong these may be."""
        weight = sum(map(abs, components)) or 1.0
        scale = (2**23 - self._dimension) / weight
        codes = [round(value * scale) for value in components]
        unit = 1 / (127 * scale)
        doubt = (weight / 254 + self._dimension / (2 * scale)) * 1.001
        lower: list[float] = []
        upper: list[float] = []
        for block in self._all_blocks(elements):
            for product, spread in zip(block.products(codes), block.spreads, strict=True):
                score = product * unit * spread
                error = doubt * spread + self._dimension * _ROUNDING
                lower.append(score - error)
                upper.append(score + error)
        least = nlargest(count, lower)[-1]
        return [place for place, most in enumerate(upper) if not most < least]

    def _all_blocks(self, elements: Sequence[Place]) -> list[Block]:
        """The blocks of all elements, those built that are not there."""
        for number in range((len(elements) + BLOCK - 1) // BLOCK):
            if number not in self._blocks:
                start = number * BLOCK
                vectors = [element.vector for element in elements[start : start + BLOCK]]
                if self._storage is not BYTES:
                    vectors = [BYTES.encode(vector.codes, vector.norm) for vector in vectors]
                self._blocks[number] = Block(vectors, self._dimension)
        return [self._blocks[number] for number in sorted(self._blocks)]


def _best(scores: Sequence[float], count: int, smallest: bool = False) -> Sequence[int]:
    """The places of the `count` best scores, in any order.  O(n log count)."""
    if count == len(scores):
        return range(count)
    choose = nsmallest if smallest else nlargest
    return choose(count, range(len(scores)), key=scores.__getitem__)
