"""The hashes by which the sketches find their places; those of short items are remembered for a while."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from emulator.datatypes.murmur import hashes32, pair64

_FIRST_SEED: Final = 0xC6A4A7935BD1E995
_FINGERPRINT_SEED: Final = 1919
_SHORT: Final = 64
_FEW: Final = 16
_REMEMBERED: Final = 4096


def _pair(data: bytes) -> tuple[int, int]:
    return pair64(data, _FIRST_SEED)


def _fingerprint(data: bytes) -> int:
    return hashes32(data, (_FINGERPRINT_SEED,))[0]


def _places(data: bytes, rows: int, width: int) -> tuple[int, ...]:
    return tuple(row * width + hash % width for row, hash in enumerate(hashes32(data, range(rows))))


_known_pair = lru_cache(_REMEMBERED)(_pair)
_known_fingerprint = lru_cache(_REMEMBERED)(_fingerprint)
_known_places = lru_cache(_REMEMBERED)(_places)
"""What is counted most is asked for most, so what is known of short items is remembered for a while."""


def pair_of(data: bytes) -> tuple[int, int]:
    """The two hashes of 64 bits that a Bloom filter makes all others of; the first is the seed of the second.  O(n)."""
    return _known_pair(data) if len(data) <= _SHORT else _pair(data)


def fingerprint_of(data: bytes) -> int:
    """The hash of 32 bits by which Top-K tells items in a cell.  O(n)."""
    return _known_fingerprint(data) if len(data) <= _SHORT else _fingerprint(data)


def places(data: bytes, rows: int, width: int) -> tuple[int, ...]:
    """The cell of an item in each row of a table, counted through all rows.  O(n * rows)."""
    return _known_places(data, rows, width) if len(data) <= _SHORT and rows <= _FEW else _places(data, rows, width)
