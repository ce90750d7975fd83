"""Values in serialised form: DUMP and RESTORE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from emulator.commands.arguments import integer
from emulator.config.notifications import GENERIC
from emulator.datatypes.types import Value
from emulator.protocol.errors import SYNTAX, CommandError
from emulator.protocol.replies import OK, Status
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.keyspace.host import HostOfData

_MOST_FREQUENT = 255


def serialized(engine: HostOfData, value: Value) -> bytes:
    """A value as the payload that RESTORE takes, by the settings of the engine.  O(n)."""
    from emulator.rdb import save  # only a server that is asked for it needs it

    return save.serialized(value, engine.config.rdbcompression)


def _value_of(engine: HostOfData, serialized_value: bytes) -> Value:
    """The value of a payload."""
    from emulator.rdb import load, payload
    from emulator.rdb.lzf import BadData

    body = payload.unsealed(serialized_value)
    if body is None:
        raise CommandError("ERR DUMP payload version or checksum are wrong")
    reader = payload.Reader(body)
    try:
        return load.load(reader.byte(), reader, engine.config)
    except BadData:
        raise CommandError("ERR Bad data format") from None


@command(
    "generic",
    since="2.6.0",
    flags="readonly",
    keys=[keys("RO access", 1)],
    tips="nondeterministic_output",
    complexity="O(N) for N bytes",
)
def dump(client: Session, key: bytes) -> bytes | None:
    """A value in serialised form, null where there is no key."""
    value = client.db.get(key)
    return None if value is None else serialized(client.engine, value)


class _Options(NamedTuple):
    """The options of RESTORE; ``idle`` in seconds, ``frequency`` from 0 to 255."""

    replace: bool
    absolute: bool
    idle: int | None
    frequency: int | None


def _options(words: Sequence[bytes]) -> _Options:
    replace = absolute = False
    idle: int | None = None
    frequency: int | None = None
    rest = iter(words)
    for word in rest:
        option = word.upper()
        if option == b"REPLACE":
            replace = True
        elif option == b"ABSTTL":
            absolute = True
        elif option == b"IDLETIME" and frequency is None and (argument := next(rest, None)) is not None:
            idle = integer(argument)
            if idle < 0:
                raise CommandError("ERR Invalid IDLETIME value, must be >= 0")
        elif option == b"FREQ" and idle is None and (argument := next(rest, None)) is not None:
            frequency = integer(argument)
            if not 0 <= frequency <= _MOST_FREQUENT:
                raise CommandError("ERR Invalid FREQ value, must be >= 0 and <= 255")
        else:
            raise CommandError(SYNTAX)
    return _Options(replace, absolute, idle, frequency)


@command(
    "generic",
    since="2.6.0",
    flags="write denyoom",
    keys=[keys("OW update", 1)],
    acl="keyspace dangerous",
    complexity="O(N) for N bytes, O(N*log(N)) for sorted sets",
)
def restore(client: Session, key: bytes, ttl: bytes, serialized_value: bytes, *options: bytes) -> Status:
    """Create a key from the serialised form of a value."""
    wanted = _options(options)
    db, now = client.db, client.engine.clock.now
    if not wanted.replace and db.lookup_write(key) is not None:
        raise CommandError("BUSYKEY Target key name already exists.")
    span = integer(ttl)
    if span < 0:
        raise CommandError("ERR Invalid TTL value, must be >= 0")
    value = _value_of(client.engine, serialized_value)
    deadline = span if wanted.absolute or not span else span + now
    if deadline and deadline <= now:
        db.delete(key)
        return OK
    replaced = db.find(key)
    if replaced is not None:
        db.discard(key)
    entry = db.insert(key, value)
    if deadline:
        entry = db.expire_at(entry, deadline)
    if db.frequency is None and wanted.idle is not None:
        entry.access = now - 1000 * wanted.idle
    elif db.frequency is not None and wanted.frequency is not None:
        entry.access = db.frequency.starting_at(wanted.frequency)
    db.changed(key, GENERIC, b"restore")
    if replaced is not None and db.observed:
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
    """Create a key from the serialised form of a value, in a cluster."""
    return restore(client, key, ttl, serialized_value, *options)
