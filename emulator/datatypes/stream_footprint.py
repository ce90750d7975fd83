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


def exact_footprint(stream: Stream) -> int:
    """Bytes of a stream without its key.  O(runs and consumers)."""
    groups = stream.groups
    size = _STREAM + stream.size + _tree_of_ids([run.first for run in stream.runs])
    if groups:
        size += _tree_size(list(groups)) + _tree_of_all_pending(groups.values())
    for group in groups.values():
        consumers = group.consumers
        size += _GROUP + _tree_of_ids(group.pending) + _PENDING * len(group.pending) + _tree_size(list(consumers))
        for consumer in consumers.values():
            size += _CONSUMER + exact_room(consumer.name) + _tree_of_ids(consumer.pending)
    return size


def _tree_of_all_pending(groups: Collection[Group]) -> int:
    """The tree in which ids find the groups they are pending in; there is none before an id is."""
    samples = [list(islice(group.pending, _SAMPLE)) for group in groups]
    ids = sorted(set(chain.from_iterable(samples)))
    if not ids:
        return 0
    return _tree_of_ids(ids, len(ids) * sum(len(group.pending) for group in groups) // sum(map(len, samples)))


def _tree_of_ids(ids: Collection[int], count: int = 0) -> int:
    return _tree_size([id.to_bytes(16, "big") for id in islice(ids, _SAMPLE)], count or len(ids))


def _tree_size(keys: list[bytes], count: int = 0) -> int:
    """A tree of `count` keys, 0 for as many as there are; the first thousand stand for all."""
    if not keys:
        return _TREE + _EMPTY_NODE
    sample = sorted(keys[:_SAMPLE])
    return _TREE + _nodes_size(sample, 0, len(sample), 0) * (count or len(keys)) // len(sample)


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
