"""LZF, the compression of strings in RDB files and payloads; the very bytes that LibLZF makes as Redis has it built.

A run begins with a byte: below 32 it is followed by so many literal bytes and one; else its upper three bits are a length
(7: a byte with more follows) and the rest with the next byte says how far back to copy from.

Source: http://oldhome.schmorp.de/marc/liblzf.html
"""

from __future__ import annotations

_LONGEST_LITERAL = 32
_FURTHEST = 1 << 13
_LONGEST_COPY = (1 << 8) + (1 << 3)
_UNROLLED, _UNROLLED_END = 16, 19
"""LibLZF compares the first bytes of a long copy without a look at the limit, which it may so exceed."""


class BadData(Exception):
    """Not LZF, or not of the size it should have."""


def compress(data: bytes, most: int) -> bytes | None:
    """The data in fewer bytes than `most`; None where LibLZF finds no room for it, a few bytes early.  O(n)."""
    places: dict[int, int] = {}
    known = places.get
    out = bytearray()
    last = len(data) - 2
    place = literals = 0
    while place < last:
        three = data[place] << 8 | data[place + 1]
        for here in range(place, last):
            three = (three << 8 | data[here + 2]) & 0xFFFFFF
            slot = (three >> 8) - three * 5 & 0xFFFF
            earlier = known(slot, 0)
            places[slot] = here
            if earlier and here - earlier <= _FURTHEST and data[earlier : earlier + 3] == data[here : here + 3]:
                place = here
                break
        else:
            place = last
            break
        reached = _reached(out, place - literals)
        if not (place - literals) % _LONGEST_LITERAL:
            reached -= 1
        if reached + 4 >= most:
            return None
        _literal(out, data[literals:place])
        literals = place + _copy(out, data, earlier, place)
        for near in range(literals - 2, literals):
            if literals < last:
                three = int.from_bytes(data[near : near + 3])
                places[(three >> 8) - three * 5 & 0xFFFF] = near
        place = literals
    pending = place - literals
    if _reached(out, pending) + 3 > most:
        return None
    _literal(out, data[literals:])
    return bytes(out)


def _reached(out: bytearray, pending: int) -> int:
    """How far LibLZF has come with its output: it copies pending literals at once, behind a byte for their number."""
    return len(out) + pending + pending // _LONGEST_LITERAL + 1


def _literal(out: bytearray, pending: bytes) -> None:
    for start in range(0, len(pending), _LONGEST_LITERAL):
        piece = pending[start : start + _LONGEST_LITERAL]
        out.append(len(piece) - 1)
        out += piece


def _copy(out: bytearray, data: bytes, earlier: int, place: int) -> int:
    """Write that what is at a place was there earlier; for how many bytes, of which three are known."""
    longest = min(len(data) - place - 2, _LONGEST_COPY)
    if longest > _UNROLLED:
        longest = max(longest, _UNROLLED_END)
    length = 3
    if data[earlier : earlier + longest] == data[place : place + longest]:
        length = max(longest, length)
    while length < longest and data[earlier + length] == data[place + length]:
        length += 1
    offset, code = place - earlier - 1, length - 2
    out.append((offset >> 8) + (min(code, 7) << 5))
    if code >= 7:
        out.append(code - 7)
    out.append(offset & 0xFF)
    return length


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
            length += 2
            piece = bytes(out[back : back + length])
            out += (piece * -(-length // len(piece)))[:length]
            if len(out) > size:
                raise BadData
    except IndexError:
        raise BadData from None
    if len(out) != size or place != len(data):
        raise BadData
    return bytes(out)
