"""The array of keys against a set, and its promise to those who scan."""

import random

import pytest

from emulator.keyspace.key_index import KeyIndex
from emulator.keyspace.parted import Parted


def parted(keys):
    """The same keys as a database has very many, whose index is read part by part."""
    found = Parted()
    for key in keys:
        found[key] = None
    return found


KINDS = {"few": dict.fromkeys, "many": parted}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(20))
def test_random_steps_beside_a_set(seed, kind):
    rng = random.Random(seed)
    names = [b"%d" % number for number in range(rng.choice((20, 100, 1000)))]
    model = KINDS[kind](rng.sample(names, len(names) // 2))
    index = KeyIndex(model)
    looks = rng.choice((50, 500))
    for step in range(4000):
        name = rng.choice(names)
        likely = 0.5 + 0.4 * (1 if step // 500 % 2 else -1)  # it grows for a while, then shrinks
        if name not in model and rng.random() < likely:
            model[name] = None
            index.add(name)
        elif name in model and rng.random() > likely:
            del model[name]
            index.remove(name)
        if step % 50 == 0:
            index._check()
            assert len(index) == len(model)
            assert not len(model) or index.choose(rng) in model
        if step % looks == looks - 1:
            assert sorted(index) == sorted(model)
    index._check()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(20))
def test_who_is_there_all_the_time_is_met_by_a_scan(seed, kind):
    rng = random.Random(seed)
    names = [b"%d" % number for number in range(2000)]
    rng.shuffle(names)
    staying, others = set(names[:200]), names[200:]
    keys, there = KINDS[kind](names), set(others)
    index = KeyIndex(keys)
    comes_again = staying.pop()
    for name in (comes_again, *others[: seed % 2 * 900]):
        del keys[name]
        index.remove(name)
        there.discard(name)
    keys[comes_again] = None
    index.add(comes_again)
    staying.add(comes_again)
    met, cursor = [], 0
    while True:
        cursor, found = index.scan(cursor, rng.randint(1, 40))
        met += found
        if not cursor:
            break
        for _ in range(rng.randint(0, 150)):
            name = rng.choice(others)
            if name in there:
                there.remove(name)
                del keys[name]
                index.remove(name)
            elif rng.random() < 0.2:
                there.add(name)
                keys[name] = None
                index.add(name)
    index._check()
    assert staying <= set(met)


def test_each_key_is_as_likely_as_another():
    rng = random.Random(1)
    index = KeyIndex([b"%d" % number for number in range(200)])
    for number in range(60):
        index.remove(b"%d" % number)
    chosen = [index.choose(rng) for _ in range(14_000)]
    counts = [chosen.count(key) for key in set(chosen)]
    assert len(counts) == 140 and min(counts) > 50 and max(counts) < 160
