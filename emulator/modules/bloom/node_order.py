"""The order in which the nodes of a t-digest are merged: by their means, and equal means as the real server has them.

It sorts by a quicksort that is not stable, and where equal means have different weights their order decides which of them
become one centroid.  So that quicksort is followed there, and only there, with a bound on what it may cost: it needs
O(n^2) for some inputs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from operator import itemgetter
from typing import Final

Node = tuple[float, int]
"""A mean and a weight."""

_MOST_STEPS: Final = 150_000


def ordered(means: Sequence[float], weights: Sequence[int]) -> list[Node]:
    """The nodes in the order of their means.  O(n log n)."""
    nodes = list(zip(means, weights, strict=True))
    in_order = sorted(nodes, key=itemgetter(0))
    if len(set(means)) < len(means) and any(
        one[0] == other[0] and _differ(one, other) for one, other in pairwise(in_order)
    ):
        return _quicksorted(nodes) or in_order
    return in_order


def _differ(one: Node, other: Node) -> bool:
    """Whether nodes of equal means are not the same: there are two zeros."""
    return one[1] != other[1] or math.copysign(1, one[0]) != math.copysign(1, other[0])


def _quicksorted(nodes: list[Node]) -> list[Node] | None:
    """The nodes as the real server sorts them, None where that takes too many steps."""
    ranges, steps = [(0, len(nodes) - 1)], 0
    while ranges:
        first, last = ranges.pop()
        if first >= last:
            continue
        if last - first == 1:
            if nodes[first][0] > nodes[last][0]:
                nodes[first], nodes[last] = nodes[last], nodes[first]
            continue
        steps += last - first
        if steps > _MOST_STEPS:
            return None
        first = _take_least(nodes, first, last)
        middle = _partition(nodes, first, last)
        ranges += (first, middle - 1), (middle + 1, last)
    return nodes


def _partition(nodes: list[Node], first: int, last: int) -> int:
    """Bring what is less than the node in the middle before it; where that is then."""
    middle = (first + last) // 2
    nodes[middle], nodes[last] = nodes[last], nodes[middle]
    pivot = nodes[last][0]
    place = first
    for index in range(first, last):
        node = nodes[index]
        if node[0] < pivot:
            nodes[index], nodes[place] = nodes[place], node
            place += 1
    nodes[place], nodes[last] = nodes[last], nodes[place]
    return place


def _take_least(nodes: list[Node], first: int, last: int) -> int:
    """What partitions do while the node in the middle is one of the least: each takes one node off; where that leads.

    Else many equal numbers would take quadratic time.
    """
    least = min(nodes[first : last + 1])[0]
    while last - first > 1:
        middle = (first + last) // 2
        if nodes[middle][0] != least:
            break
        nodes[first], nodes[middle], nodes[last] = nodes[middle], nodes[last], nodes[first]
        first += 1
    return first
