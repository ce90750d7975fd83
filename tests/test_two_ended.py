"""A sequence with two ends against a plain list: whatever is done to copies of one another, each keeps its own values."""

from __future__ import annotations

import random

import pytest

from emulator.datatypes import two_ended
from emulator.datatypes.two_ended import Texts, TwoEnded, Unread


@pytest.mark.parametrize("seed", range(40))
def test_copies_change_each_for_itself(monkeypatch, seed):
    monkeypatch.setattr(two_ended, "_CHUNK", 4)
    rng = random.Random(seed)
    several = [(TwoEnded(), [])]
    for step in range(300):
        change(rng, several, b"%d" % step)
        for values, model in several:
            check_against(values, model, rng)


def read(rng):
    """What some pieces have, of which most are texts."""
    several = [[b"%d" % rng.randrange(1000) for _ in range(rng.randrange(12))] for _ in range(rng.randrange(9))]
    pieces = [
        Texts(b"".join([value + b"\n" for value in values]), len(values)) if rng.random() < 0.9 else values
        for values in several
    ]
    return TwoEnded.read(pieces), [value for values in several for value in values]


@pytest.mark.parametrize("seed", range(100))
def test_what_was_read_is_parted_when_it_is_looked_at(monkeypatch, seed):
    monkeypatch.setattr(two_ended, "_CHUNK", 4)
    rng = random.Random(seed)
    several = [read(rng)]
    for step in range(rng.randrange(12)):
        change(rng, several, b"%d" % step)
    for values, model in several:
        check_against(values, model, rng)


def test_a_place_is_looked_at_without_the_others(monkeypatch):
    monkeypatch.setattr(two_ended, "_CHUNK", 4)
    values = TwoEnded.read([Texts(b"".join([b"%d\n" % number for number in range(18)]), 18)])
    values.front.append(b"x")
    assert (values[0], values[1 + 9], values[-1], len(values)) == (b"x", b"9", b"17", 19)
    assert [chunk.__class__ for chunk in values.middle] == [Unread, Unread, list, Unread]


def change(rng, several, new):
    place = rng.randrange(len(several))
    values, model = several[place]
    size = len(model)
    count, index = rng.randint(0, min(size, 20)), rng.randrange(size or 1)
    kind = rng.choice(
        "copy left right pop_left pop_right take_left take_right drop_left drop_right set del insert".split()
    )
    match kind:
        case "copy":
            several[place + 1 :] = [(values.copy(), model.copy())]
        case "left":
            values.front.extend(several_of(new))
            model[:0] = several_of(new)[::-1]
        case "right":
            values.back.extend(several_of(new))
            model += several_of(new)
        case "take_left":
            assert values.take_left(count) == model[:count]
            del model[:count]
        case "take_right":
            assert values.take_right(count) == model[size - count :][::-1]
            del model[size - count :]
        case "drop_left":
            values.drop_left(count)
            del model[:count]
        case "drop_right":
            values.drop_right(count)
            del model[size - count :]
        case "insert":
            values.insert(index, new)
            model.insert(index, new)
        case _ if not size:
            with pytest.raises(IndexError):
                values[index]
        case "pop_left":
            assert values.pop_left() == model.pop(0)
        case "pop_right":
            assert values.pop_right() == model.pop()
        case "set":
            values[index] = model[index] = new
        case "del":
            del values[index]
            del model[index]


def several_of(new):
    return [new + b".%d" % number for number in range(9)]


def check_against(values, model, rng):
    size = len(model)
    assert len(values) == size
    assert list(values) == model
    assert list(reversed(values)) == model[::-1]
    start, stop = sorted(rng.randint(0, size) for _ in range(2))
    assert values.slice(start, stop) == model[start:stop]
    for index in rng.sample(range(-size, size), min(size, 3)):
        assert values[index] == model[index]
