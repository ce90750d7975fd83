"""HyperLogLog: how many different elements there were, in strings of Redis's own format.

A sketch has 16384 registers of 6 bits.  The dense form is a header of 16 bytes and the registers; the sparse one has runs
instead: ZERO (one byte, up to 64 registers), XZERO (two bytes, up to 16384) and VAL (one byte, up to 4 registers of the same
value up to 32).  The header remembers the last count, unless its uppermost bit says that it is out of date.

Source: P. Flajolet et al., "HyperLogLog: the analysis of a near-optimal cardinality estimation algorithm", 2007;
O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", arXiv:1702.01284; A. Appleby, MurmurHash64A.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

REGISTERS: Final = 1 << 14
HEADER_SIZE: Final = 16
DENSE_SIZE: Final = HEADER_SIZE + REGISTERS * 6 // 8
DENSE: Final = 0
SPARSE: Final = 1

_MAGIC: Final = b"HYLL"
_STALE: Final = 0x80
_MASK: Final = (1 << 64) - 1
_SEED: Final = 0xADC83B19
_MULTIPLIER: Final = 0xC6A4A7935BD1E995
_LARGEST_RANK: Final = 50
_ALPHA: Final = 0.721347520444481703680
_LONGEST_ZERO: Final = 64
_LONGEST_VAL: Final = 4
_LARGEST_VAL: Final = 32
_MERGED_OPCODES: Final = 5

_SPANS: Final = [0 if code >> 6 == 1 else (code & 3) + 1 if code >> 7 else (code & 63) + 1 for code in range(256)]
"""By its first byte the registers of a run; 0 for XZERO, which needs the second."""


class Corrupted(Exception):
    """The runs of a sparse sketch do not add up to its registers."""


def new() -> bytearray:
    """A sparse sketch of nothing."""
    return bytearray(_MAGIC + bytes((SPARSE,)) + bytes(11) + _zeros(REGISTERS))


def is_sketch(text: bytes | bytearray) -> bool:
    """Whether a string has the form of a sketch; its runs may be corrupted all the same."""
    if len(text) < HEADER_SIZE or text[:4] != _MAGIC or text[4] > SPARSE:
        return False
    return text[4] == SPARSE or len(text) == DENSE_SIZE


def murmur(data: bytes) -> int:
    """MurmurHash64A with Redis's seed."""
    size = len(data)
    number = _SEED ^ (size * _MULTIPLIER & _MASK)
    whole = size & ~7
    for place in range(0, whole, 8):
        word = int.from_bytes(data[place : place + 8], "little") * _MULTIPLIER & _MASK
        number = (number ^ (word ^ word >> 47) * _MULTIPLIER & _MASK) * _MULTIPLIER & _MASK
    if whole < size:
        number = (number ^ int.from_bytes(data[whole:], "little")) * _MULTIPLIER & _MASK
    number = (number ^ number >> 47) * _MULTIPLIER & _MASK
    return number ^ number >> 47


def add(sketch: bytearray, element: bytes, limit: int) -> bool:
    """Add an element; whether a register has changed.  A sparse sketch larger than `limit` bytes becomes dense."""
    number = murmur(element)
    rank = number >> 14 | 1 << _LARGEST_RANK
    return _raise(sketch, number & (REGISTERS - 1), (rank & -rank).bit_length(), limit)


def _raise(sketch: bytearray, index: int, value: int, limit: int) -> bool:
    """Set a register unless it has a larger value already."""
    if sketch[4] == SPARSE:
        return _raise_sparse(sketch, index, value, limit)
    return _raise_dense(sketch, index, value)


def _raise_dense(sketch: bytearray, index: int, value: int) -> bool:
    place, shift = HEADER_SIZE + index * 6 // 8, index * 6 % 8
    window = int.from_bytes(sketch[place : place + 2], "little")
    if window >> shift & 63 >= value:
        return False
    window = window & ~(63 << shift) | value << shift
    sketch[place : place + 2] = (window & 0xFFFF).to_bytes(2, "little")[: DENSE_SIZE - place]
    return True


# The sparse form


def _zeros(count: int) -> bytes:
    if not count:
        return b""
    if count <= _LONGEST_ZERO:
        return bytes((count - 1,))
    return bytes((0x40 | (count - 1) >> 8, (count - 1) & 0xFF))


def _val(value: int, count: int) -> bytes:
    return bytes((0x80 | (value - 1) << 2 | count - 1,)) if count else b""


def _raise_sparse(sketch: bytearray, index: int, value: int, limit: int) -> bool:
    if value > _LARGEST_VAL:
        return _raise_promoted(sketch, index, value)
    place, end, first, previous, span = HEADER_SIZE, len(sketch), 0, HEADER_SIZE, 0
    while place < end:
        span = _SPANS[sketch[place]]
        size = 1
        if not span:
            span = _long_zeros(sketch, place)
            size = 2
        if index < first + span:
            break
        previous = place
        place += size
        first += span
    if place >= end:
        raise Corrupted
    code = sketch[place]
    before, behind = index - first, first + span - 1 - index
    if code & 0x80:
        old = (code >> 2 & 31) + 1
        if old >= value:
            return False
        runs = _val(old, before) + _val(value, 1) + _val(old, behind)
    else:
        runs = _zeros(before) + _val(value, 1) + _zeros(behind)
    if len(runs) > size and end + len(runs) - size > limit:
        return _raise_promoted(sketch, index, value)
    sketch[place : place + size] = runs
    _merge_runs(sketch, previous)
    sketch[15] |= _STALE
    return True


def _long_zeros(sketch: bytes | bytearray, place: int) -> int:
    if place + 1 >= len(sketch):
        raise Corrupted
    return ((sketch[place] & 63) << 8 | sketch[place + 1]) + 1


def _raise_promoted(sketch: bytearray, index: int, value: int) -> bool:
    to_dense(sketch)
    return _raise_dense(sketch, index, value)


def _merge_runs(sketch: bytearray, place: int) -> None:
    """Make one of neighbouring runs of the same value, among the few from a place on."""
    for _ in range(_MERGED_OPCODES):
        if place >= len(sketch):
            return
        code = sketch[place]
        if code & 0x80 and place + 1 < len(sketch):
            other = sketch[place + 1]
            count = (code & 3) + (other & 3) + 2
            if other & 0x80 and code >> 2 == other >> 2 and count <= _LONGEST_VAL:
                sketch[place : place + 2] = bytes((code & ~3 | count - 1,))
                continue
        place += 2 if code >> 6 == 1 else 1


def runs(sketch: bytes | bytearray) -> Iterator[tuple[int, int]]:
    """The runs of a sparse sketch: value and number of registers."""
    place, end, total = HEADER_SIZE, len(sketch), 0
    while place < end:
        code = sketch[place]
        span = _SPANS[code]
        if span:
            yield ((code >> 2 & 31) + 1 if code & 0x80 else 0), span
            place += 1
        else:
            span = _long_zeros(sketch, place)
            yield 0, span
            place += 2
        total += span
        if total > REGISTERS:
            raise Corrupted
    if total != REGISTERS:
        raise Corrupted


def registers(sketch: bytes | bytearray) -> bytes:
    """Every register, one byte each; raises `Corrupted`."""
    if sketch[4] == SPARSE:
        return b"".join([bytes((value,)) * count for value, count in runs(sketch)])
    found = bytearray(REGISTERS)
    body = sketch[HEADER_SIZE:]
    a, b, c = body[::3], body[1::3], body[2::3]
    found[::4] = bytes([x & 63 for x in a])
    found[1::4] = bytes([x >> 6 | (y & 15) << 2 for x, y in zip(a, b, strict=True)])
    found[2::4] = bytes([y >> 4 | (z & 3) << 4 for y, z in zip(b, c, strict=True)])
    found[3::4] = bytes([z >> 2 for z in c])
    return bytes(found)


def _packed(values: bytes) -> bytearray:
    """Registers of one byte each in the dense form."""
    body = bytearray(DENSE_SIZE - HEADER_SIZE)
    a, b, c, d = (values[start::4] for start in range(4))
    body[::3] = bytes([w | x << 6 & 0xFF for w, x in zip(a, b, strict=True)])
    body[1::3] = bytes([x >> 2 | y << 4 & 0xFF for x, y in zip(b, c, strict=True)])
    body[2::3] = bytes([y >> 4 | z << 2 for y, z in zip(c, d, strict=True)])
    return body


def to_dense(sketch: bytearray) -> bool:
    """Put a sketch in the dense form, if it is not yet; raises `Corrupted`."""
    if sketch[4] == DENSE:
        return False
    sketch[HEADER_SIZE:] = _packed(registers(sketch))
    sketch[4] = DENSE
    return True


def merge(target: bytearray, values: bytes, dense: bool, limit: int) -> None:
    """Give a sketch these registers, none of which is less than its own; `dense` where a sketch merged was."""
    if dense:
        to_dense(target)
        target[HEADER_SIZE:] = _packed(values)
    else:
        for index, value in enumerate(values):
            if value:
                _raise(target, index, value, limit)
    target[15] |= _STALE


def largest(sketches: list[bytes]) -> bytes:
    """Registers of several sketches merged into one."""
    return bytes(map(max, *sketches)) if len(sketches) > 1 else sketches[0]


# Counting


def cached_count(sketch: bytes | bytearray) -> int | None:
    """The count in the header, unless it is out of date."""
    return None if sketch[15] & _STALE else int.from_bytes(sketch[8:16], "little")


def cache_count(sketch: bytearray, count: int) -> None:
    """Put a count in the header."""
    sketch[8:16] = count.to_bytes(8, "little")


def invalidate(sketch: bytearray) -> None:
    """The count in the header is out of date."""
    sketch[15] |= _STALE


def estimate(values: bytes) -> int:
    """How many different elements there were, going by the registers."""
    m = float(REGISTERS)
    z = m * _tau((m - values.count(_LARGEST_RANK + 1)) / m)
    for rank in range(_LARGEST_RANK, 0, -1):
        z += values.count(rank)
        z *= 0.5
    z += m * _sigma(values.count(0) / m)
    return math.floor(_ALPHA * m * m / z + 0.5)


def _sigma(x: float) -> float:
    if x == 1.0:
        return math.inf
    y, z = 1.0, x
    while True:
        x *= x
        before = z
        z += x * y
        y += y
        if z == before:
            return z


def _tau(x: float) -> float:
    if x in (0.0, 1.0):
        return 0.0
    y, z = 1.0, 1.0 - x
    while True:
        x = math.sqrt(x)
        before = z
        y *= 0.5
        z -= (1 - x) ** 2 * y
        if z == before:
            return z / 3
