"""Serialized values: DUMP and RESTORE."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import integer
from emulator.commands.options import FLAG, at_least, read_options, rivals
from emulator.commands.past import is_past
from emulator.config.notifications import GENERIC
from emulator.datatypes.types import Value
from emulator.protocol.errors import NOT_INTEGER, CommandError
from emulator.protocol.numbers import wrapped
from emulator.protocol.replies import OK, Status
from emulator.rdb.errors import BadData
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.config.directives import Config
    from emulator.keyspace.host import HostOfData

_MOST_FREQUENT = 255


@cache
def _to_payload() -> Callable[[Value, bool, int], bytes]:
    from emulator.rdb.save import serialized  # only a server that is asked for it needs it

    return serialized


@cache
def _from_payload() -> Callable[[bytes, int, Config, bool], Value | None]:
    from emulator.rdb.load import deserialized

    return deserialized


def serialized(engine: HostOfData, value: Value) -> bytes:
    """Return a value as a payload for RESTORE, by the settings of the engine.  O(n)."""
    return _to_payload()(value, engine.config.rdbcompression, engine.config.edition.rdb_version)


def _value_of(engine: HostOfData, serialized_value: bytes) -> Value:
    """Return the value of a payload."""
    try:
        value = _from_payload()(
            serialized_value, engine.config.edition.rdb_version, engine.config, not engine.skips_checksums
        )
    except BadData:
        raise CommandError("ERR Bad data format") from None
    if value is None:
        raise CommandError("ERR DUMP payload version or checksum are wrong")
    return value


@command(
    "generic",
    since="2.6.0",
    flags="readonly",
    keys=[keys("RO access", 1)],
    tips="nondeterministic_output",
    complexity="O(N) for N bytes",
)
def dump(client: Session, key: bytes) -> bytes | None:
    """Returns the serialized value of a key, or null if the key does not exist."""
    value = client.db.lookup_read_any(key)
    return None if value is None else serialized(client.engine, value)


_OPTIONS: Final = {
    b"REPLACE": FLAG,
    b"ABSTTL": FLAG,
    b"IDLETIME": at_least(0, "ERR Invalid IDLETIME value, must be >= 0", NOT_INTEGER),
    b"FREQ": at_least(0, "ERR Invalid FREQ value, must be >= 0 and <= 255", NOT_INTEGER, _MOST_FREQUENT),
}
_ONE_USE: Final = rivals(b"IDLETIME", b"FREQ")
_TURN: Final = 1 << 24
"""The seconds after which the real server's clock for idle times begins anew."""


def _idle_for(client: Session, seconds: int) -> int:
    """For how many seconds a key counts as idle that is said to have been so: of its last use 24 bits are kept."""
    if client.engine.config.edition.is_valkey:
        return seconds % _TURN
    clock = client.engine.clock.now // 1000 % _TURN
    scaled = wrapped(1000 * seconds)
    used = clock - (scaled // 1000 if scaled >= 0 else -(-scaled // 1000))
    used = (used if used >= 0 else used + _TURN - 1) % _TURN
    return clock - used if used <= clock else clock - used + _TURN - 1


@command(
    "generic",
    since="2.6.0",
    flags="write denyoom",
    keys=[keys("OW update", 1)],
    acl="keyspace dangerous",
    complexity="O(N) for N bytes, O(N*log(N)) for sorted sets",
)
def restore(client: Session, key: bytes, ttl: bytes, serialized_value: bytes, *options: bytes) -> Status:
    """Creates a key from a serialized value."""
    given = read_options(options, _OPTIONS, _ONE_USE)
    db, now = client.db, client.engine.clock.now
    if b"REPLACE" not in given and db.lookup_write_entry(key) is not None:
        raise CommandError("BUSYKEY Target key name already exists.")
    span = integer(ttl)
    if span < 0:
        raise CommandError("ERR Invalid TTL value, must be >= 0")
    value = _value_of(client.engine, serialized_value)
    deadline = span if b"ABSTTL" in given or not span else wrapped(span + now)
    if deadline and is_past(client, deadline):
        db.delete(key)
        return OK
    replaced = db.peek_entry(key)
    if replaced is not None:
        db.discard(key)
    entry = db.insert(key, value)
    if deadline:
        entry = db.expire_at(entry, deadline)
    db.changed(key, GENERIC, b"restore")
    if b"IDLETIME" in given and db.frequency is None:
        entry.access = now - 1000 * _idle_for(client, given[b"IDLETIME"])
    elif b"FREQ" in given and db.frequency is not None:
        entry.access = db.frequency.starting_at(given[b"FREQ"])
    if replaced is not None and db.has_listeners:
        db.notify_overwritten(key, replaced.value, value)
    return OK


@command(
    "server",
    name="restore-asking",
    since="3.0.0",
    flags="write denyoom asking",
    keys=[keys("OW update", 1)],
    acl="keyspace dangerous",
    complexity="O(N) for N bytes, O(N*log(N)) for sorted sets",
)
def restore_asking(client: Session, key: bytes, ttl: bytes, serialized_value: bytes, *options: bytes) -> Status:
    """Creates a key from a serialized value, in a slot that is being imported (cluster)."""
    return restore(client, key, ttl, serialized_value, *options)
