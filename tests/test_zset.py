"""Sorted sets against a dict that is sorted anew, with the invariants checked after each step."""

import math
import random

import pytest

from emulator.datatypes import zset
from emulator.datatypes.zset import LexRange, ZSet


class Limits:
    zset_max_listpack_entries = 128
    zset_max_listpack_value = 64


class Small:
    zset_max_listpack_entries = 50
    zset_max_listpack_value = 3


LIMITS = Limits()


@pytest.mark.parametrize("limits", [Limits(), Small()])
@pytest.mark.parametrize("few", [20, 256])
@pytest.mark.parametrize("seed", range(5))
def test_random_steps(seed, few, limits, monkeypatch):
    monkeypatch.setattr(zset, "_FEW", few)
    rng = random.Random(seed)
    members, model = ZSet(), {}
    names = [b"m%d" % number for number in range(60)]
    packed = True
    for step in range(600):
        name = rng.choice(names)
        if rng.random() < 0.6:
            score = rng.choice([float(rng.randrange(5)), rng.uniform(-2, 2), math.inf, -math.inf])
            members.set(name, score, limits)
            model[name] = score
            packed &= len(model) <= limits.zset_max_listpack_entries and len(name) <= limits.zset_max_listpack_value
        elif rng.random() < 0.8:
            assert members.remove(name) == (model.pop(name, None) is not None)
        else:
            first = rng.randint(0, len(model))
            last = rng.randint(first, min(first + 3, len(model)))
            for _, gone in sorted((score, member) for member, score in model.items())[first:last]:
                del model[gone]
            members.remove_slice(first, last)
        if step == 200:
            assert len(members.index) == len(members)
        assert members.encoding == (b"listpack" if packed else b"skiplist")
        members._check()
        check_against(members, model, rng)


def check_against(members, model, rng):
    ordered = sorted((score, member) for member, score in model.items())
    assert members.slice(0, len(members)) == ordered
    assert members.slice(0, len(members), backwards=True) == ordered[::-1]
    low, high = sorted(rng.choice([-math.inf, -1.0, 0.0, 2.0, math.inf, rng.uniform(-2, 4)]) for _ in range(2))
    excludes_low, excludes_high = rng.random() < 0.5, rng.random() < 0.5
    first, last = members.ranks_by_score(low, high, excludes_low, excludes_high)
    expected = [
        (score, member)
        for score, member in ordered
        if (low < score if excludes_low else low <= score) and (score < high if excludes_high else score <= high)
    ]
    assert ordered[first:last] == expected
    for rank, (_, member) in enumerate(ordered):
        assert members.rank(member) == rank
    ranges = [(-1.0, 0.0), (low, high)]
    assert list(members.between(ranges)) == [
        scored for start, stop in ranges for scored in ordered if start <= scored[0] < stop
    ]


@pytest.mark.parametrize("packed", [True, False])
def test_ranges_by_bytes(packed):
    names = [b"a", b"aa", b"b", b"bb", b"c"]
    members = ZSet.of(dict.fromkeys(names, 0.0), LIMITS)
    members.packed = packed
    ends = [None, b"", *names, b"d"]
    for low in ends:
        for high in ends:
            for excludes in (False, True):
                wanted = LexRange(low, high, excludes, excludes)
                expected = [name for name in names if not wanted.starts_after(name) and not wanted.ends_before(name)]
                for backwards in (False, True):
                    first, last = members.ranks_by_lex(wanted, backwards)
                    assert names[first:last] == expected


@pytest.mark.parametrize("backwards", [False, True])
def test_where_scores_differ_a_small_one_is_gone_through_from_the_end_asked_for(backwards):
    members = ZSet.of({b"a": 1.0, b"z": 2.0, b"b": 3.0, b"c": 4.0}, LIMITS)
    first, last = members.ranks_by_lex(LexRange(b"b", b"c"), backwards)
    assert list(members)[first:last] == ([b"z", b"b", b"c"] if backwards else [])


def test_a_scan_returns_what_is_there_from_start_to_end():
    rng = random.Random(1)
    members = ZSet.of({b"p%d" % number: float(number) for number in range(300)}, LIMITS)
    assert members.encoding == b"skiplist"
    permanent, seen, cursor = set(members), set(), 0
    while True:
        cursor, found = members.index.scan(cursor, 7)
        seen.update(found)
        if not cursor:
            break
        for _ in range(5):
            members.set(b"x%d" % rng.randrange(100), 1.0, LIMITS)
            members.remove(b"x%d" % rng.randrange(100))
    assert permanent <= seen


def test_the_small_encoding_has_no_negative_zero():
    small, large = ZSet(), ZSet()
    small.set(b"a", -0.0, LIMITS)
    large.set(b"a" * 65, -0.0, LIMITS)
    large.set(b"b", -0.0, LIMITS)
    assert [math.copysign(1, score) for score, _ in [*small.order, *large.order]] == [1, -1, -1]


@pytest.mark.parametrize(
    "scores", [{b"a": -0.0, b"b": 1.0}, {b"a" * 65: -0.0, b"b": 1.0}, {b"%d" % number: 0.0 for number in range(129)}]
)
def test_made_at_once_as_if_one_by_one(scores):
    at_once, one_by_one = ZSet.of(dict(scores), LIMITS), ZSet()
    for member, score in scores.items():
        one_by_one.set(member, score, LIMITS)
    at_once._check()
    assert at_once.encoding == one_by_one.encoding
    assert str(at_once.scores) == str(one_by_one.scores)


@pytest.mark.parametrize("made", [lambda members: ZSet.of(dict(members.scores), LIMITS), ZSet.copy])
@pytest.mark.parametrize(
    "change",
    [
        lambda members: members.set(b"new", 1.5, LIMITS),
        lambda members: members.set(b"m1", 7.5, LIMITS),
        lambda members: members.remove(b"m1"),
        lambda members: members.remove_slice(1, 3),
    ],
)
@pytest.mark.parametrize("count", [5, 300])
def test_what_was_not_yet_put_in_order_may_change(count, change, made):
    members = made(ZSet.of({b"m%d" % number: float(number) for number in range(count)}, LIMITS))
    change(members)
    members._check()
