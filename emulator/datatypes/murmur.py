"""MurmurHash64A and MurmurHash2, by which sketches find their places.

What is done to the words of the data does not depend on the seed, so it is done once for several hashes of one item.  LuaJIT
reads long data where lupa has it.
Source: A. Appleby, MurmurHash2 and MurmurHash64A (public domain).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

from emulator.lua import address, function

_MASK: Final = (1 << 64) - 1
_FACTOR: Final = 0xC6A4A7935BD1E995
_SHORT_MASK: Final = (1 << 32) - 1
_SHORT_FACTOR: Final = 0x5BD1E995

_LONG: Final = 128
"""From so many bytes on Lua takes a third of the time; with fewer it is not loaded for them."""


def hash64(data: bytes, seed: int = 0) -> int:
    """A hash of 64 bits.  O(n)."""
    size = len(data)
    if size >= _LONG:
        return _long64(data, seed)
    hash, rest = seed ^ size * _FACTOR & _MASK, int.from_bytes(data, "little")
    for _ in range(size >> 3):
        word = (rest & _MASK) * _FACTOR & _MASK
        hash = (hash ^ (word ^ word >> 47) * _FACTOR & _MASK) * _FACTOR & _MASK
        rest >>= 64
    if size & 7:
        hash = (hash ^ rest) * _FACTOR & _MASK
    hash = (hash ^ hash >> 47) * _FACTOR & _MASK
    return hash ^ hash >> 47


def pair64(data: bytes, seed: int) -> tuple[int, int]:
    """Two hashes of 64 bits, the first of which is the seed of the second.  O(n)."""
    length = len(data)
    if length >= _LONG:
        return (first := _long64(data, seed)), _long64(data, first)
    words = _words(data)
    return (first := _mixed(length, words, seed)), _mixed(length, words, first)


def _long64(data: bytes, seed: int) -> int:
    quick = function("datatypes/murmur", "hash64")
    if quick is None:
        return _mixed(len(data), _words(data), seed)
    low, high = quick(address(data), len(data), seed & _SHORT_MASK, seed >> 32)
    return int(high) << 32 | int(low)


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


def _mixed(length: int, words: Iterable[int], seed: int) -> int:
    hash = seed ^ length * _FACTOR & _MASK
    for word in words:
        hash = (hash ^ word) * _FACTOR & _MASK
    hash = (hash ^ hash >> 47) * _FACTOR & _MASK
    return hash ^ hash >> 47


def hashes32(data: bytes, seeds: Iterable[int]) -> list[int]:
    """A hash of 32 bits for each seed.  O(n) each."""
    length = len(data)
    if length >= _LONG and (quick := function("datatypes/murmur", "hash32")) is not None:
        place = address(data)
        return [int(quick(place, length, seed)) for seed in seeds]
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
