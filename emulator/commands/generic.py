"""Keys of any type: existence, names, iteration.  Expiry is in `generic_expiry`, SORT in `sort`, OBJECT in `object`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import database, refuse_in_cluster
from emulator.commands.options import FLAG, Options, read_options
from emulator.commands.scan import KEYS, of_edition, scan_cursor, scan_options
from emulator.config.notifications import GENERIC
from emulator.datatypes.glob import compiled
from emulator.datatypes.types import TYPES, Value, copied, type_name
from emulator.protocol.errors import NO_SUCH_KEY, CommandError, as_text
from emulator.protocol.replies import OK, Reply, Status
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.commands.scan import ScanOptions
    from emulator.keyspace.database import Database
    from emulator.keyspace.entry import Entry

_SAME = "ERR source and destination objects are the same"


# Existence


@command(
    "generic",
    since="1.0.0",
    flags="write",
    keys=[keys("RM delete", 1, -1)],
    tips="request_policy:multi_shard response_policy:agg_sum",
    complexity="O(N) for N keys",
)
def del_(client: Session, key: bytes, *more: bytes) -> int:
    """Deletes keys; returns how many existed."""
    delete = client.db.unlink if client.engine.config.lazyfree_lazy_user_del else client.db.delete
    return sum([delete(name) for name in (key, *more)])


@command(
    "generic",
    since="4.0.0",
    flags="write fast",
    keys=[keys("RM delete", 1, -1)],
    tips="request_policy:multi_shard response_policy:agg_sum",
    complexity="O(1) a key",
)
def unlink(client: Session, key: bytes, *more: bytes) -> int:
    """Deletes keys and frees their memory in the background; returns how many existed."""
    unlink = client.db.unlink
    return sum([unlink(name) for name in (key, *more)])


@command(
    "generic",
    since="1.0.0",
    flags="readonly fast",
    keys=[keys("RO", 1, -1)],
    tips="request_policy:multi_shard response_policy:agg_sum",
    complexity="O(1) a key",
)
def exists(client: Session, key: bytes, *more: bytes) -> int:
    """Counts the keys that exist; a key that is named twice counts twice."""
    return sum([client.db.lookup_read_any(name, uses=False) is not None for name in (key, *more)])


@command(
    "generic",
    since="3.2.1",
    flags="readonly fast",
    keys=[keys("RO", 1, -1)],
    tips="request_policy:multi_shard response_policy:agg_sum",
    complexity="O(1) a key",
)
def touch(client: Session, key: bytes, *more: bytes) -> int:
    """Updates the access time of keys; returns how many exist."""
    return sum([client.db.lookup_read_any(name) is not None for name in (key, *more)])


@command("generic", since="1.0.0", flags="readonly fast", keys=[keys("RO", 1)], complexity="O(1)")
def type_(client: Session, key: bytes) -> Status:
    """Returns the type of the value at a key, or none if the key does not exist."""
    value = client.db.lookup_read_any(key, uses=False)
    return Status(b"none" if value is None else type_name(value))


# Names


def _enter(db: Database, key: bytes, value: Value, deadline: int | None) -> None:
    """Insert a new key with its expiry."""
    entry = db.insert(key, value)
    if deadline is not None:
        db.expire_at(entry, deadline)


def _rename(client: Session, key: bytes, new_key: bytes, overwrite: bool) -> bool:
    db = client.db
    entry = db.lookup_write_entry(key)
    if entry is None:
        raise CommandError(NO_SUCH_KEY)
    if key == new_key:
        return overwrite
    replaced = db.lookup_write_entry(new_key)
    if replaced is not None:
        if not overwrite:
            return False
        if client.engine.config.lazyfree_lazy_server_del:
            db.count_freed(new_key)
        db.discard(new_key)
    value, deadline = entry.value, entry.deadline
    db.discard(key)
    _enter(db, new_key, value, deadline)
    db.gone(key, GENERIC, b"rename_from")
    db.changed(new_key, GENERIC, b"rename_to", 0)
    if replaced is not None:
        db.notify_replaced(new_key, replaced.value, value)
    return True


@command(
    "generic",
    since="1.0.0",
    flags="write",
    keys=[keys("RW access delete", 1), keys("OW update", 2)],
    complexity="O(1)",
)
def rename(client: Session, key: bytes, newkey: bytes) -> Status:
    """Renames a key and replaces a key that has the new name."""
    _rename(client, key, newkey, True)
    return OK


@command(
    "generic",
    since="1.0.0",
    flags="write fast",
    keys=[keys("RW access delete", 1), keys("OW insert", 2)],
    complexity="O(1)",
)
def renamenx(client: Session, key: bytes, newkey: bytes) -> int:
    """Renames a key unless the new name exists; returns 1 if it was renamed."""
    return int(_rename(client, key, newkey, False))


@command(
    "generic",
    since="6.2.0",
    flags="write denyoom",
    keys=[keys("RO access", 1), keys("OW update", 2)],
    complexity="O(N) for N elements",
)
def copy(client: Session, source: bytes, destination: bytes, *options: bytes) -> int:
    """Copies a value to another key or database; returns 1 if it was copied."""
    known: Options = {b"REPLACE": FLAG, b"DB": (1, partial(database, client))}
    given = read_options(options, known)
    target = given.get(b"DB", client.db)
    if target is client.db and source == destination:
        raise CommandError(_SAME)
    value = client.db.lookup_read_any(source)
    if value is None:
        return 0
    replaced = target.lookup_write_entry(destination)
    if replaced is not None and b"REPLACE" not in given:
        return 0
    if not TYPES[value.__class__].copied:
        raise CommandError("ERR not supported for this module key")
    if replaced is not None:
        if client.engine.config.lazyfree_lazy_server_del:
            target.count_freed(destination)
        target.discard(destination)
    _enter(target, destination, copied(value), client.db.entries[source].deadline)
    target.changed(destination, GENERIC, b"copy_to")
    if replaced is not None and target.has_listeners:
        target.notify_replaced(destination, replaced.value, value)
    return 1


@command("generic", since="1.0.0", flags="write fast", keys=[keys("RW access update", 1)], complexity="O(1)")
def move(client: Session, key: bytes, db: bytes) -> int:
    """Moves a key to another database unless it exists there; returns 1 if it was moved."""
    refuse_in_cluster(client, "ERR MOVE is not allowed in cluster mode", valkey=False)
    target = database(client, db)
    if target is client.db:
        raise CommandError(_SAME)
    entry = client.db.lookup_write_entry(key)
    if entry is None or target.lookup_write_entry(key) is not None:
        return 0
    value, deadline = entry.value, entry.deadline
    client.db.discard(key)
    _enter(target, key, value, deadline)
    client.db.gone(key, GENERIC, b"move_from")
    target.changed(key, GENERIC, b"move_to", 0)
    return 1


# Iteration


@command(
    "generic",
    since="1.0.0",
    flags="readonly",
    acl="keyspace dangerous",
    tips="request_policy:all_shards nondeterministic_output_order",
    complexity="O(N) for N keys in the database",
)
def keys_(client: Session, pattern: bytes) -> list[bytes]:
    """Returns all keys that match a pattern."""
    return compiled(pattern).among([entry.key for entry in client.db.live()])


@command(
    "generic",
    since="1.0.0",
    flags="readonly",
    tips="request_policy:all_shards response_policy:special nondeterministic_output",
    complexity="O(1)",
)
def randomkey(client: Session) -> bytes | None:
    """Returns a random key, or null if the database is empty."""
    entry = client.db.random_entry()
    return None if entry is None else entry.key


@command(
    "generic",
    since="2.8.0",
    flags="readonly",
    tips="nondeterministic_output request_policy:special response_policy:special",
    complexity="O(1) a call, O(N) for all",
)
def scan(client: Session, cursor: bytes, *options: bytes) -> list[Reply]:
    """Returns some keys and the cursor to continue with, 0 at the end."""
    position = scan_cursor(cursor, client.engine.config.edition)
    asked = scan_options(options, options_of_scan(client))
    after, entries = client.db.scan(position, asked.most)
    return [b"%d" % after, asked_for(entries, asked)]


def asked_for(entries: Iterable[Entry], asked: ScanOptions) -> list[bytes]:
    """Return the keys that SCAN's options ask for."""
    if asked.kind is not None:
        classes = {kind for kind, described in TYPES.items() if described.name.lower() == asked.kind}
        entries = [entry for entry in entries if entry.value.__class__ in classes]
    return asked.chosen([entry.key for entry in entries])


def options_of_scan(client: Session) -> Options:
    """Return SCAN's options: Valkey refuses types that there are not."""
    known = of_edition(client.engine.config.edition, KEYS)
    if not client.engine.config.edition.is_valkey:
        return known

    def read_type(word: bytes) -> bytes:
        if word.lower() not in _BUILT_IN:
            raise CommandError(f"ERR unknown type name '{as_text(word)}'")
        return word.lower()

    return {**known, b"TYPE": (1, read_type)}


_BUILT_IN: Final = frozenset((b"string", b"list", b"set", b"zset", b"hash", b"stream"))
