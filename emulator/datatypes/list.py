"""Lists: a double-ended queue, and what Redis's encoding of it would be.

Redis keeps a small list in one listpack and a larger one in a quicklist of them.  The limit is `list-max-listpack-size`:
a positive one counts elements (with 8 KB besides), a negative one is a size from 4 KB (-1) to 64 KB (-5).  A quicklist
becomes a listpack again once it has shrunk to half the limit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, islice
from operator import indexOf
from typing import Final, NamedTuple

from emulator.datatypes.footprint import allocated
from emulator.datatypes.listpack import HEADER_SIZE, entry_size
from emulator.datatypes.quicklist import (
    OVERHEAD,
    SIZES,
    NodeIndex,
    Plain,
    accepts,
    change,
    exceeds,
    largest,
    merge_around,
    remove_from,
    room,
)
from emulator.datatypes.two_ended import Texts, TwoEnded

_QUICKLIST = 40
_NODE_HEAD = 32
_FEW_NODES = 8
_FEW_VALUES = 16
"""So many are found and deleted in a deque one by one more quickly than by looking at each value."""
_FEW_SEARCHED = 64
"""In so many it is seen at once whether any is equal; a search that comes to its end takes longer."""
_FEW_STAY = 4
"""Where fewer than one value of so many stay they are copied, and the others freed later."""
_NODE = 160
"""A node of a quicklist with its listpack's header and the room that it has left."""


_SOME: Final = 4
"""Nodes whose values are told at a time."""


class Nodes(NamedTuple):
    """Values that stand in nodes behind one another, how many in each, and whether they are large ones that stand alone."""

    values: Sequence[bytes]
    counts: Sequence[int]
    are_plain: bool


Filled = tuple[list[bytes] | Texts, Sequence[list[int]]]
"""The same as it is read: values, and the nodes with the number and the bytes of each."""


_NO_ROOM: Final = room(0)
_NO_NODE = Plain()
"""Stands for a node that takes no more."""


class List:
    """Values in order.  Both ends and every place are O(1).

    ``size`` is the bytes that the values take in one listpack, and ``nodes`` is None while that is the encoding.  For a
    quicklist it has the number of values and the bytes of each of its listpacks (a large value that stands alone is counted
    as one), and ``fill`` is the limit for them: the one that held when it became a quicklist, whatever is configured later.
    The values may be ``shared`` with a copy, until one of both changes.
    """

    __slots__ = ("_fill", "_index", "_room", "nodes", "shared", "size", "values")

    def __init__(self) -> None:
        self.values = TwoEnded()
        self.size = HEADER_SIZE
        self.nodes: deque[list[int]] | None = None
        self._fill, self._room = 0, _NO_ROOM
        self.shared = False
        self._index: NodeIndex | None = None

    @property
    def fill(self) -> int:
        """The limit for the nodes of a quicklist."""
        return self._fill

    @fill.setter
    def fill(self, limit: int) -> None:
        self._fill, self._room = limit, room(limit)  # which each push would look up else, for a twentieth of its time

    @classmethod
    def of(cls, values: Sequence[bytes], limit: int) -> List:
        """A list of values."""
        new = cls()
        new.grow(values, limit)
        new.extend_right(values)
        return new

    @classmethod
    def of_quicklist(cls, values: Sequence[bytes], limit: int) -> List:
        """A list of values that go one after the other to a quicklist."""
        new = cls()
        new.fill, new.nodes = limit, deque()
        new.extend_right(values)
        return new

    @classmethod
    def of_nodes(cls, filled: Iterable[Filled], limit: int) -> List:
        """A list of the values that some nodes hold."""
        new = cls()
        new.fill, pieces = limit, list(filled)
        if len(pieces) == 1 and isinstance(values := pieces[0][0], list):  # most lists are small
            new.values.back = values
            new.nodes = deque(pieces[0][1])
        else:
            new.values = TwoEnded.read([each for each, _ in pieces])
            new.nodes = deque(chain.from_iterable([each for _, each in pieces]))
        new.size += sum([size - HEADER_SIZE for _, size in new.nodes])
        new.settle(limit)
        return new

    def settle(self, limit: int) -> None:
        """Become a listpack where a quicklist has a single node, which may be one."""
        if self.nodes is not None and len(self.nodes) == 1 and self.nodes[0].__class__ is list:
            fits = self.size <= SIZES[min(-limit, 5) - 1] if limit < 0 else len(self.values) <= max(limit, 1)
            self.nodes = None if fits else self.nodes

    @property
    def node_count(self) -> int:
        """How many nodes it has, one where it is a listpack."""
        return 1 if self.nodes is None else len(self.nodes)

    def in_nodes(self) -> Iterator[Nodes]:
        """The values of some nodes at a time.  O(n)."""
        if self.nodes is None:
            yield Nodes(list(self.values), [len(self)], are_plain=False)
            return
        start = 0
        for kind, nodes in groupby(self.nodes, type):
            while counts := [node[0] for node in islice(nodes, _SOME)]:
                stop = start + sum(counts)
                yield Nodes(self.values.slice(start, stop), counts, kind is Plain)
                start = stop

    @property
    def stored(self) -> int:
        """Bytes of all listpacks, and of the values that stand alone.  O(n)."""
        if self.nodes is None:
            return self.size
        packed = [node[1] for node in self.nodes if node.__class__ is list]
        plain = [sum(map(len, nodes.values)) for nodes in self.in_nodes() if nodes.are_plain]
        return sum(packed) + sum(plain)

    def __len__(self) -> int:
        values = self.values
        return len(values) if values.middle else len(values.front) + len(values.back)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.values)

    @property
    def encoding(self) -> bytes:
        """``listpack`` or ``quicklist``."""
        return b"listpack" if self.nodes is None else b"quicklist"

    @property
    def packed_size(self) -> int:
        """Bytes of the one block that a small one is in, 0 for others."""
        return self.size if self.nodes is None else 0

    @property
    def footprint(self) -> int:
        """Bytes that it takes in the real server."""
        if self.nodes is None:
            return allocated(self.packed_size)
        if len(self.nodes) <= _FEW_NODES:
            return _QUICKLIST + len(self.nodes) * _NODE_HEAD + sum([allocated(size) for _, size in self.nodes])
        return _QUICKLIST + len(self.nodes) * _NODE + self.size

    @property
    def surplus(self) -> int:
        """By how many bytes `footprint` is more than the nodes' own sizes."""
        if self.nodes is None or len(self.nodes) > _FEW_NODES:
            return 0
        return sum([allocated(size) - size for _, size in self.nodes])

    def copy(self) -> List:
        """A list of its own with the same values.  O(nodes); O(n) for the first change that parts two of them."""
        twin = List()
        twin.values = self.values
        self.shared = twin.shared = True
        twin.size = self.size
        twin._fill, twin._room = self._fill, self._room
        if self.nodes is not None:
            twin.nodes = deque([node.copy() if node.__class__ is list else Plain(node) for node in self.nodes])
        return twin

    def _part(self) -> None:
        """Stop sharing the values with a copy, since they are about to change."""
        self.values = self.values.copy()
        self.shared = False

    # Encoding

    def grow(self, values: Sequence[bytes], limit: int) -> None:
        """Choose the encoding before values are added."""
        count = len(self)
        if self.nodes is None and exceeds(self.size + sum(map(len, values)), count + len(values), limit):
            self.nodes = deque([[count, self.size]] if count else [])
            self.fill = limit

    def shrink(self, limit: int) -> None:
        """Choose the encoding after values were taken away."""
        if self.nodes is None or len(self.nodes) != 1 or self.nodes[0].__class__ is Plain:
            return
        count, size = self.nodes[0]
        if size <= SIZES[min(-limit, 5) - 1] // 2 if limit < 0 else count <= max(limit, 1) // 2:
            self.nodes = None

    # Ends

    def extend_left(self, values: Sequence[bytes]) -> None:
        """Put values before the first, one after the other.  O(1) each."""
        if self.shared:
            self._part()
        self.values.front.extend(values)
        nodes = self.nodes
        if nodes is None:
            self.size += entry_size(values[0]) if len(values) == 1 else sum(map(entry_size, values))
            return
        most_bytes, most_values, longest = self._room
        node = nodes[0] if nodes else _NO_NODE
        for value in values:
            size = entry_size(value)
            self.size += size
            length = len(value)
            if length > longest:
                nodes.appendleft(Plain((1, HEADER_SIZE + size)))
                node = _NO_NODE
            elif node.__class__ is list and node[1] + length + OVERHEAD <= most_bytes and node[0] < most_values:
                node[0] += 1
                node[1] += size
            else:
                node = [1, HEADER_SIZE + size]
                nodes.appendleft(node)

    def extend_right(self, values: Sequence[bytes]) -> None:
        """Put values after the last.  O(1) each."""
        if self.shared:
            self._part()
        self.values.back.extend(values)
        nodes = self.nodes
        if nodes is None:
            self.size += entry_size(values[0]) if len(values) == 1 else sum(map(entry_size, values))
            return
        sizes = list(map(entry_size, values))
        self.size += sum(sizes)
        most_bytes, most_values, longest = self._room
        count, filled = nodes.pop() if nodes and nodes[-1].__class__ is list else [0, HEADER_SIZE]
        for value, size in zip(values, sizes, strict=True):
            if len(value) > longest:
                if count:
                    nodes.append([count, filled])
                nodes.append(Plain((1, HEADER_SIZE + size)))
                count, filled = 0, HEADER_SIZE
                continue
            if count and (filled + len(value) + OVERHEAD > most_bytes or count >= most_values):
                nodes.append([count, filled])
                count, filled = 0, HEADER_SIZE
            count += 1
            filled += size
        if count:
            nodes.append([count, filled])

    def pop_left(self) -> bytes:
        """Take the first value.  O(1)."""
        if self.shared:
            self._part()
        value = self.values.pop_left()
        size = entry_size(value)
        self.size -= size
        if self.nodes is None:
            return value
        if self.nodes[0][0] == 1:
            self.nodes.popleft()
        else:
            change(self.nodes[0], -1, -size)
        return value

    def pop_right(self) -> bytes:
        """Take the last value.  O(1)."""
        if self.shared:
            self._part()
        value = self.values.pop_right()
        size = entry_size(value)
        self.size -= size
        if self.nodes is None:
            return value
        if self.nodes[-1][0] == 1:
            self.nodes.pop()
        else:
            change(self.nodes[-1], -1, -size)
        return value

    def take_left(self, count: int) -> list[bytes]:
        """Take the first `count` values; there must be as many.  O(count)."""
        if self.shared:
            self._part()
        self._forget(count, 0)
        return self.values.take_left(count)

    def take_right(self, count: int) -> list[bytes]:
        """Take the last `count` values, the last one first; there must be as many.  O(count)."""
        if self.shared:
            self._part()
        self._forget(count, -1)
        return self.values.take_right(count)

    def _forget(self, taken: int, end: int) -> None:
        """Take values that are about to go out of the nodes at an end (0 or -1), the last of them perhaps in part."""
        nodes = self.nodes
        left = taken
        while nodes and left and nodes[end][0] <= left:
            count, size = nodes.popleft() if end == 0 else nodes.pop()
            left -= count
            self.size -= size - HEADER_SIZE
        start = taken - left if end == 0 else len(self) - taken
        rest = sum(map(entry_size, self.values.slice(start, start + left)))
        self.size -= rest
        if nodes and left:
            change(nodes[end], -left, -rest)

    # Middle

    def slice(self, start: int, stop: int) -> list[bytes]:
        """Values from start up to stop.  O(values)."""
        return self.values.slice(start, stop) if start < stop else []

    def set(self, index: int, value: bytes) -> None:
        """Replace a value.  O(1), and O(nodes) where its size changes."""
        if self.shared:
            self._part()
        old = self.values[index]
        growth = entry_size(value) - entry_size(old)
        if self.nodes is not None and (growth or len(value) != len(old)):
            self._set_in_nodes(self.nodes, index % len(self.values), value, growth)
        self.size += growth
        self.values[index] = value

    def insert(self, index: int, value: bytes, after: bool = False) -> None:
        """Put a value before that at an index, or after it.  O(n)."""
        if self.shared:
            self._part()
        self.size += entry_size(value)
        if self.nodes:
            self._insert_into_nodes(self.nodes, index, value, after)
        elif self.nodes is not None:
            self.nodes.append([1, HEADER_SIZE + entry_size(value)])
        self.values.insert(index + after, value)

    def remove(self, value: bytes, most: int, backwards: bool) -> int:
        """Take away up to `most` values that are equal, from the last one on if `backwards`; how many.  O(n)."""
        found = self.find(value, most, backwards)
        if not found:
            return 0
        if backwards:
            found = [len(self.values) - 1 - place for place in reversed(found)]
        if self.shared:
            self._part()
        size = entry_size(value)
        self.size -= len(found) * size
        if self.nodes is not None:
            self._index = None
            remove_from(self.nodes, found, size)
        if len(found) <= _FEW_VALUES:
            for index in reversed(found):
                del self.values[index]
        else:
            chosen = frozenset(found)
            self.values = TwoEnded(other for index, other in enumerate(self.values) if index not in chosen)
        return len(found)

    def find(self, value: bytes, most: int, backwards: bool = False, among: int = 0) -> list[int]:
        """The distances of up to `most` equal values from the end where the search begins, `among` so many if any.  O(n)."""
        values = self.values
        if len(values.back) <= _FEW_SEARCHED and not (values.front or values.middle or value in values.back):
            return []
        rest = reversed(values) if backwards else iter(values)
        if among:
            rest = islice(rest, among)
        found: list[int] = []
        place = -1
        while len(found) < most:
            try:
                place += 1 + indexOf(rest, value)
            except ValueError:  # there is no further one
                break
            found.append(place)
        return found

    def trim(self, start: int, stop: int) -> TwoEnded:
        """Keep the values from start up to stop, which are not all; return what is still to be freed.

        O(values removed, or those that stay).
        """
        before = len(self)
        self._forget(before - stop, -1)
        self._forget(start, 0)
        if (stop - start) * _FEW_STAY < before:
            old, self.values = self.values, TwoEnded(self.slice(start, stop))
            self.shared = False
            return old
        if self.shared:
            self._part()
        self.values.drop_right(before - stop)
        self.values.drop_left(start)
        return TwoEnded()

    # The listpacks of a quicklist

    def _locate(self, index: int) -> tuple[int, int]:
        """The place of the node that has the value of an index, and where in the node.

        O(log nodes) while no node has got more or fewer values since it was asked last, else O(nodes).
        """
        assert self.nodes is not None
        if self._index is None or not self._index.is_of(self.nodes):
            self._index = NodeIndex(self.nodes)
        return self._index.locate(index)

    def _set_in_nodes(self, nodes: deque[list[int]], index: int, value: bytes, growth: int) -> None:
        """A value is to be replaced by one that may be too large for its node, or large no more, and takes more bytes."""
        place, offset = self._locate(index)
        node = nodes[place]
        large, was_large = len(value) > largest(self.fill), node.__class__ is Plain
        if large == was_large:
            change(node, 0, growth)
            return
        self._index = None
        if was_large:
            self._insert_into_nodes(nodes, index, value, after=True)
            del nodes[place]
        else:
            self._split(nodes, place, index - offset, index + 1)
            nodes.insert(place + 1, Plain((1, HEADER_SIZE + entry_size(value))))
            change(nodes[place], -1, growth - entry_size(value))
            if nodes[place][0]:
                merge_around(nodes, place + 1, self.fill)
            else:
                del nodes[place]

    def _insert_into_nodes(self, nodes: deque[list[int]], index: int, value: bytes, after: bool) -> None:
        """A value comes before or after that at an index: into its node, the next one, one of its own or half of its node."""
        size = entry_size(value)
        large = len(value) > largest(self.fill)
        place, offset = self._locate(index)
        self._index = None
        at_end = offset == (nodes[place][0] - 1 if after else 0)
        beside = place + (1 if after else -1)
        if large and (at_end or nodes[place].__class__ is Plain):
            nodes.insert(place + after, Plain((1, HEADER_SIZE + size)))
        elif large:
            self._split(nodes, place, index - offset, index + after)
            nodes.insert(place + 1, Plain((1, HEADER_SIZE + size)))
        elif accepts(nodes[place], value, self.fill):
            change(nodes[place], 1, size)
        elif at_end and 0 <= beside < len(nodes) and accepts(nodes[beside], value, self.fill):
            change(nodes[beside], 1, size)
        elif at_end:
            nodes.insert(place + after, [1, HEADER_SIZE + size])
        else:
            self._split(nodes, place, index - offset, index + after)
            change(nodes[place + after], 1, size)
            merge_around(nodes, place if after else place + 1, self.fill)

    def _split(self, nodes: deque[list[int]], place: int, start: int, index: int) -> None:
        """Part the node whose values begin at `start`, before the value of an index, unless an end is there."""
        count, size = nodes[place]
        if start < index < start + count:
            left = sum(map(entry_size, self.slice(start, index)))
            nodes[place] = [index - start, HEADER_SIZE + left]
            nodes.insert(place + 1, [count - (index - start), size - left])

    def _check(self) -> None:
        sizes = list(map(entry_size, self.values))
        assert self.size == HEADER_SIZE + sum(sizes)
        if self.nodes is not None:
            rest = iter(sizes)
            for count, size in self.nodes:
                assert count
                assert size == HEADER_SIZE + sum(islice(rest, count))
            assert not list(rest)
