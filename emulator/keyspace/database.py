"""A database: its keys, how they are looked up, and the one funnel through which they change.

Reading goes through `Database.lookup_read`, which counts hits and misses; looking up in order to write through
`Database.lookup_write`, which does not.  Both see no key that has expired.  Changes go to `Database.changed` (or to `put`,
`delete`, `expire_at` and the others that call it): that one place counts what changed, touches the sessions that WATCH
the key, wakes those blocked on it and sends the keyspace notification.

Random picks and SCAN go by an array of the keys (`emulator.keyspace.key_index`), which is made when one of them first
needs it, and kept from then on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping, Sized
from typing import TYPE_CHECKING, TypeVar

from emulator.config.notifications import GENERIC, KEY_MISS, NEW, STRING
from emulator.datatypes.hash import Hash
from emulator.datatypes.string import beside_expiry
from emulator.datatypes.types import Value
from emulator.keyspace import types  # noqa: F401 (it enters the types)
from emulator.keyspace.entry import Entry, ExpiringEntry, FieldTimer
from emulator.keyspace.expiry import Expiring
from emulator.keyspace.frequency import Frequency, Modification
from emulator.keyspace.key_index import KeyIndex
from emulator.keyspace.lazyfree import LARGE, PORTION
from emulator.keyspace.parted import dicts_of
from emulator.keyspace.slot_index import SlotIndex
from emulator.keyspace.weighed import MOST_PARTS, MOST_STRINGS, MOST_UNWEIGHED
from emulator.keyspace.weight import freed_lazily
from emulator.protocol.errors import WRONGTYPE, CommandError

if TYPE_CHECKING:
    from emulator.config.directives import Config
    from emulator.keyspace.host import HostOfData

V = TypeVar("V")

_TRIES = 100
"""How many keys are drawn by lot, while those that have expired stay, before one of them is as good as another."""


def number_of_databases(config: Config) -> int:
    """How many databases a server has; in cluster mode that is one, in Valkey as many as is said for that."""
    if config.cluster_enabled:
        if config.edition.is_valkey:
            return config.cluster_databases
        config.databases = 1
    return config.databases


class Database(Expiring):
    """One numbered database.

    ``entries`` maps keys to entries; iterate over them with `live` only, since some may have expired.  ``uses`` makes the
    accesses of entries while the policy of eviction is one of LFU or LRM; without it they are the moments of the last use.
    """

    __slots__ = ("uses",)

    def __init__(self, engine: HostOfData, index: int) -> None:
        super().__init__(engine, index)
        self.uses: Frequency | Modification | None = None

    @property
    def frequency(self) -> Frequency | None:
        """How often keys are used, where the policy of eviction is one of LFU."""
        return self.uses if isinstance(self.uses, Frequency) else None

    def __len__(self) -> int:
        """Keys, those included that have expired but were not yet found to be."""
        return len(self.entries)

    # Looking up

    def used(self, entry: Entry) -> None:
        """A key counts as used: its access time changes, under an LFU policy its frequency, under one of LRM nothing."""
        entry.access = self.clock.now if self.uses is None else self.uses.touched(entry.access)

    def lookup_write_entry(self, key: bytes) -> Entry | None:
        """The live entry of a key for a command that writes: the key counts as used, but neither as a hit nor as a miss."""
        entry = self.entries.get(key)
        if entry is None or ((deadline := entry.deadline) is not None and self._has_gone(entry, deadline)):
            return None
        entry.access = self.clock.now if self.uses is None else self.uses.touched(entry.access)  # `used`, spelt out
        return entry

    def peek_for_writing(self, key: bytes) -> Entry | None:
        """The live entry of a key for a command that may write; the key does not count as used yet."""
        entry = self.entries.get(key)
        if entry is None or ((deadline := entry.deadline) is not None and self._has_gone(entry, deadline)):
            return None
        return entry

    def _has_gone(self, entry: Entry, deadline: int) -> bool:
        """Whether a key with a deadline that is about to be written has expired."""
        return deadline <= self.clock.now and self.expire_now(entry, for_writing=True)

    def lookup_write(self, key: bytes, kind: type[V]) -> V | None:
        """The value of a key that is about to be changed; raises WRONGTYPE where it is not a `kind`."""
        entry = self.entries.get(key)
        if entry is None or ((deadline := entry.deadline) is not None and self._has_gone(entry, deadline)):
            return None
        entry.access = self.clock.now if self.uses is None else self.uses.touched(entry.access)  # `used`, spelt out
        value = entry.value
        if value.__class__ is kind or isinstance(value, kind):
            return value
        raise CommandError(WRONGTYPE)

    def lookup_read_any(self, key: bytes, uses: bool = True) -> Value | None:
        """The value of a key that is read, of whatever type; counts a hit or a miss, and with `uses` as a use."""
        entry = self.entries.get(key)
        if entry is not None:
            deadline = entry.deadline
            if deadline is None or deadline > self.clock.now or not self.expire_now(entry):
                self.stats.keyspace_hits += 1
                if uses:  # `used`, spelt out
                    entry.access = self.clock.now if self.uses is None else self.uses.touched(entry.access)
                return entry.value
        self.stats.keyspace_misses += 1
        if self.has_listeners:
            self.notify(KEY_MISS, b"keymiss", key)
        return None

    def lookup_read_all(self, keys: Iterable[bytes]) -> list[Value | None]:
        """The same for several keys."""
        get, now, lookup = self.entries.get, self.clock.now, self.lookup_read_any
        values: list[Value | None] = []
        hits = 0
        for key in keys:
            entry = get(key)
            if entry is None or entry.deadline is not None or self.uses is not None:
                values.append(lookup(key))
            else:  # as `lookup_read_any` does
                hits += 1
                entry.access = now
                values.append(entry.value)
        self.stats.keyspace_hits += hits
        return values

    def lookup_read(self, key: bytes, kind: type[V]) -> V | None:
        """The value of a key that is read; raises WRONGTYPE where it is not a `kind`."""
        entry = self.entries.get(key)
        if entry is None or entry.deadline is not None:
            value = self.lookup_read_any(key)
        else:  # as `lookup_read_any` does, whose call is saved for most keys
            self.stats.keyspace_hits += 1
            entry.access = self.clock.now if self.uses is None else self.uses.touched(entry.access)
            value = entry.value
        if value.__class__ is kind or value is None or isinstance(value, kind):
            return value
        raise CommandError(WRONGTYPE)

    def alter(self, key: bytes) -> None:
        """A value that was looked up for reading is about to be changed after all: whoever has to save it first may do so."""

    def peek(self, key: bytes) -> Value | None:
        """The value of a key for the server's own use: neither statistics nor access time are touched."""
        entry = self.peek_entry(key)
        return None if entry is None else entry.value

    def lookup_entry(self, key: bytes) -> Entry | None:
        """The live entry of a key for introspection (OBJECT, TYPE): counts a hit or a miss, but is no access."""
        entry = self.peek_entry(key)
        if entry is None:
            self.stats.keyspace_misses += 1
        else:
            self.stats.keyspace_hits += 1
        return entry

    # Changing: everything ends in `changed`

    def changed(self, key: bytes, event_class: int, event: bytes, count: int = 1) -> None:
        """Tell that the value of `key` has changed: `count` changes, one notification."""
        self.engine.dirty += count
        unweighed = self._unweighed
        unweighed.add(key)
        if len(unweighed) > MOST_UNWEIGHED:
            self.weigh()
        if self.has_listeners:
            self.touch(key)
            self.notify(event_class, event, key)

    def changed_number(self, entry: Entry, event: bytes) -> None:
        """Tell that a string has become another number: of strings more may wait to be weighed."""
        self.engine.dirty += 1
        self._unweighed.add(entry.key)
        if len(self._unweighed) > MOST_STRINGS:
            self.weigh()
        if self.has_listeners:
            self.touch(entry.key)
            self.notify(STRING, event, entry.key)

    def gone(self, key: bytes, event_class: int, event: bytes) -> None:
        """Tell that a key was discarded, which is one change."""
        self.engine.dirty += 1
        if self.has_listeners:
            self.touch(key)
            self.notify(event_class, event, key)

    def told(self, key: bytes, event_class: int, event: bytes, count: int) -> None:
        """Tell of what may have changed nothing: those who watch the key do not hear of it then."""
        if count:
            self.changed(key, event_class, event, count)
        else:
            self.notify(event_class, event, key)

    def changed_silently(self, key: bytes, event_class: int = 0, event: bytes = b"", count: int = 1) -> None:
        """Tell of a change beside the value (the consumer groups of a stream): those who watch the key do not hear of it."""
        self.engine.dirty += count
        self._unweighed.add(key)  # as `reweigh` does
        self._parts += count
        if self._parts > MOST_PARTS or len(self._unweighed) > MOST_UNWEIGHED:
            self.weigh()
        if self.has_listeners:
            if isinstance(self.uses, Modification):
                self.uses.changed(self, key)
            self.notify(event_class, event, key)

    def put(self, key: bytes, value: Value, event_class: int, event: bytes, keep_ttl: bool = False) -> None:
        """Set a key to a new value whatever it held; without `keep_ttl` an expiry it had is forgotten."""
        entry = self.entries.get(key)
        if entry is not None:
            deadline = entry.deadline
            if deadline is not None:
                if deadline <= self.clock.now and self.expire_now(entry, for_writing=True):
                    entry = self.entries.get(key)
                else:
                    if self.engine.config.edition.is_valkey:
                        value = beside_expiry(key, value)
                    if not keep_ttl:
                        self.persist(entry)
        if entry is None:
            self.insert(key, value)
        else:
            key = entry.key  # which is kept anyway, while what waits to be weighed would keep another one
            old = entry.value
            entry.value = value
            entry.access = self.clock.now if self.uses is None else self.uses.touched(entry.access)  # `used`, spelt out
            if old.__class__ is Hash or value.__class__ is Hash:
                self.schedule_fields(entry)
            if self.has_listeners:
                self.notify_overwritten(key, old, value)
            if old.__class__ is not bytes:
                self._let_go(old)
        self.engine.dirty += 1
        self._unweighed.add(key)
        if len(self._unweighed) > MOST_UNWEIGHED and (
            value.__class__ is not bytes or len(self._unweighed) > MOST_STRINGS
        ):
            self.weigh()
        if self.has_listeners:
            self.touch(key)
            self.notify(event_class, event, key)

    def _let_go(self, value: Value) -> None:
        """Free a value that another one has replaced."""
        if self.engine.config.lazyfree_lazy_server_del and freed_lazily(value):
            self.stats.lazily_freed += 1
        if len(value) > LARGE:
            self.lazyfree.add(value)

    def insert(self, key: bytes, value: Value) -> Entry:
        """Enter a key that is known not to exist and is about to be filled; `changed` must follow."""
        access = self.clock.now if self.uses is None else self.uses.fresh()
        self.entries[key] = entry = Entry(key, value, access)
        if self._index is not None:
            self._index.add(key)
        if value.__class__ is Hash and value.deadlines is not None:
            self.schedule_fields(entry)
        if self.has_listeners:
            if key in self.blocked:
                self.signal(key, value.__class__)
            self.notify(NEW, b"new", key)
        return entry

    def signal(self, key: bytes, kind: type | None) -> None:
        self.engine.blocking.signal(self, key, kind)

    def removed_from(self, key: bytes, left: Sized, event_class: int, event: bytes, count: int = 1) -> None:
        """Tell that elements were taken from an aggregate of which that is left; with the last one the key goes."""
        self.changed(key, event_class, event, count)
        if not left:
            self.discard(key)
            self.notify(GENERIC, b"del", key)

    def delete(self, key: bytes, event: bytes = b"del", event_class: int = GENERIC) -> bool:
        """Delete a key and tell so; whether it was there, be it as one that has expired and stays for a while."""
        self.peek_entry(key)
        if key not in self.entries:
            return False
        self.discard(key)
        self.gone(key, event_class, event)
        return True

    def unlink(self, key: bytes) -> bool:
        """Delete a key, as the real server does whose other threads free large values; whether it was there."""
        self.count_freed(key)
        return self.delete(key)

    def clear(self) -> int:
        """Delete everything; how many keys there were."""
        count = len(self.entries)
        watched = [key for key in self.watchers if key in self.entries]
        for key in [key for key in self.blocked if key in self.entries]:
            self.signal(key, None)
        if count:
            self.lazyfree.run(count, self._free(self.entries, self.fields_with_expiry))
        for index in (self._index, self._volatile):
            if index is not None:
                self.lazyfree.add(index)
        self._index = SlotIndex(()) if self.engine.has_slots else None
        self._volatile = None
        self.entries, self.fields_with_expiry = {}, {}
        for key in watched:
            self.exchanged(key, existed=True)
        self.sizes.clear()
        self._unweighed.clear()
        self.expiring = self._deadlines = self.memory = 0
        self.engine.snapshots.note(self.index, None)
        return count

    def _free(
        self, entries: MutableMapping[bytes, Entry], field_timers: MutableMapping[bytes, FieldTimer]
    ) -> Iterator[int]:
        """Gives back what was flushed, in portions."""
        for part in dicts_of(entries):
            yield from self._free_part(part, field_timers)

    def _free_part(self, entries: dict[bytes, Entry], field_timers: MutableMapping[bytes, FieldTimer]) -> Iterator[int]:
        wheel = self.wheel
        while entries:
            freed = 0
            while entries and freed < PORTION:
                key, entry = entries.popitem()
                if isinstance(entry, ExpiringEntry):
                    wheel.cancel(entry)
                value, entry.value = entry.value, b""
                if value.__class__ is Hash and key in field_timers:
                    wheel.cancel(field_timers.pop(key))
                freed += 1
                if value.__class__ is not bytes:
                    if len(value) > LARGE:
                        self.lazyfree.add(value)
                    else:
                        freed += len(value)
            del entry, value
            yield freed

    # Walking

    def live(self) -> Iterator[Entry]:
        """Every entry that has not expired, oldest first; the database must not change meanwhile."""
        now = 0 if self.engine.expiration.shows else self.clock.now
        return (entry for entry in self.entries.values() if entry.deadline is None or entry.deadline > now)

    @property
    def index_of_keys(self) -> KeyIndex:
        """The keys in no order, to choose from and to scan.  O(keys) the first time."""
        if self._index is None:
            self._index = KeyIndex(self.entries)
        return self._index

    def in_slot(self, slot: int) -> KeyIndex:
        """The keys of a slot, for reading; in cluster mode."""
        assert isinstance(self._index, SlotIndex)
        return self._index.in_slot(slot)

    def slots_in_use(self) -> Iterable[int]:
        """The slots that have keys; in cluster mode."""
        assert isinstance(self._index, SlotIndex)
        return self._index.used_slots()

    def has_evictable(self, volatile: bool) -> bool:
        """Whether there is a key at all among those in which a victim is sought."""
        return bool(self.expiring if volatile else self.entries)

    def evictable(self, volatile: bool) -> KeyIndex:
        """The keys among which a victim is sought, for reading: all, or those with an expiry.  O(keys) the first time."""
        if not volatile:
            return self.index_of_keys
        if self._volatile is None:
            self._volatile = KeyIndex(entry.key for entry in self.entries.values() if entry.deadline is not None)
        return self._volatile

    def random_entry(self) -> Entry | None:
        """A live entry, each as likely as another."""
        tries = _TRIES
        while self.entries:
            entry = self.entries[self.index_of_keys.choose(self.engine.random)]
            tries -= self.engine.expiration.keeps
            if self.peek_entry(entry.key) is not None or not tries:
                return entry
        return None

    def scan(self, cursor: int, count: int) -> tuple[int, list[Entry]]:
        """Up to `count` entries from a cursor (0 begins) and the cursor to go on with (0 at the end)."""
        after, keys = self.index_of_keys.scan(cursor, count)
        entries, now = self.entries, self.clock.now
        found = [entry for key in keys if (entry := entries.get(key)) is not None]
        if self.expiring:
            found = [
                entry
                for entry in found
                if (moment := entry.deadline) is None or moment > now or not self.expire_now(entry)
            ]
        return after, found
