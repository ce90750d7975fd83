"""Strings: ``bytes``, or a ``bytearray`` once they have been edited in place.  Counters are in `string_counters`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import TIME_UNITS, bounded, deadline, integer, wrong_arity
from emulator.commands.options import FLAG, TEXT, Given, Options, Rule, read_options, rivals
from emulator.commands.past import delete_past, is_past
from emulator.commands.string_conditions import CONDITIONS, is_wanted
from emulator.config.edition import Edition
from emulator.config.kinds import INT_MAX
from emulator.config.notifications import GENERIC, STRING
from emulator.datatypes.string import STRINGS
from emulator.protocol.errors import SYNTAX, WRONGTYPE, CommandError
from emulator.protocol.replies import OK, Reply, Status
from emulator.table.keyspec import keys, numkeys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.keyspace.entry import Entry


def _read(client: Session, key: bytes) -> bytes | None:
    """Return the string at a key for reading."""
    value = client.db.lookup_read_any(key)
    if value is None or value.__class__ is bytes:
        return value
    if isinstance(value, STRINGS):
        return bytes(value)
    raise CommandError(WRONGTYPE)


def find_string(client: Session, key: bytes) -> tuple[Entry | None, bytes | bytearray]:
    """Return the entry of a key for writing, and its string (empty if there is none)."""
    entry = client.db.lookup_write_entry(key)
    if entry is None:
        return None, b""
    if not isinstance(entry.value, STRINGS):
        raise CommandError(WRONGTYPE)
    return entry, entry.value


def read_string(client: Session, key: bytes) -> bytes | bytearray:
    """Return the string at a key for reading, as it is stored; empty if there is none."""
    value = client.db.lookup_read_any(key)
    if value is None:
        return b""
    if isinstance(value, STRINGS):
        return value
    raise CommandError(WRONGTYPE)


def in_place(client: Session, key: bytes, entry: Entry | None, text: bytes | bytearray, size: int) -> bytearray:
    """Return a string found by `find_string`, for editing in place, zero-padded to a size; the caller tells of the change."""
    if not isinstance(text, bytearray):
        text = bytearray(text)
        if entry is None:
            client.db.insert(key, text)
        else:
            entry.value = text
            client.db.reweigh(key)
    if size > len(text):
        text.extend(bytes(size - len(text)))
        client.db.reweigh(key)
    return text


def _check_size(client: Session, size: int) -> None:
    if size > client.engine.config.proto_max_bulk_len:
        raise CommandError("ERR string exceeds maximum allowed size (proto-max-bulk-len)")


# Reading


@command("string", since="1.0.0", flags="readonly fast", keys=[keys("RO access", 1)], complexity="O(1)")
def get(client: Session, key: bytes) -> bytes | None:
    """Returns the string at a key, or null if there is none."""
    value = client.db.lookup_read_any(key)
    if value.__class__ is bytes or value is None:
        return value
    if isinstance(value, STRINGS):
        return bytes(value)
    raise CommandError(WRONGTYPE)


@command(
    "string",
    since="1.0.0",
    flags="readonly fast",
    keys=[keys("RO access", 1, -1)],
    tips="request_policy:multi_shard",
    complexity="O(1) a key",
)
def mget(client: Session, key: bytes, *more: bytes) -> list[bytes | None]:
    """Returns the strings at several keys, null for each that is missing or of another type."""
    return [
        value if value.__class__ is bytes else bytes(value) if isinstance(value, STRINGS) else None
        for value in client.db.lookup_read_all((key, *more))
    ]


@command("string", since="2.2.0", flags="readonly fast", keys=[keys("RO", 1)], complexity="O(1)")
def strlen(client: Session, key: bytes) -> int:
    """Returns the length of a string in bytes, 0 if there is none."""
    return len(read_string(client, key))


@command(
    "string",
    since="2.4.0",
    flags="readonly",
    keys=[keys("RO access", 1)],
    complexity="O(N) for N bytes returned",
)
def getrange(client: Session, key: bytes, start: bytes, end: bytes) -> bytes:
    """Returns the bytes from start to end, inclusive; negative offsets count from the end."""
    first, last = integer(start), integer(end)
    value = read_string(client, key)
    size = len(value)
    if first < 0 and last < 0 and first > last:
        return b""
    first = max(first + size, 0) if first < 0 else first
    last = max(last + size, 0) if last < 0 else last
    return bytes(value[first : last + 1])


@command(
    "string",
    since="1.0.0",
    flags="readonly",
    keys=[keys("RO access", 1)],
    complexity="O(N) for N bytes returned",
)
def substr(client: Session, key: bytes, start: bytes, end: bytes) -> bytes:
    """Returns a part of a string (old name of GETRANGE)."""
    return getrange(client, key, start, end)


# Setting


def _key_of_set(words: Sequence[bytes]) -> list[tuple[bytes, str]]:
    """SET reads the old value only when GET or a condition asks for it, and only GET tells it."""
    options = {word.upper() for word in words[3:]}
    if b"GET" in options:
        return [(words[1], "RW access update")]
    return [(words[1], "OW update" if options.isdisjoint(CONDITIONS) else "RW update")]


@command(
    "string",
    since="1.0.0",
    flags="write denyoom",
    keys=[
        keys("RW access update variable_flags", 1, notes="RW and ACCESS due to the optional `GET` argument"),
    ],
    key_finder=_key_of_set,
    complexity="O(1)",
)
def set_(client: Session, key: bytes, value: bytes, *options: bytes) -> Reply:
    """Sets a key to a string, whatever its previous type."""
    if not options:
        client.db.put(key, value, STRING, b"set")
        return OK
    return _set_with_options(client, key, value, options)


def _set_with_options(client: Session, key: bytes, value: bytes, options: Sequence[bytes]) -> Reply:
    chosen = read_options(options, *_set_options(client.engine.config.edition))
    moment = _moment(client, "set", chosen)
    previous = _read(client, key) if b"GET" in chosen else None
    if not is_wanted(client.db, key, chosen):
        return previous
    if moment is not None and client.engine.config.edition.is_valkey and is_past(client, moment):
        delete_past(client, key)
    else:
        _store(client, key, value, moment, b"KEEPTTL" in chosen)
    return previous if b"GET" in chosen else OK


_TIMES: Final = dict.fromkeys(TIME_UNITS, TEXT)
_SET_OPTIONS: Final = {**_TIMES, b"KEEPTTL": FLAG, b"NX": FLAG, b"XX": FLAG, b"GET": FLAG}
_GETEX_OPTIONS: Final = {**_TIMES, b"PERSIST": FLAG}
_RULES: Final = rivals(b"NX", b"XX") | rivals(*TIME_UNITS, b"KEEPTTL", b"PERSIST")


@cache
def _set_options(edition: Edition) -> tuple[Options, Mapping[bytes, Rule]]:
    """SET's options in an edition, and which of them exclude each other."""
    if edition.includes("8.4.0"):
        rivals_of = {b"NX", b"XX", *CONDITIONS}
        ruled = rivals_of if edition.includes("8.10.0") else CONDITIONS  # before, NX and XX might follow
        rules = {word: Rule(rivals_of - {word}, "") for word in ruled}
        return _SET_OPTIONS | dict.fromkeys(CONDITIONS, TEXT), _RULES | rules
    if edition.includes("", valkey="8.1.0"):
        rules = rivals(b"NX", b"XX", b"IFEQ") | {b"IFEQ": Rule((b"NX", b"XX", b"IFEQ"), "")}
        return _SET_OPTIONS | {b"IFEQ": TEXT}, _RULES | rules
    return _SET_OPTIONS, _RULES


def _moment(client: Session, name: str, chosen: Given) -> int | None:
    """Return the deadline that the options ask for, None if they do not."""
    for option, units in TIME_UNITS.items():
        if option in chosen:
            return deadline(client, name, chosen[option], *units)
    return None


def _store(client: Session, key: bytes, value: bytes, moment: int | None, keep_ttl: bool = False) -> None:
    """Set a key that expires at a moment, which may be in the past."""
    db = client.db
    db.put(key, value, STRING, b"set", keep_ttl or moment is not None)
    if moment is not None:
        db.expire_at(db.entries[key], moment)
        db.notify(GENERIC, b"expire", key)


@command("string", since="1.0.0", flags="write denyoom fast", keys=[keys("OW insert", 1)], complexity="O(1)")
def setnx(client: Session, key: bytes, value: bytes) -> int:
    """Sets a key unless it exists; returns 1 if it was set."""
    if client.db.lookup_write_entry(key) is not None:
        return 0
    client.db.put(key, value, STRING, b"set")
    return 1


@command("string", since="2.0.0", flags="write denyoom", keys=[keys("OW update", 1)], complexity="O(1)")
def setex(client: Session, key: bytes, seconds: bytes, value: bytes) -> Status:
    """Sets a key with an expiry in seconds."""
    _store(client, key, value, deadline(client, "setex", seconds, 1000, False))
    return OK


@command("string", since="2.6.0", flags="write denyoom", keys=[keys("OW update", 1)], complexity="O(1)")
def psetex(client: Session, key: bytes, milliseconds: bytes, value: bytes) -> Status:
    """Sets a key with an expiry in milliseconds."""
    _store(client, key, value, deadline(client, "psetex", milliseconds, 1, False))
    return OK


@command(
    "string",
    since="1.0.0",
    flags="write denyoom fast",
    keys=[keys("RW access update", 1)],
    complexity="O(1)",
)
def getset(client: Session, key: bytes, value: bytes) -> bytes | None:
    """Sets a key and returns its previous value."""
    previous = _read(client, key)
    client.db.put(key, value, STRING, b"set")
    return previous


@command(
    "string",
    since="6.2.0",
    flags="write fast",
    keys=[keys("RW access delete", 1)],
    complexity="O(1)",
)
def getdel(client: Session, key: bytes) -> bytes | None:
    """Returns the string at a key and deletes the key."""
    value = _read(client, key)
    client.db.delete(key)  # even one that nobody sees any more
    return value


@command(
    "string",
    since="6.2.0",
    flags="write fast",
    keys=[keys("RW access update", 1, notes="RW and UPDATE because it changes the TTL")],
    complexity="O(1)",
)
def getex(client: Session, key: bytes, *options: bytes) -> bytes | None:
    """Returns the string at a key, and sets or removes its expiry."""
    chosen = read_options(options, _GETEX_OPTIONS, _RULES)
    time_first = client.engine.config.edition.is_valkey
    moment = _moment(client, "getex", chosen) if time_first else None
    value = _read(client, key)
    if value is None:
        return None
    db = client.db
    entry = db.entries[key]
    moment = moment if time_first else _moment(client, "getex", chosen)
    if moment is not None and is_past(client, moment):
        delete_past(client, key)
    elif moment is not None:
        db.expire_at(entry, moment)
        db.changed(key, GENERIC, b"expire")
    elif chosen and entry.deadline is not None:
        db.persist(entry)
        db.changed(key, GENERIC, b"persist")
    return value


@command(
    "string",
    since="1.0.1",
    flags="write denyoom",
    keys=[keys("OW update", 1, -1, 2)],
    tips="request_policy:multi_shard response_policy:all_succeeded",
    complexity="O(1) a key",
)
def mset(client: Session, key: bytes, value: bytes, *more: bytes) -> Status:
    """Sets several keys."""
    put = client.db.put
    if len(more) % 2:
        raise wrong_arity("mset")
    put(key, value, STRING, b"set")
    for position in range(0, len(more), 2):
        put(more[position], more[position + 1], STRING, b"set")
    return OK


_MSETEX_ERRORS: Final = {
    "redis": ("ERR invalid numkeys value", "ERR wrong number of key-value pairs"),
    "valkey": ("ERR invalid numkeys value or out of range", SYNTAX),
}
_MSETEX_OPTIONS: Final = {**_TIMES, b"KEEPTTL": FLAG, b"NX": FLAG, b"XX": FLAG}


@command(
    "string",
    since="8.4.0",
    valkey="9.1.0",
    flags="write denyoom",
    keys=[numkeys("OW update", 1, step=2)],
    tips="request_policy:multi_shard response_policy:all_succeeded",
    complexity="O(N) for N keys",
)
def msetex(client: Session, numkeys: bytes, key: bytes, value: bytes, *more: bytes) -> int:
    """Set several keys that expire together, if none or all of them exist; whether they were set."""
    pairs = (key, value, *more)
    bad_count, too_few = _MSETEX_ERRORS[client.engine.config.edition.name]
    count = bounded(numkeys, 1, INT_MAX, bad_count)
    if 2 * count > len(pairs):
        raise CommandError(too_few)
    given = read_options(pairs[2 * count :], _MSETEX_OPTIONS, _RULES)
    moment = _moment(client, "msetex", given)
    names, values = pairs[: 2 * count : 2], pairs[1 : 2 * count : 2]
    there = [client.db.lookup_write_entry(name) is not None for name in names]
    if (b"NX" in given and any(there)) or (b"XX" in given and not all(there)):
        return 0
    for name, value in zip(names, values, strict=True):
        _store(client, name, value, moment, b"KEEPTTL" in given)
    return 1


@command(
    "string",
    since="1.0.1",
    flags="write denyoom",
    keys=[keys("OW insert", 1, -1, 2)],
    complexity="O(1) a key",
)
def msetnx(client: Session, key: bytes, value: bytes, *more: bytes) -> int:
    """Sets several keys if none of them exists; returns 1 if they were set."""
    if len(more) % 2:
        raise wrong_arity("msetnx")
    db = client.db
    if any(db.lookup_write_entry(name) is not None for name in (key, *more[::2])):
        return 0
    mset(client, key, value, *more)
    return 1


# Editing in place


@command("string", since="2.0.0", flags="write denyoom fast", keys=[keys("RW insert", 1)], complexity="O(1) amortised")
def append(client: Session, key: bytes, value: bytes) -> int:
    """Appends to a string, which is created if necessary; returns its length."""
    entry, current = find_string(client, key)
    db = client.db
    if entry is None:
        db.insert(key, value)
        size = len(value)
    else:
        size = len(current) + len(value)
        _check_size(client, size)
        if not isinstance(current, bytearray):
            entry.value = current = bytearray(current)
        current += value
    db.changed(key, STRING, b"append")
    return size


def _overwrite_together(
    client: Session, key: bytes, offsets: Sequence[bytes], values: Sequence[bytes]
) -> list[int] | None:
    """SETRANGE within a string that was changed before."""
    starts = [integer(text) for text in offsets]
    stops = [start + len(value) for start, value in zip(starts, values, strict=True)]
    _, text = find_string(client, key)
    size = len(text)
    if not isinstance(text, bytearray) or min(starts) < 0 or max(stops) > size or b"" in values:
        return None
    if size > client.engine.config.proto_max_bulk_len:
        return None
    for start, stop, value in zip(starts, stops, values, strict=True):
        text[start:stop] = value
    client.db.changed(key, STRING, b"setrange", len(values))
    return [size] * len(values)


@command(
    "string",
    since="2.2.0",
    flags="write denyoom",
    keys=[keys("RW update", 1)],
    complexity="O(M) for M bytes written",
    together=_overwrite_together,
)
def setrange(client: Session, key: bytes, offset: bytes, value: bytes) -> int:
    """Overwrites part of a string from an offset, after zero bytes if needed; returns its length."""
    start = integer(offset)
    if start < 0:
        raise CommandError("ERR offset is out of range")
    entry, current = find_string(client, key)
    if not value:
        return len(current)
    stop = start + len(value)
    _check_size(client, stop)
    text = in_place(client, key, entry, current, start)
    text[start:stop] = value
    client.db.changed(key, STRING, b"setrange")
    return len(text)
