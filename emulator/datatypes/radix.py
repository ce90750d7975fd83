"""The radix trees in which Redis keeps the ids of a stream's runs and of what is pending: how many nodes, how many bytes."""

from __future__ import annotations

from collections.abc import Sequence
from operator import xor
from typing import Final

_KEY: Final = 16
_NODE: Final = 4 + 30 * 8
"""A node as Redis counts it: its head, and pointers that are taken to be thirty."""
_SAMPLE: Final = 100
_ROOT: Final = -1
_LAST: Final = _KEY - 1
_IN_COMMON: Final = bytes(max(_KEY - (bits + 7) // 8, 0) for bits in range(256))
"""How many bytes two keys begin with in common, by the bits of what they differ in."""


def tree_nodes(ids: Sequence[int]) -> int:
    """How many nodes a tree of ascending ids, keys of 16 bytes, has.  O(n).

    Where keys part there is a node; what a branch then has in one piece is another, and so is its end.  So all follows from
    the depths at which neighbours part: the nodes above a key are those that part it from the keys before and are not as
    deep as where it parts from the next.
    """
    if not ids:
        return 1
    nodes = 2 * len(ids)  # the end of each, and what it has by itself
    above: list[int] = []
    deepest = _ROOT
    depths = bytes(map(int.bit_length, map(xor, ids, ids[1:]))).translate(_IN_COMMON)
    for depth in [*depths, _ROOT]:
        while deepest > depth:  # no more keys part there
            parent = above.pop()
            if parent < depth:
                above.append(parent)
                parent = depth
            nodes += 1 if deepest == parent + 1 else 2
            deepest = parent
        if deepest < depth:
            above.append(deepest)
            deepest = depth
            nodes -= depth == _LAST  # who part in the last byte have nothing by themselves
    return nodes - depths.count(_LAST)


def tree_size(ids: Sequence[int]) -> int:
    """Bytes of a tree of ascending ids; of a large one the first hundred stand for all.  O(1)."""
    count = len(ids)
    nodes = tree_nodes(ids[:_SAMPLE]) if count > 1 else 1 + count
    if count > _SAMPLE:
        nodes = nodes * count // _SAMPLE
    return count * _KEY + nodes * _NODE
