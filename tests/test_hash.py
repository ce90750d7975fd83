"""Hashes against a dict of values and deadlines, and the expiry of fields by the engine's clock."""

import random

import pytest

from emulator.clients.session import Session
from emulator.clock import ManualClock
from emulator.commands.hash import hscan
from emulator.core import dispatch
from emulator.core.engine import Engine
from emulator.datatypes.hash import Hash


class Limits:
    hash_max_listpack_entries = 20
    hash_max_listpack_value = 8


class Model:
    """What a hash is to hold: (field, value, deadline) in Redis's order while it is small."""

    def __init__(self):
        self.rows = []
        self.packed = True

    def find(self, field):
        return next((row for row in self.rows if row[0] == field), None)

    def place(self, row):
        """Put a row in front of the first with no deadline or with one that is not earlier; without deadline last."""
        at = len(self.rows)
        if row[2] is not None:
            at = next((i for i, other in enumerate(self.rows) if other[2] is None or other[2] >= row[2]), at)
        self.rows.insert(at, row)


def put(hash_, model, field, value):
    row = model.find(field)
    assert hash_.put(field, value, Limits) == (row is None)
    if row is None:
        model.place([field, value, None])
    else:
        row[1] = value
    if len(field) > 8 or len(value) > 8 or len(model.rows) > 20:
        model.packed = False


def persist(hash_, model, field):
    row = model.find(field)
    had = row is not None and row[2] is not None
    assert hash_.persist(field) == had
    if had:
        model.rows.remove(row)
        model.place([*row[:2], None])


def expire_at(hash_, model, field, deadline):
    row = model.find(field)
    if row is not None:
        hash_.expire_at(field, deadline)
        model.rows.remove(row)
        model.place([*row[:2], deadline])


def compare(hash_, model):
    hash_._check()
    expected = [(field, value) for field, value, _ in model.rows]
    found = list(hash_.items())
    assert found == expected if model.packed else sorted(found) == sorted(expected)
    assert hash_.packed == model.packed
    assert len(hash_) == len(expected)
    assert hash_.next_deadline == min((row[2] for row in model.rows if row[2] is not None), default=None)
    for field, value, deadline in model.rows:
        assert hash_.deadline(field) == deadline
        assert hash_.get(field, 0) == value


@pytest.mark.parametrize("seed", range(12))
def test_random_steps_against_a_model(seed):
    rng = random.Random(seed)
    hash_, model, now = Hash(), Model(), 1000
    names = [b"%d" % number for number in range(rng.choice([6, 18, 60]))]
    for _ in range(600):
        field, step = rng.choice(names), rng.random()
        if step < 0.4:
            put(hash_, model, field, b"v" * rng.randint(0, 9 if seed % 3 == 0 else 8))
        elif step < 0.55:
            row = model.find(field)
            assert hash_.pop(field) == (row and row[1])
            if row:
                model.rows.remove(row)
        elif step < 0.75:
            expire_at(hash_, model, field, now + rng.randint(1, 6))
        elif step < 0.82:
            persist(hash_, model, field)
        elif step < 0.87:
            hash_ = hash_.copy()
        elif step < 0.92 and model.rows:
            assert hash_.index.choose(rng) in hash_.fields
        else:
            now += rng.randint(0, 3)
            most = rng.choice([1, 3, 1000])
            due = sorted(row[2] for row in model.rows if row[2] is not None and row[2] <= now)[:most]
            before = {row[0]: row for row in model.rows}
            assert len(hash_.expire(now, most)) == len(due)
            gone = [before[field] for field in before.keys() - hash_.fields.keys()]
            assert sorted(row[2] for row in gone) == due
            model.rows = [row for row in model.rows if row not in gone]
        compare(hash_, model)


def test_a_copy_is_independent():
    hash_ = Hash()
    hash_.put(b"a", b"1", Limits)
    hash_.expire_at(b"a", 500)
    twin = hash_.copy()
    twin.persist(b"a")
    twin.put(b"b", b"2", Limits)
    assert dict(hash_.items()) == {b"a": b"1"}
    assert hash_.next_deadline == 500
    assert twin.next_deadline is None


def test_an_expired_field_is_not_read():
    hash_ = Hash()
    hash_.put(b"a", b"1", Limits)
    hash_.expire_at(b"a", 500)
    assert hash_.get(b"a", 499) == b"1"
    assert hash_.get(b"a", 500) is None


def test_a_hash_without_deadlines_expires_nothing():
    hash_ = Hash()
    hash_.put(b"a", b"1", Limits)
    assert hash_.expire(10**15, 100) == []
    assert hash_.encoding == b"listpack"


# Field expiry in an engine


@pytest.fixture
def engine():
    return Engine(clock=ManualClock())


@pytest.fixture
def client(engine):
    return Session(engine)


def call(client, line):
    dispatch.run(client, [line.encode().split()], 0, 1)
    return client.out.pop()


def pass_time(engine, milliseconds):
    engine.clock.advance(milliseconds / 1000)
    while engine.timers.advance():
        pass


def in_store(engine, db=0):
    return {entry.key: dict(entry.value.items()) for entry in engine.databases[db].live()}


def test_the_wheel_expires_fields(engine, client):
    call(client, "HSET h a 1 b 2 c 3")
    call(client, "HPEXPIRE h 100 FIELDS 1 a")
    call(client, "HPEXPIRE h 200 FIELDS 1 b")
    pass_time(engine, 99)
    assert in_store(engine) == {b"h": {b"a": b"1", b"b": b"2", b"c": b"3"}}
    pass_time(engine, 1)
    assert in_store(engine) == {b"h": {b"b": b"2", b"c": b"3"}}
    pass_time(engine, 100)
    assert in_store(engine) == {b"h": {b"c": b"3"}}
    assert engine.stats.expired_fields == 2
    assert engine.wheel.count == 0


def test_the_last_field_takes_the_key_with_it(engine, client):
    call(client, "HSET h a 1 b 2")
    call(client, "HPEXPIRE h 100 FIELDS 2 a b")
    pass_time(engine, 100)
    assert len(engine.databases[0]) == 0
    assert not engine.databases[0].fields_with_expiry


def test_a_command_that_comes_before_the_wheel_sees_no_expired_field(engine, client):
    call(client, "HSET h a 1 b 2")
    call(client, "HPEXPIRE h 100 FIELDS 1 a")
    engine.clock.advance(0.1)
    assert call(client, "HLEN h") == b":1\r\n"
    assert call(client, "HGET h a") == b"$-1\r\n"
    engine.clock.advance(0.1)
    call(client, "HPEXPIRE h 100 FIELDS 1 b")
    engine.clock.advance(0.1)
    assert call(client, "HSETNX h b 3") == b":1\r\n"
    assert call(client, "HTTL h FIELDS 1 b") == b"*1\r\n:-1\r\n"


def test_many_fields_due_at_once_go_in_slices(engine, client):
    for number in range(1000):
        call(client, f"HSET h {number} x")
    call(client, "HSET h keep x")
    names = " ".join(map(str, range(1000)))
    call(client, f"HPEXPIRE h 100 FIELDS 1000 {names}")
    engine.clock.advance(0.1)
    engine.timers.advance()
    left = len(engine.databases[0].entries[b"h"].value)
    assert 1 < left < 1001
    for _ in range(10):
        pass_time(engine, 1)
    assert in_store(engine) == {b"h": {b"keep": b"x"}}


@pytest.mark.parametrize(
    ("move", "place"),
    [("RENAME h g", (0, b"g")), ("MOVE h 3", (3, b"h")), ("COPY h g", (0, b"g")), ("COPY h h DB 2", (2, b"h"))],
)
def test_deadlines_go_where_the_hash_goes(engine, client, move, place):
    call(client, "HSET h a 1 b 2")
    call(client, "HPEXPIRE h 100 FIELDS 1 a")
    call(client, move)
    db, key = place
    pass_time(engine, 100)
    assert in_store(engine, db)[key] == {b"b": b"2"}
    assert engine.wheel.count == 0


def test_swapped_databases_keep_their_deadlines(engine, client):
    call(client, "HSET h a 1 b 2")
    call(client, "HPEXPIRE h 100 FIELDS 1 a")
    call(client, "SWAPDB 0 1")
    pass_time(engine, 100)
    assert in_store(engine, 1) == {b"h": {b"b": b"2"}}


@pytest.mark.parametrize("end", ["DEL h", "SET h x", "FLUSHALL", "HDEL h a", "HGETDEL h FIELDS 1 a"])
def test_no_timer_outlives_its_deadline(engine, client, end):
    call(client, "HSET h a 1 b 2")
    call(client, "HPEXPIRE h 100 FIELDS 1 a")
    assert engine.wheel.count == 1
    call(client, end)
    assert engine.wheel.count == 0
    assert not engine.databases[0].fields_with_expiry


def test_a_deadline_that_is_moved_forward_counts(engine, client):
    call(client, "HSET h a 1 b 2")
    call(client, "HPEXPIRE h 1000 FIELDS 1 a")
    call(client, "HPEXPIRE h 10 FIELDS 1 a")
    pass_time(engine, 10)
    assert in_store(engine) == {b"h": {b"b": b"2"}}


@pytest.mark.parametrize("seed", range(3))
def test_scan_returns_what_is_there_from_start_to_end(engine, client, seed):
    rng = random.Random(seed)
    permanent = {b"p%d" % number for number in range(700)}
    for field in permanent:
        call(client, f"HSET h {field.decode()} x")
    seen, cursor = set(), b"0"
    for _ in range(5000):
        cursor, found = hscan(client, b"h", cursor, b"COUNT", b"%d" % rng.randint(1, 30), b"NOVALUES")
        seen.update(found)
        if cursor == b"0":
            break
        for _ in range(rng.randint(0, 20)):
            number = rng.randrange(300)
            call(client, rng.choice([f"HSET h t{number} x", f"HDEL h t{number}"]))
    assert cursor == b"0"
    assert permanent <= seen
