"""The expiry of keys: EXPIRE, TTL, EXPIRETIME, each for seconds and milliseconds, and PERSIST."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import integer
from emulator.commands.options import FLAG, Given, read_options
from emulator.commands.past import delete_past, is_past
from emulator.config.notifications import GENERIC
from emulator.protocol.errors import CommandError
from emulator.protocol.numbers import INT64_MAX, INT64_MIN
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_CONDITIONS: Final = dict.fromkeys((b"NX", b"XX", b"GT", b"LT"), FLAG)


def conditions(options: Sequence[bytes]) -> Given:
    """Read the conditions of EXPIRE; raises `CommandError` where they exclude one another."""
    given = read_options(options, _CONDITIONS, error="ERR Unsupported option {}")
    if b"NX" in given and len(given) > 1:
        raise CommandError("ERR NX and XX, GT or LT options at the same time are not compatible")
    if b"GT" in given and b"LT" in given:
        raise CommandError("ERR GT and LT options at the same time are not compatible")
    return given


def _expire(client: Session, name: str, key: bytes, when: bytes, unit: int, base: int, options: Sequence[bytes]) -> int:
    chosen = conditions(options) if options else {}
    moment = integer(when) * unit
    if not INT64_MIN <= moment <= INT64_MAX or moment + base > INT64_MAX:
        raise CommandError(f"ERR invalid expire time in '{name}' command")
    moment += base

    db = client.db
    entry = db.lookup_write_entry(key)
    if entry is None:
        return 0
    current = entry.deadline
    if chosen and (
        (b"NX" in chosen and current is not None)
        or (b"XX" in chosen and current is None)
        or (b"GT" in chosen and (current is None or moment <= current))
        or (b"LT" in chosen and current is not None and moment >= current)
    ):
        return 0
    if is_past(client, moment):
        if client.engine.config.lazyfree_lazy_expire:
            db.count_freed(key)
        delete_past(client, key)
    else:
        db.expire_at(entry, moment)
        db.changed(key, GENERIC, b"expire")
    return 1


@command("generic", since="1.0.0", flags="write fast", keys=[keys("RW update", 1)], complexity="O(1)")
def expire(client: Session, key: bytes, seconds: bytes, *options: bytes) -> int:
    """Sets the expiry of a key in seconds; returns 1 if it was set."""
    return _expire(client, "expire", key, seconds, 1000, client.engine.clock.now, options)


@command("generic", since="2.6.0", flags="write fast", keys=[keys("RW update", 1)], complexity="O(1)")
def pexpire(client: Session, key: bytes, milliseconds: bytes, *options: bytes) -> int:
    """Sets the expiry of a key in milliseconds; returns 1 if it was set."""
    return _expire(client, "pexpire", key, milliseconds, 1, client.engine.clock.now, options)


@command("generic", since="1.2.0", flags="write fast", keys=[keys("RW update", 1)], complexity="O(1)")
def expireat(client: Session, key: bytes, unix_time: bytes, *options: bytes) -> int:
    """Sets the expiry of a key to a time in seconds since the epoch; returns 1 if it was set."""
    return _expire(client, "expireat", key, unix_time, 1000, 0, options)


@command("generic", since="2.6.0", flags="write fast", keys=[keys("RW update", 1)], complexity="O(1)")
def pexpireat(client: Session, key: bytes, unix_time: bytes, *options: bytes) -> int:
    """Sets the expiry of a key to a time in milliseconds since the epoch; returns 1 if it was set."""
    return _expire(client, "pexpireat", key, unix_time, 1, 0, options)


def _deadline(client: Session, key: bytes) -> int:
    """Return the moment at which a key expires, -1 without expiry, -2 if the key does not exist."""
    db = client.db
    if db.lookup_read_any(key, uses=False) is None:
        return -2
    moment = db.entries[key].deadline
    return -1 if moment is None else moment


@command(
    "generic",
    since="1.0.0",
    flags="readonly fast",
    keys=[keys("RO access", 1)],
    tips="nondeterministic_output",
    complexity="O(1)",
)
def ttl(client: Session, key: bytes) -> int:
    """Returns the remaining time of a key in seconds, rounded; -1 without expiry, -2 if the key does not exist."""
    moment = _deadline(client, key)
    if moment < 0:
        return moment
    left = moment - client.engine.clock.now
    return (left + 500) // 1000 if left > 0 else 0


@command(
    "generic",
    since="2.6.0",
    flags="readonly fast",
    keys=[keys("RO access", 1)],
    tips="nondeterministic_output",
    complexity="O(1)",
)
def pttl(client: Session, key: bytes) -> int:
    """Returns the remaining time of a key in milliseconds; -1 without expiry, -2 if the key does not exist."""
    moment = _deadline(client, key)
    return moment if moment < 0 else max(moment - client.engine.clock.now, 0)


@command("generic", since="7.0.0", flags="readonly fast", keys=[keys("RO access", 1)], complexity="O(1)")
def expiretime(client: Session, key: bytes) -> int:
    """Returns when a key expires, in seconds since the epoch; -1 without expiry, -2 if the key does not exist."""
    moment = _deadline(client, key)
    return moment if moment < 0 else (moment + 500) // 1000


@command("generic", since="7.0.0", flags="readonly fast", keys=[keys("RO access", 1)], complexity="O(1)")
def pexpiretime(client: Session, key: bytes) -> int:
    """Returns when a key expires, in milliseconds since the epoch; -1 without expiry, -2 if the key does not exist."""
    return _deadline(client, key)


@command("generic", since="2.2.0", flags="write fast", keys=[keys("RW update", 1)], complexity="O(1)")
def persist(client: Session, key: bytes) -> int:
    """Removes the expiry of a key; returns 1 if it had one."""
    db = client.db
    entry = db.lookup_write_entry(key)
    if entry is None or entry.deadline is None:
        return 0
    db.persist(entry)
    db.changed(key, GENERIC, b"persist")
    return 1
