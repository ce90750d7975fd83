"""The nodes of quicklists as payloads have them: listpacks, many at a time in ``quicklist.lua``, and large values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from emulator.datatypes.columns import columns, counted, counts
from emulator.datatypes.list import Filled, Nodes
from emulator.datatypes.listpack import HEADER_SIZE, entry_size
from emulator.datatypes.quicklist import Plain
from emulator.datatypes.two_ended import Texts
from emulator.lua import function
from emulator.rdb import kinds, listpack
from emulator.rdb.errors import BadData
from emulator.rdb.payload import length, string

if TYPE_CHECKING:
    from emulator.datatypes.types import Text
    from emulator.rdb.payload import Reader

_SPAN: Final = 1 << 14
"""Bytes in which listpacks are looked for at a time."""


def pack(nodes: Nodes, text: Text) -> bytes:
    """Nodes, whose strings are as `text` has them.  O(n)."""
    if nodes.are_plain:
        return b"".join([length(kinds.PLAIN_NODE) + text(value) for value in nodes.values])
    packed: bytes = function("rdb/quicklist", "pack")(*columns(nodes.values), counts(nodes.counts), text is string)
    return packed


def unpack(reader: Reader, count: int) -> Iterator[Filled]:
    """The values of so many nodes, some at a time, with the nodes; empty ones are left out.  Raises `BadData`.  O(n)."""
    if count == 1:
        yield _next(reader)
        return
    search = function("rdb/quicklist", "unpack")
    while count > 0:
        texts, told, size = search(reader.ahead(_SPAN), min(count, _SPAN))
        numbers = counted(told)
        nodes = list(map(list, zip(numbers[::2], numbers[1::2], strict=True)))
        found = Texts(texts, texts.count(b"\n"))
        if nodes and found.amount == sum(numbers[::2]):
            reader.take(int(size))
            yield found, [node for node in nodes if node[0]]
        else:  # there are line breaks in them, or the next one is large or not here yet
            for _ in nodes or (None,):
                yield _next(reader)
        count -= len(nodes) or 1


def _next(reader: Reader) -> Filled:
    container = reader.length()
    if container == kinds.PLAIN_NODE:
        content = reader.string()
        return [content], [Plain((1, HEADER_SIZE + entry_size(content)))]
    if container != kinds.PACKED_NODE:
        raise BadData
    values, size = listpack.read(reader)
    return values, [[len(values), size]] if values else []
