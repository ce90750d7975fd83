"""Vector sets: named vectors, and which of them are nearest to another.

The real server keeps a graph (HNSW) in which a search is quick and nearly exact; here every search is exact and looks at
all vectors (`vector_search`).  What the graph shows of itself is derived: an element's level is drawn as HNSW draws it,
its neighbours are the nearest elements that reach the level.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from random import Random

from emulator.datatypes.vector_math import Storage, Vector, project, store
from emulator.datatypes.vector_search import Index

TOP_LEVEL = 15
"""The highest level that an element may reach."""

_EMPTY = 1807
_ELEMENT = 395
_LINK = 18
"""What an element takes beside its vector, and what for each link that it may have."""


class Element:
    """A member: ``place`` is its index in the dense list, ``attribute`` None unless one was given."""

    __slots__ = ("attribute", "level", "name", "place", "vector")

    def __init__(self, name: bytes, vector: Vector, level: int, place: int) -> None:
        self.name = name
        self.vector = vector
        self.level = level
        self.place = place
        self.attribute: bytes | None = None

    def copy(self) -> Element:
        """The same, independent of this one."""
        twin = Element(self.name, self.vector, self.level, self.place)
        twin.attribute = self.attribute
        return twin


class VectorSet:
    """Vectors of one dimension by name.  Looking up, adding, removing: O(d); searching: O(n*d).

    ``links`` is the graph's M, ``projected_from`` the dimension of what is added where that is reduced, else 0; ``uid``
    and ``last_uid`` are told by VINFO only, which gives the former, 0 until then.
    """

    __slots__ = (
        "_dense",
        "_index",
        "_levels",
        "_payload",
        "attributes",
        "dimension",
        "elements",
        "last_uid",
        "links",
        "projected_from",
        "storage",
        "uid",
    )

    encoding = b"raw"

    def __init__(self, dimension: int, storage: Storage, links: int, projected_from: int = 0) -> None:
        self.dimension = dimension
        self.storage = storage
        self.links = links
        self.projected_from = projected_from
        self.elements: dict[bytes, Element] = {}
        self.attributes = 0
        self._payload = 0
        self.uid = 0
        self.last_uid = 0
        self._dense: list[Element] = []
        self._levels = Counter[int]()
        self._index = Index(storage, dimension)

    def __len__(self) -> int:
        return len(self.elements)

    @property
    def max_level(self) -> int:
        """The highest level that an element reaches."""
        return max((level for level, number in self._levels.items() if number), default=0)

    @property
    def footprint(self) -> int:
        """Bytes that it takes in the real server, with the graph that it has there."""
        bits = {b"f32": 32, b"int8": 8, b"bin": 1}[self.storage.name]
        each = _ELEMENT + self.links * _LINK + self.dimension * bits // 8
        return _EMPTY + len(self.elements) * each + self._payload

    def copy(self) -> VectorSet:
        """The same elements, independent of these; vectors never change, and are shared.  O(n)."""
        twin = VectorSet(self.dimension, self.storage, self.links, self.projected_from)
        twin.elements = {name: element.copy() for name, element in self.elements.items()}
        twin._dense = [twin.elements[element.name] for element in self._dense]
        twin.attributes, twin._payload, twin._levels = self.attributes, self._payload, self._levels.copy()
        twin.uid, twin.last_uid = self.uid, self.last_uid
        twin._index = self._index.copy()
        return twin

    # Changing

    def add(self, name: bytes, values: Iterable[float], random: Random) -> bool:
        """Enter a vector (not yet projected), in place of one of that name; whether the name is new."""
        components = list(values)
        vector = store(project(components, self.dimension) if self.projected_from else components, self.storage)
        level = 0
        while level < TOP_LEVEL and random.random() < 0.25:
            level += 1
        return self.enter(name, vector, level)

    def enter(self, name: bytes, vector: Vector, level: int) -> bool:
        """Enter a vector as it is stored, whose level has been drawn; whether the name is new."""
        self.last_uid += 1
        self._levels[level] += 1
        element = self.elements.get(name)
        if element is None:
            self.elements[name] = element = Element(name, vector, level, len(self._dense))
            self._dense.append(element)
            self._index.touch(element.place)
            return True
        self._levels[element.level] -= 1
        element.vector, element.level = vector, level
        self._index.touch(element.place)
        return False

    def remove(self, name: bytes) -> bool:
        """Take an element out; whether it was there."""
        element = self.elements.pop(name, None)
        if element is None:
            return False
        self.set_attribute(element, None)
        self._levels[element.level] -= 1
        last = self._dense.pop()
        self._index.touch(last.place)
        if last is not element:
            last.place = element.place
            self._dense[last.place] = last
            self._index.touch(last.place)
        return True

    def set_attribute(self, element: Element, attribute: bytes | None) -> None:
        """Give an element an attribute, or take it away."""
        self.attributes += (attribute is not None) - (element.attribute is not None)
        self._payload += len(attribute or b"") - len(element.attribute or b"")
        element.attribute = attribute

    # Looking

    def values(self, element: Element) -> list[float]:
        """An element's vector, as near as it is stored."""
        return self.storage.decode(element.vector, self.dimension)

    def blob(self, element: Element) -> bytes:
        """An element's vector as it is stored."""
        return self.storage.blob(element.vector, self.dimension)

    def query(self, values: Iterable[float]) -> Vector:
        """A vector to look for; one that has not the set's dimension is projected."""
        components = list(values)
        return store(
            components if len(components) == self.dimension else project(components, self.dimension), self.storage
        )

    def nearest(
        self, query: Vector, count: int, effort: int = 0, accepts: Callable[[Element], bool] | None = None
    ) -> list[tuple[float, Element]]:
        """Up to `count` elements with their distances, the nearest first.  O(n*d).

        With `accepts` only those that it accepts, of the `effort` nearest.
        """
        dense = self._dense
        accepts_place = None if accepts is None else lambda place: accepts(dense[place])
        found = self._index.nearest(query, dense, count, effort, accepts_place)
        return [(distance, dense[place]) for distance, place in found]

    def neighbours(self, element: Element) -> list[list[tuple[float, Element]]]:
        """Those linked to an element on each of its levels, the highest level first.  O(n*d) a level."""
        return [self._linked(element, level) for level in range(element.level, -1, -1)]

    def _linked(self, element: Element, level: int) -> list[tuple[float, Element]]:
        most = self.links if level else 2 * self.links
        effort = len(self._dense) if level else most + 1
        return self.nearest(element.vector, most, effort, lambda other: other is not element and other.level >= level)

    def choose(self, random: Random) -> bytes:
        """A name, each as likely as another; there must be one.  O(1)."""
        return self._dense[int(random.random() * len(self._dense))].name

    def pick(self, random: Random, count: int) -> list[bytes]:
        """Up to `count` different names at random, or with a negative count so many that may be the same.  O(count)."""
        if count < 0:
            return [self.choose(random) for _ in range(-count)]
        return [element.name for element in random.sample(self._dense, min(count, len(self._dense)))]

    def _check(self) -> None:
        assert [element.place for element in self._dense] == list(range(len(self._dense)))
        assert {element.name: element for element in self._dense} == self.elements
        assert +self._levels == Counter(element.level for element in self._dense)
        assert self._payload == sum(len(element.attribute or b"") for element in self._dense)
        assert self.attributes == sum(element.attribute is not None for element in self._dense)
