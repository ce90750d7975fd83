"""Listpacks, in which Redis keeps small aggregates and the runs of lists and streams: to bytes and back.

A header has the total size (4 bytes) and the number of elements (2, all bits set for "more than can be told"), both with
the lowest byte first; an element is an encoding, the data and its own size once more, so that it can be read backwards;
0xff ends it all.  They are made and read by ``listpack.lua``, with the strings that they are in by ``packed.lua``.

Source: https://github.com/antirez/listpack/blob/master/listpack.md
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from emulator.datatypes.columns import columns, parted
from emulator.datatypes.listpack import HEADER_SIZE
from emulator.lua import function
from emulator.rdb import payload
from emulator.rdb.errors import BadData

if TYPE_CHECKING:
    from emulator.datatypes.types import Text

_SMALL: Final = 1 << 10
"""Bytes in which the string of a small listpack is looked for."""


def pack(elements: Sequence[bytes]) -> bytes:
    """A listpack of elements, those that are the text of an integer as integers.  O(n)."""
    packed: bytes = function("datatypes/listpack", "pack")(*columns(elements))
    return packed


def string(elements: Sequence[bytes], text: Text) -> bytes:
    """The string of that listpack, which is compressed where `text` compresses.  O(n)."""
    packed: bytes = function("rdb/packed", "pack")(*columns(elements), text is payload.string)
    return packed


def read(reader: payload.Reader) -> tuple[list[bytes], int]:
    """What `unpack_measured` finds in the string that comes next.  O(n)."""
    found = function("rdb/packed", "unpack")(reader.ahead(_SMALL))
    if found is None:  # it is large, not here yet, or none
        return unpack_measured(reader.string())
    texts, lengths, size, whole = found
    reader.take(int(whole))
    return parted(texts, lengths), HEADER_SIZE + int(size)


def unpack(data: bytes) -> list[bytes]:
    """The elements, integers as their text; raises `BadData` for what is no listpack.  O(n)."""
    return unpack_measured(data)[0]


def unpack_measured(data: bytes) -> tuple[list[bytes], int]:
    """The same, and the bytes that they should take: integers may take fewer than they do."""
    found = function("datatypes/listpack", "unpack")(data)
    if found is None:
        raise BadData
    texts, lengths, size = found
    return parted(texts, lengths), HEADER_SIZE + int(size)
