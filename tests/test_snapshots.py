"""Snapshots: whatever happens after one was taken, the data set comes back as it was."""

import random

import pytest
import redis

import emulator
from tests.test_eviction import WRITES, ask


def digest(client):
    return ask(client, "DEBUG DIGEST")


@pytest.mark.parametrize("seed", range(8))
def test_everything_comes_back(client, engine, seed):
    engine.config.enable_debug_command = "yes"
    chance = random.Random(seed)

    whole = [("FLUSHALL",), ("SWAPDB", "0", "1"), ("SELECT", "1"), ("SELECT", "0")]
    single = [words for words in WRITES if words[0] not in ("HEXPIRE", "EXPIRE", "FLUSHDB", "SWAPDB")]

    def write(count):
        for _ in range(count):
            words = chance.choice(single if chance.random() < 0.98 else whole)
            value = "v" * chance.randrange(1, 60) + str(chance.randrange(9))
            names = {"k": chance.randrange(6), "v": value, "n": chance.randrange(99)}
            ask(client, *[word.format(**names) for word in words])

    write(400)
    before = digest(client)
    ask(client, "EMULATOR SNAPSHOT SAVE one")
    write(100)
    between = digest(client)
    ask(client, "EMULATOR SNAPSHOT SAVE two")
    for _ in range(4):
        write(chance.choice((3, 300)))
        ask(client, "EMULATOR SNAPSHOT RESTORE", chance.choice(["one", "two"]))
    ask(client, "EMULATOR SNAPSHOT RESTORE one")
    assert digest(client) == before
    ask(client, "EMULATOR SNAPSHOT RESTORE two")
    assert digest(client) == between
    for db in engine.databases:
        db.weigh()
        assert db.memory == sum(entry.weight[0] for entry in db.entries.values())


def test_only_what_has_changed_is_looked_at(client):
    for number in range(1000):
        ask(client, "SET", f"k{number}", "v")
    ask(client, "EMULATOR SNAPSHOT SAVE s")
    assert ask(client, "EMULATOR SNAPSHOT RESTORE s") == b":0\r\n"
    ask(client, "SET k1 w")
    ask(client, "DEL k2")
    ask(client, "SET new v")
    assert ask(client, "EMULATOR SNAPSHOT RESTORE s") == b":3\r\n"
    assert ask(client, "MGET k1 k2 new") == b"*3\r\n$1\r\nv\r\n$1\r\nv\r\n$-1\r\n"


def test_times_to_live_are_what_was_left(client, engine, pass_time):
    ask(client, "SET k v EX 100")
    ask(client, "SET gone v EX 10")
    ask(client, "EMULATOR SNAPSHOT SAVE s")
    pass_time(50_000)
    ask(client, "EMULATOR SNAPSHOT RESTORE s")
    assert ask(client, "TTL k") == b":100\r\n" and ask(client, "TTL gone") == b":10\r\n"


def test_so_are_those_of_fields(client, pass_time):
    ask(client, "HSET h a 1 b 2")
    ask(client, "HPEXPIRE h 100000 FIELDS 1 a")
    ask(client, "EMULATOR SNAPSHOT SAVE s")
    pass_time(50_000)
    ask(client, "EMULATOR SNAPSHOT RESTORE s")
    assert ask(client, "HPTTL h FIELDS 2 a b") == b"*2\r\n:100000\r\n:-1\r\n"
    pass_time(100_001)
    assert ask(client, "HGETALL h") == b"*2\r\n$1\r\nb\r\n$1\r\n2\r\n"
    ask(client, "EMULATOR SNAPSHOT RESTORE s")
    assert ask(client, "HPTTL h FIELDS 2 a b") == b"*2\r\n:100000\r\n:-1\r\n"


def test_watchers_hear_of_it(client, another):
    ask(client, "SET k v")
    ask(client, "EMULATOR SNAPSHOT SAVE s")
    ask(client, "SET k w")
    ask(another, "WATCH k")
    ask(client, "EMULATOR SNAPSHOT RESTORE s")
    ask(another, "MULTI")
    assert ask(another, "EXEC") == b"*-1\r\n"


def test_names(client):
    ask(client, "EMULATOR SNAPSHOT SAVE a")
    ask(client, "EMULATOR SNAPSHOT SAVE b")
    assert ask(client, "EMULATOR SNAPSHOT LIST") == b"*2\r\n$1\r\na\r\n$1\r\nb\r\n"
    assert ask(client, "EMULATOR SNAPSHOT DROP a") == b":1\r\n"
    for words in ("DROP a", "RESTORE a", "SAVE", "FOO x", "LIST x"):
        assert ask(client, "EMULATOR SNAPSHOT " + words).startswith(b"-ERR ")


def test_within_a_program():
    with emulator.Server() as server, server.connect(decode_responses=True) as client:
        client.hset("h", mapping={"a": 1})
        with server.snapshot():
            client.delete("h")
            client.set("k", "v")
        assert client.hgetall("h") == {"a": "1"} and client.dbsize() == 1


def test_what_is_random_repeats_with_its_seed():
    def picks():
        client = emulator.Local(seed="7").connect(decode_responses=True)
        client.sadd("s", *range(1000))
        return [client.spop("s") for _ in range(20)]

    assert picks() == picks()
    client = emulator.connect(decode_responses=True)
    client.sadd("s", *range(1000))
    found = []
    for _ in range(2):
        client.execute_command("EMULATOR", "SEED", 42)
        found.append(client.srandmember("s", 5))
    assert found[0] == found[1]
    with pytest.raises(redis.ResponseError):
        client.execute_command("EMULATOR", "SEED", "x")
