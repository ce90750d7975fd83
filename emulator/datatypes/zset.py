"""Sorted sets: members with scores, in the order of score and, where scores are equal, of the member's bytes.

A dict finds a member's score in O(1); a sorted list of (score, member) finds ranks and ranges in O(log n), which is a
`SortedList`, or a plain one of few members.  Redis keeps a small sorted set in a listpack and a larger one in a skip list;
once it is one, it stays one.  A listpack keeps whole scores as integers, which know no negative zero: so adding 0.0 makes
-0.0 the plain zero there.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from itertools import chain
from math import inf, nextafter
from operator import itemgetter
from typing import Final, NamedTuple, Protocol

from sortedcontainers import SortedList

from emulator.datatypes.element_index import ElementIndex
from emulator.datatypes.footprint import allocated, node_room, node_rooms, table_size
from emulator.datatypes.listpack import HEADER_SIZE, entry_sizes, integer_size
from emulator.protocol.numbers import format_doubles

Scored = tuple[float, bytes]

_SCORE: Final = itemgetter(0)
_MEMBER: Final = itemgetter(1)
_WHOLE: Final = 2.0**53
_FEW: Final = 256
"""So many members are put in order in no time, and a plain list of them is quicker than the lists of a `SortedList`."""
_SKIP_LIST: Final = 688
"""A skip list without nodes: the first one has room for all levels."""


class ZSetLimits(Protocol):
    """What a sorted set may hold and still be a listpack."""

    @property
    def zset_max_listpack_entries(self) -> int: ...

    @property
    def zset_max_listpack_value(self) -> int: ...


class LexRange(NamedTuple):
    """Members from `low` to `high` by their bytes; None is open.  ``empty`` where the ends are the wrong way round."""

    low: bytes | None
    high: bytes | None
    excludes_low: bool = False
    excludes_high: bool = False
    empty: bool = False

    def starts_after(self, member: bytes) -> bool:
        """Whether the range begins beyond a member."""
        return self.low is not None and (member <= self.low if self.excludes_low else member < self.low)

    def ends_before(self, member: bytes) -> bool:
        """Whether the range ends short of a member."""
        return self.high is not None and (member >= self.high if self.excludes_high else member > self.high)


def members_of(scored: Iterable[Scored]) -> list[bytes]:
    """The members without their scores."""
    return list(map(_MEMBER, scored))


def scores_of(scored: Iterable[Scored]) -> list[float]:
    """The scores without their members."""
    return list(map(_SCORE, scored))


class _Few(list[Scored]):
    """A `SortedList` of few members, all in one list."""

    __slots__ = ()

    def add(self, scored: Scored) -> None:
        insort(self, scored)

    def remove(self, scored: Scored) -> None:
        del self[bisect_left(self, scored)]

    def bisect_left(self, scored: Scored) -> int:
        return bisect_left(self, scored)

    def bisect_right(self, scored: Scored) -> int:
        return bisect_right(self, scored)


class ZSet:
    """A sorted set; ``payload`` is what its members take in a skip list if it is one.

    Unless said otherwise methods are O(log n).
    """

    __slots__ = ("_index", "_order", "packed", "payload", "scores")

    def __init__(self) -> None:
        self.scores: dict[bytes, float] = {}
        self._order: SortedList[Scored] | _Few | None = None
        self.packed = True
        self.payload = 0
        self._index: ElementIndex | None = None

    @classmethod
    def of(cls, scores: dict[bytes, float], limits: ZSetLimits) -> ZSet:
        """A sorted set of members and scores.  O(n log n)."""
        packed = len(scores) <= limits.zset_max_listpack_entries and (
            max(map(len, scores), default=0) <= limits.zset_max_listpack_value
        )
        return cls.encoded({member: score + 0.0 for member, score in scores.items()} if packed else scores, packed)

    @classmethod
    def encoded(cls, scores: dict[bytes, float], packed: bool) -> ZSet:
        """The same in a listpack or in a skip list.  O(n log n)."""
        new = cls()
        new.packed = packed
        new.scores = scores
        new.payload = 0 if packed else node_rooms(scores)
        if len(scores) > _FEW:
            new._order = SortedList(zip(scores.values(), scores, strict=True))
        return new

    @property
    def order(self) -> SortedList[Scored] | _Few:
        """The members by score, which who changes the scores asks for before.

        That of few is made when it is first asked for: nobody asks for those of many sets that are stored or read.
        """
        if self._order is None:
            self._order = _Few(sorted(zip(self.scores.values(), self.scores, strict=True)))
        return self._order

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[bytes]:
        """Members in order."""
        return map(_MEMBER, self.order)

    @property
    def encoding(self) -> bytes:
        """``listpack`` or ``skiplist``."""
        return b"listpack" if self.packed else b"skiplist"

    @property
    def packed_size(self) -> int:
        """Bytes of the one block that a small one is in, 0 for others.  O(n) for a small one."""
        return HEADER_SIZE + entry_sizes(self.scores) + self._size_of_scores() if self.packed else 0

    @property
    def footprint(self) -> int:
        """Bytes that it takes in the real server.  O(n) for a small one."""
        if self.packed:
            return allocated(self.packed_size)
        count = len(self.scores)
        return _SKIP_LIST + table_size(count) + self.payload

    def _size_of_scores(self) -> int:
        """Bytes of the scores in a listpack."""
        scores = list(self.scores.values())
        if all(map(float.is_integer, scores)) and min(scores) > -_WHOLE and max(scores) < _WHOLE:
            return sum(map(integer_size, map(int, scores)))
        return entry_sizes(format_doubles(scores))

    def unpack(self) -> None:
        """Be a skip list from now on.  O(n) where it was none."""
        if self.packed:
            self.packed = False
            self.payload = node_rooms(self.scores)

    def copy(self) -> ZSet:
        """A sorted set of its own with the same members.  O(n)."""
        twin = ZSet()
        twin.scores = self.scores.copy()
        if len(self.scores) > _FEW:
            twin._order = SortedList(self.order)
        twin.packed = self.packed
        twin.payload = self.payload
        return twin

    # One member

    def set(self, member: bytes, score: float, limits: ZSetLimits) -> None:
        """Give a member a score, whether it is there already or not."""
        old, order = self.scores.get(member), self._order
        if order is None:
            order = self.order
        if old is not None:
            if old == score:
                return
            order.remove((old, member))
        else:
            if self.packed and (
                len(self.scores) >= limits.zset_max_listpack_entries or len(member) > limits.zset_max_listpack_value
            ):
                self.unpack()
            if not self.packed:
                self.payload += node_room(member)
            if self._index is not None:
                self._index.add(member)
            if len(order) >= _FEW and order.__class__ is _Few:
                self._order = order = SortedList(order)
        if self.packed:
            score += 0.0
        self.scores[member] = score
        order.add((score, member))

    def remove(self, member: bytes) -> bool:
        """Take a member away; whether it was there."""
        order, score = self.order, self.scores.pop(member, None)
        if score is None:
            return False
        order.remove((score, member))
        if not self.packed:
            self.payload -= node_room(member)
        if self._index is not None:
            self._index.remove(member)
        return True

    def rank(self, member: bytes) -> int | None:
        """How many members come before one; None where it is not there."""
        score = self.scores.get(member)
        return None if score is None else self.order.bisect_left((score, member))

    # Ranges: as ranks, from a first one up to another

    def ranks_by_score(
        self, low: float, high: float, excludes_low: bool = False, excludes_high: bool = False
    ) -> tuple[int, int]:
        """The ranks of the members with scores from `low` to `high`, of which an end may be exclusive."""
        if excludes_low:
            if low == inf:
                return 0, 0
            low = nextafter(low, inf)
        find = self.order.bisect_left
        first = find((low, b""))
        if excludes_high:
            last = find((high, b""))
        elif high == inf:
            last = len(self.scores)
        else:
            last = find((nextafter(high, inf), b""))
        return first, last if last > first else first

    def ranks_by_lex(self, wanted: LexRange, backwards: bool = False) -> tuple[int, int]:
        """The ranks of the members in a range of bytes; meant for sorted sets whose scores are all the same."""
        order = self.order
        if wanted.empty or not order:
            return 0, 0
        score = order[0][0]
        if self.packed and order[-1][0] != score:
            return self._scan_lex(wanted, backwards)
        first, last = 0, len(order)
        if wanted.low is not None:
            find = order.bisect_right if wanted.excludes_low else order.bisect_left
            first = find((score, wanted.low))
        if wanted.high is not None:
            find = order.bisect_left if wanted.excludes_high else order.bisect_right
            last = find((score, wanted.high))
        return first, max(first, last)

    def _scan_lex(self, wanted: LexRange, backwards: bool) -> tuple[int, int]:
        """The same for a small one with different scores: member by member from the end asked for, as Redis goes."""
        members = list(self)
        size = len(members)
        if wanted.starts_after(members[-1]) or wanted.ends_before(members[0]):
            return 0, 0
        if backwards:
            last = size
            while last and wanted.ends_before(members[last - 1]):
                last -= 1
            first = last
            while first and not wanted.starts_after(members[first - 1]):
                first -= 1
            return first, last
        first = 0
        while first < size and wanted.starts_after(members[first]):
            first += 1
        last = first
        while last < size and not wanted.ends_before(members[last]):
            last += 1
        return first, last

    def slice(self, first: int, last: int, backwards: bool = False) -> list[Scored]:
        """The members of ranks from `first` up to `last`, possibly the last first.  O(log n + k)."""
        found: list[Scored] = self.order[first:last]
        if backwards:
            found.reverse()
        return found

    def between(self, ranges: Iterable[tuple[float, float]]) -> Iterator[Scored]:
        """The members of ranges of scores, one after the other; the second end is not included.  O(log n + k) for each."""
        order = self.order
        if isinstance(order, SortedList):
            return chain.from_iterable(order.irange((low,), (high,), (True, False)) for low, high in ranges)
        few = order
        return chain.from_iterable(few[bisect_left(few, (low,)) : bisect_left(few, (high,))] for low, high in ranges)

    def remove_slice(self, first: int, last: int) -> list[Scored]:
        """Take the members of ranks from `first` up to `last` away, and return them.  O(log n + k)."""
        chosen = self.slice(first, last)
        del self.order[first:last]
        for _, member in chosen:
            del self.scores[member]
            self.payload -= node_room(member)
            if self._index is not None:
                self._index.remove(member)
        return chosen

    # Picking and scanning

    @property
    def index(self) -> ElementIndex:
        """The members in an array, for random picks and scans; made at its first use, in O(n)."""
        if self._index is None:
            self._index = ElementIndex(self.scores)
        return self._index

    def _check(self) -> None:
        assert self.packed or self.payload == sum(map(node_room, self.scores))
        assert list(self.order) == sorted((score, member) for member, score in self.scores.items())
        if self._index is not None:
            self._index._check()
            assert set(self._index) == set(self.scores)
