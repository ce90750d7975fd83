"""Sets against a Python list, with the encodings that Redis would have."""

import random

import pytest

from emulator.datatypes.set import Set, in_all


class Limits:
    def __init__(self, intset=12, entries=10, value=6):
        self.set_max_intset_entries = intset
        self.set_max_listpack_entries = entries
        self.set_max_listpack_value = value


def is_integer(member):
    return member.lstrip(b"-").isdigit() and b"%d" % int(member) == member


class Model:
    def __init__(self, limits):
        self.members = []
        self.encoding = b"intset"
        self.limits = limits

    def add(self, member):
        if member in self.members:
            return False
        limits, count = self.limits, len(self.members)
        if self.encoding == b"intset" and is_integer(member):
            if count + 1 > limits.set_max_intset_entries:
                self.encoding = b"hashtable"
        elif self.encoding != b"hashtable":
            lengths = [len(member)]
            if self.encoding == b"intset":
                self.members.sort(key=int)
                lengths += map(len, self.members)
            fits = count < limits.set_max_listpack_entries and max(lengths) <= limits.set_max_listpack_value
            self.encoding = b"listpack" if fits else b"hashtable"
        self.members.append(member)
        return True

    @property
    def order(self):
        return sorted(self.members, key=int) if self.encoding == b"intset" else self.members


def compare(target, model):
    target._check()
    assert target.encoding == model.encoding
    assert len(target) == len(model.members)
    if target.packed:
        assert list(target) == list(model.order)
    else:
        assert sorted(target) == sorted(model.members)


@pytest.mark.parametrize("seed", range(12))
def test_random_steps_against_a_model(seed):
    rng = random.Random(seed)
    limits = Limits()
    integers = [b"%d" % number for number in range(-9, 9)]
    words = [b"w%d" % number for number in range(9)] + [b"longword", b"007"]
    pool = integers[: rng.choice([8, 18])] + (words if seed % 2 else [])
    target, model = Set(), Model(limits)
    for _ in range(400):
        member, step = rng.choice(pool), rng.random()
        if step < 0.55:
            assert target.add(member, limits) == model.add(member)
        elif step < 0.8:
            assert target.remove(member) == (member in model.members)
            if member in model.members:
                model.members.remove(member)
        elif step < 0.88 and model.members:
            model.members.remove(target.pop(rng))
        elif step < 0.92:
            target = target.copy()
        elif step < 0.96:
            assert (member in target) == (member in model.members)
        elif not model.members:
            target, model = Set(), Model(limits)
        compare(target, model)


@pytest.mark.parametrize("seed", range(6))
def test_popping_many_takes_so_many_and_keeps_the_rest(seed):
    rng = random.Random(seed)
    limits = Limits()
    for size in (2, 8, 30):
        for count in range(1, size):
            members = [b"%d" % number for number in range(size)] + [b"x"] * (seed % 2)
            target = Set.of(members, limits)
            before = set(target)
            taken = target.pop_many(rng, count, limits)
            target._check()
            assert len(taken) == count
            assert set(taken) | set(target) == before
            assert set(taken).isdisjoint(target)


def test_what_few_are_left_of_a_hashtable_becomes_a_listpack():
    limits = Limits()
    target = Set.of([b"%d" % number for number in range(100)], limits)
    assert target.encoding == b"hashtable"
    target.pop_many(random.Random(1), 95, limits)
    assert target.encoding == b"listpack"


def test_a_set_of_many_members_is_the_same_as_one_filled_by_steps():
    limits = Limits()
    members = [b"%d" % (number % 40) for number in range(100)]
    target = Set.of(members, limits)
    target._check()
    assert sorted(target) == sorted(set(members))
    assert target.encoding == b"hashtable"


@pytest.mark.parametrize(
    ("first", "count", "encoding"),
    [
        (b"1", 12, b"intset"),
        (b"1", 13, b"hashtable"),
        (b"x", 10, b"listpack"),
        (b"x", 11, b"hashtable"),
        (b"01", 1, b"listpack"),
    ],
)
def test_the_encoding_that_a_new_set_begins_with(first, count, encoding):
    target = Set()
    target.expect(first, count, Limits())
    assert target.encoding == encoding


def test_more_sets_have_members_in_common_than_calls_fit_on_the_stack():
    assert list(in_all([b"a", b"b", b"c"], [{b"a", b"b"}] * 300_000 + [{b"b", b"c"}] * 300_000)) == [b"b"]


def test_members_in_common_are_found_as_they_are_asked_for():
    asked = iter([b"a", b"b"])
    assert next(in_all(asked, [{b"a"}, {b"a", b"b"}])) == b"a"
    assert list(asked) == [b"b"]
