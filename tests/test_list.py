"""Lists against a plain Python list, with the accounts of listpacks checked after each step."""

import functools
import random

import pytest

from emulator.clock import ManualClock
from emulator.config.directives import Config
from emulator.core.engine import Engine
from emulator.datatypes import list as lists
from emulator.datatypes.list import List
from emulator.datatypes.listpack import entry_size
from emulator.datatypes.quicklist import fill_with
from tests.conftest import Client


@pytest.mark.parametrize("limit", [-2, -1, 4, 1, 128, fill_with(4, 50)])
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))])
def test_random_steps(limit, seed, monkeypatch):
    monkeypatch.setattr(
        lists, "entry_size", functools.cache(entry_size)
    )  # of few values, which are checked over and over
    rng = random.Random(seed)
    values, model = List(), []
    twin, twin_model = None, []
    for _ in range(400):
        step = rng.randrange(9)
        fresh = [
            rng.choice([b"%d" % rng.randrange(10), b"x" * rng.choice([1, 70, 900, 5000])])
            for _ in range(rng.randint(1, 4))
        ]
        if step < 2:
            values.grow(fresh, limit)
            values.extend_right(fresh)
            model.extend(fresh)
        elif step < 4:
            values.grow(fresh, limit)
            values.extend_left(fresh)
            model[:0] = reversed(fresh)
        elif not model:
            continue
        elif step == 4:
            assert values.pop_left() == model.pop(0)
        elif step == 5:
            assert values.pop_right() == model.pop()
        elif step == 6:
            index = rng.randrange(-len(model), len(model))
            values.grow(fresh[:1], limit)
            values.set(index, fresh[0])
            model[index] = fresh[0]
        elif step == 7:
            index = rng.randint(0, len(model))
            values.grow(fresh[:1], limit)
            values.insert(index, fresh[0])
            model.insert(index, fresh[0])
        else:
            wanted, most, backwards = rng.choice(model), rng.randint(1, 3), rng.random() < 0.5
            places = [index for index, value in enumerate(model) if value == wanted]
            chosen = places[-most:] if backwards else places[:most]
            assert values.remove(wanted, most, backwards) == len(chosen)
            model = [value for index, value in enumerate(model) if index not in chosen]
        if model:
            values.shrink(limit)
        values._check()
        assert list(values) == model
        start = rng.randint(0, len(model))
        stop = rng.randint(start, len(model))
        assert values.slice(start, stop) == model[start:stop]
        if twin is not None:
            twin._check()
            assert list(twin) == twin_model
        twin, twin_model = values.copy(), model.copy()
        assert twin.encoding == values.encoding
        if rng.random() < 0.5:
            twin, values = values, twin


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("most", [1, 15, 16, 17, 50, 1000])
def test_many_equal_values_are_removed(most, backwards):
    model = [b"%d" % (number % 3) for number in range(300)]
    values = List.of(model, 20)
    places = [index for index, value in enumerate(model) if value == b"1"]
    chosen = places[-most:] if backwards else places[:most]
    assert values.remove(b"1", most, backwards) == len(chosen)
    values._check()
    assert list(values) == [value for index, value in enumerate(model) if index not in chosen]


def test_trim():
    values = List.of([b"%d" % number for number in range(10)], 4)
    values.trim(3, 7)
    values._check()
    assert list(values) == [b"3", b"4", b"5", b"6"]


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (b"0", 2),
        (b"99", 2),
        (b"127", 2),
        (b"128", 3),
        (b"-1", 3),
        (b"4095", 3),
        (b"4096", 4),
        (b"-4097", 4),
        (b"32767", 4),
        (b"32768", 5),
        (b"8388607", 5),
        (b"8388608", 6),
        (b"2147483647", 6),
        (b"2147483648", 10),
        (b"9223372036854775807", 10),
        (b"9223372036854775808", 21),
        (b"01", 4),
        (b"1x", 4),
        (b"", 2),
        (b"x" * 63, 65),
        (b"x" * 64, 67),
        (b"x" * 125, 128),
        (b"x" * 126, 130),
        (b"x" * 4096, 4103),
    ],
)
def test_sizes_in_a_listpack(value, size):
    assert entry_size(value) == size


def test_what_counts_as_a_change(client):
    def changes(line):
        before = client.engine.dirty
        client.play(line)
        return client.engine.dirty - before

    assert changes("RPUSH l 3 1 2") == 3
    assert changes("LMOVE l l LEFT RIGHT") == 1
    assert changes("LMOVE l m LEFT RIGHT") == 1
    assert changes("SORT l STORE s") == 2
    assert changes("SORT none STORE s") == 1


def test_the_ends_of_a_quicklist_are_found_from_both_sides():
    values = List.of([b"%d" % number for number in range(10)], 3)
    for index in (0, 4, 5, 9, -1, -10):
        values.set(index, b"x" * 10)
        values._check()


def test_the_threshold_for_large_values_is_an_engine_s_own(client):
    client.engine.packed_threshold.set(10)
    outcomes = []
    for player in (client, Client(client.engine.sibling()), Client(Engine(Config(), ManualClock()))):
        player.play("CONFIG SET list-max-listpack-size 2")
        player.play("RPUSH l 1 2 3")
        player.play(f"RPUSH l {'x' * 10}")
        outcomes.append(len(player.engine.databases[0].peek(b"l").nodes))
    assert outcomes == [3, 2, 2]


@pytest.mark.parametrize("limit", [-2, 1, 128])
@pytest.mark.parametrize("seed", range(10))
def test_what_is_taken_from_the_ends(limit, seed):
    rng = random.Random(seed)
    model = [rng.choice([b"%d" % rng.randrange(1000), b"x" * rng.choice([1, 70, 900, 5000])]) for _ in range(400)]
    parted = rng.randint(0, len(model))
    values = List()
    values.grow(model, limit)
    values.extend_right(model[parted:])
    values.extend_left(model[:parted][::-1])
    while model:
        count = rng.randint(0, len(model))
        step = rng.randrange(3)
        if step == 0:
            assert values.take_left(count) == model[:count]
            del model[:count]
        elif step == 1:
            assert values.take_right(count) == model[len(model) - count :][::-1]
            del model[len(model) - count :]
        else:
            values.trim(count // 8, len(model) - count // 8)
            model = model[count // 8 : len(model) - count // 8]
        values._check()
        assert list(values) == model and list(reversed(values.values)) == model[::-1]


def test_the_size_of_large_values_is_an_engine_s_own(client):
    client.engine.config.enable_debug_command = "yes"
    client.play("CONFIG SET list-max-listpack-size 4")
    other = Client(client.engine.sibling())
    client.play("DEBUG QUICKLIST-PACKED-THRESHOLD 10")
    for player, nodes in ((client, b"ql_nodes:3"), (other, b"ql_nodes:2")):
        player.play("RPUSH l xxxxxxxxxxxxxxxxxxxx a b c d e")
        assert nodes in player.play("DEBUG OBJECT l").split()
