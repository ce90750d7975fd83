"""HyperLogLog against plain lists of registers."""

import random

import pytest

from emulator import lua
from emulator.datatypes import hyperloglog
from emulator.datatypes.hyperloglog import DENSE, DENSE_SIZE, HEADER_SIZE, REGISTERS, SPARSE, Corrupted
from emulator.datatypes.murmur import hash64

LIMIT = 3000


def place(element):
    """The register of an element and the value that it gives it: counting bits one by one."""
    number = hash64(element, hyperloglog.SEED)
    value, rest = 1, number >> 14 | 1 << 50
    while not rest & 1:
        value += 1
        rest >>= 1
    return number % REGISTERS, value


def dense_registers(sketch):
    """The registers of a dense sketch, bit by bit."""
    bits = int.from_bytes(sketch[HEADER_SIZE:], "little")
    return [bits >> 6 * index & 63 for index in range(REGISTERS)]


def raised(sketch, index, value, limit):
    """Raise one register of a sparse sketch, looking for it from the first run on."""
    return hyperloglog._raise_sparse(sketch, index, value, limit)


def check_runs(sketch):
    """The runs cover each register once, and no more bytes than needed show them."""
    assert sketch[4] == SPARSE
    found = list(hyperloglog.runs(sketch))
    assert sum(size for size, _, _ in found) == len(sketch) - HEADER_SIZE
    assert sum(count for _, _, count in found) == REGISTERS
    assert all(count <= (4 if value else 64 if size == 1 else REGISTERS) for size, value, count in found)


@pytest.mark.parametrize("limit", [0, 60, 300, LIMIT])
def test_elements_raise_registers(limit):
    rng = random.Random(limit)
    model = [0] * REGISTERS
    sketch = hyperloglog.new()
    for step in range(700):
        element = rng.randbytes(rng.randrange(30))
        index, value = place(element)
        hyperloglog.cache_count(sketch, 1)
        assert hyperloglog.add(sketch, element, limit) == (value > model[index])
        model[index] = max(model[index], value)
        if sketch[4] == SPARSE:
            assert len(sketch) <= limit
            check_runs(sketch)
        if step % 50 == 0:
            assert list(hyperloglog.registers(sketch)) == model
    assert list(hyperloglog.registers(sketch)) == model
    assert (sketch[4] == DENSE) == (limit < LIMIT)


def test_every_dense_register_by_itself():
    rng = random.Random(1)
    sketch = hyperloglog.new()
    hyperloglog.to_dense(sketch)
    model = [0] * REGISTERS
    for index in rng.sample(range(REGISTERS), REGISTERS):
        value = rng.randrange(1, 52)
        assert hyperloglog._raise_dense(sketch, index, value)
        assert not hyperloglog._raise_dense(sketch, index, value)
        model[index] = value
    assert len(sketch) == DENSE_SIZE
    assert list(hyperloglog.registers(sketch)) == dense_registers(sketch) == model


def test_neighbouring_registers_become_runs():
    sketch = hyperloglog.new()
    for index in range(9):
        raised(sketch, index, 3, LIMIT)
    assert [(value, count) for _, value, count in hyperloglog.runs(sketch)] == [
        (3, 4),
        (3, 4),
        (3, 1),
        (0, REGISTERS - 9),
    ]


def test_a_value_that_has_no_run_makes_it_dense():
    sketch = hyperloglog.new()
    assert raised(sketch, 5, 32, LIMIT)
    assert sketch[4] == SPARSE
    assert raised(sketch, 6, 33, LIMIT)
    assert sketch[4] == DENSE
    assert list(hyperloglog.registers(sketch))[4:8] == [0, 32, 33, 0]


@pytest.mark.parametrize("seed", range(12))
def test_merging_writes_what_raising_each_register_would(seed):
    rng = random.Random(seed)
    target = hyperloglog.new()
    near = REGISTERS if seed % 2 else 150
    for _ in range(rng.randrange(200)):
        raised(target, rng.randrange(near), rng.randrange(1, 4), LIMIT)
    values = bytearray(hyperloglog.registers(target))
    for _ in range(rng.randrange(200)):
        index = rng.randrange(near)
        values[index] = max(values[index], rng.randrange(1, 5))
    limit = LIMIT if seed % 3 else 200
    expected = bytearray(target)
    for index, value in enumerate(values):
        if value and expected[4] == SPARSE:
            raised(expected, index, value, limit)
    hyperloglog.merge(target, bytes(values), False, limit)
    assert hyperloglog.registers(target) == bytes(values)
    assert target[4] == expected[4]
    assert target[4] == DENSE or target == expected


def test_merging_with_a_dense_one_is_dense():
    target = hyperloglog.new()
    hyperloglog.merge(target, bytes(REGISTERS), True, LIMIT)
    assert target[4] == DENSE
    assert hyperloglog.registers(target) == bytes(REGISTERS)


def outcome(sketches):
    try:
        return hyperloglog.merged(sketches)
    except Corrupted:
        return Corrupted


@pytest.mark.skipif(not lua.is_quick(), reason="needs LuaJIT")
def test_sketches_are_merged_by_luajit_as_without(monkeypatch):
    rng = random.Random(7)
    sketches = []
    for count in (0, 1, 5, 60, 900, 20_000):
        sketch = hyperloglog.new()
        for _ in range(count):
            hyperloglog.add(sketch, rng.randbytes(8), LIMIT)
        sketches.append(sketch)
    dense = bytearray(sketches[-1])
    dense[HEADER_SIZE:] = rng.randbytes(len(dense) - HEADER_SIZE)
    torn = [bytearray(rng.choice(sketches[:5])) for _ in range(400)]
    for sketch in torn:
        for _ in range(rng.randrange(1, 4)):
            sketch[rng.randrange(HEADER_SIZE, len(sketch))] = rng.randrange(256)
        del sketch[len(sketch) - rng.randrange(3) :]
    cases = [sketches, [dense], [dense, *sketches], [], *([sketches[3], sketch] for sketch in torn)]
    quick = [outcome(case) for case in cases]
    monkeypatch.setattr(hyperloglog, "function", lambda *_: None)
    assert quick == [outcome(case) for case in cases]
    assert 100 < quick.count(Corrupted) < 400


def test_largest():
    rng = random.Random(2)
    one, other = (bytes(rng.choices(range(64), k=REGISTERS)) for _ in range(2))
    assert list(hyperloglog.largest(one, other)) == [max(pair) for pair in zip(one, other, strict=True)]


def test_the_estimate_is_near():
    sketch = hyperloglog.new()
    seen = 0
    for goal in (1, 10, 100, 1000, 10_000, 50_000):
        while seen < goal:
            hyperloglog.add(sketch, b"%d" % seen, LIMIT)
            seen += 1
        assert hyperloglog.estimate(hyperloglog.registers(sketch)) == pytest.approx(goal, rel=0.03)


def test_the_estimate_at_the_ends():
    assert hyperloglog.estimate(bytes(REGISTERS)) == 0
    assert 1 << 60 < hyperloglog.estimate(bytes((48,)) * REGISTERS) < 1 << 63
    assert hyperloglog.estimate(bytes((50,)) * REGISTERS) == -1 << 63
    assert hyperloglog.estimate(bytes((63,)) * REGISTERS) == -1 << 63


def test_the_cached_count():
    sketch = hyperloglog.new()
    assert hyperloglog.cached_count(sketch) == 0
    hyperloglog.cache_count(sketch, 12345)
    assert hyperloglog.cached_count(sketch) == 12345
    hyperloglog.add(sketch, b"x", LIMIT)
    assert hyperloglog.cached_count(sketch) is None
    hyperloglog.cache_count(sketch, -1 << 63)
    assert hyperloglog.cached_count(sketch) is None


@pytest.mark.parametrize(
    "runs", [b"", b"\x00", b"\x7f", b"\x7f\xfe", b"\x7f\xff\x00", b"\x7f\xff\x7f\xff", b"\x7f\xfe\x7f"]
)
def test_runs_that_do_not_add_up(runs):
    sketch = hyperloglog.new()[:HEADER_SIZE] + runs
    assert hyperloglog.is_sketch(sketch)
    with pytest.raises(Corrupted):
        hyperloglog.registers(sketch)
    with pytest.raises(Corrupted):
        hyperloglog.to_dense(sketch)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"HYLL",
        b"HYLL\x01" + bytes(10),
        b"HYLM\x01" + bytes(20),
        b"HYLL\x02" + bytes(20),
        b"HYLL\x00" + bytes(DENSE_SIZE),
    ],
)
def test_what_is_no_sketch(text):
    assert not hyperloglog.is_sketch(text)
