"""Streams against a plain list, step by step."""

from random import Random

import pytest

from emulator.datatypes import stream as streams
from emulator.datatypes.run import PackedRun, Run
from emulator.datatypes.stream import Stream, format_id
from emulator.protocol.replies import Entries
from emulator.rdb import listpack


def build(random, stream, model, most_entries):
    """One random step on both."""
    last = model[-1][0] if model else 0
    step = random.randrange(6)
    if step < 3:
        id = max(last, stream.last_id) + random.choice((1, 1, 7, 1 << 64))
        body = (b"f", b"%d" % id) if random.random() < 0.7 else (b"other", b"v", b"more", b"w" * random.randrange(90))
        stream.append(id, body, 200, most_entries)
        model.append((id, body))
    elif step == 3 and model:
        id = random.choice(model)[0]
        assert stream.delete(id)
        assert not stream.delete(id)
        model[:] = [entry for entry in model if entry[0] != id]
    elif step == 4:
        length = random.randrange(30)
        if len(model) > length + 20:
            assert stream.trim_to_length(length) == len(model) - length
            del model[: len(model) - length]
    elif model:
        id = random.choice(model)[0]
        before = len(model)
        model[:] = [entry for entry in model if entry[0] >= id]
        assert stream.trim_to_id(id) == before - len(model)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("in_use", [1, 2, 64])
def test_against_a_list(seed, in_use, monkeypatch):
    monkeypatch.setattr(streams, "_IN_USE", in_use)
    random = Random(seed)
    stream, model = Stream(), []
    for _ in range(400):
        build(random, stream, model, random.choice((0, 3, 100)))
        stream._check()
        assert len(stream) == len(model)
        assert list(stream.range(0, 1 << 128)) == model
        assert stream.first_id == (model[0][0] if model else 0)
        if model:
            low, high = sorted(random.choice(model)[0] + random.randrange(-1, 2) for _ in range(2))
            expected = [entry for entry in model if low <= entry[0] <= high]
            assert list(stream.range(low, high)) == expected
            assert list(stream.range(low, high, backwards=True)) == expected[::-1]
            listed = [(format_id(id), body) for id, body in expected]
            assert list(Entries(list(stream.listed(low, high)))) == listed
            assert list(Entries(list(stream.listed(low, high, backwards=True)))) == listed[::-1]
            assert stream.get(model[0][0]) == model[0][1]
    twin = stream.copy()
    twin.trim_to_length(0)
    assert list(stream.range(0, 1 << 128)) == model


VALUES = [b"", b"\n", b"a\nb", b"0", b"-0", b"007", b"x" * 63, b"x" * 64, b"y" * 4095, b"z" * 70_000]
VALUES += [
    b"%d" % (sign * number)
    for bits in (7, 12, 15, 23, 31, 32, 53, 63)
    for number in (2**bits - 1, 2**bits)
    for sign in (1, -1)
]


def random_run(first, fields, count, values):
    random = Random(first)
    run = Run(first, fields)
    id = first
    for _ in range(count):
        chosen = random.choices(values, k=len(fields))
        run.append(id, tuple(word for pair in zip(fields, chosen, strict=True) for word in pair))
        id += random.choice((1, 200, 1 << 31, 1 << 64, 1 << 90))
    return run


all_runs = pytest.mark.parametrize(
    ("first", "fields"),
    [
        (first, fields)
        for first in (0, 5, 1 << 64, (1 << 127) + 9, (1 << 128) - (1 << 100))
        for fields in ((b"f",), (b"12", b"a\nb"), (b"", b"7", b"long" * 30))
    ],
)


@all_runs
def test_a_run_as_a_listpack(first, fields):
    run, width = random_run(first, fields, 60, VALUES), len(fields)
    packed = run.pack()
    assert len(packed) == 60 and packed.size == run.size
    assert packed.entries() == run.entries()
    elements = listpack.unpack(packed.packed)
    assert listpack.pack(elements) == packed.packed
    assert elements[: 4 + width] == [b"60", b"0", b"%d" % width, *fields, b"0"]
    again = PackedRun.of(first, packed.packed)
    assert (again.first, again.last, again.fields, again.packed) == (first, run.last, fields, packed.packed)
    for damaged in (packed.packed[:-1], packed.packed[:-9] + b"\xff", packed.packed + b"\xff", b"", packed.packed[:8]):
        assert PackedRun.of(first, damaged) is None


@all_runs
def test_a_listpack_that_is_damaged_anywhere_raises_nothing(first, fields):
    packed = random_run(first, fields, 12, [value for value in VALUES if len(value) < 100]).pack().packed
    for place in range(len(packed)):
        PackedRun.of(first, packed[:place] + b"\x55" + packed[place + 1 :])


def test_a_run_that_is_not_packed():
    run = Run(1, (b"f",))
    run.append(1, (b"f", b"v"))
    run.append(2, (b"f", b"v"))
    assert run.pack()
    run.append(3, (b"g", b"v"))
    assert run.pack() is None
    run = Run(1, (b"f",))
    run.append(1, (b"f", b"v"))
    run.append(2, (b"f", b"v"))
    run.remove(1)
    assert run.pack() is None


def test_whole_runs_only():
    stream = Stream()
    for id in range(1, 11):
        stream.append(id, (b"a", b"b"), 4096, 3)
    assert stream.trim_to_length(5, whole_runs=True) == 3
    assert stream.trim_to_length(4, whole_runs=True, limit=2) == 0
    assert stream.trim_to_id(8, whole_runs=True) == 3
    assert stream.trim_one_by_one(lambda id: id > 9, lambda id: id % 2 == 1) == 2
    assert [id for id, _ in stream.range(0, 100)] == [8, 10]
    stream._check()


def test_consumer_groups_against_a_dict(client):
    random = Random(4)
    client.play("XGROUP CREATE s g 0 MKSTREAM")
    pending = {}
    added = []
    for number in range(1, 600):
        who = random.choice("abc")
        step = random.randrange(5)
        if step < 2:
            client.play(f"XADD s {number} f v")
            added.append(number)
        elif step == 2:
            client.play(f"XREADGROUP GROUP g {who} COUNT 2 STREAMS s >")
            pending |= dict.fromkeys(added[:2], who)
            del added[:2]
        elif step == 3 and pending:
            one = random.choice(list(pending))
            client.play(f"XACK s g {one}")
            del pending[one]
        elif pending:
            one = random.choice(list(pending))
            client.play(f"XCLAIM s g {who} 0 {one}")
            pending[one] = who
        stream = client.session.db.peek(b"s")
        stream._check()
        group = stream.groups[b"g"]
        assert {id >> 64: item.consumer.decode() for id, item in group.pending.items()} == pending


def test_ids_are_printed_in_two_parts():
    assert format_id(5 << 64 | 3) == b"5-3"
    assert format_id((1 << 128) - 1) == b"18446744073709551615-18446744073709551615"
