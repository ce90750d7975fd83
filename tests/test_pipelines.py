"""Commands of a pipeline that are run together are answered, counted and logged as each by itself."""

import random
import sys

import pytest

from emulator.clients.session import Session
from emulator.clock import ManualClock
from emulator.config.directives import Config
from emulator.config.edition import EDITIONS
from emulator.core import alike, dispatch
from emulator.core.dispatch import run
from emulator.core.engine import Engine

PIPELINES = {
    "strings": "SET k v|SET l w|GET k|GET none|GET l|GET k",
    "no arguments": "DBSIZE|SET k v|DBSIZE|RANDOMKEY",
    "errors": "RPUSH list a|SET k v|SET n 1|GET k|GET list|GET k|INCR n|INCR k|INCR n|INCR list|INCR n",
    "options": "SET k v NX|SET k v NX|SET k v XY|SET k w XX|SET k v EX|GET k",
    "arity": "GET k|GET k l|GET k|GET|GET k|get k|get k|Get k|GET k",
    "types": "ZADD z 1.5 a|ZADD z 2 b|ZSCORE z a|ZSCORE z b|ZSCORE z c|ZRANK z a WITHSCORE|ZRANK z c WITHSCORE",
    "nested": "GEOADD g 1 2 a|GEOADD g 3 4 b|GEOPOS g a|GEOPOS g none|GEOPOS g a",
    "sessions": "SET k v|SET k v|SELECT 1|SELECT 0|SELECT 1|GET k|GET k|MULTI|GET k|GET k|EXEC|GET k",
    "watching": "WATCH k|SET k v|SET k w|MULTI|GET k|GET k|EXEC|GET k|GET k",
    "expiring": "SET k v PX 100000|SET l v PX -1|SET l v PXAT 1|EXPIRE k 100|EXPIRE k -1|GET k|TTL k|TTL l",
    "another database": "SET k v|SET l v|MOVE k 1|MOVE l 1|MOVE k 1",
    "waiting": "RPUSH l a|RPUSH l b|BLPOP l 0|RPUSH l c|LMOVE l m LEFT RIGHT|LMOVE l m LEFT RIGHT|LLEN l|LLEN m",
    "own events": "CONFIG SET notify-keyspace-events KEA|PSUBSCRIBE __key*|SET k v|SET l w|INCR n|INCR n|SET k v",
}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """However long a call takes here, it counts as quick."""
    monkeypatch.setattr(alike, "QUICK", sys.float_info.max)


def run_all(session, commands, at_once):
    """Run commands, so many at a time; a client whose turn has been long enough (of a busy machine) has another one."""
    for first in range(0, len(commands), at_once):
        position, part = 0, commands[first : first + at_once]
        while position < len(part) and session.blocked is None:
            position = run(session, part, position, at_once)


def played(protocol, pipeline, at_once):
    """What a client is answered that sends so many commands at once, and what is known of them."""
    engine = Engine()
    session = Session(engine)
    run(session, [[b"HELLO", b"%d" % protocol]], 0, 1)
    run_all(session, pipeline, at_once)
    engine.count_durations()
    used = {entry.full_name: (entry.durations.calls, entry.failed, entry.rejected) for entry in engine.commands.used()}
    answers = b"".join(session.out[1:])
    return answers, used, engine.stats.commands_processed, session.total_commands, engine.stats.errors


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES)
def test_commands_at_once_are_answered_and_counted_as_each_by_itself(pipeline, protocol):
    words = [line.encode().split() for line in pipeline.split("|")]
    commands = [each for each in words for _ in range(2)] + words
    assert played(protocol, commands, len(commands)) == played(protocol, commands, 1)


_SETTINGS = {
    "stream-node-max-entries": ["0", "1", "3", "100"],
    "stream-node-max-bytes": ["0", "60", "4096"],
    "list-max-listpack-size": ["-2", "2", "5"],
    "zset-max-listpack-entries": ["0", "3", "128"],
    "hash-max-listpack-entries": ["3", "128"],
    "hash-max-listpack-value": ["3", "64"],
    "maxmemory-policy": ["noeviction", "noeviction", "allkeys-lfu"],
}
_TRIMMING = [
    [],
    ["MAXLEN", "~", "{n}"],
    ["MAXLEN", "{n}"],
    ["MAXLEN", "~", "{n}", "LIMIT", "1"],
    ["MAXLEN", "~", "{n}", "LIMIT", "3"],
    ["MINID", "{n}"],
    ["NOMKSTREAM"],
    ["MAXLEN", "~", "{n}", "ACKED"],
    ["MAXLEN", "x"],
    ["IDMP", "p", "{n}"],
]


def _word(rng):
    return rng.choice(["a", "field", "3", "-70000", "x" * 70, ""])


_IDS = [*"*" * 9, "5-*", "18446744073709551615-18446744073709551600"]
_KINDS = ["XADD", "XADD", "XADD", "LPUSH", "RPUSH", "ZADD", "SETBIT", "SETRANGE", "HINCRBY"]
_SCORES = [*["1", "2.5", "-7"] * 30, "nan", "inf"]
_OFFSETS = [*["3", "17", "90", "0"] * 30, "900", "-1", "x"]
_AMOUNTS = [*["1", "-1", "500", "-70"] * 30, "9223372036854775807", "x"]


def _mostly(rng, choices, others, count):
    """The same of some choices each time; now and then any of others."""
    return [rng.choice(choices)] * count if rng.random() < 0.9 else rng.choices(others, k=count)


def _calls(rng, count):
    """Calls of one command, most of them of one key, as words."""
    numbers = _mostly(rng, [0, 1, 15, 16, 17, 40], range(30), count)
    keys = _mostly(rng, "ab", "abc", count)
    kind, options, id, width = rng.choice(_KINDS), rng.choice(_TRIMMING), rng.choice(_IDS), rng.choice([1, 1, 2, 3])
    has_same_fields, may_be_odd = rng.random() < 0.7, rng.random() < 0.1
    for key, number in zip(keys, numbers, strict=True):
        words = [_word(rng) for _ in range(2 * width)]
        if kind == "XADD":
            if has_same_fields:
                words[::2] = ["field"] * width
            if may_be_odd and rng.random() < 0.1:
                words.pop()
            yield ["XADD", f"x{key}", *(option.format(n=number) for option in options), id, *words]
        elif kind == "ZADD":
            yield ["ZADD", f"z{key}", rng.choice(_SCORES), words[0] + str(number)]
        elif kind == "SETBIT":
            yield ["SETBIT", f"b{key}", rng.choice(_OFFSETS), rng.choice(["0", "1"] * 40 + ["2"])]
        elif kind == "SETRANGE":
            yield ["SETRANGE", f"b{key}", rng.choice(_OFFSETS), rng.choice(["ab", "c", "xyz"] * 20 + [""])]
        elif kind == "HINCRBY":
            yield ["HINCRBY", f"h{key}", rng.choice(["f", "g", str(number)]), rng.choice(_AMOUNTS)]
        else:
            yield [kind, ("z" if number == 16 else "l") + key, *words[: width % 3 or 1]]


def _lived(settings, pipelines, at_once):
    """What is answered to pipelines, some commands at a time, and what there is in the end."""
    engine = Engine(Config(EDITIONS["8.6"]), ManualClock())
    engine.random.seed(1)
    session = Session(engine)
    answers = []

    def ask(*commands):
        run_all(session, commands, at_once)
        answers.extend(session.out)
        session.out.clear()

    for name, value in settings.items():
        ask([b"CONFIG", b"SET", name.encode(), value.encode()])
    for commands in pipelines:
        ask(*commands)
        engine.clock.advance(7)
    for key in sorted(engine.databases[0].entries):
        ask(*([*words.encode().split(), key] for words in ("DUMP", "OBJECT ENCODING", "MEMORY USAGE")))
        if key.startswith(b"x"):
            ask([b"XINFO", b"STREAM", key], [b"XRANGE", key, b"-", b"+"])
    return b"".join(answers), engine.dirty


@pytest.mark.parametrize("seed", range(60))
def test_calls_of_one_key_leave_what_each_by_itself_leaves(seed):
    rng = random.Random(seed)
    settings = {name: rng.choice(values) for name, values in _SETTINGS.items()}
    pipelines = [
        [[word.encode() for word in words] for words in _calls(rng, rng.choice([2, 15, 17, 90]))] for _ in range(30)
    ]
    assert _lived(settings, pipelines, 100) == _lived(settings, pipelines, 1)


def test_calls_of_a_quick_command_are_timed_together():
    engine = Engine()
    session = Session(engine)
    durations = engine.commands[b"GET"].durations  # from its first use on it is known
    run(session, [[b"GET", b"k"]] * 10, 0, 10)
    assert len(durations.noted) == 10
    assert len(set(durations.noted[1:])) == 1
    assert session.out == [b"$-1\r\n"] * 10


def test_each_is_timed_where_the_slow_log_wants_it():
    engine = Engine()
    session = Session(engine)
    run(session, [b"CONFIG SET slowlog-log-slower-than 0".split()], 0, 1)
    run(session, [[b"GET", b"%d" % number] for number in range(10)], 0, 10)
    logged = [entry.arguments[1] for entry in engine.slowlog.entries]
    assert logged[:10] == [b"%d" % number for number in reversed(range(10))]


def test_one_that_was_slow_after_all_is_logged(monkeypatch):
    engine = Engine()
    session = Session(engine)
    ticks = iter(range(1000))
    run(session, [b"XADD s MAXLEN 100 * f v".split()], 0, 1)
    monkeypatch.setattr(alike, "perf_counter", lambda: float(next(ticks)))
    run(session, [b"XADD s MAXLEN 100 * f v".split()] * 3, 0, 3)
    assert [entry.arguments for entry in engine.slowlog.entries] == [b"XADD s MAXLEN 100 * f v".split()]


def test_a_bug_in_calls_of_one_key_is_told_for_each():
    engine = Engine()
    session = Session(engine)
    engine.commands[b"XADD"].together = lambda client, key, *columns: 1 // 0
    run(session, [b"XADD s * f v".split()] * 3, 0, 3)
    told = [reply.startswith(b"-ERR internal error") for reply in session.out]
    assert told == [False, True, True]
    assert engine.commands[b"XADD"].failed == 2


def test_what_may_take_long_is_run_one_by_one(monkeypatch):
    together = []
    monkeypatch.setattr(
        alike, "_run", lambda session, command, calls, columns: together.append((command.name, len(calls)))
    )
    session = Session(Engine())
    lines = (
        "GET k|LPUSH l x|LRANGE l 0 -1|APPEND k x|WATCH k|BLMOVE l l LEFT LEFT 0|MOVE k 1|GETRANGE k 0 1|ZADD z"
        + " 1 a" * 12
    )
    for line in lines.split("|"):
        run(session, [line.encode().split()], 0, 1)
        run(session, [line.encode().split()] * 4, 0, 4)
    assert together == [(b"get", 3), (b"lpush", 3)]


def test_what_follows_a_long_reply_is_run_one_by_one(monkeypatch):
    monkeypatch.setattr(alike, "_run", None)
    session = Session(Engine())
    run(session, [[b"SET", b"k", bytes(10_000)]], 0, 1)
    run(session, [[b"GET", b"k"]] * 4, 0, 4)
    assert len(session.out) == 1 + 4


def test_what_follows_a_call_that_took_long_is_run_one_by_one(monkeypatch):
    monkeypatch.setattr(alike, "QUICK", 0.0)
    monkeypatch.setattr(alike, "_run", None)
    session = Session(Engine())
    calls = [[b"GET", b"k"]] * 4
    run(session, [*calls, [b"OBJECT", b"ENCODING", b"k"], *calls], 0, 9)
    assert len(session.out) == 9


def test_a_bug_is_told_for_the_call_that_met_it():
    engine = Engine()
    session = Session(engine)
    get = engine.commands[b"GET"].fn

    def broken(client, key):
        return 1 // 0 if key == b"bad" else get(client, key)

    engine.commands[b"GET"].fn = broken
    run(session, [[b"GET", key] for key in (b"a", b"bad", b"b", b"bad")], 0, 4)
    error = b"-ERR internal error: ZeroDivisionError: integer division or modulo by zero\r\n"
    assert b"".join(session.out) == (b"$-1\r\n" + error) * 2


def test_a_bug_that_would_end_an_iteration_is_told(monkeypatch):
    engine = Engine()
    session = Session(engine)

    def broken(client, key):
        return next(iter(())) if key == b"bad" else None

    engine.commands[b"GET"].fn = broken
    run(session, [[b"GET", key] for key in (b"a", b"bad", b"b", b"c", b"bad")], 0, 5)
    told = [reply.startswith(b"-ERR internal error") for reply in session.out]
    assert told == [False, True, False, False, True]


def test_who_has_got_enough_lets_the_others_go_first(monkeypatch):
    monkeypatch.setattr(dispatch, "_LOOK", 0.0)
    session = Session(Engine())
    run(session, [[b"SET", b"k", bytes(1 << 20)], [b"SET", b"short", b"x"]], 0, 2)
    session.out.clear()
    calls = [[b"GET", b"short"]] * 2 + [[b"GET", b"k"]] * 60
    assert run(session, calls, 0, len(calls)) == len(session.out) <= 2 + 16 + 1


def test_what_cannot_be_encoded_is_told():
    engine = Engine()
    session = Session(engine)
    engine.commands[b"GET"].fn = lambda client, key: object()
    run(session, [[b"GET", b"k"]] * 3, 0, 3)
    assert b"".join(session.out).count(b"-ERR internal error: ") == 3


def test_large_replies_are_logged_one_by_one():
    engine = Engine(Config(EDITIONS["valkey-9.1"]))
    session = Session(engine)
    run(session, [b"CONFIG SET commandlog-reply-larger-than 50".split()], 0, 1)
    run(session, [[b"SET", b"short", b"x" * 30], [b"SET", b"long", b"x" * 60]], 0, 2)
    run(session, [[b"GET", key] for key in (b"short", b"short", b"long", b"short")], 0, 4)
    assert [entry.arguments for entry in engine.sizes.replies.entries] == [[b"GET", b"long"]]
