"""The array of elements against a set, and its promise to those who scan."""

import random
from collections import Counter

import pytest

from emulator.datatypes.element_index import ElementIndex


@pytest.mark.parametrize("seed", range(5))
def test_index_random_steps(seed):
    rng = random.Random(seed)
    model = {b"%d" % number for number in range(rng.choice([0, 1, 50]))}
    index = ElementIndex(model)
    for _ in range(500):
        item = b"%d" % rng.randrange(80)
        if item in model:
            index.remove(item)
            model.remove(item)
        else:
            index.add(item)
            model.add(item)
        index._check()
        assert len(index) == len(model)
        assert set(index) == model
        if model:
            assert index.choose(rng) in model
            count = rng.randrange(len(model) + 3)
            sample = index.pick(rng, count)
            assert len(set(sample)) == len(sample) == min(count, len(model))
            assert set(sample) <= model
            repeated = index.pick(rng, -count)
            assert len(repeated) == count
            assert set(repeated) <= model


def test_choices_are_even():
    index = ElementIndex([b"%d" % number for number in range(10)])
    counts = Counter(index.choose(random.Random(seed)) for seed in range(5000))
    assert len(counts) == 10
    assert all(350 < count < 650 for count in counts.values())


@pytest.mark.parametrize("seed", range(10))
def test_scan_meets_what_is_there_from_start_to_end(seed):
    rng = random.Random(seed)
    permanent = {b"p%d" % number for number in range(300)}
    passing = {b"t%d" % number for number in range(300)}
    there = set(rng.sample(sorted(passing), 150))
    items = sorted(permanent | there)
    rng.shuffle(items)
    index = ElementIndex(items)
    seen, cursor = set(), 0
    for _ in range(10_000):
        cursor, found = index.scan(cursor, rng.randint(1, 20))
        seen.update(found)
        if cursor == 0:
            break
        for item in rng.sample(sorted(passing), rng.randint(0, 30)):
            if item in there:
                index.remove(item)
                there.remove(item)
            else:
                index.add(item)
                there.add(item)
    assert cursor == 0
    assert permanent <= seen


def test_any_cursor_is_valid():
    index = ElementIndex([b"a", b"b", b"c"])
    assert index.scan(1 << 63, 10) == (0, [b"a", b"b", b"c"])
    assert index.scan(2, 1) == (1, [b"b"])
    assert ElementIndex([]).scan(5, 10) == (0, [])
