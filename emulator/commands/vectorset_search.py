"""VSIM: the elements of a vector set that are most like another one, or like a vector."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import double, wrong_arity
from emulator.commands.options import FLAG, Options, at_least, read_options
from emulator.commands.vectorset import EFFORT, MISMATCH, PROJECTION, read_vector, vector_command
from emulator.datatypes.vector_math import Vector
from emulator.datatypes.vectorset import Element, VectorSet
from emulator.protocol.errors import CommandError, as_text
from emulator.protocol.replies import Reply

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.config.edition import Edition

_SYNTAX: Final = "ERR syntax error in VSIM command"


def _epsilon(text: bytes) -> float:
    number = double(text, "ERR invalid EPSILON")
    if number <= 0:
        raise CommandError("ERR invalid EPSILON")
    return number


def _filter(text: bytes) -> Callable[[bytes], bool]:
    from emulator.datatypes.vector_filter import Filter, FilterError

    try:
        return Filter(text)
    except FilterError as error:
        rest = text[error.position :] or text
        raise CommandError(
            f"ERR syntax error in FILTER expression near: {as_text(rest.partition(bytes(1))[0])}"
        ) from None


_SEARCH_OPTIONS: Final[Options] = {
    **dict.fromkeys((b"WITHSCORES", b"WITHATTRIBS", b"TRUTH", b"NOTHREAD"), FLAG),
    b"COUNT": at_least(1, "ERR invalid COUNT"),
    b"EPSILON": (1, _epsilon),
    b"EF": at_least(1, "ERR invalid EF"),
    b"FILTER-EF": at_least(1, "ERR invalid FILTER-EF"),
    b"FILTER": (1, _filter),
}


_LATER_SEARCH_OPTIONS: Final[Options] = {**_SEARCH_OPTIONS, b"EF": EFFORT}
"""From 8.4 on EF has an upper bound."""


class _Search:
    """The options of VSIM, without those that only a graph needs."""

    def __init__(self, words: Sequence[bytes], edition: Edition) -> None:
        known = _LATER_SEARCH_OPTIONS if edition.includes("8.4.0") else _SEARCH_OPTIONS
        given = read_options(words, known, error=_SYNTAX)
        self.with_scores, self.with_attributes = b"WITHSCORES" in given, b"WITHATTRIBS" in given
        self.truth = b"TRUTH" in given
        self.count: int = given.get(b"COUNT", 10)
        self.most_distant: float = 2 * given.get(b"EPSILON", math.inf)
        self.filter_effort: int = given.get(b"FILTER-EF", 0)
        self.accepts: Callable[[bytes], bool] | None = given.get(b"FILTER")

    def run(self, target: VectorSet, query: Vector) -> list[tuple[float, Element]]:
        """Return the nearest elements within EPSILON that pass the filter.

        The filter examines only the nearest ones: FILTER-EF or a hundred times COUNT of them; with TRUTH all.
        """
        count = min(self.count, len(target))
        effort = len(target) if self.truth else min(self.filter_effort or 100 * count, len(target))
        found = target.nearest(query, count, effort if self.accepts else 0, self._passes if self.accepts else None)
        return [pair for pair in found if not pair[0] > self.most_distant]

    def _passes(self, element: Element) -> bool:
        assert self.accepts is not None
        return element.attribute is not None and self.accepts(element.attribute)

    def reply(self, found: Sequence[tuple[float, Element]], protocol: int) -> Reply:
        """Return the names, with scores and attributes if they were asked for."""
        wanted = self.with_scores + self.with_attributes
        if not wanted:
            return [element.name for _, element in found]
        rows = {element.name: self._columns(distance, element) for distance, element in found}
        if wanted == 1:
            return {name: row[0] for name, row in rows.items()}
        return rows if protocol == 3 else [item for name, row in rows.items() for item in (name, *row)]

    def _columns(self, distance: float, element: Element) -> list[Reply]:
        scores: list[Reply] = [1 - distance / 2] if self.with_scores else []
        return [*scores, element.attribute] if self.with_attributes else scores


def _query(target: VectorSet, words: Iterator[bytes]) -> Vector:
    """Return the vector that VSIM searches by: that of an element (``ELE name``) or a given one."""
    kind = next(words).upper()
    if kind == b"ELE":
        element = target.elements.get(next(words))
        if element is None:
            raise CommandError("ERR element not found in set")
        return target.query(target.values(element))
    values = read_vector(kind, words)
    size = len(values)
    if size not in (target.dimension, target.projected_from):
        if target.projected_from:
            raise CommandError(PROJECTION.format(size, target.projected_from))
        raise CommandError(MISMATCH.format(size, target.dimension))
    return target.query(values)


@vector_command("VSIM", "readonly")
def vsim(client: Session, *arguments: bytes) -> Reply:
    """Returns the elements most similar to an element or a vector."""
    if len(arguments) < 3:
        raise wrong_arity("VSIM")
    target = client.db.lookup_read(arguments[0], VectorSet)
    if target is None:
        return []
    words = iter(arguments[1:])
    query = _query(target, words)
    search = _Search(list(words), client.engine.config.edition)
    return search.reply(search.run(target, query), client.protocol)
