"""The name of a key that has gone takes no memory, however it went."""

import tracemalloc

import pytest

from emulator.clients.session import Session
from emulator.clock import ManualClock
from emulator.config.directives import Config
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
