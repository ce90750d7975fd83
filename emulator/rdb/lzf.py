"""LZF, the compression of strings in RDB files and payloads; the very bytes that LibLZF makes as Redis has it built.

A run begins with a byte: below 32 it is followed by so many literal bytes and one; else its upper three bits are a length
(7: a byte with more follows) and the rest with the next byte says how far back to copy from.

Source: http://oldhome.schmorp.de/marc/liblzf.html
"""

from __future__ import annotations

from typing import Final

from emulator.lua import function
from emulator.rdb.errors import BadData

_MOST_PER_BYTE: Final = 264 // 3
"""The longest copy comes of three bytes."""


def compress(data: bytes, most: int) -> bytes | None:
    """The data in fewer bytes than `most`; None where LibLZF finds no room for it, a few bytes early.  O(n)."""
    packed: bytes | None = function("rdb/lzf", "compress")(data, most)
    return packed


def decompress(data: bytes, size: int) -> bytes:
    """The data again; raises `BadData`."""
    if size > len(data) * _MOST_PER_BYTE:  # also what is no number of Lua's
        raise BadData
    whole: bytes | None = function("rdb/lzf", "decompress")(data, size)
    if whole is None:
        raise BadData
    return whole
