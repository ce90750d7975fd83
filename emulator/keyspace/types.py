"""Redis's own types and its vector sets, as they are entered in the registry of types."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from emulator.datatypes.digest import Digest
from emulator.datatypes.hash import Hash
from emulator.datatypes.list import List
from emulator.datatypes.set import Set
from emulator.datatypes.stream import MAX_ID, Stream
from emulator.datatypes.string import Embedded
from emulator.datatypes.types import Payload, Text, Type, register
from emulator.datatypes.vectorset import VectorSet
from emulator.datatypes.zset import ZSet
from emulator.protocol.numbers import UINT64_MAX, format_shortest

if TYPE_CHECKING:
    from emulator.rdb.payload import Reader

_VECTORSET: Final = 0xBDE72DA2BB1EB400
"""The name "vectorset" and the version 0."""
_NODES_A_RUN: Final = 2


# Fingerprints: O(n) each


def _string(value: bytes | bytearray, digest: Digest) -> None:
    digest.mix(bytes(value))


def _list(value: List, digest: Digest) -> None:
    for element in value:
        digest.mix(element)


def _set(value: Set, digest: Digest) -> None:
    for member in value.members:
        digest.combine(member)


def _zset(value: ZSet, digest: Digest) -> None:
    for score, member in value.order:
        digest.combine(Digest(member, format_shortest(score)).raw)


def _hash(value: Hash, digest: Digest) -> None:
    for field, content in value.fields.items():
        pair = Digest(field, content)
        if value.deadline(field) is not None:
            pair.combine(b"!!hexpire!!")
        digest.combine(pair.raw)


def _stream(value: Stream, digest: Digest) -> None:
    for id, body in value.range(0, MAX_ID):
        digest.mix(b"%d.%d" % (id >> 64, id & UINT64_MAX))
        for word in body:
            digest.mix(word)


def _vectorset(value: VectorSet, digest: Digest) -> None:
    whole = Digest()
    whole.combine(Digest(b"%d" % len(value), b"%d" % value.dimension).raw)
    for element in value.elements.values():
        attribute = () if element.attribute is None else (element.attribute,)
        whole.combine(Digest(value.blob(element), element.name, *attribute).raw)
    digest.combine(whole.raw)


# In how many allocations a value is freed


def _nodes(value: List) -> int:
    return 1 if value.nodes is None else len(value.nodes)


def _run_nodes(value: Stream) -> int:
    return _NODES_A_RUN * len(value.runs)


def _elements(value: Set | Hash | ZSet) -> int:
    return len(value) if value.encoding in (b"hashtable", b"skiplist") else 1


# Payloads: only a server that is asked for one needs what writes and reads them


def _save_vectors(value: VectorSet, text: Text) -> Iterable[bytes]:
    from emulator.rdb import vectorset

    return vectorset.save(value, text)


def _load_vectors(reader: Reader, version: int) -> VectorSet:
    from emulator.rdb import vectorset

    return vectorset.load(reader)


register(Type(b"string", (bytes, bytearray, Embedded), _string, 0, sizes="strings_sizes"))
register(Type(b"list", (List,), _list, 1, _nodes, "lists_items"))
register(Type(b"set", (Set,), _set, 2, _elements, "sets_items"))
register(Type(b"zset", (ZSet,), _zset, 3, _elements, "zsets_items"))
register(Type(b"hash", (Hash,), _hash, 4, _elements, "hashes_items"))
register(Type(b"stream", (Stream,), _stream, 6, _run_nodes))
register(
    Type(
        b"vectorset",
        (VectorSet,),
        _vectorset,
        copied=False,
        payload=Payload(_VECTORSET, _save_vectors, _load_vectors, "vectorset"),
    )
)
