"""The engine with a clock turned by hand: expiry, blocking, pauses, iteration, replies out of turn."""

import random
import tracemalloc

import pytest

from emulator.clients.monitor import REDACTED, redacted
from emulator.clients.session import Session
from emulator.config.directives import Config
from emulator.config.edition import Edition
from emulator.core.dispatch import run
from emulator.core.engine import Engine
from emulator.keyspace.database import Database
from tests.conftest import Client


def pushes(client):
    return client.received().split(b"*4\r\n")[1:]


def test_a_key_expires_at_its_deadline(client, pass_time):
    client.play("SET k v PX 1000")
    pass_time(999)
    assert client.play("PTTL k") == b":1\r\n"
    pass_time(1)
    assert client.engine.databases[0].entries == {}
    assert client.engine.stats.expired_keys == 1


def test_expired_events_come_at_their_moment_and_in_order(client, another, pass_time):
    client.play("CONFIG SET notify-keyspace-events Ex")
    another.play("PSUBSCRIBE *")
    for number in (3, 1, 2, 1):
        client.play(f"SET k{number}{number} v PX {number * 1000}")
    pass_time(1000)
    assert [push.split(b"\r\n")[7] for push in pushes(another)] == [b"k11"]
    pass_time(5000)
    assert [push.split(b"\r\n")[7] for push in pushes(another)] == [b"k22", b"k33"]


def test_access_does_not_wait_for_the_wheel(client, engine):
    client.play("SET k v PX 1000")
    engine.clock.advance(1)
    assert client.play("EXISTS k") == b":0\r\n"
    assert engine.wheel.count == 0


def test_time_stands_still_within_a_transaction(client, engine):
    client.play("SET k v PX 1000")
    client.play("MULTI")
    client.play("PTTL k")
    client.play("PTTL k")
    assert client.play("EXEC") == b"*2\r\n:1000\r\n:1000\r\n"


def test_a_blocked_client_times_out(client, pass_time):
    assert client.play("BLPOP l 1.5") == b""
    pass_time(1499)
    assert client.received() == b""
    pass_time(1)
    assert client.received() == b"*-1\r\n"
    assert client.session.blocked is None


def test_the_oldest_waiter_is_served_first(client, another, engine):
    from tests.conftest import Client

    third = Client(engine)
    client.play("BLPOP l 0")
    another.play("BLPOP l 0")
    third.play("RPUSH l a b")
    assert client.received() == b"*2\r\n$1\r\nl\r\n$1\r\na\r\n"
    assert another.received() == b"*2\r\n$1\r\nl\r\n$1\r\nb\r\n"
    assert third.play("EXISTS l") == b":0\r\n"


def test_those_behind_who_took_the_last_element_are_not_asked(client, engine, monkeypatch):
    waiting = [Client(engine) for _ in range(100)]
    for each in waiting:
        each.play("BLPOP l 0")
    looks = []
    peek = Database.peek
    monkeypatch.setattr(Database, "peek", lambda db, key: looks.append(key) or peek(db, key))
    client.play("RPUSH l a b")
    assert [each.received() != b"" for each in waiting] == [True] * 2 + [False] * 98
    assert len(looks) < 10


def test_monitors_do_not_count_everybody_anew(engine, monkeypatch):
    monitors = [Client(engine) for _ in range(100)]
    refreshed = []
    refresh = Session.refresh
    monkeypatch.setattr(Session, "refresh", lambda session: refreshed.append(session) or refresh(session))
    for each in monitors:
        each.play("MONITOR")
    for each in monitors:
        each.session.forget()
    assert len(refreshed) < 1000


def test_many_secrets_are_hidden_in_one_walk():
    many = [b"AUTH", b"default", b"secret"] * 50_000  # to look for each word among all places would take minutes
    assert redacted([b"HELLO", b"2", *many]) == [b"HELLO", b"2", *[b"AUTH", REDACTED, REDACTED] * 50_000]


def test_a_chain_of_moves(client, another, engine):
    from tests.conftest import Client

    third = Client(engine)
    client.play("BLMOVE a b LEFT LEFT 0")
    another.play("BLPOP b 0")
    third.play("RPUSH a x")
    assert client.received() == b"$1\r\nx\r\n"
    assert another.received() == b"*2\r\n$1\r\nb\r\n$1\r\nx\r\n"


def test_what_follows_a_blocking_command_waits(client, another):
    commands = [[b"BLPOP", b"l", b"0"], [b"PING"]]
    assert run(client.session, commands, 0, 2) == 1
    another.play("RPUSH l x")
    assert client.received() == b"*2\r\n$1\r\nl\r\n$1\r\nx\r\n"
    assert run(client.session, commands, 1, 1) == 2
    assert client.received() == b"+PONG\r\n"


def test_a_client_that_goes_while_blocked_takes_nothing(client, another, engine):
    client.play("BLPOP l 0")
    client.session.forget()
    another.play("RPUSH l x")
    assert another.play("LLEN l") == b":1\r\n"
    assert not engine.databases[0].blocked


def test_one_s_own_message_comes_after_the_reply(client):
    client.play("HELLO 3")
    client.play("SUBSCRIBE ch")
    assert client.play("PUBLISH ch hi") == b":1\r\n>3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$2\r\nhi\r\n"


def test_an_event_caused_by_a_waiter_reaches_the_client_that_woke_it(client, another):
    client.play("CONFIG SET notify-keyspace-events El")
    client.play("HELLO 3")
    client.play("PSUBSCRIBE *")
    another.play("BLPOP l 0")
    reply = client.play("RPUSH l x")
    assert reply.startswith(b":1\r\n>4")
    assert [event for event in (b"rpush", b"lpop") if event in reply] == [b"rpush", b"lpop"]


def test_a_pause_of_writes(client, another, pass_time):
    client.play("CLIENT PAUSE 1000 WRITE")
    assert another.play("GET k") == b"$-1\r\n"
    assert another.play("SET k v") == b""
    assert another.session.suspended
    pass_time(1000)
    assert not another.session.suspended
    assert another.play("SET k v") == b"+OK\r\n"


def test_no_touch_leaves_the_access_time_alone(client, another, engine):
    client.play("SET k v")
    engine.clock.advance(5)
    another.play("CLIENT NO-TOUCH ON")
    another.play("GET k")
    assert client.play("OBJECT IDLETIME k") == b":5\r\n"
    another.play("TOUCH k")
    assert client.play("OBJECT IDLETIME k") == b":0\r\n"


def test_a_reply_of_no_known_class_is_a_bug_that_is_told(client):
    client.engine.commands[b"PING"].fn = lambda session: object()
    assert client.play("PING").startswith(b"-ERR internal error: TypeError")
    client.engine.commands[b"PING"].fn = lambda session: [object()]
    assert client.play("PING").startswith(b"-ERR internal error: KeyError")
    assert client.play("ECHO x") == b"$1\r\nx\r\n"


@pytest.mark.parametrize("seed", range(10))
def test_a_scan_returns_what_is_there_from_start_to_end(client, engine, seed):
    rng = random.Random(seed)
    permanent = {b"p%d" % number for number in range(500)}
    db = engine.databases[0]
    names = [*permanent, *(b"x%d" % number for number in range(500))]
    rng.shuffle(names)
    for name in names:
        client.play(b"SET " + name + b" v")
    seen, cursor = set(), 0
    while True:
        cursor, entries = db.scan(cursor, rng.randint(1, 20))
        seen.update(entry.key for entry in entries)
        if cursor == 0:
            break
        for _ in range(rng.randint(0, 15)):
            name = b"x%d" % rng.randrange(700)
            client.play(rng.choice([b"DEL ", b"INCR ", b"DEL "]) + name)
    assert permanent <= seen
    db.index_of_keys._check()
    assert set(db.index_of_keys) == set(db.entries)


def test_keys_are_indexed_when_somebody_first_scans(client, engine):
    db = engine.databases[0]
    client.play("MSET a 1 b 2 c 3")
    client.play("DEL a")
    assert db._index is None
    client.play("SCAN 0")
    client.play("SET d 4")
    client.play("DEL b")
    db.index_of_keys._check()
    assert sorted(db.index_of_keys) == [b"c", b"d"]
    client.play("FLUSHALL")
    assert db._index is None and client.play("SCAN 0") == b"*2\r\n$1\r\n0\r\n*0\r\n"


def test_keys_that_expire_are_indexed_when_one_is_to_be_evicted(client, engine):
    db = engine.databases[0]
    client.play("MSET a 1 b 2 c 3 d 4")
    client.play("EXPIRE a 100")
    assert sorted(db.evictable(volatile=True)) == [b"a"]
    for line in ("EXPIRE b 100", "EXPIRE c 100", "PERSIST a", "EXPIRE b 50", "DEL c", "SET d 5 EX 9", "RENAME d e"):
        client.play(line)
    db.evictable(volatile=True)._check()
    assert sorted(db.evictable(volatile=True)) == [b"b", b"e"] and db.expiring == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("expires", "most"),
    [(None, 195), (1, 240), (1000, 275)],
    ids=["for ever", "all until then", "each until another time"],
)
def test_a_key_takes_little_memory(engine, expires, most):
    session = Session(engine)
    count = 20_000
    tracemalloc.start()
    try:
        for number in range(count):
            options = [] if expires is None else [b"EX", b"%d" % (1000 + number % expires)]
            run(session, [[b"SET", b"key:%d" % number, b"value:%d" % number, *options]], 0, 1)
            session.out.clear()
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken / count < most


def test_random_keys_reach_every_key(client, engine):
    engine.random.seed(1)
    for number in range(20):
        client.play(f"SET k{number} v")
    assert {client.play("RANDOMKEY") for _ in range(500)} == {
        b"$%d\r\n%b\r\n" % (len(k), k) for k in engine.databases[0].entries
    }


def test_slow_commands_are_logged(client):
    client.play("CONFIG SET slowlog-log-slower-than 0")
    client.play("SET k v")
    client.play("ECHO " + "x" * 200)
    reply = client.play("SLOWLOG GET 2")
    assert b"... (72 more bytes)" in reply
    assert b"$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n" in reply


def test_info_counts(client, pass_time):
    client.play("SET a 1 PX 1000")
    client.play("SET b 1")
    client.play("GET a")
    client.play("GET nosuch")
    client.play("INCR")
    client.play("LPUSH a x")
    assert b"db0:keys=2,expires=1,avg_ttl=1000,subexpiry=0" in client.play("INFO keyspace")
    stats = client.play("INFO stats")
    assert b"keyspace_hits:1\r\n" in stats
    assert b"keyspace_misses:1\r\n" in stats
    assert b"total_error_replies:2\r\n" in stats
    pass_time(1000)
    assert b"db0:keys=1,expires=0,avg_ttl=0,subexpiry=0" in client.play("INFO keyspace")
    commands = client.play("INFO commandstats")
    assert b"cmdstat_get:calls=2," in commands
    assert b"cmdstat_incr:calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0" in commands
    assert b"rejected_calls=0,failed_calls=1" in next(line for line in commands.splitlines() if b"lpush" in line)
    assert b"errorstat_WRONGTYPE:count=1" in client.play("INFO errorstats")
    client.play("CONFIG RESETSTAT")
    assert b"keyspace_hits:0\r\n" in client.play("INFO stats")


def rate(client):
    """Commands a second, as INFO tells them."""
    return int(client.play("INFO stats").partition(b"instantaneous_ops_per_sec:")[2].split(b"\r\n")[0])


def test_rates_are_the_mean_of_the_last_moments(client, pass_time):
    pass_time(1000)
    for _ in range(500):
        client.play("PING")
    pass_time(1000)
    assert rate(client) == 250
    for _ in range(16):
        for _ in range(100):
            client.play("PING")
        pass_time(100)
    assert rate(client) == 1001  # the INFO before is one of them
    for _ in range(16):
        pass_time(100)
    assert rate(client) == 1


def test_nothing_is_sampled_where_nobody_asks(client, engine, pass_time):
    assert engine.timers.seconds_until_due() is None
    client.play("INFO stats")
    for _ in range(200):
        pass_time(100)
    assert engine.timers.seconds_until_due() is None


@pytest.mark.parametrize("words", ["SRANDMEMBER s", "HRANDFIELD h", "ZRANDMEMBER z", "VRANDMEMBER v"])
def test_nobody_fills_the_memory_with_the_same_elements(client, words):
    for made in ("SADD s a", "HSET h a 1", "ZADD z 1 a", "VADD v VALUES 2 1 2 a"):
        client.play(made)
    assert client.play(f"{words} -1000").startswith(b"*1000\r\n")
    assert client.play(f"{words} -10000001") == b"-ERR at most 10000000 elements are repeated in a reply\r\n"


def test_listeners_hear_of_each_change_of_a_key(client, engine, pass_time):
    heard = []

    def listen(db, key):
        heard.append((db.index, key, key in db.entries))

    engine.listen(listen)
    for line in ("SET k v", "APPEND k w", "GET k", "PEXPIRE k 1000", "SELECT 1", "RPUSH l a", "LPOP l", "SWAPDB 0 1"):
        client.play(line)
    pass_time(1000)
    engine.leave(listen)
    client.play("SET k v")
    assert heard == [(0, b"k", True)] * 3 + [(1, b"l", True), (1, b"l", True), (1, b"k", False)]


def test_an_engine_says_the_version_of_its_edition():
    config = Config()
    config.edition = Edition("redis", "7.2.5")
    client = Client(Engine(config))
    assert b"redis_version:7.2.5\r\n" in client.play("INFO server")
    assert b"7.2.5" in client.play("HELLO 3") and b"Redis ver. 7.2.5" in client.play("LOLWUT")
    assert client.play('EVAL "return redis.REDIS_VERSION_NUM" 0') == b":%d\r\n" % 0x00070205
    assert client.play("MODULE LIST") == b"*0\r\n"
    assert b"redis_version:7.2.5\r\n" in Client(client.engine.sibling()).play("INFO server")
