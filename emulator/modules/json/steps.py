"""The steps of a path: each is a function from places to the places that are one step further, in the document's order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from emulator.modules.json.measure import Json
from emulator.protocol.errors import CommandError

Place = tuple[Any, Any, Json]
"""A container, the name or index in it, and what stands there; None and None for the root."""

_LEAST_PLACES: Final = 20_000
_PLACES_A_BYTE: Final = 8
_MOST_PLACES: Final = 5_000_000


class Scope:
    """What a search goes through: the ``root`` of a document, and how many places it may still look at.

    These are more than a document of such text has, but a path that multiplies them comes to an end.
    """

    __slots__ = ("_left", "root")

    def __init__(self, root: Json, text: int) -> None:
        self.root = root
        self._left = min(_LEAST_PLACES + _PLACES_A_BYTE * text, _MOST_PLACES)

    def spend(self, places: int) -> None:
        """Count places; raises where a path leads to more than anybody can have meant."""
        self._left -= places
        if self._left < 0:
            raise CommandError("ERR the path leads to too many places")


Step = Callable[[Iterable[Place], Scope], list[Place]]


def member(name: str) -> Step:
    """The member of an object."""

    def step(places: Iterable[Place], scope: Scope) -> list[Place]:
        return [(value, name, value[name]) for _, _, value in places if value.__class__ is dict and name in value]

    return step


def members(names: Sequence[str]) -> Step:
    """Several members, in the order in which they are asked for."""

    def step(places: Iterable[Place], scope: Scope) -> list[Place]:
        found: list[Place] = []
        for _, _, value in places:
            if value.__class__ is dict:
                scope.spend(len(names))
                found += [(value, name, value[name]) for name in names if name in value]
        return found

    return step


def indexed(indexes: Sequence[int]) -> Step:
    """Elements of an array; one before the first is the first."""

    def step(places: Iterable[Place], scope: Scope) -> list[Place]:
        found = []
        for _, _, value in places:
            if value.__class__ is list and value:
                size = len(value)
                scope.spend(len(indexes))
                for index in indexes:
                    at = max(index + size, 0) if index < 0 else index
                    if at < size:
                        found.append((value, at, value[at]))
        return found

    return step


def ranged(start: int | None, stop: int | None, stride: int) -> Step:
    """Elements of an array from one on, before another, each so many."""
    taken = slice(start, stop, stride)

    def step(places: Iterable[Place], scope: Scope) -> list[Place]:
        found: list[Place] = []
        for _, _, value in places:
            if value.__class__ is list:
                chosen = range(*taken.indices(len(value)))
                scope.spend(len(chosen))
                found += [(value, at, value[at]) for at in chosen]
        return found

    return step


def children(places: Iterable[Place], scope: Scope) -> list[Place]:
    """Everything in an array or object."""
    found: list[Place] = []
    for _, _, value in places:
        if value.__class__ is dict:
            scope.spend(len(value))
            found += [(value, name, part) for name, part in value.items()]
        elif value.__class__ is list:
            scope.spend(len(value))
            found += [(value, at, part) for at, part in enumerate(value)]
    return found


def filtered(condition: Callable[[Json, Scope], bool]) -> Step:
    """What meets a condition in an array or object; a value without parts by itself."""

    def step(places: Iterable[Place], scope: Scope) -> list[Place]:
        found: list[Place] = []
        for place in places:
            value = place[2]
            parts = children((place,), scope) if value.__class__ in (dict, list) else [place]
            found += [part for part in parts if condition(part[2], scope)]
        return found

    return step


def containers(places: Iterable[Place], scope: Scope) -> list[Place]:
    """A value, and all arrays and objects in it, each before what is in it."""
    return _descend(places, scope, containers_only=True)


def everything(places: Iterable[Place], scope: Scope) -> list[Place]:
    """A value and all values in it, each before what is in it."""
    return _descend(places, scope, containers_only=False)


def inside_out(places: Iterable[Place], scope: Scope) -> list[Place]:
    """A value and all values in it, each after what is in it."""
    return _descend(places, scope, containers_only=False, inside_out=True)


def _descend(places: Iterable[Place], scope: Scope, containers_only: bool, inside_out: bool = False) -> list[Place]:
    found: list[Place] = []

    def visit(place: Place) -> None:
        if not inside_out:
            found.append(place)
        for part in children((place,), scope):
            if part[2].__class__ is dict or part[2].__class__ is list:
                visit(part)
            elif not containers_only:
                found.append(part)
        if inside_out:
            found.append(place)

    for place in places:
        visit(place)
    return found
