"""A key with its value, and the timers by which it and the fields of a hash expire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emulator.datatypes import string
from emulator.datatypes.types import Value
from emulator.datatypes.wheel import Timer, log_failure
from emulator.keyspace.weight import UNCLASSED

if TYPE_CHECKING:
    from emulator.keyspace.expiry import Expiring

UNWEIGHED: Final = (0, UNCLASSED)
_FIELDS_A_SLICE = 250
_FIELDS_A_STEP = 5
"""Fields that go in the time that a key takes."""


class Entry:
    """A key with its value.  Keys are so many that each slot counts: one with an expiry has an `ExpiringEntry` instead.

    ``weight`` is the bytes that it was last weighed at, and the class of sizes in which it is counted.
    """

    __slots__ = ("access", "key", "value", "weight")

    deadline: int | None = None

    def __init__(self, key: bytes, value: Value, access: int, weight: tuple[int, int] = UNWEIGHED) -> None:
        self.key = key
        self.value = value
        self.access = access
        self.weight = weight

    @property
    def encoding(self) -> bytes:
        """What OBJECT ENCODING answers."""
        return self.encoding_in()

    def encoding_in(self, embedding: string.Embedding = "with key") -> bytes:
        """The same where strings are embedded in this way."""
        value = self.value
        if isinstance(value, bytes | bytearray):
            return string.encoding(value, self.key, self._embeds_expiry, embedding)
        return value.encoding

    @property
    def _embeds_expiry(self) -> bool:
        """Whether there is less room for a string beside the key, because the expiry stands there."""
        return False


class ExpiringEntry(Entry):
    """A key that has an expiry, or had one; as a timer it is the key's expiry."""

    __slots__ = ("db", "deadline")

    def __init__(self, db: Expiring, entry: Entry) -> None:
        self.key = entry.key
        self.value = entry.value
        self.access = entry.access
        self.weight = entry.weight
        self.db = db
        self.deadline: int | None = None

    @property
    def _embeds_expiry(self) -> bool:
        edition = self.db.engine.config.edition
        return self.deadline is not None and not edition.is_valkey and not edition.includes("8.4.0")

    def fire(self) -> None:
        if self.db.entries.get(self.key) is not self:
            return  # it was flushed, and is still to be freed
        if self.db.engine.expiration.active:
            self.db.stats.expired_keys_active += 1
            self.db.expire_now(self)
        elif self.db.engine.expiration.lets_go(self.db, self):
            self.db.expire(self)
        else:
            self.db.wheel.hold(self)

    def failed(self, error: Exception) -> None:
        log_failure(error)
        if self.db.entries.get(self.key) is self and self.deadline is not None:
            self.db.wheel.hold(self)  # so that it still counts as expired for whoever looks it up


class FieldTimer(Timer):
    """The first deadline among the fields of the hash at a key."""

    __slots__ = ("db", "key")

    def __init__(self, db: Expiring, key: bytes) -> None:
        super().__init__()
        self.db = db
        self.key = key

    def fire(self) -> int:
        db = self.db
        if db.fields_with_expiry.get(self.key) is not self:
            return 0  # it was flushed, and is still to be freed
        if db.engine.expiration.active:
            self.deadline = None
            gone = db.expire_fields(db.entries[self.key], _FIELDS_A_SLICE)
            db.stats.expired_fields_active += gone
            return gone // _FIELDS_A_STEP
        db.wheel.hold(self)
        return 0
