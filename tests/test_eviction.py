"""Memory is counted as it is used, and what is evicted is what the policy says."""

import random

import pytest

from emulator.keyspace.entry import Entry
from emulator.keyspace.weight import weigh

POLICIES = [
    f"{scope}-{order}"
    for scope in ("allkeys", "volatile")
    for order in ("lru", "lfu", "random", "ttl")
    if (scope, order) != ("allkeys", "ttl")
]


def ask(client, *words):
    """A command's reply as it is sent."""
    return client.play(" ".join(map(str, words)))


def weighed_anew(engine):
    """The weight of every key, from nothing."""
    return [
        sum(weigh(entry.key, entry.value, entry.deadline is not None) for entry in db.entries.values())
        for db in engine.databases
    ]


def fill(session, engine, count, size=1000, expire=False):
    for number in range(count):
        ask(session, "SET", f"k{number:04}", "x" * size, *(("EX", 10_000 + number) if expire else ()))
        engine.clock.advance(1)


def limit_to(session, engine, keys, size=1000):
    """Leave room for about so many keys."""
    each = engine.databases[0].weigh() / len(engine.databases[0])
    ask(session, "CONFIG", "SET", "maxmemory", int(engine.used_memory - each * (len(engine.databases[0]) - keys)))


WRITES = [
    ("SET", "{k}", "{v}"), ("APPEND", "{k}", "{v}"), ("SETRANGE", "{k}", "10", "{v}"), ("INCR", "n{k}"), ("DEL", "{k}"),
    ("HSET", "h{k}", "{v}", "{v}"), ("HDEL", "h{k}", "{v}"), ("HSET", "h{k}", "f", "{v}"),
    ("HEXPIRE", "h{k}", "5", "FIELDS", "1", "f"),
    ("SADD", "s{k}", "{v}"), ("SREM", "s{k}", "{v}"), ("SPOP", "s{k}"), ("SUNIONSTORE", "s{k}", "s1", "s2"),
    ("ZADD", "z{k}", "{n}", "{v}"), ("ZREM", "z{k}", "{v}"), ("ZPOPMIN", "z{k}"), ("ZUNIONSTORE", "z{k}", "2", "z1", "z2"),
    ("RPUSH", "l{k}", "{v}"), ("LPOP", "l{k}"), ("LINSERT", "l{k}", "BEFORE", "{v}", "{v}"), ("LTRIM", "l{k}", "1", "-1"),
    ("XADD", "x{k}", "*", "f", "{v}"), ("XTRIM", "x{k}", "MAXLEN", "3"), ("EXPIRE", "{k}", "3"), ("PERSIST", "{k}"),
    ("RENAME", "{k}", "{v}"), ("COPY", "{k}", "c{k}", "REPLACE"), ("MOVE", "{k}", "1"), ("SWAPDB", "0", "1"), ("FLUSHDB",),
    ("PFADD", "p{k}", "{v}"), ("SETBIT", "b{k}", "{n}", "1"), ("GEOADD", "g{k}", "1", "2", "{v}"),
    ("VADD", "v{k}", "VALUES", "2", "1", "{n}", "{v}"), ("VREM", "v{k}", "{v}"), ("VSETATTR", "v{k}", "{v}", "{n}"),
]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_memory_is_what_the_keys_weigh(client, engine, seed):
    chance = random.Random(seed)
    ask(
        client,
        "CONFIG",
        "SET",
        "set-max-listpack-entries",
        4,
        "hash-max-listpack-entries",
        4,
        "list-max-listpack-size",
        4,
    )
    for step in range(3000):
        words = chance.choice(WRITES[:-8] if chance.random() < 0.9 else WRITES)
        names = {
            "k": chance.randrange(5),
            "v": "v" * chance.randrange(1, 70) + str(chance.randrange(9)),
            "n": chance.randrange(99),
        }
        ask(client, *[word.format(**names) for word in words])
        engine.clock.advance(chance.randrange(200) / 1000)
        engine.timers.advance()
        if step % 50 == 0:
            for db in engine.databases:
                db.weigh()
            assert [db.memory for db in engine.databases] == weighed_anew(engine)


@pytest.mark.parametrize("policy", POLICIES)
def test_memory_stays_within_the_limit(client, engine, policy):
    ask(client, "CONFIG", "SET", "maxmemory-policy", policy)
    fill(client, engine, 50, expire=True)
    limit_to(client, engine, 40)
    for number in range(300):
        assert ask(client, "SET", f"n{number}", "y" * 1000, "EX", 5000) == b"+OK\r\n"
        assert engine.used_memory <= engine.config.maxmemory + 1200
    assert engine.stats.evicted_keys >= 300
    assert 30 <= len(engine.databases[0]) <= 45


def test_lru_lets_go_what_was_not_used_for_long(client, engine):
    fill(client, engine, 100)
    for number in range(50):
        ask(client, "GET", f"k{number:04}")
    ask(client, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru", "maxmemory-samples", 64)
    limit_to(client, engine, 50)
    left = [number for number in range(100) if ask(client, "EXISTS", f"k{number:04}") == b":1\r\n"]
    assert sum(number < 50 for number in left) >= 45 and sum(number >= 50 for number in left) <= 5


def test_lfu_lets_go_what_is_seldom_used(client, engine):
    ask(client, "CONFIG", "SET", "maxmemory-policy", "allkeys-lfu", "maxmemory-samples", 64, "lfu-log-factor", 1)
    fill(client, engine, 100)
    for number in range(50, 100):
        for _ in range(30):
            ask(client, "GET", f"k{number:04}")
    limit_to(client, engine, 50)
    left = [number for number in range(100) if f"k{number:04}".encode() in engine.databases[0].entries]
    assert sum(number >= 50 for number in left) >= 45 and sum(number < 50 for number in left) <= 5


def test_frequency_fades(client, engine):
    ask(client, "CONFIG", "SET", "maxmemory-policy", "allkeys-lfu", "lfu-log-factor", 0)
    ask(client, "SET", "k", "v")
    for _ in range(20):
        ask(client, "GET", "k")
    before = int(ask(client, "OBJECT", "FREQ", "k")[1:])
    assert before == 25
    engine.clock.advance(7 * 60)
    assert int(ask(client, "OBJECT", "FREQ", "k")[1:]) == 18
    ask(client, "CONFIG", "SET", "lfu-decay-time", 0)
    assert int(ask(client, "OBJECT", "FREQ", "k")[1:]) == 25


def test_the_shortest_time_to_live_goes_first(client, engine):
    fill(client, engine, 100, expire=True)
    ask(client, "SET", "forever", "x" * 1000)
    ask(client, "CONFIG", "SET", "maxmemory-policy", "volatile-ttl", "maxmemory-samples", 64)
    limit_to(client, engine, 50)
    left = [number for number in range(100) if f"k{number:04}".encode() in engine.databases[0].entries]
    assert b"forever" in engine.databases[0].entries
    assert sum(number >= 50 for number in left) >= 45


def test_much_to_evict_is_evicted_in_turns(client, engine, pass_time):
    fill(client, engine, 1000)
    ask(client, "CONFIG", "SET", "maxmemory-policy", "allkeys-random", "maxmemory", 1)
    assert 0 < len(engine.databases[0]) < 1000
    for _ in range(10):
        pass_time(1)
    assert len(engine.databases[0]) == 0
    assert ask(client, "SET", "k", "v").startswith(b"-OOM ")
    assert ask(client, "GET", "k") == b"$-1\r\n"


def test_clients_by_what_they_take(client, another, pass_time):
    client.engine.config.enable_debug_command = "yes"
    client.play("CONFIG SET maxmemory-clients 100mb")
    another.play("MULTI")
    another.play("SET k " + "x" * 100_000)
    pass_time(300)
    lines = client.play("DEBUG CLIENT-EVICTION").split(b"\r\n")[1].splitlines()
    assert lines[0] == b"bucket          0 -      32767: tot-mem:       1920, clients: 1"
    assert lines[2] == b"bucket      65536 -     131071: tot-mem:     101996, clients: 1"
    assert lines[-1] == b"bucket 4294967296+            : tot-mem:          0, clients: 0"
    assert len(lines) == 19


def test_a_change_of_policy_does_not_go_through_the_keys(client, engine, monkeypatch):
    fill(client, engine, 20)
    monkeypatch.setattr(
        Entry, "access", property(lambda self: pytest.fail("read"), lambda self, access: pytest.fail("set"))
    )
    for policy in POLICIES:
        assert ask(client, "CONFIG", "SET", "maxmemory-policy", policy) == b"+OK\r\n"
