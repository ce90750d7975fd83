"""Vector sets against a search that looks at every vector; the arithmetic against its definition."""

import math
import random

import pytest

from emulator.datatypes import vector_math, vector_search
from emulator.datatypes.vector_math import BYTES, FULL, SIGNS, dot, length, project, single, store
from emulator.datatypes.vector_search import VectorBlock
from emulator.datatypes.vectorset import VectorSet
from tests.conftest import Client

STORAGES = pytest.mark.parametrize("storage", [FULL, BYTES, SIGNS], ids=lambda storage: storage.name.decode())


def components(rng, dimension):
    """A vector, sometimes a sparse or a small one."""
    scale = rng.choice([1, 1, 1e-6, 1e6])
    return [rng.gauss(0, scale) if rng.random() < 0.8 else 0.0 for _ in range(dimension)]


# Arithmetic


@pytest.mark.parametrize("dimension", [1, 3, 4, 7, 8, 9, 16, 100])
def test_products_and_lengths_are_those_of_single_precision(dimension):
    rng = random.Random(dimension)
    a, b = ([single(rng.uniform(-1, 1)) for _ in range(dimension)] for _ in range(2))
    assert dot(a, b) == pytest.approx(math.fsum(x * y for x, y in zip(a, b, strict=True)), abs=dimension * 1e-7)
    assert length(a) == pytest.approx(math.hypot(*a), rel=1e-5)
    assert single(dot(a, b)) == dot(a, b)
    assert single(length(a)) == length(a)


def test_projections_are_the_same_in_every_lua(monkeypatch):
    rng = random.Random(3)
    for dimension in (1, 2, 3, 31, 64, 300):
        vector = components(rng, rng.choice([1, 2, 5, 64, 300]))
        quickly = project(vector, dimension)
        with monkeypatch.context() as plain:
            plain.setattr(vector_math, "function", lambda *names: None)
            assert project(vector, dimension) == quickly


@pytest.mark.parametrize("reduced", [1 << 20 | 1, (1 << 63) - 1])
def test_a_projection_that_would_not_end_is_refused(client, reduced):
    assert b"hold up the others" in client.play(f"VADD v REDUCE {reduced} VALUES 1 1 a")


def test_projection_to_as_many_dimensions_turns_and_keeps_angles():
    rng = random.Random(1)
    a, b = (components(rng, 64) for _ in range(2))
    assert length(project(a, 64)) == pytest.approx(length(a), rel=1e-5)
    cosine = dot(a, b) / (length(a) * length(b))
    c, d = project(a, 64), project(b, 64)
    assert dot(c, d) / (length(c) * length(d)) == pytest.approx(cosine, abs=1e-5)


def test_what_is_stored_comes_back_as_precise_as_it_is_stored():
    values = components(random.Random(2), 50)
    largest = max(map(abs, values))
    full, coded, signs = (storage.decode(store(values, storage), 50) for storage in (FULL, BYTES, SIGNS))
    assert full == pytest.approx(values, rel=1e-5)
    assert coded == pytest.approx(values, abs=largest / 253)
    assert signs == [1 if value > 0 else -1 for value in values]


@STORAGES
def test_distances_run_from_the_same_to_the_opposite_direction(storage):
    values = [1.0, 2.0, -3.0, 0.5, 7.0]
    vector, longer = store(values, storage), store([3 * value for value in values], storage)
    opposite = store([-value for value in values], storage)
    assert storage.distance(vector, longer, 5) == pytest.approx(0, abs=0.02)
    assert storage.distance(vector, opposite, 5) == pytest.approx(2, abs=0.02)


def test_the_blob_is_what_is_stored():
    vector = [1.0, -2.0, 2.0]
    assert FULL.blob(store(vector, FULL), 3)[:4] == b"\xab\xaa\xaa\x3e"
    assert BYTES.blob(store(vector, BYTES), 3) == bytes([64, 129, 127])
    assert SIGNS.blob(store(vector, SIGNS), 3) == bytes([5, 0, 0, 0, 0, 0, 0, 0])


@pytest.mark.parametrize("dimension", [1, 5, 200, 1 << 16])
def test_a_block_has_the_exact_products(dimension):
    rng = random.Random(3)
    codes = [rng.choices([-127, -1, 0, 1, 127], k=dimension) for _ in range(4)]
    codes.append([127] * dimension)
    vectors = [store(row, BYTES)._replace(rough=bytes(code % 256 for code in row)) for row in codes]
    products = VectorBlock(vectors, dimension).products(codes[-1])
    assert products == [127 * sum(row) for row in codes]


# The set


@STORAGES
def test_random_steps_against_a_dict(storage, monkeypatch):
    monkeypatch.setattr(vector_search, "BLOCK", 8)
    rng = random.Random(4)
    subject, model = VectorSet(12, storage, 16), {}
    for _ in range(1500):
        name = b"%d" % rng.randrange(60)
        if rng.random() < 0.6:
            values = components(rng, 12)
            assert subject.add(name, values, rng) == (name not in model)
            model[name] = store(values, storage)
        else:
            assert subject.remove(name) == (model.pop(name, None) is not None)
        subject._check()
        assert len(subject) == len(model)
        if rng.random() < 0.3:
            query, count = subject.query(components(rng, 12)), rng.choice([1, 3, 10, 100])
            expected = sorted(storage.distance(query, vector, 12) for vector in model.values())[:count]
            found = subject.nearest(query, count)
            assert [distance for distance, _ in found] == expected
            for distance, element in found:
                assert storage.distance(query, model[element.name], 12) == distance


def test_elements_alike_are_all_found():
    rng = random.Random(5)
    subject = VectorSet(20, FULL, 16)
    base = components(rng, 20)
    for number in range(3000):
        subject.add(b"%d" % number, [value + rng.gauss(0, 1e-4) for value in base], rng)
    query = subject.query(base)
    every = sorted(FULL.distance(query, element.vector, 20) for element in subject.elements.values())
    assert [distance for distance, _ in subject.nearest(query, 25)] == every[:25]


def test_neighbours_are_the_nearest_of_each_level():
    rng = random.Random(6)
    subject = VectorSet(6, BYTES, 4)
    for number in range(300):
        subject.add(b"%d" % number, components(rng, 6), rng)
    assert 2 <= subject.max_level <= 15
    for element in subject.elements.values():
        levels = subject.neighbours(element)
        assert len(levels) == element.level + 1
        assert len(levels[-1]) == 8
        for level, linked in zip(range(element.level, -1, -1), levels, strict=True):
            assert len(linked) <= (4 if level else 8)
            assert all(other.level >= level and other is not element for _, other in linked)
            assert [distance for distance, _ in linked] == sorted(distance for distance, _ in linked)


def test_attributes_are_counted():
    rng = random.Random(7)
    subject = VectorSet(2, BYTES, 16)
    for name in (b"a", b"b", b"c"):
        subject.add(name, [1, 2], rng)
        subject.set_attribute(subject.elements[name], b"{}")
    subject.set_attribute(subject.elements[b"a"], None)
    subject.remove(b"b")
    assert subject.attributes == 1


def test_random_picks():
    rng = random.Random(8)
    subject = VectorSet(2, BYTES, 16)
    names = {b"%d" % number for number in range(20)}
    for name in names:
        subject.add(name, [1, 2], rng)
    assert {subject.choose(rng) for _ in range(500)} == names
    assert sorted(subject.pick(rng, 100)) == sorted(names)
    assert len(set(subject.pick(rng, 7))) == 7
    assert len(subject.pick(rng, -50)) == 50


# The commands, where the oracle's answer is not always the same


def test_vinfo(client):
    client.play("HELLO 3")
    for number in range(3):
        client.play(f"VADD k REDUCE 2 VALUES 3 1 2 {number} e{number % 2} BIN M 7 SETATTR x")
    fields = client.play("VINFO k").split(b"\r\n")
    told = dict(zip(fields[1::2], fields[2::2], strict=False))
    assert told.pop(b"+vset-uid").startswith(b":")
    assert told.pop(b"+max-level").startswith(b":")
    assert told == {
        b"+quant-type": b"+bin",
        b"+hnsw-m": b":7",
        b"+vector-dim": b":2",
        b"+projection-input-dim": b":3",
        b"+size": b":2",
        b"+attributes-count": b":2",
        b"+hnsw-max-node-uid": b":3",
    }


def test_vlinks(client):
    client.play("HELLO 3")
    client.play("VADD k VALUES 2 1 0 a NOQUANT")
    client.play("VADD k VALUES 2 0 1 b NOQUANT")
    assert client.play("VLINKS k a").endswith(b"*1\r\n$1\r\nb\r\n")
    assert client.play("VLINKS k a WITHSCORES").endswith(b"%1\r\n$1\r\nb\r\n,0.5\r\n")


def test_filter_ef_bounds_how_many_are_asked(client):
    for number in range(50):
        client.play(f"""VADD k VALUES 2 1 {number} e{number} NOQUANT SETATTR '{{"n":{number}}}'""")
    query = 'VSIM k VALUES 2 1 0 FILTER ".n >= 20" COUNT 2'
    assert client.play(query) == b"*2\r\n$3\r\ne20\r\n$3\r\ne21\r\n"
    assert client.play(f"{query} FILTER-EF 21") == b"*1\r\n$3\r\ne20\r\n"
    assert client.play(f"{query} FILTER-EF 5") == b"*0\r\n"
    assert client.play(f"{query} FILTER-EF 5 TRUTH") == b"*2\r\n$3\r\ne20\r\n$3\r\ne21\r\n"


def test_each_engine_counts_its_sets_for_itself(client):
    for player in (client, Client(client.engine.sibling())):
        for number in (1, 2):
            player.play(f"VADD k{number} VALUES 1 1 a")
            fields = player.play(f"VINFO k{number}").split(b"\r\n")
            assert fields[fields.index(b"+vset-uid") + 1] == b":%d" % number


def test_a_copy_answers_as_the_original_did(client):
    """Its storage is the very one, and what becomes of one does not concern the other."""
    for storage in ("NOQUANT", "Q8", "BIN"):
        for number in range(20):
            client.play(f"VADD {storage} VALUES 3 {number} {number % 3} 1 e{number} {storage} SETATTR x{number}")
        before = client.play(f"VSIM {storage} ELE e3 WITHSCORES")
        client.play(f"EMULATOR SNAPSHOT SAVE {storage}")
        client.play(f"VREM {storage} e4")
        client.play(f"VADD {storage} VALUES 3 9 9 9 e3 {storage} SETATTR y")
        client.play(f"EMULATOR SNAPSHOT RESTORE {storage}")
        assert client.play(f"VSIM {storage} ELE e3 WITHSCORES") == before
        assert client.play(f"VGETATTR {storage} e3") == b"$2\r\nx3\r\n"
