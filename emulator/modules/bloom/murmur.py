"""MurmurHash64A and MurmurHash2, by which the sketches find their places.

What is done to the words of the data does not depend on the seed, so it is done once for several hashes of one item.
Source: A. Appleby, MurmurHash2 and MurmurHash64A (public domain).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

_MASK: Final = (1 << 64) - 1
_FACTOR: Final = 0xC6A4A7935BD1E995
_FIRST_SEED: Final = 0xC6A4A7935BD1E995
_SHORT_MASK: Final = (1 << 32) - 1
_SHORT_FACTOR: Final = 0x5BD1E995

_FINGERPRINT_SEED: Final = 1919
_SHORT: Final = 64
_FEW: Final = 16
_REMEMBERED: Final = 4096


def _words(data: bytes) -> list[int]:
    """The words of eight bytes, mixed, and what is left behind them as it is."""
    mixed = []
    whole = len(data) >> 3
    for word in struct.unpack_from(f"<{whole}Q", data) if whole else ():
        word = word * _FACTOR & _MASK
        mixed.append((word ^ word >> 47) * _FACTOR & _MASK)
    if len(data) & 7:
        mixed.append(int.from_bytes(data[whole << 3 :], "little"))
    return mixed


def _hash(length: int, words: Iterable[int], seed: int) -> int:
    hash = seed ^ length * _FACTOR & _MASK
    for word in words:
        hash = (hash ^ word) * _FACTOR & _MASK
    hash = (hash ^ hash >> 47) * _FACTOR & _MASK
    return hash ^ hash >> 47


def hash64(data: bytes, seed: int = 0) -> int:
    """A hash of 64 bits.  O(n)."""
    return _hash(len(data), _words(data), seed)


def _pair(data: bytes) -> tuple[int, int]:
    length, words = len(data), _words(data)
    first = _hash(length, words, _FIRST_SEED)
    return first, _hash(length, words, first)


def hashes32(data: bytes, seeds: Iterable[int]) -> list[int]:
    """A hash of 32 bits for each seed.  O(n) each."""
    length = len(data)
    words = []
    for word in struct.unpack_from(f"<{length >> 2}I", data):
        word = word * _SHORT_FACTOR & _SHORT_MASK
        words.append((word ^ word >> 24) * _SHORT_FACTOR & _SHORT_MASK)
    rest = int.from_bytes(data[length & ~3 :], "little")
    ends_between = length & 3
    found = []
    for seed in seeds:
        hash = seed ^ length
        for word in words:
            hash = (hash * _SHORT_FACTOR & _SHORT_MASK) ^ word
        if ends_between:
            hash = (hash ^ rest) * _SHORT_FACTOR & _SHORT_MASK
        hash = (hash ^ hash >> 13) * _SHORT_FACTOR & _SHORT_MASK
        found.append(hash ^ hash >> 15)
    return found


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
