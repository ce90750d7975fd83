"""The order in which the nodes of a t-digest are merged: by their means, and equal means as the real server has them.

It sorts by a quicksort that is not stable, and where equal means have different weights their order decides which of them
become one centroid.  So that quicksort is followed there, and only there, with a bound on what it may cost: it needs
O(n^2) for some inputs.  It runs over each node many times, so it is written in Lua.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from itertools import pairwise
from operator import itemgetter
from typing import Final

from emulator import lua

Node = tuple[float, int]
"""A mean and a weight."""

_MOST_STEPS: Final = 150_000


def ordered(means: Sequence[float], weights: Sequence[int]) -> list[Node]:
    """The nodes in the order of their means.  O(n log n)."""
    nodes = list(zip(means, weights, strict=True))
    in_order = sorted(nodes, key=itemgetter(0))
    distinct = set(means)
    if len(distinct) < len(means) and any(
        one[0] == other[0] and _differ(one, other) for one, other in pairwise(in_order)
    ):
        ranks = {mean: rank for rank, mean in enumerate(sorted(distinct))}
        form = f"<{len(nodes)}I"
        quicksorted = lua.function("modules/bloom/node_order", "ordered")
        places = quicksorted(struct.pack(form, *map(ranks.__getitem__, means)), _MOST_STEPS)
        if places is not None:
            return [nodes[place] for place in struct.unpack(form, places)]
    return in_order


def _differ(one: Node, other: Node) -> bool:
    """Whether nodes of equal means are not the same: there are two zeros."""
    return one[1] != other[1] or math.copysign(1, one[0]) != math.copysign(1, other[0])
