"""Freeing in slices: each step frees about as much, whatever the values are made of, and in the end all is gone."""

from collections import deque

import pytest
from sortedcontainers import SortedList

from emulator.datatypes.two_ended import TwoEnded
from emulator.keyspace.lazyfree import LazyFree

A_STEP = 2000
ALL = 20_000


class Counted:
    """An element that tells when it is freed."""

    __slots__ = ("tally",)

    def __init__(self, tally):
        self.tally = tally

    def __del__(self):
        self.tally.append(1)


@pytest.mark.parametrize("count", [101, 900, 1001, 1999, ALL])
@pytest.mark.parametrize(
    "make",
    [
        lambda elements: elements,
        deque,
        set,
        lambda elements: dict(enumerate(elements)),
        lambda elements: SortedList(elements, key=id),
        lambda elements: [elements[start : start + 300] for start in range(0, len(elements), 300)],
        lambda elements: TwoEnded(elements).copy(),
    ],
)
def test_each_step_frees_about_as_much(count, make):
    tally = []
    lazyfree = LazyFree()
    begun = []
    lazyfree.begin = lambda: begun.append(1)
    total = ALL // count * count
    for _ in range(ALL // count):
        lazyfree.add(make([Counted(tally) for _ in range(count)]))
    assert begun == [1] and not tally
    before, steps = 0, 0
    while lazyfree.step():
        assert len(tally) - before <= 2 * A_STEP
        before, steps = len(tally), steps + 1
    assert len(tally) == total
    assert total // (2 * A_STEP) <= steps <= 8 * total // A_STEP
    assert not lazyfree.pending


def test_a_string_is_not_kept_until_later():
    lazyfree = LazyFree()
    begun = []
    lazyfree.begin = lambda: begun.append(1)
    lazyfree.add(bytearray(1_000_000))
    assert not begun and not lazyfree.pending


def test_what_somebody_else_holds_is_let_go():
    tally = []
    lazyfree = LazyFree()
    lazyfree.begin = lambda: None
    held = [Counted(tally) for _ in range(1000)]
    lazyfree.add(held)
    while lazyfree.step():
        pass
    assert len(held) == 1000 and not tally
