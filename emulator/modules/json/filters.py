"""Filters: conditions on a value, made of comparisons of operands.

An operand is a constant or a path; a path may lead to several values, and a comparison holds if it does for any of them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from emulator.modules.json.measure import Json
from emulator.modules.json.number import read_double
from emulator.modules.json.regex import searcher
from emulator.modules.json.steps import Scope, Step
from emulator.protocol.numbers import INT64_MAX, INT64_MIN

Condition = Callable[[Json, Scope], bool]

_ORDERED: Final = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
_NUMBERS: Final = (int, float)


class Operand(NamedTuple):
    """What gives the values to compare for a value that is looked at; ``path``: it may give none or several."""

    values: Callable[[Json, Scope], Sequence[Json]]
    path: bool


def constant(value: Json) -> Operand:
    """The same value always."""
    values = (value,)
    return Operand(lambda current, scope: values, False)


def number(text: str) -> int | float:
    """A number of a filter: an integer if 64 bits hold it."""
    if "." not in text and len(text) <= 20 and INT64_MIN <= int(text) <= INT64_MAX:
        return int(text)
    return read_double(text)


def at_path(path: Sequence[Step], from_root: bool, fixed: Sequence[str | int] | None) -> Operand:
    """What a path leads to from the value that is looked at, or from the root."""
    if not from_root and fixed is not None and len(fixed) == 1 and fixed[0].__class__ is str:
        name = fixed[0]
        return Operand(
            lambda current, scope: (current[name],) if current.__class__ is dict and name in current else (), True
        )

    def values(current: Json, scope: Scope) -> Sequence[Json]:
        found: Any = [(None, None, scope.root if from_root else current)]
        scope.spend(1)
        for step in path:
            found = step(found, scope)
        return [value for _, _, value in found]

    return Operand(values, True)


def exists(operand: Operand) -> Condition:
    """Whether an operand has any value."""
    return lambda current, scope: bool(operand.values(current, scope))


def any_of(conditions: Sequence[Condition]) -> Condition:
    """Whether one of several conditions holds."""
    return lambda current, scope: any(condition(current, scope) for condition in conditions)


def all_of(conditions: Sequence[Condition]) -> Condition:
    """Whether all of several conditions hold."""
    return lambda current, scope: all(condition(current, scope) for condition in conditions)


def compares(sign: str, left: Operand, right: Operand) -> Condition:
    """Whether two operands compare as `sign` says."""
    if sign == "!=":
        return _differ(left, right)
    if sign == "=~" and not left.path:
        return lambda current, scope: False
    if sign == "==":
        holds: Callable[[Json, Json, Scope], bool] = lambda one, other, scope: _equal(one, other)  # noqa: E731
    elif sign == "=~":
        holds = _matches
    else:
        holds = _in_order(_ORDERED[sign])

    def condition(current: Json, scope: Scope) -> bool:
        others = right.values(current, scope)
        return any(holds(one, other, scope) for one in left.values(current, scope) for other in others)

    return condition


def _differ(left: Operand, right: Operand) -> Condition:
    """Whether two operands have values that are not the same; what is not there differs from everything."""

    def condition(current: Json, scope: Scope) -> bool:
        ones, others = left.values(current, scope), right.values(current, scope)
        return not ones or not others or any(not _equal(one, other) for one in ones for other in others)

    return condition


def _equal(one: Json, other: Json) -> bool:
    """Whether two values are the same: numbers by value, arrays and objects by all that is in them."""
    kind = one.__class__
    if kind in _NUMBERS and other.__class__ in _NUMBERS:
        one, other = _comparable(one, other)
        return bool(one == other)
    if kind is not other.__class__ or one != other:
        return False
    if kind is list:  # looked into, since 1 is True for Python
        return all(map(_equal, one, other))
    return kind is not dict or all(map(_equal, one.values(), map(other.__getitem__, one)))


def _comparable(one: float, other: float) -> tuple[float, float]:
    """Two integers that are no larger than a signed one of 64 bits are compared as such, else both as doubles."""
    if one.__class__ is int and other.__class__ is int and one <= INT64_MAX and other <= INT64_MAX:
        return one, other
    return float(one), float(other)


def _in_order(compare: Callable[[Any, Any], bool]) -> Callable[[Json, Json, Scope], bool]:
    """Comparing by size: numbers, strings by their bytes, truth values, and null with itself."""

    def holds(one: Json, other: Json, scope: Scope) -> bool:
        if one.__class__ in _NUMBERS and other.__class__ in _NUMBERS:
            return compare(*_comparable(one, other))
        if one.__class__ is not other.__class__:
            return False
        if one.__class__ is str or one.__class__ is bool:
            return compare(one, other)
        return one is None and compare(0, 0)

    return holds


def _matches(one: Json, other: Json, scope: Scope) -> bool:
    """Whether a regular expression is found in a string."""
    if one.__class__ is not str or other.__class__ is not str:
        return False
    search = searcher(other)
    return search is not None and search(one, scope.spend)
