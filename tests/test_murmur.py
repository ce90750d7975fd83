"""MurmurHash64A and MurmurHash2 against their plain reading, byte by byte."""

import random

import pytest

from emulator.datatypes import murmur

SIZES = [*range(40), 127, 128, 129, 1000, 1003, 1007]


def plain(data, seed, size, factor, shift):
    """A hash of so many bytes, without what is done at the end."""
    mask = (1 << 8 * size) - 1
    number = seed ^ len(data) * (factor if size == 8 else 1) & mask
    whole = len(data) // size * size
    for place in range(0, whole, size):
        word = int.from_bytes(data[place : place + size], "little") * factor & mask
        word = (word ^ word >> shift) * factor & mask
        number = (number ^ word) * factor & mask if size == 8 else number * factor & mask ^ word
    if rest := data[whole:]:
        number = (number ^ int.from_bytes(rest, "little")) * factor & mask
    return number


def plain64(data, seed):
    number = plain(data, seed, 8, murmur._FACTOR, 47)
    number = (number ^ number >> 47) * murmur._FACTOR & murmur._MASK
    return number ^ number >> 47


def plain32(data, seed):
    number = plain(data, seed, 4, murmur._SHORT_FACTOR, 24)
    number = (number ^ number >> 13) * murmur._SHORT_FACTOR & murmur._SHORT_MASK
    return number ^ number >> 15


@pytest.mark.parametrize("has_lua", [True, False])
def test_hashes_of_any_length(has_lua, monkeypatch):
    if not has_lua:
        monkeypatch.setattr(murmur, "function", lambda *name: None)
    chance = random.Random(1)
    for size in SIZES:
        data, seed, seeds = chance.randbytes(size), chance.getrandbits(64), [0, chance.getrandbits(32)]
        assert murmur.hash64(data, seed) == plain64(data, seed)
        assert murmur.pair64(data, seed) == (plain64(data, seed), plain64(data, plain64(data, seed)))
        assert murmur.hashes32(data, seeds) == [plain32(data, each) for each in seeds]
