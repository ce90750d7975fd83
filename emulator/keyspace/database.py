"""A database: its keys, how they are looked up, and the one funnel through which they change.

Reading goes through `Database.read`, which counts hits and misses; looking up in order to write through
`Database.edit`, which does not.  Both see no key that has expired.  A change is told to `Database.changed` (or to `put`,
`delete`, `expire_at` and the others that call it): that one place counts what changed, touches the sessions that WATCH
the key, wakes those blocked on it and sends the keyspace notification.

Besides the dict of entries there is a dense list of them, in which a deleted one's place is taken by the last.  Random
picks are O(1) by it, and SCAN walks it downwards: an element can only move from a place already visited, or not yet
visited, to a lower one, so that what is there from start to end is returned, with no state for each scan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from emulator.config.notifications import EVICTED, EXPIRED, GENERIC, HASH, KEY_MISS, NEW, OVERWRITTEN, TYPE_CHANGED
from emulator.datatypes.hash import Hash
from emulator.keyspace.entry import Entry, FieldTimer, Value
from emulator.keyspace.lazyfree import LARGE, PORTION
from emulator.keyspace.weight import SLOT, freed_lazily, size_class, weigh
from emulator.protocol.errors import WRONGTYPE, CommandError

if TYPE_CHECKING:
    from emulator.clients.blocking import Block
    from emulator.clients.session import Session
    from emulator.core.engine import Engine
    from emulator.keyspace.frequency import Frequency

V = TypeVar("V")
Listener = Callable[["Database", bytes], object]
"""Who is told of each change of a key, when it has happened; see `Engine.listen`."""

_MOST_UNWEIGHED = 255
_TRIES = 100
"""How many keys are drawn by lot, while those that have expired stay, before one of them is as good as another."""


class Database:
    """One numbered database.

    ``entries`` maps keys to entries; iterate over them with `live` only, since some may have expired.  ``expiring`` has
    those with an expiry in no order, ``fields_with_expiry`` those whose value is a hash with fields that expire, with the
    timer of the first of them.  ``memory`` is what the keys weighed last, ``sizes`` how many there are of each class.
    """

    __slots__ = (
        "_deadlines",
        "_dense",
        "_unweighed",
        "blocked",
        "clock",
        "engine",
        "entries",
        "expiring",
        "fields_with_expiry",
        "frequency",
        "index",
        "lazyfree",
        "listeners",
        "memory",
        "observed",
        "sizes",
        "stats",
        "watchers",
        "wheel",
    )

    def __init__(self, engine: Engine, index: int) -> None:
        self.engine = engine
        self.index = index
        self.clock = engine.clock
        self.wheel = engine.wheel
        self.lazyfree = engine.lazyfree
        self.stats = engine.stats
        self.entries: dict[bytes, Entry] = {}
        self._dense: list[Entry] = []
        self.fields_with_expiry: dict[Entry, FieldTimer] = {}
        self.expiring: list[Entry] = []
        self._deadlines = 0
        self.memory = 0
        self.sizes = Counter[int]()
        self.frequency: Frequency | None = None
        self._unweighed: set[bytes] = set()
        self.watchers: dict[bytes, set[Session]] = {}
        self.blocked: dict[bytes, dict[Block, None]] = {}
        self.listeners: Sequence[Listener] = engine.listeners
        self.observed = False

    def __len__(self) -> int:
        """Keys, those included that have expired but were not yet found to be."""
        return len(self.entries)

    # Looking up

    def used(self, entry: Entry) -> None:
        """A key counts as used: the one place where its access time, or under an LFU policy its frequency, changes."""
        entry.access = self.clock.now if self.frequency is None else self.frequency.touched(entry.access)

    def find(self, key: bytes) -> Entry | None:
        """The live entry of a key, for introspection and for whoever looks at several things: nothing counts."""
        entry = self.entries.get(key)
        if entry is not None and entry.deadline is not None and entry.deadline <= self.clock.now:
            self.expire_now(entry)
            return None
        return entry

    def lookup_write(self, key: bytes) -> Entry | None:
        """The live entry of a key for a command that writes: the key counts as used, but neither as a hit nor as a miss."""
        entry = self.entries.get(key)
        if entry is None or (entry.deadline is not None and self.find(key) is None):
            return None
        self.used(entry)
        return entry

    def edit(self, key: bytes, kind: type[V]) -> V | None:
        """The value of a key that is about to be changed; raises WRONGTYPE where it is not a `kind`."""
        entry = self.entries.get(key)
        if entry is None or (entry.deadline is not None and self.find(key) is None):
            return None
        self.used(entry)
        value = entry.value
        self._unweighed.add(key)
        if value.__class__ is kind or isinstance(value, kind):
            return value
        raise CommandError(WRONGTYPE)

    def get(self, key: bytes, uses: bool = True) -> Value | None:
        """The value of a key that is read, of whatever type; counts a hit or a miss, and with `uses` as a use."""
        entry = self.entries.get(key)
        if entry is not None:
            now = self.clock.now
            if entry.deadline is None or entry.deadline > now:
                self.stats.keyspace_hits += 1
                if uses:
                    self.used(entry)
                return entry.value
            self.expire_now(entry)
        self.stats.keyspace_misses += 1
        if self.observed:
            self.notify(KEY_MISS, b"keymiss", key)
        return None

    def read(self, key: bytes, kind: type[V]) -> V | None:
        """The value of a key that is read; raises WRONGTYPE where it is not a `kind`."""
        value = self.get(key)
        if value is None or value.__class__ is kind or isinstance(value, kind):
            return value
        raise CommandError(WRONGTYPE)

    def alter(self, key: bytes) -> None:
        """A value that was looked up for reading is about to be changed after all: whoever has to save it first may do so."""

    def peek(self, key: bytes) -> Value | None:
        """The value of a key for the server's own use: neither statistics nor access time are touched."""
        entry = self.find(key)
        return None if entry is None else entry.value

    def inspect(self, key: bytes) -> Entry | None:
        """The live entry of a key for introspection (OBJECT, TYPE): counts a hit or a miss, but is no access."""
        entry = self.find(key)
        if entry is None:
            self.stats.keyspace_misses += 1
        else:
            self.stats.keyspace_hits += 1
        return entry

    # Changing: everything ends in `changed`

    def changed(self, key: bytes, event_class: int, event: bytes, count: int = 1) -> None:
        """Tell that the value of `key` has changed: `count` changes, one notification."""
        self.engine.dirty += count
        self._unweighed.add(key)
        if len(self._unweighed) > _MOST_UNWEIGHED:
            self.weigh()
        if self.observed:
            self.touch(key)
            self.notify(event_class, event, key)

    def amended(self, key: bytes, event_class: int = 0, event: bytes = b"", count: int = 1) -> None:
        """Tell of a change beside the value (the consumer groups of a stream): those who watch the key do not hear of it."""
        self.engine.dirty += count
        self._unweighed.add(key)
        if self.observed:
            self.notify(event_class, event, key)

    def put(self, key: bytes, value: Value, event_class: int, event: bytes, keep_ttl: bool = False) -> None:
        """Set a key to a new value whatever it held; without `keep_ttl` an expiry it had is forgotten."""
        entry = self.entries.get(key)
        if entry is not None and entry.deadline is not None:
            if entry.deadline <= self.clock.now:
                self.expire_now(entry)
                entry = self.entries.get(key)
            elif not keep_ttl:
                self.persist(entry)
        if entry is None:
            self.insert(key, value)
        else:
            old = entry.value
            entry.value = value
            self.used(entry)
            if old.__class__ is Hash or value.__class__ is Hash:
                self.schedule_fields(entry)
            if self.observed:
                self.notify_overwritten(key, old, value)
            if old.__class__ is not bytes:
                self._let_go(old)
        self.engine.dirty += 1
        self._unweighed.add(key)
        if len(self._unweighed) > _MOST_UNWEIGHED:
            self.weigh()
        if self.observed:
            self.touch(key)
            self.notify(event_class, event, key)

    def _let_go(self, value: Value) -> None:
        """Another value has come in the place of this one."""
        if self.engine.config.lazyfree_lazy_server_del and freed_lazily(value):
            self.stats.lazily_freed += 1
        if len(value) > LARGE:
            self.lazyfree.add(value)

    def insert(self, key: bytes, value: Value) -> Entry:
        """Enter a key that is known not to exist and is about to be filled; `changed` must follow."""
        dense = self._dense
        access = self.clock.now if self.frequency is None else self.frequency.fresh()
        entry = Entry(self, key, value, len(dense), access)
        self.entries[key] = entry
        dense.append(entry)
        if value.__class__ is Hash and value.deadlines is not None:
            self.schedule_fields(entry)
        if self.observed:
            if key in self.blocked:
                self.engine.blocking.signal(self, key, value.__class__)
            self.notify(NEW, b"new", key)
        return entry

    def shrunk(self, key: bytes, value: Any, event_class: int, event: bytes, count: int = 1) -> None:
        """Tell that elements were taken from an aggregate; with the last one the key goes."""
        self.changed(key, event_class, event, count)
        if not value:
            self.discard(key)
            self.notify(GENERIC, b"del", key)

    def delete(self, key: bytes, event: bytes = b"del") -> bool:
        """Delete a key and tell so; whether it was there."""
        if self.find(key) is None:
            return False
        self.discard(key)
        self.changed(key, GENERIC, event)
        return True

    def unlink(self, key: bytes) -> bool:
        """Delete a key, as the real server does whose other threads free large values; whether it was there."""
        self.count_freed(key)
        return self.delete(key)

    def count_freed(self, key: bytes) -> None:
        """Count the value of a key that is about to go among those that are freed lazily."""
        entry = self.entries.get(key)
        if entry is not None and freed_lazily(entry.value):
            self.stats.lazily_freed += 1

    def discard(self, key: bytes) -> None:
        """Take a key that exists out of the database and tell nobody but those blocked on it."""
        entry = self.entries.pop(key)
        self._unweighed.add(key)
        self.memory -= entry.size
        self.sizes[entry.size_class] -= 1
        if entry.deadline is not None:
            self.persist(entry)
        last = self._dense.pop()
        if last is not entry:
            last.index = entry.index
            self._dense[entry.index] = last
        value = entry.value
        if value.__class__ is Hash and entry in self.fields_with_expiry:
            self.wheel.cancel(self.fields_with_expiry.pop(entry))
        if value.__class__ is not bytes and len(value) > LARGE:
            self.lazyfree.add(value)
        if key in self.blocked:
            self.engine.blocking.signal(self, key, None)

    def expire_at(self, entry: Entry, deadline: int) -> None:
        """Give a key an expiry, in milliseconds since the epoch; the caller tells of the change."""
        if entry.deadline is None:
            entry.place = len(self.expiring)
            self.expiring.append(entry)
            self._deadlines += deadline
        else:
            self._deadlines += deadline - entry.deadline
        self.wheel.set(entry, deadline)

    def persist(self, entry: Entry) -> None:
        """Take away the expiry that a key has; the caller tells of the change."""
        assert entry.deadline is not None
        last = self.expiring.pop()
        if last is not entry:
            last.place = entry.place
            self.expiring[entry.place] = last
        self._deadlines -= entry.deadline
        self.wheel.cancel(entry)

    @property
    def average_ttl(self) -> int:
        """Milliseconds that the keys with an expiry have left on average."""
        return self._deadlines // len(self.expiring) - self.clock.now if self.expiring else 0

    def expire_now(self, entry: Entry) -> None:
        """A key's time is up: it goes, unless CLIENT PAUSE lets it stay for a while, where nobody sees it."""
        if self.engine.keeps_expired:
            return
        config, log = self.engine.config, self.engine.propagation.add
        self.stats.expired_keys += 1
        self._gone_by_itself(entry.key, config.lazyfree_lazy_expire, b"expire-del", log, EXPIRED, b"expired")

    def evict(self, entry: Entry) -> None:
        """A key has to make room for others."""
        config, log = self.engine.config, self.engine.propagation.alone
        self.stats.evicted_keys += 1
        self._gone_by_itself(entry.key, config.lazyfree_lazy_eviction, b"evict-del", log, EVICTED, b"evicted")

    def _gone_by_itself(
        self,
        key: bytes,
        lazily: bool,
        latency_event: bytes,
        log: Callable[[int, Sequence[bytes]], object],
        event_class: int,
        event: bytes,
    ) -> None:
        """Take a key out that no command deletes, and tell everybody; how long that takes is an event of LATENCY."""
        engine = self.engine
        if lazily:
            self.count_freed(key)
        if engine.latency.threshold:
            with engine.latency.watch(latency_event):
                self.discard(key)
        else:
            self.discard(key)
        if engine.propagation.listeners:
            log(self.index, [b"UNLINK" if lazily else b"DEL", key])
        if self.observed:
            self.touch(key)
            self.notify(event_class, event, key)

    def evictable(self, volatile: bool) -> list[Entry]:
        """The keys among which a victim is sought, for reading: all, or those with an expiry."""
        return self.expiring if volatile else self._dense

    def schedule_fields(self, entry: Entry) -> None:
        """Have the fields of a hash expire by the wheel; to be called when its next deadline may have changed."""
        deadline = entry.value.next_deadline if entry.value.__class__ is Hash else None
        timer = self.fields_with_expiry.get(entry)
        if deadline is not None:
            if timer is None:
                timer = self.fields_with_expiry[entry] = FieldTimer(entry)
            moment = max(deadline, self.clock.now + 1)
            if timer.deadline != moment:
                self.wheel.set(timer, moment)
        elif timer is not None:
            self.wheel.cancel(timer)
            del self.fields_with_expiry[entry]

    def expire_fields(self, entry: Entry, most: int, only: Iterable[bytes] | None = None) -> int:
        """Remove fields of a hash whose time is up, at most so many, of certain ones or of all; with the last the key.

        Returns how many went.
        """
        key = entry.key
        gone: list[bytes] = entry.value.expire(self.clock.now, most, only)
        self._unweighed.add(key)
        self.schedule_fields(entry)
        if gone:
            self.stats.expired_fields += len(gone)
            for field in gone if self.engine.propagation.listeners else ():
                self.engine.propagation.add(self.index, [b"HDEL", key, field])
            if self.observed:
                self.touch(key)
                self.notify(HASH, b"hexpired", key)
        if not entry.value:
            self.discard(key)
            self.notify(GENERIC, b"del", key)
        return len(gone)

    def clear(self) -> int:
        """Delete everything; how many keys there were."""
        count = len(self.entries)
        for key in [key for key in self.watchers if key in self.entries]:
            self._warn_watchers(key, gone=True)
        for key in [key for key in self.blocked if key in self.entries]:
            self.engine.blocking.signal(self, key, None)
        if count:
            self.lazyfree.run(count, self._free(self.entries, self._dense, self.fields_with_expiry))
        self.entries, self._dense, self.expiring, self.fields_with_expiry = {}, [], [], {}
        self.sizes.clear()
        self._unweighed.clear()
        self._deadlines = self.memory = 0
        self.engine.snapshots.note(self.index, None)
        return count

    def _free(
        self, entries: dict[bytes, Entry], dense: list[Entry], field_timers: dict[Entry, FieldTimer]
    ) -> Iterator[int]:
        """Gives back what was flushed, in portions."""
        wheel = self.wheel
        while dense:
            freed = 0
            while dense and freed < PORTION:
                entry = dense.pop()
                entries.popitem()
                if entry.deadline is not None:
                    wheel.cancel(entry)
                value, entry.value = entry.value, b""
                if value.__class__ is Hash and entry in field_timers:
                    wheel.cancel(field_timers.pop(entry))
                freed += 1
                if value.__class__ is not bytes:
                    if len(value) > LARGE:
                        self.lazyfree.add(value)
                    else:
                        freed += len(value)
            del entry, value
            yield freed

    # Memory

    def weigh(self) -> int:
        """Bytes that the keys would take in the real server, with their places in its tables.

        O(keys changed since the last time), of which there are never many.
        """
        entries, sizes = self.entries, self.sizes
        for key in self._unweighed:
            entry = entries.get(key)
            if entry is not None:
                value = entry.value
                size = weigh(key, value, entry.deadline is not None)
                if size != entry.size:
                    self.memory += size - entry.size
                    entry.size = size
                # strings are so many that their class is worked out here
                found = len(value).bit_length() if value.__class__ is bytes else size_class(value)
                if found != entry.size_class:
                    sizes[entry.size_class] -= 1
                    sizes[found] += 1
                    entry.size_class = found
        if self.engine.snapshots.snapshots:
            self.engine.snapshots.note(self.index, self._unweighed)
        self._unweighed.clear()
        return self.memory + self.overhead + self.expires_overhead

    def reweigh(self, key: bytes) -> None:
        """The encoding of a value has changed, if not the value."""
        self._unweighed.add(key)

    @property
    def overhead(self) -> int:
        """Bytes for the places of the keys in the real server's table."""
        return SLOT * len(self.entries)

    @property
    def expires_overhead(self) -> int:
        """Bytes for the places of those that expire."""
        return SLOT * len(self.expiring)

    # Who hears of a change

    def observe(self) -> None:
        """Find out anew whether anybody listens; to be called when a watcher, a blocked client or the config changes."""
        engine = self.engine
        self.listeners = [self._tell_watchers, *engine.listeners] if self.watchers else engine.listeners
        self.observed = bool(self.listeners or self.blocked or engine.notify_flags)

    def touch(self, key: bytes) -> None:
        """Tell whoever listens that a key has changed, those who watch it first."""
        for listener in self.listeners:
            listener(self, key)

    def _tell_watchers(self, db: Database, key: bytes) -> None:
        if key in self.watchers:
            self._warn_watchers(key, key not in self.entries)

    def _warn_watchers(self, key: bytes, gone: bool) -> None:
        """Tell those who watch a key, but not that one has `gone` which had expired before they watched it."""
        place = (self, key)
        for session in self.watchers[key]:
            if gone and session.watched[place]:
                session.watched[place] = False
            else:
                session.dirty_cas = True

    def exchanged(self, key: bytes, existed: bool) -> None:
        """Tell those who watch a key that all keys have been exchanged for others; `existed`: it was one of those before."""
        entry = self.entries.get(key)
        expired = entry is not None and entry.deadline is not None and entry.deadline <= self.clock.now
        for session in self.watchers.get(key, ()):
            if expired and (session.watched[self, key] or not existed):
                session.watched[self, key] = True
            elif entry is None and session.watched[self, key]:
                session.watched[self, key] = False
            else:
                session.dirty_cas = True

    def notify(self, event_class: int, event: bytes, key: bytes) -> None:
        """Send a keyspace notification where the configuration asks for its class."""
        if self.engine.notify_flags & event_class:
            self.engine.publish_event(event_class, event, key, self.index)

    def notify_overwritten(self, key: bytes, old: Value, new: Value) -> None:
        """Tell that a key has a new value in place of an old one."""
        if key in self.blocked:
            self.engine.blocking.signal(self, key, None)
        self.notify_replaced(key, old, new)

    def notify_replaced(self, key: bytes, old: Value, new: Value) -> None:
        """Send the notifications of a new value in place of an old one."""
        self.notify(OVERWRITTEN, b"overwritten", key)
        if type_name(old) != type_name(new):
            self.notify(TYPE_CHANGED, b"type_changed", key)

    # Walking

    def live(self) -> Iterator[Entry]:
        """Every entry that has not expired, oldest first unless keys were deleted; the database must not change meanwhile."""
        now = self.clock.now
        return (entry for entry in self._dense if entry.deadline is None or entry.deadline > now)

    def random_entry(self) -> Entry | None:
        """A live entry, each as likely as another."""
        choose: Callable[[int], int] = self.engine.random.randrange
        tries = _TRIES
        while self._dense:
            entry = self._dense[choose(len(self._dense))]
            tries -= self.engine.keeps_expired
            if self.find(entry.key) is not None or not tries:
                return entry
        return None

    def scan(self, cursor: int, count: int) -> tuple[int, list[Entry]]:
        """Up to `count` entries from a cursor (0 begins) and the cursor to go on with (0 at the end)."""
        end = len(self._dense) if cursor == 0 else min(cursor, len(self._dense))
        start = max(end - count, 0)
        return start, [entry for entry in self._dense[start:end] if self.find(entry.key) is not None]


def type_name(value: Value) -> bytes:
    """What TYPE answers for a value."""
    if isinstance(value, bytes | bytearray):
        return b"string"
    name: bytes = value.type_name
    return name
