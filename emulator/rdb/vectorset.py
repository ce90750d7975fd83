"""Vector sets to bytes and back: what Redis's module of that name keeps in RDB files.

Of an element there are its name, its attribute where any has one, its vector as stored, and the numbers of its node in the
graph: id, level, for each level the links with their room and the worst of them, and at last two singles, the range of the
codes and the vector's norm.

The real server demands links that go both ways and finds nothing but along them; so from our exact neighbours such a
graph is made.  O(n^2 d).
"""

from __future__ import annotations

import struct
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from emulator.datatypes.vector_math import BYTES, FULL, SIGNS, Storage, Vector, single
from emulator.datatypes.vectorset import TOP_LEVEL, Element, VectorSet
from emulator.rdb.errors import BadData
from emulator.rdb.module import read_string, read_unsigned, string, unsigned

if TYPE_CHECKING:
    from emulator.datatypes.types import Text
    from emulator.rdb.payload import Reader

_STORAGES: Final = (FULL, BYTES, SIGNS)
_PROJECTED, _ATTRIBUTES = 1, 2
_NODE_VERSION: Final = 1 << 24
_DISTANCES_A_STEP: Final = 20
_LINKS_A_STEP: Final = 200
_FEWEST_LINKS, _MOST_LINKS = 4, 4096

Links = list[dict[bytes, float]]
"""For each level of an element those it is linked to, with their distances."""
Graph = dict[bytes, Links]
Nearest = Sequence[tuple[float, Element]]


def save(value: VectorSet, text: Text) -> Sequence[bytes]:
    """What the module keeps of a vector set."""
    (graph,) = deque(graph_in_steps(value), maxlen=1)
    return list(parts(value, graph, text))


def parts(value: VectorSet, graph: Graph, text: Text) -> Iterator[bytes]:
    """The same, with a graph that was found."""
    setup = _STORAGES.index(value.storage) | value.links << 8
    flags = (_PROJECTED if value.projected_from else 0) | (_ATTRIBUTES if value.attributes else 0)
    yield from map(unsigned, (value.dimension, len(value), setup, flags))
    if value.projected_from:
        yield unsigned(value.projected_from)
        yield string(_matrix(value.projected_from, value.dimension), text)
    ids = {name: id for id, name in enumerate(value.elements, start=1)}
    for element in reversed(value.elements.values()):
        yield string(element.name, text)
        if value.attributes:
            yield string(element.attribute or b"", text)
        yield string(value.blob(element), text)
        node = _node(value, element, graph[element.name], ids)
        yield b"".join(map(unsigned, (len(node), *node)))


def _matrix(columns: int, rows: int) -> bytes:
    """The matrix by which vectors are projected, row by row."""
    scale = single(columns**-0.5)
    signs = ((row & column).bit_count() & 1 for row in range(rows) for column in range(columns))
    return array("f", [-scale if sign else scale for sign in signs]).tobytes()


def _node(value: VectorSet, element: Element, links: Links, ids: dict[bytes, int]) -> list[int]:
    """The numbers of an element's node."""
    numbers = [ids[element.name], _NODE_VERSION | element.level]
    for level, linked in enumerate(links):
        distances = list(linked.values())
        farthest = max(distances, default=0.0)
        place = distances.index(farthest) if distances else 0
        numbers += len(linked), _room(value, level), *map(ids.__getitem__, linked), _two(farthest) << 32 | place
    return [*numbers, _two(element.vector.spread if value.storage is BYTES else 0.0) << 32 | _two(element.vector.norm)]


def _two(number: float) -> int:
    """The bits of a single."""
    return int.from_bytes(struct.pack("<f", number), "little")


def _room(value: VectorSet, level: int) -> int:
    return value.links if level else 2 * value.links


_first: Final = itemgetter(0)


def graph_in_steps(value: VectorSet) -> Iterator[Graph]:
    """Links for each element and level, which go both ways: a chain of all that reach the level, and the nearest.

    The graph is yielded time and again; it is whole at last.
    """
    elements = list(value.elements.values())
    graph: Graph = {element.name: [{} for _ in range(element.level + 1)] for element in elements}
    near = {}
    for element in elements:
        near[element.name] = value.neighbours(element)[::-1]
        yield graph

    def link(one: Element, other: Element, level: int, distance: float) -> None:
        ours, theirs = graph[one.name][level], graph[other.name][level]
        if other.name not in ours and max(len(ours), len(theirs)) < _room(value, level):
            ours[other.name] = theirs[one.name] = distance

    for level in range(value.max_level + 1):
        reaching = [element for element in elements if element.level >= level]
        for number, (one, other) in enumerate(pairwise(reaching)):
            link(one, other, level, value.storage.distance(one.vector, other.vector, value.dimension))
            if not number % _DISTANCES_A_STEP:
                yield graph
        wishes = [_wishes(one, near[one.name][level]) for one in reaching]
        for number, (distance, one, other) in enumerate(merge(*wishes, key=_first)):
            link(one, other, level, distance)
            if not number % _LINKS_A_STEP:
                yield graph


def _wishes(one: Element, found: Nearest) -> Iterator[tuple[float, Element, Element]]:
    """The links that an element wishes for, the nearest first."""
    return ((distance, one, other) for distance, other in found)


# Loading


def load(reader: Reader) -> VectorSet:
    """A vector set, of whose graph only the levels are kept; raises `BadData`.  O(n d)."""
    dimension, count, setup, flags = (read_unsigned(reader) for _ in range(4))
    storage, links = setup & 0xFF, setup >> 8
    if not dimension or not count or storage >= len(_STORAGES) or not _FEWEST_LINKS <= links <= _MOST_LINKS:
        raise BadData
    projected_from = _read_matrix(reader, dimension) if flags & _PROJECTED else 0
    loaded = [_read_element(reader, _STORAGES[storage], dimension, bool(flags & _ATTRIBUTES)) for _ in range(count)]
    value = VectorSet(dimension, _STORAGES[storage], links, projected_from)
    for name, attribute, vector, level in reversed(loaded):
        if not value.enter(name, vector, level):
            raise BadData
        value.set_attribute(value.elements[name], attribute)
    return value


def _read_matrix(reader: Reader, rows: int) -> int:
    """How many dimensions there are before projection; the matrix follows from that."""
    columns = read_unsigned(reader)
    if not columns or len(read_string(reader)) != 4 * rows * columns:
        raise BadData
    return columns


def _read_element(
    reader: Reader, storage: Storage, dimension: int, attributed: bool
) -> tuple[bytes, bytes | None, Vector, int]:
    """An element's name, attribute, vector and level."""
    name = read_string(reader)
    attribute = read_string(reader) or None if attributed else None
    codes = read_string(reader)
    node = [read_unsigned(reader) for _ in range(read_unsigned(reader))]
    if len(node) < 3 or len(codes) != _size(storage, dimension):
        raise BadData
    spread, norm = struct.unpack("<ff", (node[-1] >> 32 | (node[-1] & 0xFFFFFFFF) << 32).to_bytes(8, "little"))
    level = node[1] & 0xFF
    if level > TOP_LEVEL:
        raise BadData
    return name, attribute, _vector(storage, codes, norm, spread), level


def _size(storage: Storage, dimension: int) -> int:
    """Bytes of a stored vector."""
    if storage is SIGNS:
        return (dimension + 63) // 64 * 8
    return 4 * dimension if storage is FULL else dimension


def _vector(storage: Storage, codes: bytes, norm: float, spread: float) -> Vector:
    if storage is SIGNS:
        return Vector(int.from_bytes(codes, "little"), norm)
    return FULL.encode(array("f", codes), norm) if storage is FULL else Vector(codes, norm, codes, spread)
