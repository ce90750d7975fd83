"""Sets: a dict of members, with the encoding that Redis would have.

A small set of integers is an ``intset``, which is in numerical order; another small one a ``listpack``, in the order of
insertion; a larger one a ``hashtable`` in no order.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from random import Random
from typing import Protocol

from emulator.datatypes.element_index import ElementIndex
from emulator.datatypes.footprint import allocated, room, rooms, table_size
from emulator.datatypes.listpack import HEADER_SIZE, entry_sizes
from emulator.protocol.numbers import is_integer

INTSET = b"intset"
LISTPACK = b"listpack"
HASHTABLE = b"hashtable"

_INTSET_LIMIT = 1 << 30
_KEEP_RATIO = 5
_NESTED = 1000
"""Filters that ask one another: each takes some of C's stack, and a client may name a million sets."""
_INTSET_HEADER = 8


def in_all(members: Iterable[bytes], others: Iterable[Container[bytes]]) -> Iterator[bytes]:
    """Those of some members that all others have, found as they are asked for.  O(N*M) for N members and M others."""
    found = iter(members)
    for place, other in enumerate(others, 1):
        found = filter(other.__contains__, found)
        if place % _NESTED == 0:
            found = iter(list(found))
    return found


class SetLimits(Protocol):
    """What a set may hold and still be an intset or a listpack."""

    @property
    def set_max_intset_entries(self) -> int: ...

    @property
    def set_max_listpack_entries(self) -> int: ...

    @property
    def set_max_listpack_value(self) -> int: ...


class Set:
    """Distinct members.  Looking one up, adding, removing: O(1).

    ``members`` is for reading, ``payload`` how many bytes they take as strings.  The index for random picks and scans
    is made when one of them first needs it, in O(n).
    """

    __slots__ = ("_index", "encoding", "members", "payload")

    def __init__(self) -> None:
        self.members: dict[bytes, None] = {}
        self.payload = 0
        self.encoding = INTSET
        self._index: ElementIndex | None = None

    @classmethod
    def of(cls, members: Iterable[bytes], limits: SetLimits, encoding: bytes = INTSET) -> Set:
        """A set of members, added one after the other to an empty one of a small encoding.  O(n)."""
        new = cls()
        new.encoding = encoding
        distinct = dict.fromkeys(members)
        if encoding is not INTSET or not is_integer(next(iter(distinct), b"0")):
            new._have(distinct, limits)
            return new
        rest = iter(distinct)
        for member in rest:
            new.add(member, limits)
            if new.encoding is not INTSET:
                new._have(new.members | dict.fromkeys(rest), limits)
        return new

    def _have(self, members: dict[bytes, None], limits: SetLimits) -> None:
        """Have these members, whose encoding is no intset: whether it is a listpack is a matter of number and lengths."""
        self.members = members
        self.payload = rooms(members)
        if self.encoding is INTSET:
            self.encoding = LISTPACK
        if self.encoding is LISTPACK and members:
            longest = max(map(len, members))
            if len(members) > limits.set_max_listpack_entries or longest > limits.set_max_listpack_value:
                self.encoding = HASHTABLE

    @classmethod
    def encoded(cls, members: Iterable[bytes], encoding: bytes) -> Set:
        """A set of members in an encoding (one of the constants) that the caller knows to be right for them."""
        new = cls()
        new.members = dict.fromkeys(members)
        new.payload = rooms(new.members)
        new.encoding = encoding
        return new

    def __len__(self) -> int:
        return len(self.members)

    def __contains__(self, member: bytes) -> bool:
        return member in self.members

    def __iter__(self) -> Iterator[bytes]:
        """The members in Redis's order.  O(n), for an intset O(n log n)."""
        return iter(sorted(self.members, key=int)) if self.encoding is INTSET else iter(self.members)

    @property
    def packed(self) -> bool:
        """Whether the members have an order, and a scan gives all at once."""
        return self.encoding is not HASHTABLE

    @property
    def footprint(self) -> int:
        """Bytes that it takes in the real server.  O(n) for a small one."""
        return allocated(self.packed_size) if self.packed else table_size(len(self.members)) + self.payload

    @property
    def packed_size(self) -> int:
        """Bytes of the one block that a small one is in, 0 for others.  O(n) for a small one."""
        if self.encoding is INTSET:
            numbers = list(map(int, self.members))
            furthest = max(max(numbers, default=0), ~min(numbers, default=0))
            return _INTSET_HEADER + len(numbers) * (2 if furthest < 1 << 15 else 4 if furthest < 1 << 31 else 8)
        return HEADER_SIZE + entry_sizes(self.members) if self.encoding is LISTPACK else 0

    def copy(self) -> Set:
        """A set of its own with the same members.  O(n)."""
        twin = Set()
        twin.members = self.members.copy()
        twin.encoding = self.encoding
        twin.payload = self.payload
        return twin

    @property
    def index(self) -> ElementIndex:
        """The members in no order, to choose from and to scan."""
        if self._index is None:
            self._index = ElementIndex(self.members)
        return self._index

    # Changing

    def expect(self, first: bytes, count: int, limits: SetLimits) -> None:
        """Choose the encoding before `count` members, `first` among them, are added by one command."""
        if not self.members:
            integers = is_integer(first) and count <= limits.set_max_intset_entries
            self.encoding = INTSET if integers else LISTPACK
        most = limits.set_max_intset_entries if self.encoding is INTSET else limits.set_max_listpack_entries
        if count > most:
            self.encoding = HASHTABLE

    def add(self, member: bytes, limits: SetLimits) -> bool:
        """Add a member; whether it is new."""
        if member in self.members:
            return False
        if self.encoding is LISTPACK:
            if len(self.members) >= limits.set_max_listpack_entries or len(member) > limits.set_max_listpack_value:
                self.encoding = HASHTABLE
        elif self.encoding is INTSET:
            self._add_to_integers(member, limits)
        self.members[member] = None
        self.payload += room(member)
        if self._index is not None:
            self._index.add(member)
        return True

    def _add_to_integers(self, member: bytes, limits: SetLimits) -> None:
        """Be no intset any more if the new member has no place in one."""
        count = len(self.members)
        if is_integer(member):
            if count >= min(limits.set_max_intset_entries, _INTSET_LIMIT):
                self.encoding = HASHTABLE
            return
        self.members = dict.fromkeys(self)
        longest = max(map(len, (member, *self.members)))
        fits = count < limits.set_max_listpack_entries and longest <= limits.set_max_listpack_value
        self.encoding = LISTPACK if fits else HASHTABLE

    def settle(self, limits: SetLimits) -> None:
        """Be an intset where there are only integers, and no more than one may have.  O(n)."""
        if len(self.members) <= limits.set_max_intset_entries and all(map(is_integer, self.members)):
            self.encoding = INTSET

    def remove(self, member: bytes) -> bool:
        """Take a member out; whether it was there."""
        if member not in self.members:
            return False
        del self.members[member]
        self.payload -= room(member)
        if self._index is not None:
            self._index.remove(member)
        return True

    def pop(self, random: Random) -> bytes:
        """Take out a member, each as likely as another; there must be one.  O(1)."""
        member = self.index.choose(random)
        self.remove(member)
        return member

    def pop_many(self, random: Random, count: int, limits: SetLimits) -> list[bytes]:
        """Take out `count` members, fewer than there are; where few stay, the set is built anew of those.  O(count)."""
        stay = len(self.members) - count
        if stay * _KEEP_RATIO > count:
            return [self.pop(random) for _ in range(count)]
        kept = self.index.pick(random, stay)
        for member in kept:
            self.remove(member)
        taken = list(self)
        self.clear()
        if self.encoding is HASHTABLE:
            self.encoding = LISTPACK
        for member in kept:
            self.add(member, limits)
        return taken

    def clear(self) -> None:
        """Take every member out."""
        self.members = {}
        self.payload = 0
        self._index = None

    def _check(self) -> None:
        assert self.payload == sum(map(room, self.members))
        if self._index is not None:
            self._index._check()
            assert set(self._index) == self.members.keys()
        if self.encoding is INTSET:
            assert all(is_integer(member) for member in self.members)
