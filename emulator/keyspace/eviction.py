"""`maxmemory`: before a command runs, keys are evicted until there is room, by the policy that is configured.

LRU, LFU and the shortest time to live are approximated as in Redis: of each database a few keys are drawn by lot, the best
ones of all draws are kept in a pool, and the best of the pool goes.  One call evicts a bounded number of keys; what is left
to do is done by the next command or, when none comes, by the timing wheel.

Source: https://redis.io/docs/latest/develop/reference/eviction/
"""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING, Final

from emulator.datatypes.wheel import Timer
from emulator.keyspace.database import Database
from emulator.keyspace.entry import Entry
from emulator.keyspace.frequency import idle

if TYPE_CHECKING:
    from emulator.keyspace.host import HostOfData

_POOL_SIZE: Final = 16
_AT_ONCE: Final = 128
OUT_OF_MEMORY: Final = "OOM command not allowed when used memory > 'maxmemory'."


class Eviction(Timer):
    """The eviction of an engine; as a timer it is the next call."""

    __slots__ = ("_engine", "_next", "_pool")

    def __init__(self, engine: HostOfData) -> None:
        super().__init__()
        self._engine = engine
        self._pool: list[tuple[int, int, bytes]] = []
        self._next = 0

    def fire(self) -> None:
        self.deadline = None
        self.make_room()

    def forget(self) -> None:
        """The policy has changed: what was the best by the old one is of no interest."""
        self._pool.clear()

    def make_room(self) -> bool:
        """Evict keys while more memory is used than may be; whether there is nothing left to evict and it is still so."""
        engine = self._engine
        limit = engine.config.maxmemory
        if not limit or engine.pause.active or engine.ignores_memory_limit or engine.used_memory <= limit:
            return False
        if engine.config.maxmemory_policy == "noeviction":
            return True
        if not engine.latency.threshold:
            return self._evict(limit)
        with engine.latency.watch(b"eviction-cycle"):
            return self._evict(limit)

    def _evict(self, limit: int) -> bool:
        engine = self._engine
        for _ in range(_AT_ONCE):
            if engine.used_memory <= limit:
                return False
            victim = self._victim()
            if victim is None:
                return True
            db, key = victim
            db.evict(db.entries[key])
        if self.deadline is None:
            engine.waits.set(self, engine.clock.elapsed + 1)
        return False

    def _victim(self) -> tuple[Database, bytes] | None:
        scope, _, order = self._engine.config.maxmemory_policy.partition("-")
        volatile = scope == "volatile"
        if order == "random":
            return self._any(volatile)
        while True:
            if not self._draw(volatile, order):
                return None
            while self._pool:
                _, index, key = self._pool.pop()
                db = self._engine.databases[index]
                entry = db.entries.get(key)
                if entry is not None and (not volatile or entry.deadline is not None):
                    return db, key

    def _any(self, volatile: bool) -> tuple[Database, bytes] | None:
        """A key by lot, of one database after another."""
        databases = self._engine.databases
        for _ in databases:
            self._next = (self._next + 1) % len(databases)
            db = databases[self._next]
            if db.has_evictable(volatile):
                return db, db.evictable(volatile).choose(self._engine.random)
        return None

    def _draw(self, volatile: bool, order: str) -> bool:
        """Draw keys by lot into the pool; whether there are any."""
        engine, pool = self._engine, self._pool
        found = False
        for db in engine.databases:
            if not db.has_evictable(volatile):
                continue
            found = True
            keys = db.evictable(volatile)
            for _ in range(min(engine.config.maxmemory_samples, len(keys))):
                key = keys.choose(engine.random)
                candidate = _urgency(db, db.entries[key], order), db.index, key
                if (len(pool) < _POOL_SIZE or candidate > pool[0]) and candidate not in pool:
                    insort(pool, candidate)
                    if len(pool) > _POOL_SIZE:
                        del pool[0]
        return found


def _urgency(db: Database, entry: Entry, order: str) -> int:
    """The greater, the sooner the key has to go."""
    if order == "ttl":
        return -(entry.deadline or 0)
    if order == "lfu" and db.frequency is not None:
        return 255 - db.frequency.counter(entry.access)
    return idle(entry.access, db.clock.now)
