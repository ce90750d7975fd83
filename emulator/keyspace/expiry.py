"""Keys and fields that go by themselves: those that expire, and those that are evicted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping, Sequence
from typing import TYPE_CHECKING

from emulator.config.notifications import EVICTED, EXPIRED, GENERIC, HASH
from emulator.datatypes.hash import Hash
from emulator.keyspace.entry import Entry, ExpiringEntry, FieldTimer
from emulator.keyspace.key_index import KeyIndex
from emulator.keyspace.lazyfree import LARGE
from emulator.keyspace.parted import in_parts
from emulator.keyspace.slot_index import SlotIndex
from emulator.keyspace.weighed import Weighed
from emulator.keyspace.weight import freed_lazily

if TYPE_CHECKING:
    from emulator.keyspace.host import HostOfData


class Expiring(Weighed):
    """Keys that may have an expiry; ``fields_with_expiry`` has the keys of hashes with fields that expire, with the timer of
    the first of them.
    """

    __slots__ = (
        "_deadlines",
        "_index",
        "_latest_deadline",
        "_volatile",
        "fields_with_expiry",
        "lazyfree",
        "stats",
        "wheel",
    )

    def __init__(self, engine: HostOfData, index: int) -> None:
        super().__init__(engine, index)
        self.wheel = engine.wheel
        self.lazyfree = engine.lazyfree
        self.fields_with_expiry: MutableMapping[bytes, FieldTimer] = {}
        self._deadlines = self._latest_deadline = 0
        self._index: KeyIndex | None = SlotIndex(()) if engine.has_slots else None
        self._volatile: KeyIndex | None = None

    def belong_to(self, engine: HostOfData) -> None:
        super().belong_to(engine)
        self.stats = engine.stats

    def peek_entry(self, key: bytes) -> Entry | None:
        """The live entry of a key, for introspection and for whoever looks at several things: nothing counts."""
        entry = self.entries.get(key)
        if (
            entry is not None
            and entry.deadline is not None
            and entry.deadline <= self.clock.now
            and self.expire_now(entry)
        ):
            return None
        return entry

    def expire_at(self, entry: Entry, deadline: int) -> Entry:
        """Give a key an expiry, in milliseconds since the epoch; the caller tells of the change.

        Returns the entry that the key has from now on, perhaps another one.
        """
        timer = entry if isinstance(entry, ExpiringEntry) else ExpiringEntry(self, entry)
        if timer is not entry:
            self.entries[entry.key] = timer
        before = timer.deadline
        if before is None:
            before = 0
            self.expiring += 1
            if self._volatile is not None:
                self._volatile.add(entry.key)
        self._deadlines += deadline - before
        if deadline != self._latest_deadline:
            self._latest_deadline = deadline | 0  # a sum has room for one more digit, what `|` makes has not
        self.wheel.set(timer, self._latest_deadline)  # keys that are set together often share one integer
        return timer

    def persist(self, entry: Entry) -> None:
        """Take away the expiry that a key has; the caller tells of the change."""
        assert isinstance(entry, ExpiringEntry)
        self.expiring -= 1
        self._deadlines -= entry.deadline or 0
        if self._volatile is not None:
            self._volatile.remove(entry.key)
        self.wheel.cancel(entry)

    @property
    def average_ttl(self) -> int:
        """Milliseconds that the keys with an expiry have left on average."""
        return max(self._deadlines // self.expiring - self.clock.now, 0) if self.expiring else 0

    def expire_now(self, entry: Entry, for_writing: bool = False) -> bool:
        """A key's time is up: it goes, unless CLIENT PAUSE or the import mode lets it stay for a while, where nobody sees it.

        Returns False for a client that sees it nevertheless, since it brings data in import mode.
        """
        engine = self.engine
        if engine.expiration.shows:
            return False
        if not engine.expiration.keeps or (for_writing and engine.config.import_mode):
            self.expire(entry)
        return True

    def expire(self, entry: Entry) -> None:
        """A key goes, whose time is up."""
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
        if self.has_listeners:
            self.touch(key)
            self.notify(event_class, event, key)

    def count_freed(self, key: bytes) -> None:
        """Count the value of a key that is about to go among those that are freed lazily."""
        entry = self.entries.get(key)
        if entry is not None and freed_lazily(entry.value):
            self.stats.lazily_freed += 1

    def discard(self, key: bytes) -> None:
        """Take a key that exists out of the database and tell nobody but those blocked on it."""
        entry = self.entries.pop(key)
        self.unweigh(entry)
        if entry.deadline is not None:
            self.persist(entry)
        if self._index is not None:
            self._index.remove(key)
        value = entry.value
        if value.__class__ is Hash and key in self.fields_with_expiry:
            self.wheel.cancel(self.fields_with_expiry.pop(key))
        if value.__class__ is not bytes and len(value) > LARGE:
            self.lazyfree.add(value)
        if key in self.blocked:
            self.signal(key, None)

    def schedule_fields(self, entry: Entry) -> None:
        """Have the fields of a hash expire by the wheel; to be called when its next deadline may have changed."""
        deadline = entry.value.next_deadline if entry.value.__class__ is Hash else None
        timer = self.fields_with_expiry.get(entry.key)
        if deadline is not None:
            if timer is None:
                timer = self.fields_with_expiry[entry.key] = FieldTimer(self, entry.key)
                self.fields_with_expiry = in_parts(self.fields_with_expiry)
            moment = max(deadline, self.clock.now + 1)
            if timer.deadline != moment:
                self.wheel.set(timer, moment)
        elif timer is not None:
            self.wheel.cancel(timer)
            del self.fields_with_expiry[entry.key]

    def expire_fields(self, entry: Entry, most: int, only: Iterable[bytes] | None = None) -> int:
        """Remove fields of a hash whose time is up, at most so many, of certain ones or of all; with the last the key.

        Returns how many went.
        """
        key, value = entry.key, entry.value
        assert isinstance(value, Hash)
        gone = value.expire(self.clock.now, most, only)
        self.reweigh(key)
        self.schedule_fields(entry)
        if gone:
            self.stats.expired_fields += len(gone)
            for field in gone if self.engine.propagation.listeners else ():
                self.engine.propagation.add(self.index, [b"HDEL", key, field])
            if self.has_listeners:
                self.touch(key)
                self.notify(HASH, b"hexpired", key)
                self.notify_subkeys(b"hexpired", key, gone)
        if not value:
            self.discard(key)
            self.notify(GENERIC, b"del", key)
        return len(gone)
