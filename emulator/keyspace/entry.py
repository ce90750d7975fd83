"""A key with its value, and the timers by which it and the fields of a hash expire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.datatypes import string
from emulator.datatypes.types import Value
from emulator.datatypes.wheel import Timer
from emulator.keyspace.weight import UNCLASSED

if TYPE_CHECKING:
    from emulator.keyspace.database import Database

_FIELDS_A_SLICE = 250
_FIELDS_A_STEP = 5
"""Fields that go in the time that a key takes."""


class Entry(Timer):
    """A key with its value; as a timer it is the key's expiry.

    ``index`` is its place among all keys, ``place`` among those with an expiry; ``size`` is what it was last weighed
    at, ``size_class`` where it is counted.
    """

    __slots__ = ("access", "db", "index", "key", "place", "size", "size_class", "value")

    def __init__(self, db: Database, key: bytes, value: Value, index: int, access: int) -> None:
        self.deadline = None
        self._slot = None
        self.db = db
        self.key = key
        self.value = value
        self.index = index
        self.access = access
        self.size = 0
        self.place = -1
        self.size_class = UNCLASSED

    @property
    def encoding(self) -> bytes:
        """What OBJECT ENCODING answers."""
        value = self.value
        if isinstance(value, bytes | bytearray):
            return string.encoding(value, self.key, self.deadline is not None)
        return value.encoding

    def fire(self) -> None:
        if self.db.entries.get(self.key) is not self:
            return  # it was flushed, and is still to be freed
        if self.db.engine.expires_actively:
            self.db.expire_now(self)
        else:
            self.db.wheel.hold(self)

    def failed(self, error: Exception) -> None:
        super().failed(error)
        if self.db.entries.get(self.key) is self and self.deadline is not None:
            self.db.wheel.hold(self)  # so that it still counts as expired for whoever looks it up


class FieldTimer(Timer):
    """The first deadline among the fields of a hash."""

    __slots__ = ("entry",)

    def __init__(self, entry: Entry) -> None:
        super().__init__()
        self.entry = entry

    def fire(self) -> int:
        if self.entry not in self.entry.db.fields_with_expiry:
            return 0  # it was flushed, and is still to be freed
        engine = self.entry.db.engine
        if engine.expires_actively:
            self.deadline = None
            return self.entry.db.expire_fields(self.entry, _FIELDS_A_SLICE) // _FIELDS_A_STEP
        engine.wheel.hold(self)
        return 0
