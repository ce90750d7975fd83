"""HIMPORT (Redis 8.10): hashes with the same fields, whose names are sent once; by the documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emulator.config.notifications import HASH
from emulator.datatypes.hash import Hash
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import OK, Status
from emulator.table.keyspec import keys
from emulator.table.registry import command, container

if TYPE_CHECKING:
    from emulator.clients.session import Session

container("himport", group="hash", since="8.10.0", help_since="8.10.0", complexity="that of the sub-command")

_ALL_SHARDS: Final = "request_policy:all_shards"
_MOST_FIELDSETS: Final = 1024
"""The real server has as many as its memory holds."""


@command(
    "hash",
    container="himport",
    since="8.10.0",
    flags="denyoom",
    tips=_ALL_SHARDS,
    complexity="O(N*log(N)) for N fields",
)
def himport_prepare(client: Session, fieldset: bytes, field: bytes, *more: bytes) -> Status:
    """Gives the connection a name for a list of fields."""
    fields = (field, *more)
    if len(set(fields)) < len(fields):
        raise CommandError("ERR duplicate field name in fieldset")
    known = client.fieldsets = client.fieldsets or {}
    if fieldset not in known and len(known) >= _MOST_FIELDSETS:
        raise CommandError(f"ERR a connection has at most {_MOST_FIELDSETS} fieldsets")
    known[fieldset] = fields
    return OK


def _by_length(pair: tuple[bytes, bytes]) -> tuple[int, bytes]:
    """The order of the fields of a hash that is imported."""
    return len(pair[0]), pair[0]


@command(
    "hash",
    container="himport",
    since="8.10.0",
    flags="write denyoom",
    keys=[keys("OW update", 2)],
    complexity="O(N) for N fields",
)
def himport_set(client: Session, key: bytes, fieldset: bytes, value: bytes, *more: bytes) -> Status:
    """Sets a key to a hash of the fields of a fieldset and these values; it may not hold anything but a hash."""
    client.db.lookup_write(key, Hash)
    fields, values = (client.fieldsets or {}).get(fieldset), (value, *more)
    if fields is None:
        raise CommandError("ERR no such fieldset")
    if len(fields) != len(values):
        raise CommandError("ERR value count does not match fieldset field count")
    target, limits = Hash(), client.engine.config
    target.expect(len(fields), limits)
    for field, content in sorted(zip(fields, values, strict=True), key=_by_length):
        target.put(field, content, limits)
    client.db.put(key, target, HASH, b"hset")
    return OK


@command("hash", container="himport", since="8.10.0", tips=_ALL_SHARDS, complexity="O(N) for N fieldsets")
def himport_discard(client: Session, fieldset: bytes) -> int:
    """Forgets a fieldset of the connection; returns 0 if there was none."""
    return int((client.fieldsets or {}).pop(fieldset, None) is not None)


@command("hash", container="himport", since="8.10.0", tips=_ALL_SHARDS, complexity="O(N) for N fieldsets")
def himport_discardall(client: Session) -> int:
    """Forgets every fieldset of the connection; returns how many there were."""
    count, client.fieldsets = len(client.fieldsets or ()), None
    return count
