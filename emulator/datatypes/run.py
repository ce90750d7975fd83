"""Runs of a stream's entries, each of which Redis keeps in one listpack.

A run in use is a `Run`, lists of ids and bodies; one that is not is a `PackedRun`, the very listpack.  That takes a tenth of
the memory, is freed at once and is what DUMP and RESTORE deal in.  Packed is only what most runs are: entries that all have
the same fields, and none of which was deleted.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from itertools import chain
from typing import Final, NamedTuple

from emulator.datatypes.columns import columns, parted
from emulator.datatypes.listpack import HEADER_SIZE, entry_size, integer_size
from emulator.lua import function
from emulator.protocol.numbers import UINT64_MAX

Body = tuple[bytes, ...]
Entry = tuple[int, Body]

_EMPTY_SIZE: Final = HEADER_SIZE + 6
_ID_SIZE: Final = 16
_MOST_TOLD: Final = 0xFFFF


class Run:
    """Entries that Redis keeps in one listpack; the fields of the first are not repeated by those that have the same.

    ``last`` is the last id that was ever put in; ``deleted`` has the entries taken out, which a listpack keeps and marks;
    ``slots`` is how many entries the listpack has, deleted ones too.
    """

    __slots__ = (
        "_first_halves",
        "_least_size",
        "bodies",
        "deleted",
        "fields",
        "first",
        "ids",
        "last",
        "size",
        "slots",
    )

    def __init__(self, id: int, fields: Body) -> None:
        self.first = self.last = id
        self.fields = fields
        self.ids: list[int] = []
        self.bodies: list[Body] = []
        self.deleted: list[Entry] = []
        self.slots = 0
        self._first_halves = id >> 64, id & UINT64_MAX
        self._least_size = integer_size(len(fields) + 3) + 6
        self.size = _EMPTY_SIZE + integer_size(len(fields)) + sum(map(entry_size, fields))

    def __len__(self) -> int:
        return len(self.ids)

    def entries(self) -> tuple[list[int], list[Body]]:
        """The ids and the bodies, which are not to be changed."""
        return self.ids, self.bodies

    def append(self, id: int, body: Body) -> int:
        """Put in an entry whose id is greater than every other; returns the bytes by which the listpack grows."""
        if body[::2] == self.fields:
            size = self._least_size
            for value in body[1::2]:
                size += entry_size(value)
        else:
            size = sum(map(entry_size, body)) + integer_size(len(body) // 2) + integer_size(len(body) + 4) + 6
        milliseconds, sequence = self._first_halves
        later = (id >> 64) - milliseconds
        if not 0 <= later < 128:
            size += integer_size(later) - 2
        later = (id & UINT64_MAX) - sequence
        if not 0 <= later < 128:
            size += integer_size(later) - 2
        ids = self.ids
        ids.append(id)
        count = len(ids)
        if count >= 128:
            size += integer_size(count) - integer_size(count - 1)
        self.bodies.append(body)
        self.slots += 1
        self.size += size
        self.last = id
        return size

    def remove(self, position: int) -> None:
        """Take out an entry; it keeps its room."""
        count, deleted = len(self.ids), len(self.deleted)
        self.deleted.append((self.ids.pop(position), self.bodies.pop(position)))
        if count >= 128 or deleted >= 127:
            self.size += (
                integer_size(count - 1) - integer_size(count) + integer_size(deleted + 1) - integer_size(deleted)
            )

    def copy(self) -> Run:
        """The same entries, independent of these.  O(n)."""
        twin = Run(self.first, self.fields)
        twin.ids, twin.bodies, twin.deleted = self.ids.copy(), self.bodies.copy(), self.deleted.copy()
        twin.last, twin.size, twin.slots = self.last, self.size, self.slots
        return twin

    def pack(self) -> PackedRun | None:
        """The same as a listpack; None where it is not packed.  O(n)."""
        if self.deleted or self.first != self.ids[0]:
            return None
        values = self._values()
        if values is None:
            return None
        ids = b"".join([id.to_bytes(_ID_SIZE, "little") for id in self.ids])
        packed = function("datatypes/run", "pack")(ids, *columns(values), *columns(self.fields))
        return PackedRun(self.first, self.last, self.fields, len(self.ids), packed)

    def _values(self) -> Sequence[bytes] | None:
        """The values of all entries where each has the fields of the first; None where one has others."""
        fields = self.fields
        if set(map(len, self.bodies)) != {2 * len(fields)}:
            return None
        columns = list(zip(*self.bodies, strict=True))
        if any(column.count(field) != len(column) for column, field in zip(columns[::2], fields, strict=True)):
            return None
        return columns[1] if len(columns) == 2 else list(chain.from_iterable(zip(*columns[1::2], strict=True)))


class PackedRun:
    """A run as a listpack, ``packed``: entries that all have the same ``fields``, with ids from ``first`` to ``last``."""

    __slots__ = ("_count", "fields", "first", "last", "packed")

    def __init__(self, first: int, last: int, fields: Body, count: int, packed: bytes) -> None:
        self.first = first
        self.last = last
        self.fields = fields
        self._count = count
        self.packed = packed

    def __len__(self) -> int:
        return self._count

    @classmethod
    def of(cls, first: int, packed: bytes) -> PackedRun | None:
        """What a listpack holds whose ids are told from `first`; None where it is not one that `Run.pack` makes.  O(n)."""
        found = _columns(first, packed)
        if found is None or int.from_bytes(found.ids[:_ID_SIZE], "little") != first:
            return None
        last, count = int.from_bytes(found.ids[-_ID_SIZE:], "little"), len(found.ids) // _ID_SIZE
        return cls(first, last, tuple(parted(found.fields, found.field_lengths)), count, packed)

    @property
    def slots(self) -> int:
        """The same number, since none was deleted."""
        return self._count

    @property
    def size(self) -> int:
        """Bytes of the listpack."""
        return len(self.packed)

    def copy(self) -> PackedRun:
        """Itself, since it does not change."""
        return self

    def entries(self) -> tuple[list[int], list[Body]]:
        """The ids and the bodies.  O(n)."""
        found = _columns(self.first, self.packed)
        assert found is not None
        halves = array("Q", found.ids)
        if sys.byteorder == "big":
            halves.byteswap()
        ids = [upper << 64 | lower for lower, upper in zip(halves[::2], halves[1::2], strict=True)]
        return ids, list(zip(*self._bodies(found), strict=True))

    def listed(self) -> list[list[bytes]]:
        """The ids as clients see them, and then columns of what the bodies have in each place.  O(n)."""
        found = _columns(self.first, self.packed, as_text=True)
        assert found is not None
        ids = found.ids.split(b"\n")
        ids.pop()
        return [ids, *self._bodies(found)]

    def _bodies(self, found: _Columns) -> list[list[bytes]]:
        values, width = parted(found.values, found.value_lengths), len(self.fields)
        pairs = [([field] * self._count, values[place::width]) for place, field in enumerate(self.fields)]
        return list(chain.from_iterable(pairs))

    def unpacked(self) -> Run:
        """A run of the same entries that can be changed.  O(n)."""
        run = Run(self.first, self.fields)
        run.ids, run.bodies = self.entries()
        run.last, run.size, run.slots = self.last, self.size, self.slots
        return run


class _Columns(NamedTuple):
    """What Lua tells of a listpack: the ids in 16 bytes each, the lowest first, or as text, the rest as for `parted`."""

    ids: bytes
    values: bytes
    value_lengths: bytes
    fields: bytes
    field_lengths: bytes


def _columns(first: int, packed: bytes, as_text: bool = False) -> _Columns | None:
    """What a listpack has in it; None where it is not one that `Run.pack` makes."""
    found = function("datatypes/run", "unpack")(packed, first.to_bytes(_ID_SIZE, "little"), as_text)
    return found and _Columns(*found)
