"""A command of many words looks at each of them a few times, however many they are; nor does it burden others' commands."""

import pytest

from emulator.clients.session import Session
from emulator.config.directives import Config
from emulator.config.edition import EDITIONS
from emulator.core.dispatch import run
from emulator.core.engine import Engine
from emulator.protocol.encoder import RESP2

MANY = 500
A_FEW = 60


class Word(bytes):
    """A word that counts how often one is compared."""

    compared = 0

    def __eq__(self, other):
        Word.compared += 1
        return bytes.__eq__(self, other)

    __hash__ = bytes.__hash__


def words(form="%d", count=MANY):
    return [Word(form % number, "ascii") for number in range(count)]


def in_turns(*columns):
    return [word for row in zip(*columns, strict=True) for word in row]


FIELDS = [b"FIELDS", b"%d" % MANY, *words("f%d")]
PAIRS = in_turns(words("f%d"), [b"v"] * MANY)
SCORED = in_turns(words(), words("m%d"))
IDS = words("%d-1", MANY + 1)[1:]

PREPARED = [
    [b"SADD", b"s", *words("m%d")],
    [b"HSET", b"h", *PAIRS],
    [b"ZADD", b"z", *SCORED],
    [b"MSET", *PAIRS],
    [b"XGROUP", b"CREATE", b"x", b"g", b"0", b"MKSTREAM"],
    *([b"XADD", b"x", id, b"f", b"v"] for id in IDS),
    [b"XREADGROUP", b"GROUP", b"g", b"c", b"STREAMS", b"x", b">"],
]

COMMANDS = [
    [b"SADD", b"s", *words("n%d")],
    [b"SMISMEMBER", b"s", *words("m%d")],
    [b"SREM", b"s", *words("m%d")],
    [b"HSET", b"h", *PAIRS],
    [b"HMGET", b"h", *words("f%d")],
    [b"HDEL", b"h", *words("f%d")],
    [b"HEXPIRE", b"h", b"100", *FIELDS],
    [b"HEXPIREAT", b"h", b"1", *FIELDS],
    [b"HTTL", b"h", *FIELDS],
    [b"HPERSIST", b"h", *FIELDS],
    [b"HGETEX", b"h", b"EX", b"100", *FIELDS],
    [b"HGETEX", b"h", b"EXAT", b"1", *FIELDS],
    [b"HGETDEL", b"h", *FIELDS],
    [b"HSETEX", b"h", b"EX", b"100", b"FIELDS", b"%d" % MANY, *PAIRS],
    [b"ZADD", b"z", *SCORED],
    [b"ZMSCORE", b"z", *words("m%d")],
    [b"ZREM", b"z", *words("m%d")],
    [b"MSET", *PAIRS],
    [b"MGET", *words("f%d")],
    [b"EXISTS", *words("f%d")],
    [b"UNLINK", *words("f%d")],
    [b"WATCH", *words("f%d")],
    [b"XDEL", b"x", *IDS],
    [b"XACK", b"x", b"g", *IDS],
    [b"XCLAIM", b"x", b"g", b"d", b"0", *IDS],
    [b"XREAD", b"STREAMS", *words("s%d"), *(b"0" for _ in range(MANY))],
    [b"PFADD", b"p", *words("f%d")],
    [b"SUBSCRIBE", *words("c%d")],
    [b"PSUBSCRIBE", *words("c%d*")],
    [b"SINTER", *words("none%d")],
    [b"ZUNION", b"%d" % MANY, *words("none%d")],
    [b"LMPOP", b"%d" % MANY, *words("none%d"), b"LEFT"],
    [b"CLIENT", b"TRACKING", b"ON", b"BCAST", *in_turns([b"PREFIX"] * MANY, words("p%d:"))],
    [b"ACL", b"SETUSER", b"u", *words("~k%d")],
]


@pytest.mark.parametrize("edition", ["8.2", "8.6", "valkey-9.1"])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: b" ".join(words[:4]).decode()[:30])
def test_each_word_is_compared_a_few_times(command, edition, monkeypatch):
    session = Session(Engine(Config(EDITIONS[edition])))
    monkeypatch.setitem(RESP2, Word, RESP2[bytes])
    for each in PREPARED:
        run(session, [list(map(bytes, each))], 0, 1)
    session.out.clear()
    Word.compared = 0
    run(session, [command], 0, 1)
    assert Word.compared < A_FEW * MANY
    assert not session.out[0].startswith(b"-")


class Unwalked(dict):
    """A dict in which one looks up, and no more."""

    def _refuse(self):
        raise AssertionError("somebody walks through all of it")

    __iter__ = items = keys = values = _refuse


def test_a_change_looks_at_no_prefixes_but_its_own():
    engine = Engine(Config())
    follower, writer = Session(engine), Session(engine)
    prefixes = [word for number in range(MANY) for word in (b"PREFIX", b"p%d:" % number)]
    for each in [b"HELLO", b"3"], [b"CLIENT", b"TRACKING", b"ON", b"BCAST", *prefixes]:
        run(follower, [each], 0, 1)
    follower.out.clear()
    engine.tracking.prefixes = Unwalked(engine.tracking.prefixes)
    run(writer, [[b"MSET", b"p7:a", b"1", b"p77", b"1", b"p499:b", b"1"]], 0, 1)
    engine.tracking.broadcast()
    assert b"".join(writer.out) == b"+OK\r\n"
    assert [push.count(b"p7:a") + 2 * push.count(b"p499:b") for push in follower.out] == [2, 1]
