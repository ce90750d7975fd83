"""Snapshots: the whole data set as it was, back in time proportional to what has changed since.

A snapshot keeps copies of all values.  Which keys have changed since it was taken it learns from where the funnel notes them
anyway, to be weighed (`Database.weigh`), so that writing costs no more than without snapshots.  The expiries of keys and of
fields are kept as the time that was left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.datatypes.hash import Hash
from emulator.datatypes.types import copied
from emulator.keyspace.database import Database
from emulator.keyspace.entry import Entry

if TYPE_CHECKING:
    from emulator.keyspace.host import HostOfData


class Saved:
    """A value with the milliseconds that it had left (None: for ever), and when it was last used."""

    __slots__ = ("access", "left", "value")

    def __init__(self, entry: Entry, now: int) -> None:
        self.value = copied(entry.value)
        self.left = None if entry.deadline is None else entry.deadline - now
        self.access = entry.access


class Snapshot:
    """The data set of a moment.

    ``changed`` has the keys of each database that may be others now, None for all of them; ``expiring`` those that expire,
    ``with_deadlines`` the hashes whose fields do.
    """

    def __init__(self, engine: HostOfData) -> None:
        self.moment = now = engine.clock.now
        self.databases = [{entry.key: Saved(entry, now) for entry in db.live()} for db in engine.databases]
        self.expiring = [[key for key, entry in saved.items() if entry.left is not None] for saved in self.databases]
        self.with_deadlines = [set(db.fields_with_expiry) for db in engine.databases]
        self.changed: list[set[bytes] | None] = [set() for _ in engine.databases]


class Snapshots:
    """The snapshots of an engine, by name."""

    def __init__(self, engine: HostOfData) -> None:
        self._engine = engine
        self.snapshots: dict[bytes, Snapshot] = {}

    def save(self, name: bytes) -> Snapshot:
        """Take a snapshot; one of that name is replaced.  O(data)."""
        self._settle()
        self.drop(name)
        snapshot = self.snapshots[name] = Snapshot(self._engine)
        return snapshot

    def drop(self, name: bytes) -> bool:
        """Forget a snapshot; whether there was one."""
        snapshot = self.snapshots.pop(name, None)
        if snapshot is None:
            return False
        self._engine.lazyfree.add(snapshot.databases)
        return True

    def note(self, index: int, keys: set[bytes] | None) -> None:
        """Keys of a database have changed, or with None all of them."""
        for snapshot in self.snapshots.values():
            changed = snapshot.changed[index]
            if keys is None:
                snapshot.changed[index] = None
            elif changed is not None:
                changed |= keys

    def restore(self, name: bytes) -> int:
        """Bring the data set back; how many keys had to be looked at.  Raises KeyError.  O(keys changed, and expiring)."""
        snapshot = self.snapshots[name]
        self._settle()
        later = self._engine.clock.now - snapshot.moment
        count = 0
        for db, saved, changed, expiring, with_deadlines in zip(
            self._engine.databases,
            snapshot.databases,
            snapshot.changed,
            snapshot.expiring,
            snapshot.with_deadlines,
            strict=True,
        ):
            keys = {*db.entries, *saved} if changed is None else changed | with_deadlines
            for key in keys:
                self._put_back(db, key, saved.get(key), later)
            for key in expiring:
                if key not in keys:
                    deadline = self._engine.clock.now + (saved[key].left or 0)
                    db.expire_at(db.entries[key], deadline)
                    self._engine.propagation.add(db.index, [b"PEXPIREAT", key, b"%d" % deadline])
            count += len(keys)
        self._settle()
        snapshot.changed = [set() for _ in snapshot.databases]
        return count

    def _settle(self) -> None:
        for db in self._engine.databases:
            db.weigh()

    def _put_back(self, db: Database, key: bytes, saved: Saved | None, later: int) -> None:
        if key in db.entries:
            db.discard(key)
        if saved is not None:
            value = copied(saved.value)
            if isinstance(value, Hash) and value.deadlines is not None:
                value.deadlines.shift(later)
            entry = db.insert(key, value)
            entry.access = saved.access
            if saved.left is not None:
                entry = db.expire_at(entry, self._engine.clock.now + saved.left)
            db.schedule_fields(entry)
        db.reweigh(key)
        db.touch(key)
        if self._engine.propagation.active:
            self._log(db, key)

    def _log(self, db: Database, key: bytes) -> None:
        """Enter in the effects what a key is again."""
        self._engine.propagation.add(db.index, [b"DEL", key])
        entry = db.entries.get(key)
        if entry is not None:
            from emulator.rdb.save import serialized  # only a server that is asked for it needs it

            payload = serialized(
                entry.value, self._engine.config.rdbcompression, self._engine.config.edition.rdb_version
            )
            self._engine.propagation.add(db.index, [b"RESTORE", key, b"%d" % (entry.deadline or 0), payload, b"ABSTTL"])
