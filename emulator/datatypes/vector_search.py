"""Exact search for the vectors nearest to one: in pure Python, yet over many at a time.

Vectors stored as bytes are searched a block of them at once.  For each dimension a block has one integer in which every
vector has a lane of 32 bits (64 where there are very many dimensions) with its code plus 128.  A query's code times that
integer is a multiplication of all lanes; the sum over the dimensions, one ``sum(map(mul, …))``, holds every inner product.

Vectors of full precision are stored as bytes besides.  How wrong these may be about an inner product can be told
beforehand, so that only few vectors must be looked at themselves.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Sequence
from heapq import nlargest, nsmallest
from itertools import islice
from operator import mul
from typing import Final, Protocol

from emulator.datatypes.vector_math import BYTES, SIGNS, Storage, Vector

BLOCK: Final = 1024
"""Vectors in a block."""

_UNSIGNED: Final = bytes((code + 128) % 256 for code in range(256))
_ROUNDING: Final = 1e-7


class VectorPlace(Protocol):
    """Something with a vector."""

    vector: Vector


class VectorBlock:
    """Up to `BLOCK` vectors as columns.  Building it: O(n*d)."""

    __slots__ = ("_columns", "_lane", "_ones", "_size", "spreads")

    def __init__(self, vectors: Sequence[Vector], dimension: int) -> None:
        size = len(vectors)
        lane = 4 if dimension < 1 << 16 else 8
        codes = b"".join([vector.rough for vector in vectors]).translate(_UNSIGNED)
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
        self._blocks: dict[int, VectorBlock] = {}

    def touch(self, place: int) -> None:
        """The element at a place is another one, or is no more."""
        self._blocks.pop(place // BLOCK, None)

    def copy(self) -> Index:
        """The same blocks, of which each index exchanges its own."""
        twin = Index(self._storage, self._dimension)
        twin._blocks = self._blocks.copy()
        return twin

    def nearest(
        self,
        query: Vector,
        elements: Sequence[VectorPlace],
        count: int,
        effort: int = 0,
        accepts: Callable[[int], bool] | None = None,
    ) -> list[tuple[float, int]]:
        """Distance and place of up to `count` elements, the nearest first.  O(n*d).

        With `accepts` only those places that it accepts, of the `effort` nearest.
        """
        places: Iterable[int] = self._ranked(query, elements, max(count, effort))
        if accepts is not None:
            places = islice(filter(accepts, places), count)
        distance, dimension = self._storage.distance, self._dimension
        found = [(distance(query, elements[place].vector, dimension), place) for place in places]
        return sorted(found, key=lambda pair: pair[0])

    def _ranked(self, query: Vector, elements: Sequence[VectorPlace], count: int) -> list[int]:
        """The places of the nearest, the nearest first as far as double precision can tell."""
        if self._storage is SIGNS:
            bits = query.codes
            differences = [(element.vector.codes ^ bits).bit_count() for element in elements]
            return nsmallest(count, range(len(elements)), key=differences.__getitem__)
        if self._storage is BYTES:
            codes = array("b", query.rough)
            scores: list[float] = []
            for block in self._all_blocks(elements):
                scores += map(mul, block.products(codes), block.spreads)
            return nlargest(count, range(len(elements)), key=scores.__getitem__)
        likely = self._likely(query, elements, count)
        components = query.codes.tolist()
        products = {place: sum(map(mul, components, elements[place].vector.codes)) for place in likely}
        return nlargest(count, likely, key=products.__getitem__)

    def _likely(self, query: Vector, elements: Sequence[VectorPlace], count: int) -> Sequence[int]:
        """Places among which the nearest are, by the rough codes and how wrong these may be."""
        if count >= len(elements) or not math.isfinite(query.norm):
            return range(len(elements))
        weight = sum(map(abs, query.codes)) or 1.0
        scale = (2**23 - self._dimension) / weight
        codes = [round(value * scale) for value in query.codes]
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
        return [place for place, most in enumerate(upper) if most >= least]

    def _all_blocks(self, elements: Sequence[VectorPlace]) -> list[VectorBlock]:
        """The blocks of all elements, those built that are not there."""
        for number in range((len(elements) + BLOCK - 1) // BLOCK):
            if number not in self._blocks:
                start = number * BLOCK
                vectors = [element.vector for element in elements[start : start + BLOCK]]
                self._blocks[number] = VectorBlock(vectors, self._dimension)
        return [self._blocks[number] for number in sorted(self._blocks)]
