"""What the keys of a database weigh in the real server, and how many there are of each size."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from emulator.keyspace import parted
from emulator.keyspace.observed import Observed
from emulator.keyspace.weight import SLOT, shared, size_class, weigh

if TYPE_CHECKING:
    from emulator.keyspace.entry import Entry
    from emulator.keyspace.host import HostOfData

MOST_UNWEIGHED: Final = 127
"""Keys that wait to be weighed: a listpack of 128 scores with fractions takes 0.12 ms."""
MOST_STRINGS: Final = 4095
"""The same where the last to come is a string: all are weighed in a millisecond, and a key in constant use but once."""
MOST_PARTS: Final = 500
"""So many groups and consumers, with a hundred entries pending or more, are weighed in a few milliseconds."""


class Weighed(Observed):
    """Keys that are weighed when somebody asks, or when many have changed.

    ``memory`` is what the keys weighed last, ``sizes`` how many there are of each class, ``expiring`` how many have an
    expiry.
    """

    __slots__ = ("_parts", "_unweighed", "expiring", "memory", "sizes")

    def __init__(self, engine: HostOfData, index: int) -> None:
        super().__init__(engine, index)
        self.expiring = 0
        self.memory = 0
        self.sizes: Counter[int] = Counter()  # `Counter[int]()` takes three times as long, in each of 16 databases
        self._unweighed: set[bytes] = set()
        self._parts = 0  # of values, each weighed by itself, which may have changed since these were weighed

    def weigh(self) -> int:
        """Bytes that the keys would take in the real server, with their places in its tables.

        O(keys changed since the last time), of which there are never many.
        """
        entries, sizes = self.entries, self.sizes
        for key in self._unweighed:
            entry = entries.get(key)
            if entry is not None:
                value = entry.value
                before = entry.weight
                # strings are so many that their class is worked out here
                found = len(value).bit_length() if value.__class__ is bytes else size_class(value)
                weight = weigh(key, value, entry.deadline is not None), found
                if weight != before:
                    self.memory += weight[0] - before[0]
                    sizes[before[1]] -= 1
                    sizes[found] += 1
                    entry.weight = shared(weight)
        if self.engine.snapshots.snapshots:
            self.engine.snapshots.note(self.index, self._unweighed)
        self._unweighed.clear()
        self._parts = 0
        if entries.__class__ is dict and len(entries) > parted.MANY:
            self.part()
        return self.memory + self.overhead + self.expires_overhead

    def part(self) -> None:
        """The keys have become many: from now on they are in parts."""
        self.entries = parted.in_parts(self.entries)

    def reweigh(self, key: bytes, parts: int = 0) -> None:
        """The encoding of a value has changed or is about to, if not the value; or so many of its parts have changed."""
        if len(self._unweighed) > MOST_UNWEIGHED:
            self.weigh()
        self._unweighed.add(key)
        self._parts += parts
        if self._parts > MOST_PARTS:
            self.weigh()

    def unweigh(self, entry: Entry) -> None:
        """A key has gone: it weighs nothing, and its name is kept only for a snapshot."""
        size, found = entry.weight
        self.memory -= size
        self.sizes[found] -= 1
        if self.engine.snapshots.snapshots:
            self._unweighed.add(entry.key)
        else:
            self._unweighed.discard(entry.key)

    @property
    def overhead(self) -> int:
        """Bytes for the places of the keys in the real server's table."""
        return SLOT * len(self.entries)

    @property
    def expires_overhead(self) -> int:
        """Bytes for the places of those that expire."""
        return SLOT * self.expiring
