"""Listpacks, in which Redis keeps small aggregates and the runs of lists and streams: to bytes and back.

A header has the total size (4 bytes) and the number of elements (2, all bits set for "more than can be told"), both with
the lowest byte first; an element is an encoding, the data and its own size once more, so that it can be read backwards;
0xff ends it all.  They are made and read by ``listpack.lua``.

Source: https://github.com/antirez/listpack/blob/master/listpack.md
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from emulator.datatypes.columns import columns, parted
from emulator.lua import function
from emulator.rdb.errors import BadData

_HEADER: Final = 6
_END: Final = b"\xff"
_UNKNOWN: Final = 0xFFFF


class Unpacked(NamedTuple):
    """The elements of a listpack, and its bytes as it should be: integers may take fewer than they do."""

    elements: list[bytes]
    size: int


def pack(elements: Sequence[bytes]) -> bytes:
    """A listpack of elements, those that are the text of an integer as integers.  O(n)."""
    packed: bytes = function("datatypes/listpack", "pack")(*columns(elements))
    return packed


def unpack(data: bytes) -> list[bytes]:
    """The elements, integers as their text; raises `BadData` for what is no listpack.  O(n)."""
    return unpack_measured(data).elements


def unpack_measured(data: bytes) -> Unpacked:
    """The same, and the bytes that they should take."""
    if len(data) <= _HEADER or int.from_bytes(data[:4], "little") != len(data) or not data.endswith(_END):
        raise BadData
    found = function("datatypes/listpack", "unpack")(data)
    if found is None:
        raise BadData
    texts, lengths, size = found
    count = int.from_bytes(data[4:_HEADER], "little")
    if count not in (len(lengths) // 4, _UNKNOWN):
        raise BadData
    return Unpacked(parted(texts, lengths), _HEADER + int(size) + len(_END))
