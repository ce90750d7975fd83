"""Strings as counters: INCR, DECR and their siblings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.commands.arguments import integer
from emulator.commands.string import find_string
from emulator.config.notifications import STRING
from emulator.datatypes.string import STRINGS, Embedded
from emulator.protocol.errors import NOT_FLOAT, NOT_INTEGER, WRONGTYPE, CommandError
from emulator.protocol.long_double import ZERO, add_long_doubles, parse_long_double
from emulator.protocol.numbers import INT64_MAX, INT64_MIN, parse_integer
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session


def _increment(client: Session, key: bytes, amount: int) -> int:
    db = client.db
    entry = db.lookup_write_entry(key)
    if entry is None:
        total = amount
        entry = db.insert(key, b"%d" % total)
    else:
        value = entry.value
        if value.__class__ is not bytes:
            if not isinstance(value, STRINGS):
                raise CommandError(WRONGTYPE)
            value = bytes(value)
        current = parse_integer(value)
        if current is None:
            raise CommandError(NOT_INTEGER)
        total = current + amount
        if not INT64_MIN <= total <= INT64_MAX:
            raise CommandError("ERR increment or decrement would overflow")
        entry.value = b"%d" % total
    db.changed_number(entry, b"incrby")
    return total


@command("string", since="1.0.0", flags="write denyoom fast", keys=[keys("RW access update", 1)], complexity="O(1)")
def incr(client: Session, key: bytes) -> int:
    """Adds 1 to the integer at a key, 0 if there is none; returns the sum."""
    return _increment(client, key, 1)


@command("string", since="1.0.0", flags="write denyoom fast", keys=[keys("RW access update", 1)], complexity="O(1)")
def decr(client: Session, key: bytes) -> int:
    """Subtracts 1 from the integer at a key, 0 if there is none; returns the difference."""
    return _increment(client, key, -1)


@command("string", since="1.0.0", flags="write denyoom fast", keys=[keys("RW access update", 1)], complexity="O(1)")
def incrby(client: Session, key: bytes, increment: bytes) -> int:
    """Adds to the integer at a key, 0 if there is none; returns the sum."""
    return _increment(client, key, integer(increment))


@command("string", since="1.0.0", flags="write denyoom fast", keys=[keys("RW access update", 1)], complexity="O(1)")
def decrby(client: Session, key: bytes, decrement: bytes) -> int:
    """Subtracts from the integer at a key, 0 if there is none; returns the difference."""
    amount = integer(decrement)
    if amount == INT64_MIN:
        raise CommandError("ERR decrement would overflow")
    return _increment(client, key, -amount)


@command("string", since="2.6.0", flags="write denyoom fast", keys=[keys("RW access update", 1)], complexity="O(1)")
def incrbyfloat(client: Session, key: bytes, increment: bytes) -> bytes:
    """Adds to the number at a key, 0 if there is none, with long double precision; returns the sum."""
    entry, current = find_string(client, key)
    value = parse_long_double(bytes(current)) if entry is not None else ZERO
    amount = parse_long_double(increment)
    if value is None or amount is None:
        raise CommandError(NOT_FLOAT)
    text = add_long_doubles(value, amount)
    if text is None:
        raise CommandError("ERR increment would produce NaN or Infinity")
    total = Embedded(text)
    db = client.db
    if entry is None:
        db.insert(key, total)
    else:
        entry.value = total
    db.changed(key, STRING, b"incrbyfloat")
    return text
