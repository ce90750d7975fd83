"""Databases in the place of others: SWAPDB, and a data set that was made beside the one that is served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.keyspace.database import Database
from emulator.keyspace.entry import Entry
from emulator.keyspace.observed import Observed

if TYPE_CHECKING:
    from emulator.keyspace.host import HostOfData


def swap(engine: HostOfData, first: int, second: int) -> None:
    """SWAPDB: exchange the contents of two databases; watchers and waiters stay with the number."""
    if first == second:
        return
    databases = engine.databases
    one, two = databases[first], databases[second]
    for index in (first, second):
        engine.snapshots.note(index, None)
    databases[first], databases[second] = two, one
    one.index, two.index = second, first
    _exchange(engine, one, two)


def exchange_all(engine: HostOfData, other: HostOfData) -> None:
    """Let each of two engines, whose settings are the same, have the other's data.  O(databases, watched and awaited keys).

    Nobody uses the `other` one, and its deadlines are in the wheel of the first.
    """
    for index, (old, new) in enumerate(zip(engine.databases, other.databases, strict=True)):
        engine.snapshots.note(index, None)
        engine.databases[index], other.databases[index] = new, old
        new.uses = old.uses  # the policy may have changed while the new data were made
        new.belong_to(engine)
        old.belong_to(other)
        _exchange(engine, old, new)


def _exchange(engine: HostOfData, one: Database, two: Database) -> None:
    """Two databases have each other's place: let those who listen to a place hear of it."""
    one.watchers, two.watchers = two.watchers, one.watchers
    one.blocked, two.blocked = two.blocked, one.blocked
    for session in list(engine.sessions.values()):
        if session.db is one or session.db is two:
            session.db = two if session.db is one else one
    _rehome_watchers(one, two)
    for db in (one, two):
        for block in {block for waiting in db.blocked.values() for block in waiting}:
            block.db = db
        for key in {*db.watchers, *db.blocked}:
            if key in one.entries or key in two.entries:
                db.exchanged(key, key in (two if db is one else one).entries)
                if key in db.blocked:
                    entry: Entry | None = db.entries.get(key)
                    engine.blocking.signal(db, key, None if entry is None else entry.value.__class__)
        db.observe()


def _rehome_watchers(one: Database, two: Database) -> None:
    other: dict[Observed, Database] = {one: two, two: one}
    watching = (*one.watchers.values(), *two.watchers.values())
    for session in {session for sessions in watching for session in sessions}:
        session.watched = {(other.get(db, db), key): expired for (db, key), expired in session.watched.items()}
