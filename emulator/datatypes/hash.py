"""Hashes: a dict of fields and values, with deadlines for some of the fields.

Redis keeps a small hash in a listpack, where its fields have an order that clients see: that of insertion or, once a
field has had a deadline (``listpackex``), that of the deadlines (of equal ones the latest set first) with the fields that
have none behind.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterable
from typing import Protocol

from emulator.datatypes.deadlines import Deadlines
from emulator.datatypes.element_index import ElementIndex
from emulator.datatypes.footprint import allocated, room, rooms, table_size
from emulator.datatypes.listpack import HEADER_SIZE, entry_size, entry_sizes

_NEVER = 1 << 64
_DEADLINE = 12
_LISTPACKEX = 24
_PACKED_DEADLINE, _NO_PACKED_DEADLINE = 10, 2
"""A moment in milliseconds is an integer of 64 bits, none is a zero."""


class HashLimits(Protocol):
    """What a hash may hold and still be a listpack."""

    @property
    def hash_max_listpack_entries(self) -> int: ...

    @property
    def hash_max_listpack_value(self) -> int: ...


class Hash:
    """Values by field.  Reading, setting and removing one: O(1).

    ``fields`` is for reading, as is ``deadlines`` (None until a field has had one); ``packed`` says that the encoding is a
    listpack, ``payload`` how many bytes fields and values take there or, in a hash table, as strings.  The index for
    random picks and scans is made when one of them first needs it, in O(n).
    """

    __slots__ = ("_index", "deadlines", "fields", "packed", "payload")

    def __init__(self) -> None:
        self.fields: dict[bytes, bytes] = {}
        self.payload = 0
        self.packed = True
        self._index: ElementIndex | None = None
        self.deadlines: Deadlines | None = None

    @classmethod
    def of(cls, pairs: Iterable[tuple[bytes, bytes]], packed: bool) -> Hash:
        """A hash of fields and values, in an encoding that the caller knows to be right for them."""
        new = cls()
        new.fields = dict(pairs)
        new.packed = packed
        new.payload = new._measured()
        return new

    def _measured(self) -> int:
        if not self.packed:
            return rooms(self.fields) + rooms(self.fields.values())
        return entry_sizes(self.fields) + entry_sizes(self.fields.values())

    def __len__(self) -> int:
        return len(self.fields)

    @property
    def encoding(self) -> bytes:
        """``listpack``, ``listpackex`` or ``hashtable``."""
        if not self.packed:
            return b"hashtable"
        return b"listpack" if self.deadlines is None else b"listpackex"

    @property
    def footprint(self) -> int:
        """Bytes that it takes in the real server."""
        count = len(self.fields)
        deadlines = 0 if self.deadlines is None else len(self.deadlines.by_field)
        if not self.packed:
            return table_size(count) + self.payload + deadlines * _DEADLINE
        return allocated(self.packed_size) + (0 if self.deadlines is None else _LISTPACKEX)

    @property
    def packed_size(self) -> int:
        """Bytes of the one block that a small one has its fields in, 0 for others."""
        if not self.packed:
            return 0
        if self.deadlines is None:
            return HEADER_SIZE + self.payload
        deadlines = len(self.deadlines.by_field)
        moments = deadlines * _PACKED_DEADLINE + (len(self.fields) - deadlines) * _NO_PACKED_DEADLINE
        return HEADER_SIZE + self.payload + moments

    def copy(self) -> Hash:
        """A hash of its own with the same fields and deadlines.  O(n)."""
        twin = Hash()
        twin.fields = self.fields.copy()
        twin.packed = self.packed
        twin.payload = self.payload
        if self.deadlines is not None:
            twin.deadlines = self.deadlines.copy()
        return twin

    # Reading

    def get(self, field: bytes, now: int) -> bytes | None:
        """The value of a field that has not expired at `now`."""
        if self.deadlines is not None and self.deadlines.by_field.get(field, _NEVER) <= now:
            return None
        return self.fields.get(field)

    def in_order(self) -> dict[bytes, bytes]:
        """Fields and values in Redis's order, for reading.  O(1), for a listpack with deadlines O(n log n)."""
        if self.deadlines is not None and self.packed:
            fields = self.fields
            first = {field: fields[field] for field in self.deadlines.in_order()}
            return first | fields
        return self.fields

    def items(self) -> ItemsView[bytes, bytes]:
        """The same in pairs."""
        return self.in_order().items()

    @property
    def index(self) -> ElementIndex:
        """The fields in no order, to choose from and to scan."""
        if self._index is None:
            self._index = ElementIndex(self.fields)
        return self._index

    # Changing

    def expect(self, count: int, limits: HashLimits) -> None:
        """Choose the encoding before `count` fields are put in by one command."""
        if self.packed and count > limits.hash_max_listpack_entries:
            self.unpack()

    def unpack(self) -> None:
        """Be a hash table from now on."""
        if self.packed:
            self.packed = False
            self.payload = self._measured()

    def put(self, field: bytes, value: bytes, limits: HashLimits) -> bool:
        """Set a field, which keeps a deadline that it has; whether it is new."""
        fields = self.fields
        old = fields.get(field)
        if self.packed and (
            len(fields) + (old is None) > limits.hash_max_listpack_entries
            or len(value) > limits.hash_max_listpack_value
            or len(field) > limits.hash_max_listpack_value
        ):
            self.unpack()
        fields[field] = value
        size = entry_size if self.packed else room
        if old is not None:
            if value != old:
                self.payload += size(value) - size(old)
            return False
        self.payload += size(field) + size(value)
        if self._index is not None:
            self._index.add(field)
        return True

    def put_afresh(self, field: bytes, value: bytes, limits: HashLimits) -> bool:
        """Set a field, which loses a deadline that it has; whether it is new."""
        if self.put(field, value, limits):
            return True
        self.persist(field)
        return False

    def pop(self, field: bytes) -> bytes | None:
        """Take a field out; its value, None where it was not there."""
        value = self.fields.pop(field, None)
        if value is not None:
            size = entry_size if self.packed else room
            self.payload -= size(field) + size(value)
            if self._index is not None:
                self._index.remove(field)
            if self.deadlines is not None:
                self.deadlines.remove(field)
        return value

    # Deadlines

    @property
    def next_deadline(self) -> int | None:
        """When the first field expires, in milliseconds since the epoch; None for never."""
        return None if self.deadlines is None else self.deadlines.next

    def provide_for_deadlines(self) -> Deadlines:
        """The deadlines; from now on there may be some, which changes the encoding even where there are none."""
        if self.deadlines is None:
            self.deadlines = Deadlines()
        return self.deadlines

    def deadline(self, field: bytes) -> int | None:
        """When a field expires, None for never."""
        return None if self.deadlines is None else self.deadlines.by_field.get(field)

    def expire_at(self, field: bytes, deadline: int) -> None:
        """Let a field that is there expire.  O(log n)."""
        self.provide_for_deadlines().set(field, deadline)

    def persist(self, field: bytes) -> bool:
        """Take a field's deadline away; whether it had one."""
        if self.deadlines is None or not self.deadlines.remove(field):
            return False
        if self.packed:
            self.fields[field] = self.fields.pop(field)
        return True

    def expire(self, now: int, most: int, only: Iterable[bytes] | None = None) -> list[bytes]:
        """Remove up to `most` of the fields that have expired, of certain ones or of all; which."""
        if self.deadlines is None:
            return []
        if only is None and self.packed:
            due = self.deadlines.in_order(now)[:most]
        elif only is None:
            due = self.deadlines.take_due(now, most)
        else:
            due = [field for field in only if self.deadlines.by_field.get(field, _NEVER) <= now]
        for field in due:
            self.pop(field)
        return due

    def _check(self) -> None:
        assert self.payload == self._measured()
        if self._index is not None:
            self._index._check()
            assert set(self._index) == self.fields.keys()
        if self.deadlines is not None:
            self.deadlines._check()
            assert self.deadlines.by_field.keys() <= self.fields.keys()
