"""An image: the data set of a moment as the pieces of a file, made in slices while clients go on changing it.

Each database is walked as SCAN walks it, its dense list of keys downwards.  What is still to be saved are the entries below
the walk's place, but for those in ``early``: entries that are saved before a change, or that have come down from above.
While a walk is under way its database has the class `Walked`, whose ways to look a value up in order to change it save
the entry first; so nothing is paid for while there is no image.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar

from emulator.keyspace.database import Database
from emulator.keyspace.entry import Entry, FieldTimer, Value
from emulator.persistence.forms import Form

if TYPE_CHECKING:
    from emulator.core.engine import Engine

_PORTION = 100
"""Keys of a flushed database that are saved before the next ones are freed."""


class Image:
    """The data set of an engine at the moment at which it is made.

    Where `changes` is false nothing may change until it is used up.  ``total`` counts its keys, ``saved`` those that have
    become bytes.  It has to be closed at last.
    """

    def __init__(self, engine: Engine, form: Form, changes: bool) -> None:
        self.form = form
        self.saved = 0
        self._head = form.head()
        self._walks = [Walk(self, db) for db in engine.databases if db.entries]
        self.total = sum(walk.place for walk in self._walks)
        if changes:
            for walk in self._walks:
                Walked.of[walk.db] = walk
                walk.db.__class__ = Walked

    def close(self) -> None:
        """Give up what is not saved yet, and let changes go their usual way again."""
        for walk in self._walks:
            walk.abandon()

    def pieces(self) -> Iterator[bytes]:
        """Everything but a checksum, at most one key at a time."""
        yield self._head
        for walk in self._walks:
            yield walk.head
            yield from walk.pieces()
            walk.release()
        yield self.form.end()

    def record(self, entry: Entry) -> bytes:
        """A key as it is now."""
        self.saved += 1
        return self.form.key(entry)


class Walk:
    """What of a database is still to be saved: the entries below ``place``, without those in ``early``."""

    def __init__(self, image: Image, db: Database) -> None:
        self.db = db
        self._image = image
        self._dense: Sequence[Entry] = db.evictable(volatile=False)
        self.place = len(self._dense)
        self._early: set[Entry] = set()
        self._pieces: list[bytes] = []
        self.head = image.form.database(db)

    def pieces(self) -> Iterator[bytes]:
        """The keys, one at a time."""
        while self.place or self._pieces:
            if self._pieces:
                yield self._pieces.pop()
            else:
                yield self._next()

    def _next(self) -> bytes:
        self.place -= 1
        entry = self._dense[self.place]
        if entry in self._early:
            self._early.discard(entry)
            return b""
        return self._image.record(entry)

    def keep(self, entry: Entry) -> None:
        """Save an entry, which is about to change, unless that is done."""
        if entry.index < self.place and entry not in self._early:
            self._early.add(entry)
            self._pieces.append(self._image.record(entry))

    def leave_out(self, entry: Entry) -> None:
        """An entry, which has been saved, is about to go, and the last one to come in its place."""
        if not self.place:
            return
        self._early.discard(entry)
        last = self._dense[-1]
        if last is not entry and entry.index < self.place <= last.index:
            self._early.add(last)
        self.place = min(self.place, len(self._dense) - 1)

    def finish(self) -> Iterator[int]:
        """Save all that is left, which is about to be freed, in portions."""
        while self.place:
            for _ in range(min(self.place, _PORTION)):
                self._pieces.append(self._next())
            yield _PORTION

    def abandon(self) -> None:
        """Save no more."""
        self.place = 0
        self._pieces.clear()
        self.release()

    def release(self) -> None:
        """The database goes on by itself."""
        if Walked.of.get(self.db) is self:
            del Walked.of[self.db]
            self.db.__class__ = Database


class Walked(Database):
    """A database under a walk: an entry is saved before it changes."""

    __slots__ = ()

    of: ClassVar[dict[Database, Walk]] = {}

    def alter(self, key: bytes) -> None:
        entry = self.entries.get(key)
        if entry is not None:
            Walked.of[self].keep(entry)

    def lookup_write(self, key: bytes) -> Entry | None:
        self.alter(key)
        return super().lookup_write(key)

    def edit(self, key: bytes, kind: type[Any]) -> Any:
        self.alter(key)
        return super().edit(key, kind)

    def put(self, key: bytes, value: Value, event_class: int, event: bytes, keep_ttl: bool = False) -> None:
        self.alter(key)
        super().put(key, value, event_class, event, keep_ttl)

    def expire_at(self, entry: Entry, deadline: int) -> None:
        Walked.of[self].keep(entry)
        super().expire_at(entry, deadline)

    def persist(self, entry: Entry) -> None:
        if self.entries.get(entry.key) is entry:  # else it is about to be deleted, and was kept before
            Walked.of[self].keep(entry)
        super().persist(entry)

    def expire_fields(self, entry: Entry, most: int, only: Iterable[bytes] | None = None) -> int:
        Walked.of[self].keep(entry)
        return super().expire_fields(entry, most, only)

    def discard(self, key: bytes) -> None:
        walk, entry = Walked.of[self], self.entries[key]
        walk.keep(entry)
        walk.leave_out(entry)
        super().discard(key)

    def _free(
        self, entries: dict[bytes, Entry], dense: list[Entry], field_timers: dict[Entry, FieldTimer]
    ) -> Iterator[int]:
        walk, freeing = Walked.of[self], super()._free(entries, dense, field_timers)
        walk.release()
        return chain(walk.finish(), freeing)
