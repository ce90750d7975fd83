"""LZF, the compression of strings in RDB files and payloads; the very bytes that LibLZF makes as Redis has it built.

A run begins with a byte: below 32 it is followed by so many literal bytes and one; else its upper three bits are a length
(7: a byte with more follows) and the rest with the next byte says how far back to copy from.

Source: http://oldhome.schmorp.de/marc/liblzf.html
"""

from __future__ import annotations

_LONGEST_LITERAL = 32
_FURTHEST = 1 << 13
_LONGEST_COPY = (1 << 8) + (1 << 3)
_HASH_MASK = (1 << 16) - 1


class BadData(Exception):
    """Not LZF, or not of the size it should have."""


def _slot(data: bytes, place: int) -> int:
    """Where three bytes are entered in the table of places."""
    number = data[place] << 16 | data[place + 1] << 8 | data[place + 2]
    return (number >> 8) - number * 5 & _HASH_MASK


def compress(data: bytes, most: int) -> bytes | None:
    """The data in fewer bytes than `most`, None where it cannot be done."""
    places: dict[int, int] = {}
    out = bytearray()
    end = len(data)
    place = literals = 0

    def flush(upto: int) -> None:
        for start in range(literals, upto, _LONGEST_LITERAL):
            piece = data[start : min(start + _LONGEST_LITERAL, upto)]
            out.append(len(piece) - 1)
            out.extend(piece)

    while place < end - 2:
        slot = _slot(data, place)
        earlier = places.get(slot, 0)
        places[slot] = place
        offset = place - earlier - 1
        if not (earlier > 0 and offset < _FURTHEST and data[earlier : earlier + 3] == data[place : place + 3]):
            place += 1
            continue
        longest = min(end - place - 2, _LONGEST_COPY)
        length = 3
        while length < longest and data[earlier + length] == data[place + length]:
            length += 1
        flush(place)
        code = length - 2
        out.append((offset >> 8) + (min(code, 7) << 5))
        if code >= 7:
            out.append(code - 7)
        out.append(offset & 0xFF)
        place = literals = place + length
        if place >= end - 2:
            break
        for near in (place - 2, place - 1):
            places[_slot(data, near)] = near
    flush(end)
    return bytes(out) if len(out) < most else None


def decompress(data: bytes, size: int) -> bytes:
    """The data again; raises `BadData`."""
    out = bytearray()
    place = 0
    try:
        while place < len(data):
            code = data[place]
            place += 1
            if code < _LONGEST_LITERAL:
                out += data[place : place + code + 1]
                place += code + 1
                continue
            length = code >> 5
            if length == 7:
                length += data[place]
                place += 1
            back = len(out) - ((code & 31) << 8) - data[place] - 1
            place += 1
            if back < 0:
                raise BadData
            for position in range(back, back + length + 2):
                out.append(out[position])
    except IndexError:
        raise BadData from None
    if len(out) != size:
        raise BadData
    return bytes(out)
