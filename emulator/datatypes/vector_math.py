"""Arithmetic of vector sets: single precision, rounded where Redis rounds, and the three ways to store a vector.

Sums of products are taken in groups of four, as Redis's loops take them: the digits of a score depend on it.  Python
calculates in double precision; storing in an ``array('f')`` rounds, and rounding twice harms neither a product nor a
sum of two singles.

Source: https://redis.io/docs/latest/develop/data-types/vector-sets/ (normalisation, quantisation, scores).
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Iterable, Sequence
from operator import add, mul
from typing import Any, Final, NamedTuple, Protocol

from emulator.lua import function

Singles = Sequence[float]


def single(number: float) -> float:
    """A number rounded to single precision."""
    return array("f", (number,))[0]


def _total(terms: Iterable[float], start: float = 0.0) -> float:
    """A sum from left to right, rounded at each step."""
    cell = array("f", (start,))
    for term in terms:
        cell[0] += term
    return cell[0]


def _fours(terms: array[float]) -> array[float]:
    """The sums of four terms each; there is a multiple of four."""
    pairs = array("f", map(add, terms[0::4], terms[1::4]))
    triples = array("f", map(add, pairs, terms[2::4]))
    return array("f", map(add, triples, terms[3::4]))


def dot(a: Singles, b: Singles) -> float:
    """The inner product: alternate fours go to two sums, what is left over to the first."""
    products = array("f", map(mul, a, b))
    whole = len(products) & ~7
    fours = _fours(products[:whole])
    return single(_total(products[whole:], _total(fours[0::2])) + _total(fours[1::2]))


def length(vector: Singles) -> float:
    """The Euclidean norm."""
    squares = array("f", map(mul, vector, vector))
    whole = len(squares) & ~3
    return single(math.sqrt(_total(squares[whole:], _total(_fours(squares[:whole])))))


def project(vector: Singles, dimension: int) -> array[float]:
    """A vector of another dimension: its product with a Hadamard matrix (Sylvester's), scaled by the input's size.

    The matrix is the real server's, so that both answer the same.  O(d*D).
    """
    scale = single(1 / math.sqrt(len(vector)))
    plus = array("f", [value * scale for value in array("f", vector)])
    quick = function("datatypes/vector", "project")
    if quick is not None:
        return array("f", quick(plus.tobytes(), dimension))
    signed = [(value, -value) for value in plus]
    return array(
        "f",
        (
            _total(pair[(row & column).bit_count() & 1] for column, pair in enumerate(signed))
            for row in range(dimension)
        ),
    )


class Vector(NamedTuple):
    """A vector as it is stored: of length one, in codes whose form is its `Storage`'s.

    ``norm`` is the length that the vector had.  ``rough`` has the components as signed bytes, of which 127 means
    ``spread``, the largest absolute one; signs have neither.
    """

    codes: Any
    norm: float
    rough: bytes = b""
    spread: float = 0.0


class Storage(Protocol):
    """A way to store vectors."""

    name: bytes

    def encode(self, unit: array[float], norm: float) -> Vector:
        """Store a vector of length one."""

    def decode(self, vector: Vector, dimension: int) -> list[float]:
        """The vector as it came, as near as the codes have it."""

    def blob(self, vector: Vector, dimension: int) -> bytes:
        """The codes as bytes."""

    def distance(self, a: Vector, b: Vector, dimension: int) -> float:
        """The distance of two vectors, from 0 (same direction) to 2 (opposite)."""


_MANTISSA: Final = 1.5 * 2**23
"""Added to a small single it leaves a whole number, whose lowest byte is the single's lowest byte."""

_LOWEST_BYTES: Final = slice(0, None, 4) if sys.byteorder == "little" else slice(3, None, 4)


def _spread(unit: array[float], norm: float) -> float:
    """The largest absolute component; 0 where the vector was infinite, so that there is no saying."""
    return max(map(abs, unit)) if math.isfinite(norm) else 0.0


class Full:
    """Single-precision components."""

    name = b"f32"

    def encode(self, unit: array[float], norm: float) -> Vector:
        spread = _spread(unit, norm)
        scale = 127 / spread if spread else 0.0
        shifted = array("f", [value * scale + _MANTISSA for value in unit])
        return Vector(unit, norm, shifted.tobytes()[_LOWEST_BYTES], spread)

    def decode(self, vector: Vector, dimension: int) -> list[float]:
        return [single(value * vector.norm) for value in vector.codes]

    def blob(self, vector: Vector, dimension: int) -> bytes:
        codes: array[float] = vector.codes
        return codes.tobytes()

    def distance(self, a: Vector, b: Vector, dimension: int) -> float:
        return single(1 - dot(a.codes, b.codes))


class Bytes:
    """Components as whole numbers from -127 to 127, scaled for each vector."""

    name = b"int8"

    def encode(self, unit: array[float], norm: float) -> Vector:
        spread = _spread(unit, norm)
        scale = single(127 / spread) if spread else 0.0
        there_is = spread and math.isfinite(scale)  # so small a vector has no codes: what is infinite is 0 in C, too
        scaled = array("f", [value * scale for value in unit]) if there_is else array("f", bytes(4 * len(unit)))
        codes = array("b", [int(value + 0.5) if value >= 0 else int(value - 0.5) for value in scaled])
        rough = codes.tobytes()
        return Vector(rough, norm, rough, spread)

    def decode(self, vector: Vector, dimension: int) -> list[float]:
        codes, spread, norm = array("b", vector.codes), vector.spread, vector.norm
        return [single(single(single(code * spread) / 127) * norm) for code in codes]

    def blob(self, vector: Vector, dimension: int) -> bytes:
        codes: bytes = vector.codes
        return codes

    def distance(self, a: Vector, b: Vector, dimension: int) -> float:
        product = sum(map(mul, array("b", a.codes), array("b", b.codes)))
        scale = single(single(a.spread / 127) * single(b.spread / 127))
        return min(max(single(1 - single(product * scale)), 0.0), 2.0)


class Signs:
    """One bit for each component: whether it is positive."""

    name = b"bin"

    def encode(self, unit: array[float], norm: float) -> Vector:
        bits = "".join(["1" if value > 0 else "0" for value in reversed(unit)])
        return Vector(int(bits, 2), norm)

    def decode(self, vector: Vector, dimension: int) -> list[float]:
        return [1.0 if vector.codes >> place & 1 else -1.0 for place in range(dimension)]

    def blob(self, vector: Vector, dimension: int) -> bytes:
        codes: int = vector.codes
        return codes.to_bytes((dimension + 63) // 64 * 8, "little")

    def distance(self, a: Vector, b: Vector, dimension: int) -> float:
        return single((a.codes ^ b.codes).bit_count() * 2 / dimension)


FULL: Final[Storage] = Full()
BYTES: Final[Storage] = Bytes()
SIGNS: Final[Storage] = Signs()


def store(values: Iterable[float], storage: Storage) -> Vector:
    """A vector made one of length one (a zero one stays) and stored."""
    vector = array("f", values)
    norm = length(vector) or 1.0
    return storage.encode(array("f", [value / norm for value in vector]), norm)
