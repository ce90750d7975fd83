"""What a client has said takes no memory any more: the name of a key that has gone, and the words of its last call."""

import tracemalloc

import pytest

from emulator.clients.session import Session
from emulator.clock import ManualClock
from emulator.config.directives import Config
from emulator.config.edition import EDITIONS
from emulator.core.dispatch import run
from emulator.core.engine import Engine

LONG = 1 << 20
WAYS = {
    "DEL": ["SET {} x", "DEL {}"],
    "UNLINK": ["RPUSH {} x", "UNLINK {}"],
    "GETDEL": ["SET {} x", "GETDEL {}"],
    "RENAME": ["SET {} x", "RENAME {} short"],
    "MOVE": ["SET {} x", "MOVE {} 1", "SELECT 1", "RENAME {} short", "SELECT 0"],
    "EXPIRE": ["SET {} x", "EXPIRE {} 0"],
    "a deadline": ["SET {} x PX 1", "tick", "GET {}"],
    "its last element": ["SADD {} x", "SPOP {}"],
    "its last field's deadline": ["HSET {} f x", "HPEXPIRE {} 1 FIELDS 1 f", "tick", "HGET {} f"],
    "an empty result of SORT": ["RPUSH {} x", "SORT none STORE {}"],
    "an empty result of ZRANGESTORE": ["ZADD {} 1 x", "ZRANGESTORE {} none 0 -1"],
    "an empty result of SINTERSTORE": ["SADD {} x", "SINTERSTORE {} none"],
    "its last vector": ["VADD {} VALUES 1 1 x", "VREM {} x"],
}


CALLS = (
    "ECHO {}|EVAL x 0 {}|EVAL return(redis.call('ECHO',ARGV[1])) 0 {}|OBJECT ENCODING {}|CONFIG GET {}|BLPOP {} 0.001"
    "|NOSUCH {}|GET a {}|AUTH a {}|INCRBYFLOAT k {}|HINCRBYFLOAT h f {}|XADD s NOMKSTREAM IDMP {} {} * f v|SSCAN s 0 MATCH {}"
    "|BITFIELD b GET {} 0|KEYS {}|SCAN 0 MATCH {}|PUBSUB CHANNELS {}|COMMAND LIST FILTERBY PATTERN {}"
    "|PFADD h {}|BF.EXISTS f {}|BF.ADD b {}|BF.LOADCHUNK l 1 {}|CMS.QUERY c {}|JSON.GET j {}"
).split("|")


@pytest.mark.parametrize("way", WAYS)
def test_names_of_keys_that_have_gone_are_not_kept(way):
    engine = Engine(Config(), ManualClock())
    session = Session(engine)
    session.refresh()

    def play(name):
        for line in WAYS[way]:
            if line == "tick":
                engine.clock.advance(1)
            else:
                run(session, [[name if word == "{}" else word.encode() for word in line.split()]], 0, 1)
                assert not session.out.pop().startswith(b"-"), line

    play(b"warm")
    tracemalloc.start()
    try:
        for number in range(8):
            play(b"%d" % number + bytes(LONG))
        play(b"last")
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < LONG


@pytest.mark.parametrize("call", CALLS)
def test_words_of_the_last_call_are_not_kept(call):
    engine = Engine(Config(EDITIONS["8.6"]), ManualClock())
    clients = [Session(engine) for _ in range(8)]

    def play(client, word):
        run(client, [[word if text == "{}" else text.encode() for text in call.split()]], 0, 1)
        if client.blocked is not None:
            engine.clock.advance(1)
            engine.timers.advance()
        client.out.clear()

    for client in clients:
        client.refresh()
        play(client, b"warm")
    tracemalloc.start()
    try:
        for number, client in enumerate(clients):
            play(client, b"%d" % number + bytes(LONG))
        del client
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < LONG
