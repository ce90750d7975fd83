"""The source of a migration: it sends the keys of slots, then those that have changed meanwhile, and at last the slots."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import TYPE_CHECKING, Final

from emulator.clients.pause import BY_MIGRATION
from emulator.cluster.migration import CATCHING_UP, HANDING_OVER, SENDING, Migration
from emulator.cluster.state import members
from emulator.datatypes.slots import key_slot

if TYPE_CHECKING:
    from emulator.cluster.host import HostOfCluster
    from emulator.cluster.migrations import Migrations
    from emulator.keyspace.observed import Observed

_MOST_KEYS: Final = 64
_MOST_BYTES: Final = 1 << 18
"""What goes in one message, and for how many changed keys writes are paused."""
_TURNS: Final = 32
"""Messages after which there have to be fewer changed keys than before: else writers are as quick, and it would never end."""

Place = tuple[int, bytes]
"""The number of a database, and a key."""


class Export:
    """Sends one message after another, each when the one before has been acknowledged."""

    def __init__(self, migrations: Migrations, migration: Migration, engine: HostOfCluster) -> None:
        self._migrations = migrations
        self.migration = migration
        self._engine = engine
        self._unsent = self._walk()
        self._has_walked = False
        self._changed: dict[Place, None] = {}
        self._turns = 0
        self._left = inf  # changed keys, when they were counted last
        engine.listen(self._note)

    def _walk(self) -> Iterator[Place]:
        for slot in members(self.migration.slots):
            for db in self._engine.databases:
                for key in list(db.in_slot(slot)):
                    yield db.index, key
        self._has_walked = True

    def _note(self, db: Observed, key: bytes) -> None:
        """A key has changed."""
        if self.migration.slots >> key_slot(key) & 1:
            self._changed[db.index, key] = None

    def end(self) -> None:
        """Follow changes no more, and let those write who wait."""
        self._engine.leave(self._note)
        if self.migration.paused:
            self.migration.pause = self._engine.clock.now - self.migration.paused
            self.migration.paused = 0
            self._engine.pause.stop(BY_MIGRATION)

    def proceed(self) -> None:
        """Send what comes next."""
        migration = self.migration
        if self._has_walked and not migration.paused and self._is_time_to_pause():
            self._pause()
        words = self._next()
        if words:
            migration.phase = HANDING_OVER if migration.paused else CATCHING_UP if self._has_walked else SENDING
            self._migrations.say(migration, b"KEYS", *words)
        elif migration.paused:
            migration.phase = HANDING_OVER
            self._migrations.say(migration, b"HANDOVER")
        else:
            self.proceed()

    def _is_time_to_pause(self) -> bool:
        """Whether few changes are left to be sent, or no fewer than some messages ago."""
        left = len(self._changed)
        if left <= _MOST_KEYS:
            return True
        self._turns += 1
        if self._turns % _TURNS:
            return False
        before, self._left = self._left, left
        return left >= before

    def _pause(self) -> None:
        """Let clients wait who would write: what has changed until now is all that there is to be sent."""
        engine = self._engine
        self.migration.paused = engine.clock.now
        engine.pause.start(engine.clock.elapsed + self._migrations.longest_pause, True, BY_MIGRATION)

    def _next(self) -> list[bytes]:
        """Some keys with what is to be known of them."""
        words: list[bytes] = []
        size = 0
        while len(words) < 4 * _MOST_KEYS and size < _MOST_BYTES:
            place = next(self._unsent, None)
            if place is None and self._changed:
                place = next(iter(self._changed))
            if place is None:
                break
            self._changed.pop(place, None)
            words += self._described(place)
            size += len(words[-1])
        return words

    def _described(self, place: Place) -> tuple[bytes, bytes, bytes, bytes]:
        """Database, key, deadline in milliseconds since the epoch (0 for none), payload (empty where the key is gone)."""
        from emulator.rdb import save  # only a node that is asked for it needs it

        index, key = place
        config = self._engine.config
        entry = self._engine.databases[index].peek_entry(key)
        if entry is None:
            return b"%d" % index, key, b"0", b""
        payload = save.serialized(entry.value, config.rdbcompression, config.edition.rdb_version)
        return b"%d" % index, key, b"%d" % (entry.deadline or 0), payload
