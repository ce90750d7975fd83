"""What a stream takes as the real server counts it from 8.6 on: its runs to the byte, and each node of its radix trees."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain, islice
from typing import Final

from emulator.datatypes.consumers import Group
from emulator.datatypes.footprint import POINTER, allocated, exact_room
from emulator.datatypes.stream import Stream

_STREAM: Final = 160
_TREE: Final = 32
_EMPTY_NODE: Final = 8
_GROUP: Final = 56
_CONSUMER: Final = 32
_PENDING: Final = 64
_NODE_HEAD: Final = 4
_SAMPLE: Final = 1000
"""So many keys stand for all of a larger tree."""
_MOST_SAMPLED: Final = 5000
"""So many keys are looked at in all, where there are many trees; that takes some 7 ms."""
_SOME: Final = 30
"""So many groups stand for all, and so many consumers for all of a group."""


def exact_footprint(stream: Stream) -> int:
    """Bytes of a stream without its key.  O(groups), of which only some are looked at."""
    firsts = [run.first for run in islice(stream.runs, _SAMPLE)]
    size = _STREAM + stream.size + _tree_of_ids(firsts, _SAMPLE, len(stream.runs))
    groups = stream.groups
    if not groups:
        return size
    some = [(group, list(islice(group.consumers.values(), _SOME))) for group in islice(groups.values(), _SOME)]
    trees = 2 + sum(2 + len(consumers) for _, consumers in some)
    sample = min(_SAMPLE, _MOST_SAMPLED // trees)
    weight = stream.weights.total()
    exact = known = 0
    for group, consumers in some:
        exact += _GROUP + _tree_of_ids(group.pending, sample) + _PENDING * len(group.pending)
        exact += _tree_of_names(group.consumers, sample)
        known += group.weight
        if consumers:
            sizes = [_CONSUMER + exact_room(each.name) + _tree_of_ids(each.pending, sample) for each in consumers]
            exact += sum(sizes) * len(group.consumers) // len(consumers)
            known += sum([each.weight for each in consumers]) * len(group.consumers) // len(consumers)
    size += exact * weight // known  # the others by what they weigh to 8.2
    return size + _tree_of_names(groups, sample) + _tree_of_all_pending(groups.values(), sample)


def _tree_of_all_pending(groups: Collection[Group], sample: int) -> int:
    """The tree in which ids find the groups they are pending in; there is none before an id is."""
    samples = [list(islice(group.pending, sample)) for group in islice(groups, _SOME)]
    ids = sorted(set(chain.from_iterable(samples)))
    if not ids:
        return 0
    count = len(ids) * sum(len(group.pending) for group in groups) // sum(map(len, samples))
    return _tree_of_ids(ids, sample, count)


def _tree_of_ids(ids: Collection[int], sample: int, count: int = 0) -> int:
    return _tree_size([id.to_bytes(16, "big") for id in islice(ids, sample)], count or len(ids))


def _tree_of_names(names: Collection[bytes], sample: int) -> int:
    return _tree_size(sorted(islice(names, sample)), len(names))


def _tree_size(keys: list[bytes], count: int) -> int:
    """A tree of `count` keys, for which sorted ones stand."""
    if not keys:
        return _TREE + _EMPTY_NODE
    return _TREE + _nodes_size(keys, 0, len(keys), 0) * count // len(keys)


def _nodes_size(keys: Sequence[bytes], low: int, high: int, depth: int) -> int:
    """The nodes for the sorted keys from `low` to `high`, which all begin with the same `depth` bytes."""
    is_key = len(keys[low]) == depth
    low += is_key
    if low == high:
        return _node_size(0, 0, is_key)
    first, last = keys[low], keys[high - 1]
    common = depth
    while common < len(first) and first[common] == last[common]:
        common += 1
    if common > depth:
        return _node_size(common - depth, 1, is_key) + _nodes_size(keys, low, high, common)
    size = branches = 0
    while low < high:
        byte = keys[low][depth]
        end = low
        while end < high and keys[end][depth] == byte:
            end += 1
        size += _nodes_size(keys, low, end, depth + 1)
        branches += 1
        low = end
    return size + _node_size(branches, branches, is_key)


def _node_size(characters: int, children: int, is_key: bool) -> int:
    """A node: its head and its bytes up to a multiple of eight, a pointer to each child, and one to the key's value."""
    text = _NODE_HEAD + characters
    return allocated(text + -text % POINTER + POINTER * (children + is_key))
