"""The radix trees in which Redis keeps the ids of a stream's runs and of what is pending: how many nodes, how many bytes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import islice
from typing import Final

_KEY: Final = 16
_NODE: Final = 4 + 30 * 8
"""A node as Redis counts it: its head, and pointers that are taken to be thirty."""
_SAMPLE: Final = 100


def tree_nodes(ids: Sequence[int]) -> int:
    """How many nodes a tree of ascending ids, keys of 16 bytes, has.  O(n).

    Where keys part there is a node; what a branch then has in one piece is another, and so is its end.
    """
    keys = [id.to_bytes(_KEY, "big") for id in ids]

    def nodes(low: int, high: int, depth: int) -> int:
        first, last = keys[low], keys[high - 1]
        common = depth
        while common < _KEY and first[common] == last[common]:
            common += 1
        count = 1 + (common > depth)
        while common < _KEY and low < high:
            branch = keys[low][: common + 1]
            end = bisect_right(keys, branch + b"\xff" * _KEY, low, high)
            count += nodes(low, end, common + 1)
            low = end
        return count

    return nodes(0, len(keys), 0) if keys else 1


def tree_size(ids: Sequence[int]) -> int:
    """Bytes of a tree of ascending ids; of a large one the first hundred stand for all.  O(1)."""
    count = len(ids)
    nodes = tree_nodes(list(islice(ids, _SAMPLE)))
    if count > _SAMPLE:
        nodes = nodes * count // _SAMPLE
    return count * _KEY + nodes * _NODE
