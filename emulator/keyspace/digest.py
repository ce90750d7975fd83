"""A fingerprint of values and of the whole data set, the same as the real server's (DEBUG DIGEST).

It is made of SHA-1 in two ways: what comes in order is mixed in one after another, what has no order is combined by
exclusive or.
"""

from __future__ import annotations

from hashlib import sha1
from typing import TYPE_CHECKING, Final

from emulator.datatypes.hash import Hash
from emulator.datatypes.list import List
from emulator.datatypes.set import Set
from emulator.datatypes.stream import MAX_ID, Stream
from emulator.datatypes.vectorset import VectorSet
from emulator.datatypes.zset import ZSet
from emulator.protocol.numbers import UINT64_MAX, format_double

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emulator.keyspace.database import Database
    from emulator.keyspace.entry import Entry

_TYPES: Final[dict[type, int]] = {List: 1, Set: 2, ZSet: 3, Hash: 4, VectorSet: 5, Stream: 6}


class Digest:
    """The state of a fingerprint: twenty bytes, as one integer."""

    def __init__(self) -> None:
        self.value = 0

    @property
    def raw(self) -> bytes:
        """The twenty bytes."""
        return self.value.to_bytes(20, "big")

    def combine(self, data: bytes) -> None:
        """Add something that has no place among the others."""
        self.value ^= int.from_bytes(sha1(data).digest(), "big")

    def mix(self, data: bytes) -> None:
        """Add something that comes after what was added before."""
        self.combine(data)
        self.value = int.from_bytes(sha1(self.raw).digest(), "big")

    def __bytes__(self) -> bytes:
        """Forty hexadecimal digits."""
        return b"%040x" % self.value


def of_value(entry: Entry, digest: Digest) -> Digest:
    """Add a key's value, and whether it expires.  O(n)."""
    value = entry.value
    digest.mix(_TYPES.get(value.__class__, 0).to_bytes(4, "big"))
    if isinstance(value, bytes | bytearray):
        digest.mix(bytes(value))
    elif isinstance(value, List):
        for element in value:
            digest.mix(element)
    elif isinstance(value, Set):
        for member in value.members:
            digest.combine(member)
    elif isinstance(value, ZSet):
        for score, member in value.order:
            digest.combine(_mixed(member, format_double(score)))
    elif isinstance(value, Hash):
        for field, content in value.fields.items():
            pair = Digest()
            pair.mix(field)
            pair.mix(content)
            if value.deadline(field) is not None:
                pair.combine(b"!!hexpire!!")
            digest.combine(pair.raw)
    elif isinstance(value, Stream):
        for id, body in value.range(0, MAX_ID):
            digest.mix(b"%d.%d" % (id >> 64, id & UINT64_MAX))
            for word in body:
                digest.mix(word)
    elif isinstance(value, VectorSet):
        digest.combine(_of_vectors(value).raw)
    if entry.deadline is not None:
        digest.combine(b"!!expire!!")
    return digest


def _of_vectors(value: VectorSet) -> Digest:
    whole = Digest()
    whole.combine(_mixed(b"%d" % len(value), b"%d" % value.dimension))
    for element in value.elements.values():
        attribute = () if element.attribute is None else (element.attribute,)
        whole.combine(_mixed(value.blob(element), element.name, *attribute))
    return whole


def _mixed(*words: bytes) -> bytes:
    element = Digest()
    for word in words:
        element.mix(word)
    return element.raw


def of_databases(databases: Sequence[Database]) -> Digest:
    """The digest of everything there is; all zeros for nothing.  O(data)."""
    whole = Digest()
    for db in databases:
        if not len(db):
            continue
        whole.mix(db.index.to_bytes(4, "big"))
        for entry in db.entries.values():
            digest = Digest()
            digest.mix(entry.key)
            whole.combine(of_value(entry, digest).raw)
    return whole
