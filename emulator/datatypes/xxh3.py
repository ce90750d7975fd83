"""XXH3, the hash of 64 bits by which DIGEST tells strings apart.

Source: the xxHash specification, XXH3 with 64 bits, its default secret and no seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from operator import and_, mul, rshift, xor
from struct import unpack_from
from typing import Final

_MASK: Final = (1 << 64) - 1
_PRIME32: Final = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)
_PRIME64: Final = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)
_MIX: Final = (0x165667919E3779F9, 0x9FB21C651E98DF25)
_SECRET: Final = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221"
    "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb"
    "170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)
_STRIPE: Final = 64
_STRIPES_A_BLOCK: Final = (len(_SECRET) - _STRIPE) // 8
_BLOCK: Final = _STRIPE * _STRIPES_A_BLOCK
_KEYS: Final = [key for stripe in range(_STRIPES_A_BLOCK) for key in unpack_from("<8Q", _SECRET, 8 * stripe)]
"""The words of the secret for each word of a block: they move on by one with each stripe."""
_SCRAMBLING: Final = unpack_from("<8Q", _SECRET, len(_SECRET) - _STRIPE)
_LAST: Final = len(_SECRET) - _STRIPE - 7
_MERGE: Final = 11
_SHORT, _MIDDLE = 128, 240


def _word(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 8], "little")


def _half(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 4], "little")


def _folded(one: int, other: int) -> int:
    """The halves of a product of 128 bits, combined."""
    product = one * other
    return (product & _MASK) ^ (product >> 64)


def _avalanche(mixed: int) -> int:
    mixed ^= mixed >> 37
    mixed = mixed * _MIX[0] & _MASK
    return mixed ^ (mixed >> 32)


def _avalanche_of_xxh64(mixed: int) -> int:
    mixed ^= mixed >> 33
    mixed = mixed * _PRIME64[1] & _MASK
    mixed ^= mixed >> 29
    mixed = mixed * _PRIME64[2] & _MASK
    return mixed ^ (mixed >> 32)


def xxh3(data: bytes) -> int:
    """The hash of some bytes.  O(n)."""
    length = len(data)
    if length > _MIDDLE:
        return _long(data)
    if length > 16:
        return _middle(data)
    if length > 8:
        return _nine_to_sixteen(data)
    if length > 3:
        return _four_to_eight(data)
    if length:
        return _one_to_three(data)
    return _avalanche_of_xxh64(_word(_SECRET, 56) ^ _word(_SECRET, 64))


def _one_to_three(data: bytes) -> int:
    length = len(data)
    combined = data[0] << 16 | data[length >> 1] << 24 | data[-1] | length << 8
    return _avalanche_of_xxh64(combined ^ _half(_SECRET, 0) ^ _half(_SECRET, 4))


def _four_to_eight(data: bytes) -> int:
    length = len(data)
    combined = _half(data, length - 4) + (_half(data, 0) << 32)
    mixed = combined ^ _word(_SECRET, 8) ^ _word(_SECRET, 16)
    mixed ^= _rotated(mixed, 49) ^ _rotated(mixed, 24)
    mixed = mixed * _MIX[1] & _MASK
    mixed ^= (mixed >> 35) + length
    mixed = mixed * _MIX[1] & _MASK
    return mixed ^ (mixed >> 28)


def _rotated(number: int, bits: int) -> int:
    return (number << bits | number >> (64 - bits)) & _MASK


def _nine_to_sixteen(data: bytes) -> int:
    length = len(data)
    low = _word(data, 0) ^ _word(_SECRET, 24) ^ _word(_SECRET, 32)
    high = _word(data, length - 8) ^ _word(_SECRET, 40) ^ _word(_SECRET, 48)
    swapped = int.from_bytes(low.to_bytes(8, "little"), "big")
    return _avalanche(length + swapped + high + _folded(low, high) & _MASK)


def _mixed(data: bytes, place: int, secret: int) -> int:
    return _folded(_word(data, place) ^ _word(_SECRET, secret), _word(data, place + 8) ^ _word(_SECRET, secret + 8))


def _middle(data: bytes) -> int:
    length = len(data)
    total = length * _PRIME64[0]
    if length <= _SHORT:
        for pair in range((length - 1) // 32 + 1):
            total += _mixed(data, 16 * pair, 32 * pair) + _mixed(data, length - 16 * (pair + 1), 32 * pair + 16)
        return _avalanche(total & _MASK)
    total += sum(_mixed(data, 16 * piece, 16 * piece) for piece in range(8))
    total = _avalanche(total & _MASK)
    total += sum(_mixed(data, 16 * piece, 16 * (piece - 8) + 3) for piece in range(8, length // 16))
    return _avalanche(total + _mixed(data, length - 16, 136 - 17) & _MASK)


def _long(data: bytes) -> int:
    first, second, third = _PRIME32
    sums = [third, _PRIME64[0], _PRIME64[1], _PRIME64[2], _PRIME64[3], second, _PRIME64[4], first]
    place = 0
    for _ in range((len(data) - 1) // _BLOCK):
        _accumulate(sums, data, place, _STRIPES_A_BLOCK, _KEYS)
        for lane, key in enumerate(_SCRAMBLING):
            sums[lane] = (sums[lane] ^ (sums[lane] >> 47) ^ key) * first & _MASK
        place += _BLOCK
    _accumulate(sums, data, place, (len(data) - 1 - place) // _STRIPE, _KEYS)
    _accumulate(sums, data, len(data) - _STRIPE, 1, unpack_from("<8Q", _SECRET, _LAST))
    total = len(data) * _PRIME64[0]
    for pair in range(4):
        one, other = sums[2 * pair : 2 * pair + 2]
        total += _folded(one ^ _word(_SECRET, _MERGE + 16 * pair), other ^ _word(_SECRET, _MERGE + 16 * pair + 8))
    return _avalanche(total & _MASK)


def _accumulate(sums: list[int], data: bytes, place: int, stripes: int, keys: Sequence[int]) -> None:
    """Add stripes to the eight lanes; one loop in C over all words is three times as quick as one of ours over the lanes."""
    words = unpack_from(f"<{8 * stripes}Q", data, place)
    keyed = list(map(xor, words, keys))
    products = list(map(mul, map(and_, keyed, repeat(0xFFFFFFFF)), map(rshift, keyed, repeat(32))))
    for lane in range(8):
        # a lane adds its neighbour's words, so that a zero among its own loses nothing
        sums[lane] = (sums[lane] + sum(words[lane ^ 1 :: 8]) + sum(products[lane::8])) & _MASK
