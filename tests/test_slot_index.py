"""The keys by their slots, against a model."""

import random

import pytest

from emulator.commands.cluster_scan import tag
from emulator.datatypes.slots import SLOTS, key_slot, pattern_slot
from emulator.keyspace.slot_index import SlotIndex


@pytest.mark.parametrize("seed", range(10))
def test_random_steps_beside_a_set(seed):
    rng = random.Random(seed)
    names = [b"{%d}%d" % (number % 7, number) for number in range(500)]
    model = set(rng.sample(names, 250))
    index = SlotIndex(model)
    for step in range(2000):
        name = rng.choice(names)
        if name in model:
            model.remove(name)
            index.remove(name)
        else:
            model.add(name)
            index.add(name)
        if step % 50 == 0:
            index._check()
            slot = key_slot(name)
            assert sorted(index.in_slot(slot)) == sorted(key for key in model if key_slot(key) == slot)
            assert set(index.used_slots()) == {key_slot(key) for key in model}


def test_a_slot_without_keys_is_empty():
    assert list(SlotIndex([b"a"]).in_slot(0)) == []


@pytest.mark.slow
def test_each_slot_has_a_tag_of_at_most_three_letters():
    tags = [tag(slot) for slot in range(SLOTS)]
    assert [key_slot(word) for word in tags] == list(range(SLOTS))
    assert [key_slot(b"x{%b}y" % word) for word in tags[:100]] == list(range(100))
    assert max(map(len, tags)) == 3
    assert tags[:4] == [b"06S", b"Qi", b"5L5", b"4Iu"]  # as the real server has them


@pytest.mark.parametrize(
    ("pattern", "slot"),
    [
        (b"a", 15495),
        (b"{a}*", 15495),
        (b"x{a}?", 15495),
        (b"*", None),
        (b"*{a}", None),
        (b"{a*}", None),
        (b"a[b]", None),
    ],
)
def test_the_slot_of_what_matches_a_pattern(pattern, slot):
    assert pattern_slot(pattern) == slot
