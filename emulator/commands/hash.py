"""Hashes.  The expiry of their fields is in `hash_expiry` and `hash_values_expiry`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import integer, random_count, wrong_arity
from emulator.commands.scan import HASHES, of_edition, scan_cursor, scan_options
from emulator.config.notifications import HASH
from emulator.datatypes.columns import in_turns
from emulator.datatypes.hash import Hash
from emulator.protocol.errors import NOT_FLOAT, CommandError
from emulator.protocol.long_double import add_long_doubles, parse_long_double
from emulator.protocol.numbers import INT64_MAX, INT64_MIN, parse_integer
from emulator.protocol.replies import OK, Pairs, Reply, Status
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_NOTHING: Final = Hash()


def read_hash(client: Session, key: bytes, touched: Sequence[bytes] | None = ()) -> Hash:
    """Return the hash at a key for reading, without expired fields; an empty one if there is none.

    Without active expiry, only the expired fields among `touched` are deleted; None means all fields.
    """
    target = client.db.lookup_read(key, Hash)
    if target is None:
        return _NOTHING
    if target.deadlines is not None:
        return _without_expired(client, key, target, touched)
    return target


def edit_hash(client: Session, key: bytes, touched: Sequence[bytes] | None = ()) -> Hash | None:
    """Return the hash at a key for writing.

    Expired fields are deleted; without active expiry, only those among `touched` (None means all fields).
    """
    target = client.db.lookup_write(key, Hash)
    return target if target is None or target.deadlines is None else _unexpired(client, key, target, touched)


def open_hash(client: Session, key: bytes, touched: Sequence[bytes] | None = ()) -> Hash:
    """Return the hash at a key for adding fields; a new one if there is none."""
    target = client.db.lookup_write(key, Hash)
    if target is not None and target.deadlines is not None:
        target = _unexpired(client, key, target, touched)
    return new_hash(client, key) if target is None else target


def new_hash(client: Session, key: bytes) -> Hash:
    """Return a new hash, which is at the key from now on."""
    target = Hash()
    client.db.insert(key, target)
    return target


def present(client: Session, target: Hash, fields: Sequence[bytes]) -> Collection[bytes]:
    """Return the fields that a command may change, to look up some: in Valkey none that have expired and stay for a while."""
    engine = client.engine
    if target.deadlines is None or not engine.config.edition.is_valkey or engine.expiration.shows:
        return target.fields
    return {field for field in fields if target.get(field, engine.clock.now) is not None}


def _count_expired(client: Session, target: Hash, fields: Sequence[bytes]) -> int:
    """How many fields that are about to be set count as new, since those that are there have expired."""
    if client.engine.expiration.keeps:
        return 0
    there = present(client, target, fields)
    return sum(field not in there for field in target.fields.keys() & fields)


def removed(
    client: Session,
    key: bytes,
    target: Hash,
    fields: Sequence[bytes],
    event: bytes = b"hdel",
    changes: int | None = None,
) -> None:
    """Announce that fields were removed from a hash, each of which is a change unless it is told how many they are."""
    db = client.db
    if db.has_listeners:
        db.notify_subkeys(event, key, fields)
    db.removed_from(key, target.fields, HASH, event, len(fields) if changes is None else changes)
    if target.deadlines is not None and target and not db.engine.config.edition.precedes("8.0.0"):
        db.schedule_fields(db.entries[key])  # before, INFO counted the hash until the time of the field had come


def _expire_due(
    client: Session, key: bytes, target: Hash, touched: Sequence[bytes] | None, for_writing: bool = False
) -> None:
    deadline, engine = target.next_deadline, client.engine
    if deadline is not None and deadline <= engine.clock.now and not engine.expiration.shows:
        stays = engine.expiration.keeps and not (for_writing and engine.config.import_mode)
        only = None if engine.expiration.active else () if stays else touched
        client.db.expire_fields(client.db.entries[key], len(target), only)


def _unexpired(client: Session, key: bytes, target: Hash, touched: Sequence[bytes] | None) -> Hash | None:
    """Return the hash that is about to be changed, once expired fields are deleted; None if no field is left."""
    _expire_due(client, key, target, touched, for_writing=True)
    return target or None


def _without_expired(client: Session, key: bytes, target: Hash, touched: Sequence[bytes] | None) -> Hash:
    """Return the hash as a reader sees it: a copy without expired fields if it still contains some (O(n)), else itself."""
    _expire_due(client, key, target, touched)
    deadline, now = target.next_deadline, client.engine.clock.now
    if deadline is None or deadline > now or client.engine.expiration.shows:
        return target
    seen = target.copy()
    seen.expire(now, len(seen))
    return seen


# Reading


@command("hash", since="2.0.0", flags="readonly fast", keys=[keys("RO access", 1)], complexity="O(1)")
def hget(client: Session, key: bytes, field: bytes) -> bytes | None:
    """Returns the value of a field, or null if there is none."""
    return read_hash(client, key, (field,)).fields.get(field)


@command("hash", since="2.0.0", flags="readonly fast", keys=[keys("RO access", 1)], complexity="O(1) a field")
def hmget(client: Session, key: bytes, field: bytes, *more: bytes) -> list[bytes | None]:
    """Returns the values of several fields, null for each that is missing."""
    get = read_hash(client, key, (field, *more)).fields.get
    return [get(field), *map(get, more)]


@command(
    "hash",
    since="2.0.0",
    flags="readonly",
    keys=[keys("RO access", 1)],
    tips="nondeterministic_output_order",
    complexity="O(N) for N fields in the hash",
)
def hgetall(client: Session, key: bytes) -> dict[bytes, bytes]:
    """Returns all fields with their values."""
    return read_hash(client, key).in_order().copy()


@command(
    "hash",
    since="2.0.0",
    flags="readonly",
    keys=[keys("RO access", 1)],
    tips="nondeterministic_output_order",
    complexity="O(N) for N fields in the hash",
)
def hkeys(client: Session, key: bytes) -> list[bytes]:
    """Returns all fields."""
    return list(read_hash(client, key).in_order())


@command(
    "hash",
    since="2.0.0",
    flags="readonly",
    keys=[keys("RO access", 1)],
    tips="nondeterministic_output_order",
    complexity="O(N) for N fields in the hash",
)
def hvals(client: Session, key: bytes) -> list[bytes]:
    """Returns all values."""
    return list(read_hash(client, key).in_order().values())


@command("hash", since="2.0.0", flags="readonly fast", keys=[keys("RO", 1)], complexity="O(1)")
def hlen(client: Session, key: bytes) -> int:
    """Returns the number of fields, 0 if there is no hash; without active expiry, expired fields count as well."""
    return len(read_hash(client, key) if client.engine.expiration.active else client.db.lookup_read(key, Hash) or ())


@command("hash", since="2.0.0", flags="readonly fast", keys=[keys("RO", 1)], complexity="O(1)")
def hexists(client: Session, key: bytes, field: bytes) -> int:
    """Returns 1 if a field exists, else 0."""
    return 1 if field in read_hash(client, key, (field,)).fields else 0


@command("hash", since="3.2.0", flags="readonly fast", keys=[keys("RO", 1)], complexity="O(1)")
def hstrlen(client: Session, key: bytes, field: bytes) -> int:
    """Returns the length of a field's value in bytes, 0 if there is none."""
    return len(read_hash(client, key, (field,)).fields.get(field, b""))


# Setting and removing


@command("hash", since="2.0.0", flags="write denyoom fast", keys=[keys("RW update", 1)], complexity="O(1) a field")
def hset(client: Session, key: bytes, field: bytes, value: bytes, *more: bytes) -> int:
    """Sets fields to values; returns how many fields are new."""
    if len(more) % 2:
        raise wrong_arity("hset")
    target = open_hash(client, key)
    limits = client.engine.config
    if more:
        target.expect(1 + len(more) // 2, limits)
    put, added = target.put, 0
    if target.deadlines is not None:
        put, added = target.put_afresh, _count_expired(client, target, (field, *more[::2]))
    added += put(field, value, limits)
    if more:
        added += sum(map(put, more[::2], more[1::2], repeat(limits)))
    db = client.db
    db.changed(key, HASH, b"hset", 1 + len(more) // 2)
    if db.has_listeners:
        db.notify_subkeys(b"hset", key, (field, *more[::2]))
    return added


@command("hash", since="2.0.0", flags="write denyoom fast", keys=[keys("RW update", 1)], complexity="O(1) a field")
def hmset(client: Session, key: bytes, field: bytes, value: bytes, *more: bytes) -> Status:
    """Sets fields to values."""
    if len(more) % 2:
        raise wrong_arity("hmset")
    hset(client, key, field, value, *more)
    return OK


@command("hash", since="2.0.0", flags="write denyoom fast", keys=[keys("RW insert", 1)], complexity="O(1)")
def hsetnx(client: Session, key: bytes, field: bytes, value: bytes) -> int:
    """Sets a field unless it exists; returns 1 if it was set."""
    target = open_hash(client, key, (field,))
    if field in target.fields:
        return 0
    target.put(field, value, client.engine.config)
    client.db.changed(key, HASH, b"hset")
    client.db.notify_subkeys(b"hset", key, (field,))
    return 1


@command("hash", since="2.0.0", flags="write fast", keys=[keys("RW delete", 1)], complexity="O(1) a field")
def hdel(client: Session, key: bytes, field: bytes, *more: bytes) -> int:
    """Removes fields; returns how many existed."""
    target = edit_hash(client, key)
    if target is None:
        return 0
    gone: Sequence[bytes] = (field,)
    if more or target.deadlines is not None:
        there = present(client, target, (field, *more))
        gone = [name for name in (field, *more) if name in there and target.pop(name) is not None]
    elif target.pop(field) is None:
        return 0
    if gone:
        removed(client, key, target, gone)
    return len(gone)


# Counting


def _add_together(
    client: Session, key: bytes, fields: Sequence[bytes], increments: Sequence[bytes]
) -> list[int] | None:
    """HINCRBY of fields of one hash, each of which is set once."""
    amounts = [integer(text) for text in increments]
    target, limits = client.db.lookup_write(key, Hash), client.engine.config
    if target is None or target.deadlines is not None or limits.hash_max_listpack_value < len(str(INT64_MIN)):
        return None
    sums: dict[bytes, int] = {}
    replies = []
    for field, amount in zip(fields, amounts, strict=True):
        current = sums.get(field)
        if current is None and (current := parse_integer(target.fields.get(field, b"0"))) is None:
            return None
        if not INT64_MIN <= current + amount <= INT64_MAX:
            return None
        sums[field] = current + amount
        replies.append(current + amount)
    for field, total in sums.items():
        target.put(field, b"%d" % total, limits)
    client.db.changed(key, HASH, b"hincrby", len(replies))
    return replies


@command(
    "hash",
    since="2.0.0",
    flags="write denyoom fast",
    keys=[keys("RW access update", 1)],
    complexity="O(1)",
    together=_add_together,
)
def hincrby(client: Session, key: bytes, field: bytes, increment: bytes) -> int:
    """Adds to the integer in a field, 0 if there is none; returns the sum."""
    amount = integer(increment)
    target = edit_hash(client, key, (field,))
    current = 0 if target is None else parse_integer(target.fields.get(field, b"0"))
    if current is None:
        raise CommandError("ERR hash value is not an integer")
    total = current + amount
    if not INT64_MIN <= total <= INT64_MAX:
        raise CommandError("ERR increment or decrement would overflow")
    _set_number(client, key, target, field, b"%d" % total, b"hincrby")
    return total


@command("hash", since="2.6.0", flags="write denyoom fast", keys=[keys("RW access update", 1)], complexity="O(1)")
def hincrbyfloat(client: Session, key: bytes, field: bytes, increment: bytes) -> bytes:
    """Adds to the number in a field, 0 if there is none, with long double precision; returns the sum."""
    amount = parse_long_double(increment)
    if amount is None:
        raise CommandError(NOT_FLOAT)
    if isinstance(amount, float):
        raise CommandError("ERR value is NaN or Infinity")
    target = edit_hash(client, key, (field,))
    current = parse_long_double(b"0" if target is None else target.fields.get(field, b"0"))
    if current is None:
        raise CommandError("ERR hash value is not a float")
    total = add_long_doubles(current, amount)
    if total is None:
        raise CommandError("ERR increment would produce NaN or Infinity")
    _set_number(client, key, target, field, total, b"hincrbyfloat")
    return total


def _set_number(client: Session, key: bytes, target: Hash | None, field: bytes, text: bytes, event: bytes) -> None:
    """Set a field of a hash, which is a new one if there is none; the field keeps its deadline."""
    db = client.db
    if target is None:
        target = new_hash(client, key)
    target.put(field, text, client.engine.config)
    db.changed(key, HASH, event)
    if db.has_listeners:
        db.notify_subkeys(event, key, (field,))


# Random fields and iteration


@command(
    "hash",
    since="6.2.0",
    flags="readonly",
    keys=[keys("RO access", 1)],
    tips="nondeterministic_output",
    complexity="O(N) for N fields returned",
)
def hrandfield(client: Session, key: bytes, *options: bytes) -> Reply:
    """Returns a random field, or several: different ones for a positive count, repeatable ones for a negative."""
    if not options:
        target = read_hash(client, key, None)
        return target.index.choose(client.engine.random) if target.fields else None
    count, with_values = random_count(options, b"WITHVALUES")
    target = read_hash(client, key, None)
    if not target:
        return []
    chosen = (
        hkeys(client, key)
        if count >= len(target)
        else target.index.pick(client.engine.random, client.producible(count))
    )
    return Pairs(chosen, list(map(target.fields.__getitem__, chosen))) if with_values else chosen


@command(
    "hash",
    since="2.8.0",
    flags="readonly",
    keys=[keys("RO access", 1)],
    tips="nondeterministic_output",
    complexity="O(1) a call, O(N) for all",
)
def hscan(client: Session, key: bytes, cursor: bytes, *options: bytes) -> list[Reply]:
    """Returns some fields with their values and the cursor to continue with, 0 at the end."""
    position = scan_cursor(cursor, client.engine.config.edition)
    target = read_hash(client, key)
    if not target:
        return [b"0", []]
    asked = scan_options(options, of_edition(client.engine.config.edition, HASHES))
    after, found = (
        (0, [field for field, _ in target.items()]) if target.packed else target.index.scan(position, asked.most)
    )
    chosen = asked.chosen(found)
    if asked.no_values:
        return [b"%d" % after, chosen]
    return [b"%d" % after, in_turns(chosen, list(map(target.fields.__getitem__, chosen)))]
