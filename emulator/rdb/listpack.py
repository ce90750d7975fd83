"""Listpacks, in which Redis keeps small aggregates and the runs of lists and streams: to bytes and back.

A header has the total size (4 bytes) and the number of elements (2, all bits set for "more than can be told"), both with
the lowest byte first; an element is an encoding, the data and its own size once more, so that it can be read backwards;
0xff ends it all.

Source: https://github.com/antirez/listpack/blob/master/listpack.md
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from emulator.datatypes.listpack import back_length_size
from emulator.protocol.numbers import parse_integer
from emulator.rdb.lzf import BadData

_HEADER: Final = 6
_END: Final = 0xFF
_UNKNOWN: Final = 0xFFFF
_WIDE: Final = ((0xF1, 2), (0xF2, 3), (0xF3, 4), (0xF4, 8))
"""The encodings of integers in so many bytes."""
_WIDTHS: Final = dict(_WIDE)
_BY_BITS: Final = [
    next((bytes((code,)), width, bytes((width + 1,))) for code, width in _WIDE if bits < 8 * width)
    for bits in range(64)
]
"""For an integer of so many bits besides its sign: the encoding, its bytes, and the byte behind them."""
_SHORT_HEADS: Final = [bytes((0x80 | size,)) for size in range(64)]
_SHORT_TAILS: Final = [bytes((size + 1,)) for size in range(64)]
_ZERO: Final = ord("0")
_LIKE_A_NUMBER: Final = re.compile(rb"^[-0-9]", re.MULTILINE)


class _Entries(dict[bytes | int, bytes]):
    """Elements as they stand in a listpack, each made once: in streams most of them come again and again."""

    def __missing__(self, element: bytes | int) -> bytes:
        entry = self[element] = _string(element) if isinstance(element, bytes) else _integer(element)
        return entry


def pack(elements: Iterable[bytes | int]) -> bytes:
    """A listpack of elements, those that are the text of an integer as integers.  O(n)."""
    elements = list(elements)
    body = b"".join(_plain(elements) or map(_Entries().__getitem__, elements))
    size = _HEADER + len(body) + 1
    return size.to_bytes(4, "little") + min(len(elements), _UNKNOWN).to_bytes(2, "little") + body + b"\xff"


def _plain(elements: list[Any]) -> list[bytes] | None:
    """The parts of short strings, none of which looks like a number; None where there are others.  This is the quick way."""
    if set(map(type, elements)) != {bytes} or _LIKE_A_NUMBER.search(b"\n".join(elements)):
        return None
    sizes = list(map(len, elements))
    if max(sizes) >= len(_SHORT_HEADS):
        return None
    parts = [b""] * (3 * len(elements))
    parts[::3] = map(_SHORT_HEADS.__getitem__, sizes)
    parts[1::3] = elements
    parts[2::3] = map(_SHORT_TAILS.__getitem__, sizes)
    return parts


def _string(text: bytes) -> bytes:
    size = len(text)
    if size <= 20 and (text.isdigit() or text[:1] == b"-"):
        number = int(text) if size < 19 and text[0] > _ZERO else parse_integer(text)
        if number is not None:
            return _integer(number)
    if size < 64:
        return _SHORT_HEADS[size] + text + _SHORT_TAILS[size]
    if size < 4096:
        entry = (0xE000 | size).to_bytes(2) + text
    else:
        entry = b"\xf0" + size.to_bytes(4, "little") + text
    return entry + _backwards(len(entry))


def _integer(number: int) -> bytes:
    if 0 <= number < 128:
        return b"%c\1" % number
    bits = (number if number >= 0 else ~number).bit_length()
    if bits <= 12:
        return (0xC000 | number & 0x1FFF).to_bytes(2) + b"\2"
    head, width, tail = _BY_BITS[bits]
    return head + number.to_bytes(width, "little", signed=True) + tail


def _backwards(size: int) -> bytes:
    """A size as it stands behind an element: groups of 7 bits, the highest first; all but the first have the top bit set."""
    groups = [size >> 7 * place & 127 | 128 for place in reversed(range(back_length_size(size)))]
    groups[0] &= 127
    return bytes(groups)


def unpack(data: bytes) -> list[bytes]:
    """The elements, integers as their text; raises `BadData` for what is no listpack.  O(n)."""
    end = len(data) - 1
    if end < _HEADER or int.from_bytes(data[:4], "little") != len(data) or data[end] != _END:
        raise BadData
    elements = []
    place = _HEADER
    try:
        while place < end:
            element, size = _element(data, place)
            elements.append(element)
            place += size
            if size < 128:
                if data[place] != size:
                    raise BadData
                place += 1
            else:
                behind = _backwards(size)
                if data[place : place + len(behind)] != behind:
                    raise BadData
                place += len(behind)
    except IndexError:
        raise BadData from None
    count = int.from_bytes(data[4:_HEADER], "little")
    if place != end or (count != len(elements) and count != _UNKNOWN):
        raise BadData
    return elements


def _element(data: bytes, place: int) -> tuple[bytes, int]:
    """The element at a place and its bytes; one that is cut off has fewer than it should, which the caller sees."""
    code = data[place]
    if code < 0x80:
        return b"%d" % code, 1
    if code < 0xC0:
        size = code - 0x7F
        return data[place + 1 : place + size], size
    if code < 0xE0:
        number = (code & 0x1F) << 8 | data[place + 1]
        return b"%d" % (number - 8192 if number >= 4096 else number), 2
    if code < 0xF0:
        length = (code & 0x0F) << 8 | data[place + 1]
        return data[place + 2 : place + 2 + length], 2 + length
    if code == 0xF0:
        length = int.from_bytes(data[place + 1 : place + 5], "little")
        return data[place + 5 : place + 5 + length], 5 + length
    width = _WIDTHS.get(code)
    if width is None:
        raise BadData
    return b"%d" % int.from_bytes(data[place + 1 : place + 1 + width], "little", signed=True), 1 + width
