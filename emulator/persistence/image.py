"""An image: the data set of a moment as the pieces of a file, made in slices while clients go on changing it.

A walk through a database goes from one of the dicts that it is made of to the next (`emulator.keyspace.parted`), and lists
the keys of each when it comes there.
While it is under way the database has the class `Walked`, whose ways to look a value up in order to change it save the
key first, unless that is done; so nothing is paid for while there is no image.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar

from emulator.datatypes.types import Value
from emulator.keyspace.database import Database
from emulator.keyspace.entry import Entry, FieldTimer
from emulator.keyspace.parted import PARTS, dicts_of
from emulator.persistence.forms import Form
from emulator.rdb.slices import Slices

if TYPE_CHECKING:
    from emulator.persistence.host import HostOfFiles

_PORTION = 100
"""Keys of a flushed database that are saved before the next ones are freed."""


class Image:
    """The data set of an engine at the moment at which it is made.

    Where `changes` is false nothing may change until it is used up; without `keys` there is only what `form` has before them.
    ``total`` counts its keys, ``saved`` those that have become bytes.  It has to be closed at last.
    """

    def __init__(self, engine: HostOfFiles, form: Form, changes: bool, keys: bool = True) -> None:
        self.form = form
        self.saved = 0
        self._failure: Exception | None = None
        self._head = form.head()
        self._walks = [Walk(self, db) for db in engine.databases if db.entries and keys]
        self.total = sum(map(len, self._walks))
        if changes:
            for walk in self._walks:
                Walked.of[walk.db] = walk
                walk.db.__class__ = Walked

    def close(self) -> None:
        """Give up what is not saved yet, and let changes go their usual way again."""
        walks, self._walks = self._walks, []  # a cycle of both would wait for the collector, and be freed at once
        for walk in walks:
            walk.abandon()

    def pieces(self) -> Iterator[bytes]:
        """Everything but a checksum, at most one key at a time; raises at last what went wrong with one."""
        yield self._head
        for walk in self._walks:
            yield walk.head
            yield from walk.pieces()
            walk.release()
        if self._failure is not None:
            raise self._failure
        yield self.form.end()

    def record(self, db: Database, entry: Entry) -> bytes | Slices:
        """A key as it is now; nothing where that fails, since whoever is about to change the key is not to blame."""
        self.saved += 1
        try:
            return self.form.key(db, entry)
        except Exception as error:
            self._failure = error
            return b""

    def freeze(self, slices: Slices) -> None:
        """A value that is being saved is about to change."""
        try:
            slices.freeze()
        except Exception as error:
            self._failure = error

    def through(self, slices: Slices) -> Iterator[bytes]:
        """A large value, piece by piece."""
        yield slices.head
        try:
            yield from slices.pieces()
        except Exception as error:
            self._failure = error


class Walk:
    """The keys of a database that are still to be saved, and what has become bytes and was not written yet."""

    def __init__(self, image: Image, db: Database) -> None:
        self.db = db
        self._image = image
        self._entries = db.entries  # after a flush the database has others
        self._size = len(db.entries)
        self._dicts = list(reversed(dicts_of(db.entries)))  # those to come, the next one last
        self._keys: list[bytes] = []
        self._is_parted = len(self._dicts) >= PARTS
        # keys that are saved or came later, by their hashes; None where all are
        self._done: list[set[bytes] | None] = [set() for _ in range(PARTS)]
        self._pieces: list[bytes | Slices] = []
        self._open: tuple[bytes, Slices] | None = None  # the large value that is being saved
        self.head = image.form.database(db)

    def __len__(self) -> int:
        return self._size

    def _has_keys(self) -> bool:
        """Whether there are keys left, those of the next dict listed where there are no others."""
        while not self._keys and self._dicts:
            if self._is_parted and len(self._dicts) < PARTS:
                self._done[len(self._dicts)] = None  # large sets are not kept: the collector looks through them
            self._keys = list(self._dicts.pop())
        return bool(self._keys)

    def parted(self) -> None:
        """The database has its keys in parts from now on: list those of the one dict that it was made of until now."""
        self._has_keys()
        self._entries = self.db.entries

    def pieces(self) -> Iterator[bytes]:
        """The keys, one at a time."""
        while self._pieces or self._has_keys():
            if self._pieces:
                piece = self._pieces.pop()
                if isinstance(piece, bytes):
                    yield piece
                else:
                    yield from self._image.through(piece)
                    self._open = None
            else:
                self._take(self._keys.pop())

    def _take(self, key: bytes) -> Slices | None:
        """Save a key unless that is done, one with a large value in slices from now on."""
        if not self.leave_out(key) or (entry := self._entries.get(key)) is None:
            return None
        piece = self._image.record(self.db, entry)
        self._pieces.append(piece)
        if isinstance(piece, bytes):
            return None
        self._open = key, piece
        return piece

    def keep(self, key: bytes) -> None:
        """Save a key, which is about to change, unless that is done."""
        if self._open is not None and self._open[0] == key:
            self._image.freeze(self._open[1])
            self._open = None
            return
        before, self._open = self._open, None
        if (slices := self._take(key)) is not None:
            self._image.freeze(slices)
        self._open = before

    def leave_out(self, key: bytes) -> bool:
        """A key needs not be saved any more; whether it still had to be."""
        done = self._done[hash(key) % PARTS]
        if done is None or key in done:
            return False
        done.add(key)
        return True

    def finish(self) -> Iterator[int]:
        """Save all that is left, which is about to be freed, in portions."""
        if self._open is not None:
            self.keep(self._open[0])
        while self._has_keys():
            for _ in range(min(len(self._keys), _PORTION)):
                self.keep(self._keys.pop())
            yield _PORTION

    def abandon(self) -> None:
        """Save no more."""
        self._keys.clear()
        self._dicts.clear()
        self._pieces.clear()
        self._open = None
        self.release()

    def release(self) -> None:
        """The database goes on by itself."""
        if Walked.of.get(self.db) is self:
            del Walked.of[self.db]
            self.db.__class__ = Database


class Walked(Database):
    """A database under a walk: a key is saved before it changes."""

    __slots__ = ()

    of: ClassVar[dict[Database, Walk]] = {}

    def alter(self, key: bytes) -> None:
        Walked.of[self].keep(key)

    def lookup_write_entry(self, key: bytes) -> Entry | None:
        Walked.of[self].keep(key)
        return super().lookup_write_entry(key)

    def lookup_write(self, key: bytes, kind: type[Any]) -> Any:
        Walked.of[self].keep(key)
        return super().lookup_write(key, kind)

    def put(self, key: bytes, value: Value, event_class: int, event: bytes, keep_ttl: bool = False) -> None:
        Walked.of[self].keep(key)
        super().put(key, value, event_class, event, keep_ttl)

    def expire_at(self, entry: Entry, deadline: int) -> Entry:
        Walked.of[self].keep(entry.key)
        return super().expire_at(entry, deadline)

    def persist(self, entry: Entry) -> None:
        Walked.of[self].keep(entry.key)
        super().persist(entry)

    def expire_fields(self, entry: Entry, most: int, only: Iterable[bytes] | None = None) -> int:
        Walked.of[self].keep(entry.key)
        return super().expire_fields(entry, most, only)

    def insert(self, key: bytes, value: Value) -> Entry:
        Walked.of[self].leave_out(key)
        return super().insert(key, value)

    def discard(self, key: bytes) -> None:
        Walked.of[self].keep(key)
        super().discard(key)

    def part(self) -> None:
        super().part()
        Walked.of[self].parted()

    def _free(
        self, entries: MutableMapping[bytes, Entry], field_timers: MutableMapping[bytes, FieldTimer]
    ) -> Iterator[int]:
        walk, freeing = Walked.of[self], super()._free(entries, field_timers)
        walk.release()
        return chain(walk.finish(), freeing)
