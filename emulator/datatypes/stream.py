"""Streams: entries in the order of their ids, kept in runs as Redis keeps them in listpacks.

An id is one integer, the milliseconds in the upper 64 bits and the sequence number in the lower: ids compare, and the
next one is found, as integers do.  How entries are spread over runs can be seen by clients, since trimming by ``~`` takes
whole runs only; so a run knows its size in bytes as a listpack.

Source: https://redis.io/docs/latest/develop/data-types/streams/
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final

from emulator.datatypes.consumers import UNKNOWN, Group, next_count
from emulator.datatypes.idempotence import Idempotence
from emulator.datatypes.listpack import HEADER_SIZE, entry_size, integer_size
from emulator.datatypes.radix import tree_nodes, tree_size
from emulator.protocol.numbers import UINT64_MAX, wrapped

MAX_ID: Final = (1 << 128) - 1

Body = tuple[bytes, ...]
Entry = tuple[int, Body]

_LARGEST_RUN = 1 << 30
_EMPTY_SIZE = 96
_FULL_RUN = 4096
_EMPTY_RUN_SIZE = HEADER_SIZE + 6


def id_of(text: bytes) -> int:
    """The id that a text of `format_id` stands for."""
    milliseconds, _, sequence = text.partition(b"-")
    return int(milliseconds) << 64 | int(sequence)


def format_id(id: int) -> bytes:
    """An id as clients see it, ``1526919030474-55``."""
    return b"%d-%d" % (id >> 64, id & UINT64_MAX)


class Run:
    """Entries that Redis keeps in one listpack; the fields of the first are not repeated by those that have the same.

    ``last`` is the last id that was ever put in; ``deleted`` has the entries taken out, which a listpack keeps and marks.
    """

    __slots__ = ("bodies", "deleted", "fields", "first", "ids", "last", "size")

    def __init__(self, id: int, fields: Body) -> None:
        self.first = self.last = id
        self.fields = fields
        self.ids: list[int] = []
        self.bodies: list[Body] = []
        self.deleted: list[Entry] = []
        self.size = _EMPTY_RUN_SIZE + integer_size(len(fields)) + sum(map(entry_size, fields))

    def append(self, id: int, body: Body) -> None:
        """Put in an entry whose id is greater than every other."""
        ids = self.ids
        fields = len(body) // 2
        if body[::2] == self.fields:
            size = 2 if fields < 125 else integer_size(fields + 3)
            for value in body[1::2]:
                size += entry_size(value)
        else:
            size = sum(map(entry_size, body)) + integer_size(fields) + integer_size(len(body) + 4)
        later = (id >> 64) - (self.first >> 64)
        sequence = (id & UINT64_MAX) - (self.first & UINT64_MAX)
        self.size += size + integer_size(later) + (2 if sequence == 0 else integer_size(sequence)) + 2
        ids.append(id)
        count = len(ids)
        if count >= 128:
            self.size += integer_size(count) - integer_size(count - 1)
        self.bodies.append(body)
        self.last = id

    def remove(self, position: int) -> None:
        """Take out an entry; it keeps its room."""
        count, deleted = len(self.ids), len(self.deleted)
        self.deleted.append((self.ids.pop(position), self.bodies.pop(position)))
        if count >= 128 or deleted >= 127:
            self.size += (
                integer_size(count - 1) - integer_size(count) + integer_size(deleted + 1) - integer_size(deleted)
            )

    def copy(self) -> Run:
        """The same entries, independent of these."""
        twin = Run.__new__(Run)
        twin.first, twin.last, twin.fields = self.first, self.last, self.fields
        twin.ids, twin.bodies = self.ids.copy(), self.bodies.copy()
        twin.deleted, twin.size = self.deleted.copy(), self.size
        return twin


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
        "added",
        "groups",
        "idempotence",
        "last_id",
        "max_deleted",
        "runs",
        "size",
    )
    encoding = b"stream"

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self._firsts: list[int] = []
        self._tree_nodes = 0  # of the firsts, as counted last; 0 once they have changed
        self._length = 0
        self.last_id = self.max_deleted = self.added = 0
        self.groups: dict[bytes, Group] = {}
        self.idempotence: Idempotence | None = None
        self._least_read = 0
        self.size = 0

    def __len__(self) -> int:
        return self._length

    @property
    def footprint(self) -> int:
        """Bytes that it takes in the real server: the last run has room to grow.  O(groups and consumers)."""
        room = max(_FULL_RUN - self.runs[-1].size, 0) if self.runs else 0
        groups = sum(group.footprint for group in self.groups.values())
        return _EMPTY_SIZE + tree_size(self._firsts) + self.size + room + groups

    def copy(self) -> Stream:
        """The same entries and groups, independent of these."""
        twin = Stream()
        twin.runs = [run.copy() for run in self.runs]
        twin._firsts = self._firsts.copy()
        twin._length, twin.size = self._length, self.size
        twin.last_id, twin.max_deleted, twin.added = self.last_id, self.max_deleted, self.added
        twin.groups = {name: group.copy() for name, group in self.groups.items()}
        twin.idempotence = self.idempotence and self.idempotence.copy()
        return twin

    @property
    def first_id(self) -> int:
        """The id of the first entry, 0 where there is none."""
        return self.runs[0].ids[0] if self._length else 0

    @property
    def top_id(self) -> int:
        """The id of the last entry, 0 where there is none."""
        return self.runs[-1].ids[-1] if self._length else 0

    def append(self, id: int, body: Body, max_bytes: int, max_entries: int) -> None:
        """Add an entry whose id is greater than ``last_id``; a limit of 0 for a run is none."""
        if self.runs:
            run = self.runs[-1]
            most = max_bytes if 0 < max_bytes < _LARGEST_RUN else _LARGEST_RUN
            if run.size + sum(map(len, body)) >= most or 0 < max_entries <= len(run.ids) + len(run.deleted):
                run = self._new_run(id, body)
        else:
            run = self._new_run(id, body)
        self.size -= run.size
        run.append(id, body)
        self.size += run.size
        self._length += 1
        self.added = next_count(self.added)
        self.last_id = id

    def _new_run(self, id: int, body: Body) -> Run:
        run = Run(id, body[::2])
        self.enter(run)
        return run

    def enter(self, run: Run) -> None:
        """Add a run of entries whose ids are greater than every other; the caller sets ``last_id`` and ``added``."""
        self.runs.append(run)
        self.size += run.size
        self._firsts.append(run.first)
        self._tree_nodes = 0
        self._length += len(run.ids)

    def _place(self, id: int) -> tuple[int, int] | None:
        index = bisect_right(self._firsts, id) - 1
        if index >= 0:
            ids = self.runs[index].ids
            position = bisect_left(ids, id)
            if position < len(ids) and ids[position] == id:
                return index, position
        return None

    def __contains__(self, id: int) -> bool:
        return self._place(id) is not None

    def get(self, id: int) -> Body | None:
        """The fields and values of an entry."""
        place = self._place(id)
        return None if place is None else self.runs[place[0]].bodies[place[1]]

    def delete(self, id: int) -> bool:
        """Take out an entry on purpose; whether it was there."""
        place = self._place(id)
        if place is None:
            return False
        self._remove(*place)
        self.max_deleted = max(self.max_deleted, id)
        return True

    def _remove(self, index: int, position: int) -> None:
        run = self.runs[index]
        self.size -= run.size
        if len(run.ids) > 1:
            run.remove(position)
            self.size += run.size
        else:
            del self.runs[index], self._firsts[index]
            self._tree_nodes = 0
        self._length -= 1

    def range(self, start: int, end: int) -> Iterator[Entry]:
        """The entries from one id to another, both included, in their order."""
        for index in range(max(bisect_right(self._firsts, start) - 1, 0), len(self.runs)):
            run = self.runs[index]
            ids = run.ids
            if run.first > end:
                return
            low = bisect_left(ids, start) if run.first < start else 0
            high = bisect_right(ids, end) if run.last > end else len(ids)
            yield from zip(ids[low:high], run.bodies[low:high], strict=True)

    def reverse_range(self, start: int, end: int) -> Iterator[Entry]:
        """The entries from one id to another, both included, the greatest first."""
        for index in range(bisect_right(self._firsts, end) - 1, -1, -1):
            run = self.runs[index]
            if run.last < start:
                return
            ids = run.ids
            low, high = bisect_left(ids, start), bisect_right(ids, end)
            yield from zip(ids[low:high][::-1], run.bodies[low:high][::-1], strict=True)

    def is_referenced(self, id: int) -> bool:
        """Whether a consumer group still has an entry before it: not delivered yet, or pending.  O(groups).

        How far the slowest group has read is remembered as Redis does; 0 is unknown.
        """
        if not self.groups:
            return False
        if not self._least_read:
            self._least_read = min(group.last_id for group in self.groups.values())
        return id > self._least_read or any(id in group.pending for group in self.groups.values())

    def forget(self, id: int) -> None:
        """Let no consumer group have an entry pending.  O(groups)."""
        for group in self.groups.values():
            group.acknowledge(id)

    # Consumer groups

    def create_group(self, name: bytes, last_id: int, read: int) -> None:
        """Add a consumer group that has read up to an id, which are so many entries."""
        self.groups[name] = Group(last_id, read)
        if last_id < self._least_read:
            self._least_read = 0

    def known_read(self, read: int) -> int:
        """How many entries a group is said to have read: not more than there ever were."""
        return read if read == UNKNOWN or read <= self.added & UINT64_MAX else self.added

    def destroy_group(self, name: bytes, forgets: bool) -> bool:
        """Take a consumer group away; whether it was there.  Without `forgets` the slowest is still the slowest."""
        if self.groups.pop(name, None) is None:
            return False
        if forgets:
            self._least_read = 0
        return True

    def move(self, group: Group, last_id: int) -> None:
        """Let a group have read up to another id."""
        if group.last_id == self._least_read or last_id < self._least_read:
            self._least_read = 0
        group.last_id = last_id

    def advance(self, group: Group, id: int, trusts: bool = False, looks_ahead: bool = False) -> None:
        """A group has read the entry with this id; count it where the count can be known.

        Who `trusts` a group's own count (Valkey) goes on from it even where the group is before the first entry; who
        `looks_ahead` (before 8.0) does not mind what was deleted before this entry.
        """
        in_step = trusts or group.last_id >= self.first_id
        if (
            group.read != UNKNOWN
            and in_step
            and not self._deleted_from(id if looks_ahead else group.last_id, looks_ahead)
        ):
            group.read += 1
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

        if self._length <= length or (whole_runs and self._length - len(self.runs[0].ids) < length):
            return 0

        def goes(run: Run) -> bool:
            return self._length - len(run.ids) >= length

        return self._trim(goes, lambda id: self._length <= length, whole_runs, limit)

    def trim_to_id(self, id: int, whole_runs: bool = False, limit: int = 0) -> int:
        """Take out the entries with ids less than this one, likewise."""
        return self._trim(lambda run: run.last < id, lambda entry: entry >= id, whole_runs, limit)

    def _trim(self, goes: Callable[[Run], bool], stop: Callable[[int], bool], whole_runs: bool, limit: int) -> int:
        before, gone = self._length, 0
        for run in self.runs:
            count = len(run.ids)
            if (limit and before - self._length + count > limit) or not goes(run):
                break
            self._length -= count
            self.size -= run.size
            gone += 1
        del self.runs[:gone], self._firsts[:gone]
        self._tree_nodes = 0
        if not whole_runs:
            while self._length and not stop(self.runs[0].ids[0]):
                self._remove(0, 0)
        return before - self._length

    def trim_one_by_one(self, enough: Callable[[int], bool], may_go: Callable[[int], bool], limit: int = 0) -> int:
        """Take out the oldest entries until one is `enough`, leaving those that may not go; how many went.  O(n).

        A `limit` other than 0 leaves a run with which more than so many would go, and all behind it.
        """
        before = self._length
        index = 0
        while index < len(self.runs):
            ids = self.runs[index].ids.copy()
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
        assert self._length == sum(len(run.ids) for run in self.runs)
        assert self.size == sum(run.size for run in self.runs)
        ids = [id for run in self.runs for id in run.ids]
        assert all(a < b for a, b in pairwise(ids))
        for run in self.runs:
            assert run.ids and len(run.ids) == len(run.bodies)
            assert run.first <= run.ids[0] and run.ids[-1] <= run.last
        for group in self.groups.values():
            group._check()
