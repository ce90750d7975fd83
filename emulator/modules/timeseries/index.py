"""Which keys hold series, by their labels; and how series that follow one another find themselves when they are renamed.

An engine whose series nobody looked for has none of this: the index begins with the first question, or the first series, and
follows from there on what the funnel tells of keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from emulator.keyspace.database import Database
from emulator.modules.timeseries.labels import Matcher
from emulator.modules.timeseries.series import Series

if TYPE_CHECKING:
    from emulator.keyspace.host import HostOfData
    from emulator.keyspace.observed import Observed

Labels = tuple[tuple[bytes, bytes], ...]


class Index:
    """The series of one database: the labels of each key, and the keys of each label."""

    def __init__(self) -> None:
        self.labels: dict[bytes, Labels] = {}
        self.keys: dict[tuple[bytes, bytes], set[bytes]] = {}

    def enter(self, key: bytes, labels: Labels) -> None:
        """A key holds a series with these labels."""
        if self.labels.get(key) != labels:
            self.remove(key)
            self.labels[key] = labels
            for label in labels:
                self.keys.setdefault(label, set()).add(key)

    def remove(self, key: bytes) -> None:
        """A key holds no series."""
        for label in self.labels.pop(key, ()):
            keys = self.keys.get(label)
            if keys is not None:
                keys.discard(key)
                if not keys:
                    del self.keys[label]

    def matching(self, matchers: Sequence[Matcher]) -> Iterator[bytes]:
        """The keys whose labels fit, in their order."""
        first = next(one for one in matchers if one.selects)
        found: set[bytes] = set()
        for value in first.values or ():
            found |= self.keys.get((first.name, value), set())
        for key in sorted(found):
            if all(one.accepts(self.labels[key]) for one in matchers):
                yield key


class Indices:
    """The indices of an engine, one for each database, wherever it stands: all data may be exchanged for others."""

    def __init__(self, engine: HostOfData) -> None:
        self._engine = engine
        self._of: dict[Observed, Index] = {}
        for db in engine.databases:
            self._index(db)
        engine.listen(self.note)

    def _index(self, db: Database) -> Index:
        """The index of a database, which begins now if need be."""
        index = self._of.get(db)
        if index is None:
            self._of = {other: known for other, known in self._of.items() if other in self._engine.databases}
            index = self._of[db] = Index()
            for entry in list(db.live()):
                self.note(db, entry.key)
        return index

    def note(self, db: Observed, key: bytes) -> None:
        """A key has changed."""
        assert isinstance(db, Database)
        index = self._index(db)
        entry = db.entries.get(key)
        if entry is None or not isinstance(entry.value, Series):
            if key in index.labels:
                index.remove(key)
            return
        series = entry.value
        if series.key != key:
            _renamed(db, series, key)
        index.enter(key, series.labels)

    def matching(self, db: Database, matchers: Sequence[Matcher]) -> Iterator[tuple[bytes, Series]]:
        """The series of a database whose labels fit, in the order of their keys."""
        index = self._index(db)
        for key in list(index.matching(matchers)):
            series = series_at(db, key)
            if series is None:  # all keys have been flushed
                index.remove(key)
            else:
                yield key, series

    def keys(self, matchers: Sequence[Matcher]) -> list[bytes]:
        """The keys of series whose labels fit, of all databases: the real module's index knows of no others."""
        return sorted({key for db in self._engine.databases for key, _ in self.matching(db, matchers)})


def indices(engine: HostOfData) -> Indices:
    """The indices of an engine, which begin now if need be."""
    found = engine.of_modules.get(Indices)
    if not isinstance(found, Indices):
        found = engine.of_modules[Indices] = Indices(engine)
    return found


def series_at(db: Database, key: bytes) -> Series | None:
    """The series of a key, None where there is none; nothing counts.  It may be changed: others' rules lead to it."""
    db.alter(key)
    value = db.peek(key)
    return value if isinstance(value, Series) else None


def _related(db: Database, key: bytes) -> Series | None:
    """The same of a series that another one follows or is followed by, which counts as read."""
    db.alter(key)
    value = db.lookup_read_any(key)
    return value if isinstance(value, Series) else None


def _renamed(db: Database, series: Series, key: bytes) -> None:
    """A series is found at another key: it has been copied, or those that it follows and that follow it hear of its name."""
    old, series.key = series.key, key
    other = series_at(db, old)
    if other is not None and other.key == old:
        series.rules, series.source = [], None
        return
    for rule in series.rules:
        follower = _related(db, rule.destination)
        if follower is not None and follower.source == old:
            follower.source = key
    source = _related(db, series.source) if series.source is not None else None
    for rule in source.rules if source is not None else ():
        if rule.destination == old:
            rule.destination = key


def source_of(db: Database, series: Series) -> Series | None:
    """The series that one follows, None where there is none any more."""
    source = _related(db, series.source) if series.source is not None else None
    return source if source is not None and any(rule.destination == series.key for rule in source.rules) else None


def tidy(db: Database, series: Series) -> Series | None:
    """Take out of a series what tells of others that are gone; the one that it follows, if there is one."""
    prune(db, series)
    source = source_of(db, series)
    if source is None:
        series.source = None
    return source


def prune(db: Database, series: Series) -> Iterable[Series]:
    """Those that follow a series, in the order of its rules; the rules of others that are gone go too."""
    followers = []
    for rule in list(series.rules):
        follower = _related(db, rule.destination)
        if follower is None or follower.source != series.key:
            db.alter(series.key)
            series.rules.remove(rule)
        else:
            followers.append(follower)
    return followers
