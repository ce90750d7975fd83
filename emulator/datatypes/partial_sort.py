"""The order in which Redis's partial quicksort leaves what compares as equal.

GEOSEARCH with COUNT shows it: of members at the same distance some come first and some are cut off.

Source: J. L. Bentley, M. D. McIlroy, "Engineering a Sort Function", Software: Practice and Experience 23(11), 1993.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Compare = Callable[[Any, Any], float]


def partial_sort(items: list[Any], key: Callable[[Any], float], reverse: bool, most: int) -> list[Any]:
    """The first `most` items by their keys.  O(n log n); where no two keys are equal it is an ordinary sort."""
    ordered = sorted(items, key=key, reverse=reverse)
    keys = [key(item) for item in ordered[: most + 1]]
    if most >= len(items) or len(set(keys)) == len(keys):
        return ordered[:most]
    sign = -1.0 if reverse else 1.0
    twin = list(items)
    _sort(twin, 0, len(twin), most - 1, lambda one, other: sign * (key(one) - key(other)))
    return twin[:most]


def _median(items: list[Any], a: int, b: int, c: int, compare: Compare) -> int:
    if compare(items[a], items[b]) < 0:
        if compare(items[b], items[c]) < 0:
            return b
        return c if compare(items[a], items[c]) < 0 else a
    if compare(items[b], items[c]) > 0:
        return b
    return a if compare(items[a], items[c]) < 0 else c


def _pivot(items: list[Any], start: int, size: int, compare: Compare) -> int:
    middle = start + size // 2
    if size <= 7:
        return middle
    low, high = start, start + size - 1
    if size > 40:
        step = size // 8
        low = _median(items, low, low + step, low + 2 * step, compare)
        middle = _median(items, middle - step, middle, middle + step, compare)
        high = _median(items, high - 2 * step, high - step, high, compare)
    return _median(items, low, middle, high, compare)


def _insertion_sort(items: list[Any], start: int, size: int, compare: Compare) -> None:
    for place in range(start + 1, start + size):
        while place > start and compare(items[place - 1], items[place]) > 0:
            items[place - 1], items[place] = items[place], items[place - 1]
            place -= 1


def _partition(items: list[Any], start: int, size: int, compare: Compare) -> tuple[int, int]:
    """Put what equals the pivot in the middle; how many items are less, and how many greater."""
    pivot = _pivot(items, start, size, compare)
    items[start], items[pivot] = items[pivot], items[start]
    a = b = start + 1
    c = d = start + size - 1
    while True:
        while b <= c and (order := compare(items[b], items[start])) <= 0:
            if order == 0:
                items[a], items[b] = items[b], items[a]
                a += 1
            b += 1
        while b <= c and (order := compare(items[c], items[start])) >= 0:
            if order == 0:
                items[c], items[d] = items[d], items[c]
                d -= 1
            c -= 1
        if b > c:
            break
        items[b], items[c] = items[c], items[b]
        b += 1
        c -= 1
    end = start + size
    _exchange(items, start, b, min(a - start, b - a))
    _exchange(items, b, end, min(d - c, end - d - 1))
    return b - a, d - c


def _exchange(items: list[Any], start: int, end: int, count: int) -> None:
    """Exchange so many items from `start` on with those before `end`."""
    if count:
        items[start : start + count], items[end - count : end] = (
            items[end - count : end],
            items[start : start + count],
        )


def _sort(items: list[Any], start: int, size: int, last: int, compare: Compare) -> None:
    """Sort a part of the items, as far as it has to do with the first ones up to `last`."""
    while size >= 7:
        less, greater = _partition(items, start, size, compare)
        if less > 1 and start <= last:
            _sort(items, start, less, last, compare)
        start, size = start + size - greater, greater
        if size <= 1 or start > last:
            return
    _insertion_sort(items, start, size, compare)
