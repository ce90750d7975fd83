"""Streams: entries in the order of their ids, kept in runs as Redis keeps them in listpacks.

An id is one integer, the milliseconds in the upper 64 bits and the sequence number in the lower: ids compare, and the
next one is found, as integers do.  How entries are spread over runs can be seen by clients, since trimming by ``~`` takes
whole runs only; so a run knows its size in bytes as a listpack.

Source: https://redis.io/docs/latest/develop/data-types/streams/
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import Final

from emulator.datatypes.consumers import UNKNOWN, Group, Weights, next_count
from emulator.datatypes.idempotence import Idempotence
from emulator.datatypes.radix import tree_nodes, tree_size
from emulator.datatypes.run import Body, Entry, PackedRun, Run
from emulator.lua import is_quick
from emulator.protocol.numbers import UINT64_MAX, wrapped

MAX_ID: Final = (1 << 128) - 1

_LARGEST_RUN = 1 << 30
_EMPTY_SIZE = 96
_FULL_RUN = 4096
_IN_USE = 64
"""The last so many runs are not packed by themselves: most streams have fewer."""
_READ = 4
"""Packed runs that are kept unpacked beside, since who reads entries soon reads those behind them."""


def id_of(text: bytes) -> int:
    """The id that a text of `format_id` stands for."""
    milliseconds, _, sequence = text.partition(b"-")
    return int(milliseconds) << 64 | int(sequence)


def format_id(id: int) -> bytes:
    """An id as clients see it, ``1526919030474-55``."""
    return b"%d-%d" % (id >> 64, id & UINT64_MAX)


def format_ids(ids: Iterable[int]) -> list[bytes]:
    """Many of them, without a call for each."""
    return [b"%d-%d" % (id >> 64, id & UINT64_MAX) for id in ids]


class Stream:
    """A stream and its consumer groups; it may be empty.  Looking up an entry is O(log n), appending O(1).

    ``last_id`` is the greatest id ever given, ``added`` how many entries there ever were, modulo 2**64 and
    signed, ``max_deleted`` the greatest id deleted on purpose (trimming does not count), ``size`` the bytes of the runs;
    ``idempotence`` is what is known of the messages of producers, None until there is one that says who it is.
    """

    __slots__ = (
        "_firsts",
        "_least_read",
        "_length",
        "_tree_nodes",
        "_unpacked",
        "added",
        "groups",
        "idempotence",
        "last_id",
        "max_deleted",
        "runs",
        "size",
        "weights",
    )
    encoding = b"stream"

    def __init__(self) -> None:
        self.runs: list[Run | PackedRun] = []
        self._firsts: list[int] = []
        self._tree_nodes = 0  # of the firsts, as counted last; 0 once they have changed
        self._length = 0
        self.last_id = self.max_deleted = self.added = 0
        self.groups: dict[bytes, Group] = {}
        self.weights = Weights()
        self.idempotence: Idempotence | None = None
        self._least_read: int | None = None
        self.size = 0
        self._unpacked: dict[PackedRun, tuple[list[int], list[Body]]] = {}  # those that were read last

    def __len__(self) -> int:
        return self._length

    @property
    def footprint(self) -> int:
        """Bytes that it takes in the real server: the last run has room to grow.  O(changed groups and consumers)."""
        room = max(_FULL_RUN - self.runs[-1].size, 0) if self.runs else 0
        return _EMPTY_SIZE + tree_size(self._firsts) + self.size + room + self.weights.total()

    def copy(self) -> Stream:
        """The same entries and groups, independent of these."""
        twin = Stream()
        twin.runs = [run.copy() for run in self.runs]
        twin._firsts = self._firsts.copy()
        twin._length, twin.size = self._length, self.size
        twin.last_id, twin.max_deleted, twin.added = self.last_id, self.max_deleted, self.added
        twin.groups = {name: group.copy(twin.weights) for name, group in self.groups.items()}
        twin.idempotence = self.idempotence and self.idempotence.copy()
        twin.weights.total()  # all of it is new: this takes less than the rest has
        return twin

    @property
    def first_id(self) -> int:
        """The id of the first entry, 0 where there is none."""
        return self._first_of(0) if self._length else 0

    @property
    def top_id(self) -> int:
        """The id of the last entry, 0 where there is none."""
        return self._entries(-1)[0][-1] if self._length else 0

    def outermost(self) -> tuple[Entry, Entry] | None:
        """The first entry and the last one, which may be the same; None where there is none."""
        if not self._length:
            return None
        first_ids, first_bodies = self._entries(0)
        last_ids, last_bodies = self._entries(-1)
        return (first_ids[0], first_bodies[0]), (last_ids[-1], last_bodies[-1])

    def _first_of(self, index: int) -> int:
        """The id of the first entry of a run."""
        run = self.runs[index]
        return run.first if isinstance(run, PackedRun) else run.ids[0]

    def _entries(self, index: int) -> tuple[list[int], list[Body]]:
        """The ids and bodies of a run, which are not to be changed."""
        run = self.runs[index]
        if isinstance(run, Run):
            return run.ids, run.bodies
        found = self._unpacked.get(run)
        if found is None:
            found = self._unpacked[run] = run.entries()
            if len(self._unpacked) > _READ:
                del self._unpacked[next(iter(self._unpacked))]
        return found

    def _open(self, index: int) -> Run:
        """A run that is about to change."""
        run = self.runs[index]
        if isinstance(run, PackedRun):
            run = self.runs[index] = run.unpacked()
        return run

    def append(self, id: int, body: Body, max_bytes: int, max_entries: int) -> None:
        """Add an entry whose id is greater than ``last_id``; a limit of 0 for a run is none."""
        run = self.runs[-1] if self.runs else None
        most = max_bytes if 0 < max_bytes < _LARGEST_RUN else _LARGEST_RUN
        if run is None or 0 < max_entries <= run.slots or run.size + sum(map(len, body)) >= most:
            run = self._new_run(id, body)
        elif not isinstance(run, Run):
            run = self._open(-1)
        self.size += run.append(id, body)
        self._length += 1
        self.added = next_count(self.added)
        self.last_id = id

    def _new_run(self, id: int, body: Body) -> Run:
        run = Run(id, body[::2])
        self.enter(run)
        if len(self.runs) > _IN_USE and is_quick():
            self._pack(-1 - _IN_USE)
        return run

    def _pack(self, index: int) -> None:
        run = self.runs[index]
        if isinstance(run, Run):
            self.runs[index] = run.pack() or run

    def enter(self, run: Run | PackedRun) -> None:
        """Add a run of entries whose ids are greater than every other; the caller sets ``last_id`` and ``added``."""
        self.runs.append(run)
        self.size += run.size
        self._firsts.append(run.first)
        self._tree_nodes = 0
        self._length += len(run)

    def _place(self, id: int) -> tuple[int, int] | None:
        index = bisect_right(self._firsts, id) - 1
        if index >= 0:
            ids, _ = self._entries(index)
            position = bisect_left(ids, id)
            if position < len(ids) and ids[position] == id:
                return index, position
        return None

    def __contains__(self, id: int) -> bool:
        return self._place(id) is not None

    def get(self, id: int) -> Body | None:
        """The fields and values of an entry."""
        index = bisect_right(self._firsts, id) - 1
        if index < 0:
            return None
        ids, bodies = self._entries(index)
        position = bisect_left(ids, id)
        return bodies[position] if position < len(ids) and ids[position] == id else None

    def delete(self, id: int) -> bool:
        """Take out an entry on purpose; whether it was there."""
        place = self._place(id)
        if place is None:
            return False
        self._remove(*place)
        self.max_deleted = max(self.max_deleted, id)
        return True

    def _remove(self, index: int, position: int) -> None:
        run = self._open(index)
        self.size -= run.size
        if len(run) > 1:
            run.remove(position)
            self.size += run.size
        else:
            del self.runs[index], self._firsts[index]
            self._tree_nodes = 0
        self._length -= 1

    def range(self, start: int, end: int, backwards: bool = False) -> Iterator[Entry]:
        """The entries from one id to another, both included, in their order or the greatest first."""
        for index in self._indices(start, end, backwards):
            ids, bodies = self._slice(index, start, end)
            yield from zip(reversed(ids), reversed(bodies), strict=True) if backwards else zip(ids, bodies, strict=True)

    def listed(self, start: int, end: int, backwards: bool = False) -> Iterator[Sequence[Sequence[bytes]]]:
        """The same in columns of some entries each: the ids as clients see them, and what the bodies have in each place."""
        for index in self._indices(start, end, backwards):
            run = self.runs[index]
            if isinstance(run, PackedRun) and start <= run.first and run.last <= end:
                chunks: list[Sequence[Sequence[bytes]]] = [run.listed()]
            else:
                ids, bodies = self._slice(index, start, end)
                chunks = list(_columns(format_ids(ids), bodies))
            yield from [[column[::-1] for column in chunk] for chunk in reversed(chunks)] if backwards else chunks

    def nth(self, start: int, count: int) -> int:
        """The id of the last of so many entries from one id on, of which there are as many.  O(n/100)."""
        for index in self._indices(start, MAX_ID, backwards=False):
            run = self.runs[index]
            if count <= len(run) or run.first < start:
                ids, _ = self._slice(index, start, MAX_ID)
                if count <= len(ids):
                    return ids[count - 1]
                count -= len(ids)
            else:
                count -= len(run)
        raise IndexError

    def _indices(self, start: int, end: int, backwards: bool) -> Iterable[int]:
        """The indices of the runs that may have entries from one id to another."""
        found = range(max(bisect_right(self._firsts, start) - 1, 0), bisect_right(self._firsts, end))
        return reversed(found) if backwards else found

    def _slice(self, index: int, start: int, end: int) -> tuple[list[int], list[Body]]:
        """The ids and bodies that a run has from one id to another."""
        run = self.runs[index]
        ids, bodies = self._entries(index)
        low = bisect_left(ids, start) if run.first < start else 0
        high = bisect_right(ids, end) if run.last > end else len(ids)
        return ids[low:high], bodies[low:high]

    def is_referenced(self, id: int) -> bool:
        """Whether a consumer group still has an entry before it: not delivered yet, or pending.  O(groups).

        How far the slowest group has read is remembered as Redis does, also when that group has gone; None is unknown.
        """
        if not self.groups:
            return False
        if self._least_read is None:
            self._least_read = min(group.last_id for group in self.groups.values())
        return id > self._least_read or any(id in group.pending for group in self.groups.values())

    def forget(self, id: int) -> int:
        """Let no consumer group have an entry pending; in how many it was.  O(groups)."""
        return sum([group.acknowledge(id) for group in self.groups.values()])

    # Consumer groups

    def create_group(self, name: bytes, last_id: int, read: int) -> None:
        """Add a consumer group that has read up to an id, which are so many entries."""
        group = self.groups[name] = Group(self.weights, 0, read)
        self.move(group, last_id)

    def known_read(self, read: int) -> int:
        """How many entries a group is said to have read: not more than there ever were."""
        return read if read == UNKNOWN or read <= self.added & UINT64_MAX else self.added

    def destroy_group(self, name: bytes, forgets: bool) -> bool:
        """Take a consumer group away; whether it was there.  Without `forgets` the slowest is still the slowest."""
        group = self.groups.pop(name, None)
        if group is None:
            return False
        group.leave()
        if forgets:
            self._least_read = None
        return True

    def move(self, group: Group, last_id: int) -> None:
        """Let a group have read up to another id."""
        least = self._least_read
        if least is not None and (group.last_id == least or last_id < least):
            self._least_read = None
        group.last_id = last_id

    def advance(self, group: Group, first: int, last: int, count: int, looks_ahead: bool = False) -> None:
        """A group has read the entries from one id to another, which are so many; count them where that can be known.

        Who `looks_ahead` (before 8.0) goes on from a group's own count even where the group is before the first entry, and
        does not mind what was deleted before this entry.
        """
        self._advance_by_one(group, first, looks_ahead)
        if count == 1:
            return
        if group.read != UNKNOWN and not self._deleted_from(first, looks_ahead):  # nor from any later one
            group.read = wrapped(group.read + count - 1)
            self.move(group, last)
        else:
            for id, _ in self.range(first + 1, last):
                self._advance_by_one(group, id, looks_ahead)

    def _advance_by_one(self, group: Group, id: int, looks_ahead: bool) -> None:
        in_step = looks_ahead or group.last_id >= self.first_id
        gap = self._deleted_from(id if looks_ahead else group.last_id, looks_ahead)
        if group.read != UNKNOWN and in_step and not gap:
            group.read = next_count(group.read)
        elif self.added:
            group.read = self.read_up_to(id)
        self.move(group, id)

    def lag(self, group: Group, trusts: bool = False, looks_at_first: bool = True) -> int | None:
        """How many entries a group has not read yet, by its own count for who `trusts` it; None where nobody knows.

        Who `looks_at_first` knows that a group before the first entry has read none of those that are there.
        """
        if not self.added or (not self._length and not trusts):
            return 0
        has_all_before = looks_at_first and max(group.last_id, self.max_deleted) < self.first_id
        if has_all_before and not trusts:
            return self._length
        if group.read != UNKNOWN and not self._deleted_from(group.last_id, trusts and looks_at_first):
            return wrapped(self.added - group.read)
        if has_all_before:
            return self._length
        read = self.read_up_to(group.last_id)
        return None if read == UNKNOWN else wrapped(self.added - read)

    def _deleted_from(self, id: int, forgets: bool) -> bool:
        """Whether entries with this id or a greater one have been deleted on purpose.

        Who `forgets` (before 8.0) counts only those behind the first one that is left.
        """
        if forgets and self.max_deleted < self.first_id:
            return False
        return bool(self._length and self.max_deleted and id <= self.max_deleted)

    def read_up_to(self, id: int) -> int:
        """How many entries were ever added up to an id, or `UNKNOWN`."""
        if not self.added:
            return 0
        if not self._length and id <= self.last_id:
            return self.added
        if id and id < self.max_deleted:
            return UNKNOWN
        if id >= self.last_id:
            return self.added if id == self.last_id else UNKNOWN
        first = self.first_id
        if id > first or (self.max_deleted and self.max_deleted >= first):
            return UNKNOWN
        return wrapped(self.added - self._length + (id == first))

    # Trimming

    def trim_to_length(self, length: int, whole_runs: bool = False, limit: int = 0) -> int:
        """Take out the oldest entries beyond so many; how many went.

        `whole_runs` leaves a run that would be cut, a `limit` other than 0 leaves one with which more than so many would go.
        """
        beyond = self._length - length
        if beyond <= 0 or (whole_runs and beyond < len(self.runs[0])):
            return 0

        def goes(run: Run | PackedRun) -> bool:
            return self._length - len(run) >= length

        return self._trim(goes, lambda id: self._length <= length, whole_runs, limit)

    def trim_to_id(self, id: int, whole_runs: bool = False, limit: int = 0) -> int:
        """Take out the entries with ids less than this one, likewise."""
        return self._trim(lambda run: run.last < id, lambda entry: entry >= id, whole_runs, limit)

    def _trim(
        self, goes: Callable[[Run | PackedRun], bool], stop: Callable[[int], bool], whole_runs: bool, limit: int
    ) -> int:
        before, gone = self._length, 0
        for run in self.runs:
            count = len(run)
            if (limit and before - self._length + count > limit) or not goes(run):
                break
            self._length -= count
            self.size -= run.size
            gone += 1
        del self.runs[:gone], self._firsts[:gone]
        self._tree_nodes = 0
        if not whole_runs:
            while self._length and not stop(self._first_of(0)):
                self._remove(0, 0)
        return before - self._length

    def trim_one_by_one(self, enough: Callable[[int], bool], may_go: Callable[[int], bool], limit: int = 0) -> int:
        """Take out the oldest entries until one is `enough`, leaving those that may not go; how many went.  O(n).

        A `limit` other than 0 leaves a run with which more than so many would go, and all behind it.
        """
        before = self._length
        index = 0
        while index < len(self.runs):
            ids = self._entries(index)[0].copy()
            if limit and before - self._length + len(ids) > limit:
                break
            kept = 0
            for id in ids:
                if enough(id):
                    return before - self._length
                if may_go(id):
                    self._remove(index, kept)
                else:
                    kept += 1
            index += kept > 0  # a run goes with its last entry
        return before - self._length

    # What XINFO tells

    def radix_tree_nodes(self) -> int:
        """How many nodes the radix tree has in which Redis keeps the runs, by their first ids.  O(runs), once they change."""
        self._tree_nodes = self._tree_nodes or tree_nodes(self._firsts)
        return self._tree_nodes

    def _check(self) -> None:
        assert self._firsts == [run.first for run in self.runs]
        assert self._tree_nodes in (0, tree_nodes(self._firsts))
        assert self._length == sum(map(len, self.runs))
        assert self.size == sum(run.size for run in self.runs)
        entries = [run.entries() for run in self.runs]
        ids = [id for column, _ in entries for id in column]
        assert all(a < b for a, b in pairwise(ids))
        for run, (column, bodies) in zip(self.runs, entries, strict=True):
            assert column and len(column) == len(bodies) == len(run)
            assert run.first <= column[0] and column[-1] <= run.last
            packed = run.pack() if isinstance(run, Run) else run
            assert packed is None or packed.size == run.size
        for group in self.groups.values():
            group._check()
        assert self.weights.total() == self.copy().weights.total()


def _columns(ids: Sequence[bytes], bodies: Sequence[Body]) -> Iterator[Sequence[Sequence[bytes]]]:
    """The columns of entries, those behind one another together that have as many fields each."""
    if len(set(map(len, bodies))) == 1:  # as mostly
        yield [ids, *zip(*bodies, strict=True)]
        return
    start = 0
    for _, alike in groupby(map(len, bodies)):
        stop = start + len(list(alike))
        yield [ids[start:stop], *zip(*bodies[start:stop], strict=True)]
        start = stop
