"""Ziplists and zipmaps, what Redis had before listpacks: only read, from payloads and files of versions before 7.

Source: https://github.com/sripathikrishnan/redis-rdb-tools/wiki/Redis-RDB-Dump-File-Format
"""

from __future__ import annotations

from typing import Final

from emulator.rdb.errors import BadData

_HEADER: Final = 10
_END: Final = 0xFF
_UNKNOWN: Final = 0xFFFF
_FAR: Final = 0xFE
_WIDTHS: Final = {0xC0: 2, 0xD0: 4, 0xE0: 8, 0xF0: 3, 0xFE: 1}
_FIRST_SMALL, _LAST_SMALL = 0xF1, 0xFD


def unpack(data: bytes) -> list[bytes]:
    """The elements of a ziplist, integers as their text; raises `BadData`.  O(n).

    Before each element stands the size of the one before it; the header has the total size, where the last element is
    and how many there are.
    """
    end = len(data) - 1
    if end < _HEADER or int.from_bytes(data[:4], "little") != len(data) or data[end] != _END:
        raise BadData
    elements = []
    place, before, last = _HEADER, 0, _HEADER
    try:
        while place < end:
            last = place
            told = data[place]
            place += 1
            if told == _FAR:
                told = int.from_bytes(data[place : place + 4], "little")
                place += 4
            if told != before:
                raise BadData
            element, size = _element(data, place)
            elements.append(element)
            place += size
            before = place - last
    except IndexError:
        raise BadData from None
    count = int.from_bytes(data[8:_HEADER], "little")
    if place != end or int.from_bytes(data[4:8], "little") != last or (count != len(elements) and count != _UNKNOWN):
        raise BadData
    return elements


def _element(data: bytes, place: int) -> tuple[bytes, int]:
    """The element at a place and its bytes; one that is cut off has fewer than it should, which the caller sees."""
    code = data[place]
    if code < 0xC0:
        if code < 0x40:
            length, start = code, 1
        elif code < 0x80:
            length, start = (code & 0x3F) << 8 | data[place + 1], 2
        else:
            length, start = int.from_bytes(data[place + 1 : place + 5]), 5
        return data[place + start : place + start + length], start + length
    if _FIRST_SMALL <= code <= _LAST_SMALL:
        return b"%d" % (code - _FIRST_SMALL), 1
    width = _WIDTHS.get(code)
    if width is None:
        raise BadData
    return b"%d" % int.from_bytes(data[place + 1 : place + 1 + width], "little", signed=True), 1 + width


def unpack_map(data: bytes) -> list[bytes]:
    """The keys and values of a zipmap, one after the other; raises `BadData`.  O(n).

    A value has a byte before it that says how many unused bytes follow it.
    """
    end = len(data) - 1
    if end < 1 or data[end] != _END:
        raise BadData
    elements: list[bytes] = []
    place = 1
    try:
        while place < end:
            length = data[place]
            place += 1
            if length == _FAR:
                length = int.from_bytes(data[place : place + 4], "little")
                place += 4
            unused = 0
            if len(elements) % 2:
                unused = data[place]
                place += 1
            elements.append(data[place : place + length])
            place += length + unused
    except IndexError:
        raise BadData from None
    if place != end or len(elements) % 2 or (data[0] < _FAR and data[0] != len(elements) // 2):
        raise BadData
    return elements
