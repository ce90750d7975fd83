"""HyperLogLog: how many different elements there were, in strings of Redis's own format.

A sketch has 16384 registers of 6 bits.  The dense form is a header of 16 bytes and the registers; the sparse one has runs
instead: ZERO (one byte, up to 64 registers), XZERO (two bytes, up to 16384) and VAL (one byte, up to 4 registers of the same
value up to 32).  The header remembers the last count, unless its uppermost bit says that it is out of date.

Source: P. Flajolet et al., "HyperLogLog: the analysis of a near-optimal cardinality estimation algorithm", 2007;
O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", arXiv:1702.01284.
"""

from __future__ import annotations

import math
import re
import struct
from collections import deque
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final

from emulator.datatypes.murmur import hash64
from emulator.lua import address, function

REGISTERS: Final = 1 << 14
HEADER_SIZE: Final = 16
DENSE_SIZE: Final = HEADER_SIZE + REGISTERS * 6 // 8
DENSE: Final = 0
SPARSE: Final = 1

_MAGIC: Final = b"HYLL"
_STALE: Final = 0x80
_COUNT: Final = struct.Struct("<q")
SEED: Final = 0xADC83B19
_LARGEST_RANK: Final = 50
_ALPHA: Final = 0.721347520444481703680
_LONGEST_ZERO: Final = 64
_LONGEST_VAL: Final = 4
_LARGEST_VAL: Final = 32
_MERGED_OPCODES: Final = 5
_INDEX: Final = REGISTERS - 1
_INT64_MIN: Final = -1 << 63
_HIGH: Final = int.from_bytes(b"\x80" * REGISTERS, "little")
_NOT_ZERO: Final = re.compile(rb"[^\0]")
_REPEATED: Final = [bytes((value,)) for value in range(_LARGEST_VAL + 1)]

_SPANS: Final = [0 if code >> 6 == 1 else (code & 3) + 1 if code >> 7 else (code & 63) + 1 for code in range(256)]
"""By its first byte the registers of a run; 0 for XZERO, which needs the second."""


class Corrupted(Exception):
    """The runs of a sparse sketch do not add up to its registers."""


def new() -> bytearray:
    """A sparse sketch of nothing."""
    return bytearray(_MAGIC + bytes((SPARSE,)) + bytes(11) + _zeros(REGISTERS))


def is_sketch(text: bytes | bytearray) -> bool:
    """Whether a string has the form of a sketch; its runs may be corrupted all the same."""
    if len(text) < HEADER_SIZE or not text.startswith(_MAGIC):
        return False
    encoding = text[4]
    return encoding == SPARSE or (encoding == DENSE and len(text) == DENSE_SIZE)


def add(sketch: bytearray, element: bytes, limit: int) -> bool:
    """Add an element; whether a register has changed.  A sparse sketch larger than `limit` bytes becomes dense."""
    number = hash64(element, SEED)
    rank = number >> 14 | 1 << _LARGEST_RANK
    value = (rank & -rank).bit_length()
    if sketch[4] == SPARSE:
        return _raise_sparse(sketch, number & _INDEX, value, limit)
    return _raise_dense(sketch, number & _INDEX, value)


def _raise_dense(sketch: bytearray, index: int, value: int) -> bool:
    """Set a register unless it has a larger value already."""
    place, shift = HEADER_SIZE + (index * 6 >> 3), index * 6 & 7
    if shift <= 2:
        byte = sketch[place]
        if byte >> shift & 63 >= value:
            return False
        sketch[place] = byte & ~(63 << shift) | value << shift
        return True
    window = sketch[place] | sketch[place + 1] << 8
    if window >> shift & 63 >= value:
        return False
    window = window & ~(63 << shift) | value << shift
    sketch[place] = window & 0xFF
    sketch[place + 1] = window >> 8
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


def _raise_sparse(
    sketch: bytearray, index: int, value: int, limit: int, start: int = HEADER_SIZE, first: int = 0
) -> bool:
    """The same, in a sparse sketch; the run at `start`, whose first register is `first`, must come before the register's."""
    if value > _LARGEST_VAL:
        return _raise_promoted(sketch, index, value)
    place, previous, span, behind = _find(sketch, index, start, first)
    before = span - 1 - behind
    code = sketch[place]
    if code & 0x80:
        old = (code >> 2 & 31) + 1
        if old >= value:
            return False
        instead = _val(old, before) + _val(value, 1) + _val(old, behind)
    else:
        instead = _zeros(before) + _val(value, 1) + _zeros(behind)
    size = _size(code)
    if len(instead) > size and len(sketch) + len(instead) - size > limit:
        return _raise_promoted(sketch, index, value)
    sketch[place : place + size] = instead
    _merge_runs(sketch, previous)
    sketch[15] |= _STALE
    return True


def _find(sketch: bytearray, index: int, start: int, first: int) -> tuple[int, int, int, int]:
    """The run that a register is in: its place, the place of the run before, its registers, how many of them come later."""
    found = function("datatypes/hyperloglog", "find")(bytes(sketch[start:]), index - first)
    if found is None:
        raise Corrupted
    place, previous, span, behind = map(int, found)
    return start + place, start + previous, span, behind


def _size(code: int) -> int:
    """Bytes of the run that begins with this one."""
    return 2 if code >> 6 == 1 else 1


def _long_zeros(code: int, other: int | None) -> int:
    """Registers of an XZERO of these two bytes."""
    if other is None:
        raise Corrupted
    return ((code & 63) << 8 | other) + 1


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
        place += _size(code)


def runs(sketch: bytes | bytearray) -> Iterator[tuple[int, int, int]]:
    """The runs of a sparse sketch: bytes, value and number of registers."""
    codes = iter(bytes(sketch[HEADER_SIZE:]))
    for code in codes:
        span = _SPANS[code] or _long_zeros(code, next(codes, None))
        yield _size(code), ((code >> 2 & 31) + 1 if code & 0x80 else 0), span


def registers(sketch: bytes | bytearray) -> bytes:
    """Every register, one byte each; raises `Corrupted`."""
    if sketch[4] == DENSE:
        return _unpacked(sketch[HEADER_SIZE:])
    found = bytearray()
    for _, value, count in runs(sketch):
        found += _REPEATED[value] * count
        if len(found) > REGISTERS:
            raise Corrupted
    if len(found) != REGISTERS:
        raise Corrupted
    return bytes(found)


def merged(sketches: Iterable[bytes | bytearray]) -> tuple[bytes, bool]:
    """The registers of several sketches in one, one byte each, and whether any is dense; raises `Corrupted`."""
    found, dense = bytearray(REGISTERS), False
    quick = function("datatypes/hyperloglog", "merge")
    place = address(found) if quick else 0
    for sketch in sketches:
        dense = dense or sketch[4] == DENSE
        if not quick:
            found[:] = largest(found, registers(sketch))
        elif not quick(place, bytes(sketch)):
            raise Corrupted
    return bytes(found), dense


def to_dense(sketch: bytearray) -> bool:
    """Put a sketch in the dense form, if it is not yet; raises `Corrupted`."""
    if sketch[4] == DENSE:
        return False
    sketch[HEADER_SIZE:] = _packed(registers(sketch))
    sketch[4] = DENSE
    return True


# Many registers at once: three bytes hold four of them, and the integers below have one in each byte


def _unpacked(body: bytes | bytearray) -> bytes:
    """The registers of a dense sketch, one byte each."""
    found = bytearray(REGISTERS)
    a, b, c = body[::3], body[1::3], body[2::3]
    found[::4] = a.translate(_and(63))
    found[1::4] = _both(a.translate(_shifted(-6)), b.translate(_shifted(2)).translate(_and(63)))
    found[2::4] = _both(b.translate(_shifted(-4)), c.translate(_shifted(4)).translate(_and(63)))
    found[3::4] = c.translate(_shifted(-2))
    return bytes(found)


def _packed(values: bytes) -> bytearray:
    """Registers of one byte each in the dense form."""
    body = bytearray(DENSE_SIZE - HEADER_SIZE)
    a, b, c, d = (values[start::4] for start in range(4))
    body[::3] = _both(a, b.translate(_shifted(6)))
    body[1::3] = _both(b.translate(_shifted(-2)), c.translate(_shifted(4)))
    body[2::3] = _both(c.translate(_shifted(-4)), d.translate(_shifted(2)))
    return body


@cache
def _shifted(places: int) -> bytes:
    """A translation of each byte to itself shifted to the left, or to the right if `places` is negative."""
    return bytes([byte << places & 0xFF if places > 0 else byte >> -places for byte in range(256)])


@cache
def _and(mask: int) -> bytes:
    return bytes([byte & mask for byte in range(256)])


def _both(one: bytes | bytearray, other: bytes | bytearray) -> bytes:
    """The bits of two strings of the same length."""
    return (int.from_bytes(one, "little") | int.from_bytes(other, "little")).to_bytes(len(one), "little")


def largest(one: bytes | bytearray, other: bytes) -> bytes:
    """The registers of two sketches merged into one."""
    a, b = int.from_bytes(one, "little"), int.from_bytes(other, "little")
    at_least = ((a | _HIGH) - b) & _HIGH
    mask = (at_least << 1) - (at_least >> 7)
    return (b ^ (a ^ b) & mask).to_bytes(REGISTERS, "little")


def merge(target: bytearray, values: bytes, dense: bool, limit: int) -> None:
    """Give a sketch these registers, none of which is less than its own; `dense` where a sketch merged was."""
    if dense or not _merge_sparse(target, values, limit):
        to_dense(target)
        target[HEADER_SIZE:] = _packed(values)
    target[15] |= _STALE


def _merge_sparse(target: bytearray, values: bytes, limit: int) -> bool:
    """Raise the registers of a sparse sketch one by one; whether it has stayed sparse."""
    start = HEADER_SIZE, 0
    for found in _NOT_ZERO.finditer(values):
        index = found.start()
        _raise_sparse(target, index, values[index], limit, *start)
        if target[4] == DENSE:
            return False
        start = _approach(target, index, *start)
    return True


def _approach(sketch: bytearray, index: int, place: int, first: int) -> tuple[int, int]:
    """Where to begin looking for later registers than one: so many runs before it that no merging of runs gets there."""
    trail = deque([(place, first)], _LONGEST_VAL + 2)
    while True:
        code = sketch[place]
        first += _SPANS[code] or _long_zeros(code, sketch[place + 1])
        if index < first:
            return trail[0]
        place += _size(code)
        trail.append((place, first))


# Counting


def cached_count(sketch: bytes | bytearray) -> int | None:
    """The count in the header, unless it is out of date."""
    count: int
    (count,) = _COUNT.unpack_from(sketch, 8)
    return None if count < 0 else count  # the sign says that it is out of date


def cache_count(sketch: bytearray, count: int) -> None:
    """Put a count in the header."""
    sketch[8:16] = (count % (1 << 64)).to_bytes(8, "little")


def invalidate(sketch: bytearray) -> None:
    """The count in the header is out of date."""
    sketch[15] |= _STALE


def estimate(values: bytes) -> int:
    """How many different elements there were, going by the registers; the least 64-bit number where it is none."""
    m, raised = float(REGISTERS), values.translate(None, b"\0")
    z = m * _tau((m - raised.count(_LARGEST_RANK + 1)) / m)
    for count in reversed(_histogram(raised)):
        z += count
        z *= 0.5
    z += m * _sigma((REGISTERS - len(raised)) / m)
    result = _ALPHA * m * m / z if z else math.inf
    return math.floor(result + 0.5) if result < -_INT64_MIN else _INT64_MIN


def _histogram(raised: bytes) -> list[int]:
    """How many registers, of those that are not 0, have which value, from 1 to the largest there is."""
    counts: list[int] = []
    left = len(raised)
    while left and len(counts) < _LARGEST_RANK:
        counts.append(raised.count(len(counts) + 1))
        left -= counts[-1]
    return counts


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
