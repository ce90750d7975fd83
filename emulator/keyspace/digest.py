"""The fingerprints of keys and of the whole data set, the same as the real server's (DEBUG DIGEST)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from emulator.datatypes.digest import Digest
from emulator.datatypes.types import TYPES

if TYPE_CHECKING:
    from emulator.keyspace.database import Database
    from emulator.keyspace.entry import Entry


def of_value(entry: Entry, digest: Digest) -> Digest:
    """Add a key's value, and whether it expires.  O(n)."""
    value = entry.value
    type = TYPES[value.__class__]
    digest.mix(type.number.to_bytes(4, "big"))
    type.digest(value, digest)
    if entry.deadline is not None:
        digest.combine(b"!!expire!!")
    return digest


def of_databases(databases: Sequence[Database]) -> Digest:
    """The digest of everything there is; all zeros for nothing.  O(data)."""
    whole = Digest()
    for db in databases:
        if not len(db):
            continue
        whole.mix(db.index.to_bytes(4, "big"))
        for entry in db.entries.values():
            whole.combine(of_value(entry, Digest(entry.key)).raw)
    return whole
