"""Values to bytes, as DUMP and RDB files have them.

What decides between the forms of a type is its encoding, as OBJECT ENCODING tells it; for modules there is `module`.
Hash tables are written in the order of our dicts: Redis's own is random.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from struct import pack
from typing import Any, Final

from emulator.datatypes.columns import in_turns
from emulator.datatypes.hash import Hash
from emulator.datatypes.list import List
from emulator.datatypes.set import INTSET, Set
from emulator.datatypes.stream import Stream
from emulator.datatypes.types import Text, Value
from emulator.datatypes.zset import ZSet, members_of, scores_of
from emulator.protocol.numbers import format_doubles
from emulator.rdb import intset, kinds, listpack, module, payload, quicklist, stream
from emulator.rdb.payload import length, strings


def serialized(value: Value, compress: bool, version: int = payload.RDB_VERSION) -> bytes:
    """A value as the payload that RESTORE takes.  O(n)."""
    kind, body = save(value, payload.string if compress else payload.plain_string, version)
    return payload.sealed(bytes((kind,)), body, version=version)


def save(value: Value, text: Text, version: int = payload.RDB_VERSION) -> tuple[int, bytes]:
    """A value's kind and its bytes; `text` is `payload.string`, which compresses, or `payload.plain_string`.  O(n)."""
    if isinstance(value, bytes | bytearray):
        return kinds.STRING, text(bytes(value))
    if version != payload.RDB_VERSION:
        return _save_for_others(value, text, version)
    return _SAVERS.get(value.__class__, module.save)(value, text)


def _save_for_others(value: Value, text: Text, version: int) -> tuple[int, bytes]:
    if version == kinds.WITH_MESSAGES and isinstance(value, Stream):
        return kinds.STREAM_4 & 0xFF, stream.save(value, text)[1] + stream.messages(value, text)
    if isinstance(value, Hash) and (version >= payload.OF_VALKEY or version < kinds.WITH_DEADLINES):
        return _hash_for_others(value, text)
    return _SAVERS.get(value.__class__, module.save)(value, text)


def _hash_for_others(value: Hash, text: Text) -> tuple[int, bytes]:
    """A hash for Valkey, and for Redis before 7.4, in whose hashes no field expires."""
    if value.next_deadline is not None and value.deadlines is not None:
        moments = value.deadlines.by_field
        entries = (
            text(field) + text(content) + moments.get(field, -1).to_bytes(8, "little", signed=True)
            for field, content in value.items()
        )
        return kinds.HASH_OF_VALKEY & 0xFF, length(len(value)) + b"".join(entries)
    if value.packed:
        return kinds.HASH_LISTPACK, listpack.string(in_turns(value.fields, value.fields.values()), text)
    return kinds.HASH, length(len(value)) + b"".join(map(text, chain.from_iterable(value.items())))


_ONE_PACKED_NODE: Final = length(1) + length(kinds.PACKED_NODE)


def _list(value: List, text: Text) -> tuple[int, bytes]:
    if value.nodes is None:
        return kinds.LIST_OF_LISTPACKS, _ONE_PACKED_NODE + listpack.string(value.values.slice(0, len(value)), text)
    nodes = [quicklist.pack(some, text) for some in value.in_nodes()]
    return kinds.LIST_OF_LISTPACKS, b"".join((length(value.node_count), *nodes))


def _set(value: Set, text: Text) -> tuple[int, bytes]:
    if value.encoding is INTSET:
        return kinds.SET_INTSET, text(intset.pack(sorted(map(int, value.members))))
    if value.packed:
        return kinds.SET_LISTPACK, listpack.string(list(value.members), text)
    return kinds.SET, length(len(value)) + strings(list(value), text)


def _hash(value: Hash, text: Text) -> tuple[int, bytes]:
    deadlines = value.deadlines
    if value.packed:
        if deadlines is None:
            return kinds.HASH_LISTPACK, listpack.string(in_turns(value.fields, value.fields.values()), text)
        moments = deadlines.by_field
        triples = ((field, content, b"%d" % moments.get(field, 0)) for field, content in value.items())
        return kinds.HASH_LISTPACK_EXPIRING, _moment(deadlines.next) + listpack.string(
            list(chain.from_iterable(triples)), text
        )
    first = value.next_deadline
    count = length(len(value))
    if deadlines is None or first is None:
        return kinds.HASH, count + strings(list(chain.from_iterable(value.items())), text)
    entries = [
        length(deadlines.by_field.get(field, first - 1) - first + 1) + text(field) + text(content)
        for field, content in value.items()
    ]
    return kinds.HASH_EXPIRING, _moment(first) + count + b"".join(entries)


def _moment(milliseconds: int | None) -> bytes:
    return (milliseconds or 0).to_bytes(8, "little")


def _zset(value: ZSet, text: Text) -> tuple[int, bytes]:
    if value.packed:
        numbers, names = zip(*value.order, strict=True)
        return kinds.ZSET_LISTPACK, listpack.string(in_turns(names, format_doubles(numbers)), text)
    backwards = list(reversed(value.order))
    scores = pack(f"<{len(backwards)}d", *scores_of(backwards))
    return kinds.ZSET, length(len(value)) + strings(members_of(backwards), text, scores)


_SAVERS: dict[type, Callable[[Any, Text], tuple[int, bytes]]] = {
    List: _list,
    Set: _set,
    Hash: _hash,
    ZSet: _zset,
    Stream: stream.save,
}
