"""An image has the data set of its moment, whatever is done while it is made.

Every conformance case is played, and before one command of four, drawn by lot, an image is begun, in the midst of which
the command is run.
"""

import io
import random
import re
from itertools import islice

import pytest

from emulator.clock import ManualClock
from emulator.config.directives import Config
from emulator.core.dispatch import run
from emulator.core.engine import Engine
from emulator.datatypes.types import copied
from emulator.keyspace.database import Database
from emulator.keyspace.digest import of_databases
from emulator.persistence import forms
from emulator.persistence.forms import Dump
from emulator.persistence.image import Image, Walked
from emulator.persistence.loading import Loading
from emulator.persistence.work import run_through
from emulator.rdb import save as rdb
from emulator.rdb.file_reader import FileReader

from .cases import check_group, commands, groups_of, playable
from .conftest import Client

USE = re.compile(rb"((?:\xfc.{8})?)(?:\xf8(?:[\0-\x3f]|[\x40-\x7f].|\x80....)|\xf9.)", re.DOTALL)


def without_use(pieces):
    """Pieces, sorted, without how long ago and how often keys were used: for that no key is saved before it is looked at."""
    found = ((piece, USE.match(piece)) for piece in pieces if piece)
    return sorted(use[1] + piece[use.end() :] if use else piece for piece, use in found)


def moment(engine):
    """The pieces of the data set as it is now."""
    return without_use(Image(engine, Dump(engine, False), changes=False).pieces())


def played(engine, chance, act):
    """The pieces of an image in the midst of which something is done."""
    image = Image(engine, Dump(engine, False), changes=True)
    pieces = image.pieces()
    found = [next(pieces) for _ in range(chance.randint(1, 1 + image.total // 2))]
    act()
    found += pieces
    image.close()
    return without_use(found)


LEFT_OUT = ("config", "protocol", "bloom", "cuckoo", "cms", "topk")
"""Groups that have no data, and sketches with room for millions that nobody filled: saved they take all that room."""
CASES = playable(without=LEFT_OUT)


LOST_BY_REDIS_TOO = {
    "dump/DUMP of a skip list": "a score of -0 becomes 0 where the sorted set comes to be a listpack",
    "vectorset/VADD of a known element keeps the attribute unless another is given": "an empty attribute becomes none",
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("group", groups_of(CASES))
def test_whatever_there_is_outlasts_a_reload(group):
    check_group(CASES, group, outlasts_a_reload)


def outlasts_a_reload(case):
    engine = Engine(Config(), ManualClock())
    for session, step in commands(case, engine):
        run(session, [step.words], 0, 1)
        session.out.clear()
    engine.timers.advance()
    before = bytes(of_databases(engine.databases))
    engine.persistence.reload(save=True, flush=True, merge=False)
    assert (bytes(of_databases(engine.databases)) == before) is (case.id not in LOST_BY_REDIS_TOO)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("group", groups_of(CASES))
def test_an_image_is_of_its_moment(group):
    check_group(CASES, group, image_is_of_its_moment)


def image_is_of_its_moment(case):
    engine = Engine(Config(), ManualClock())
    engine.lazyfree.begin = lambda: None
    chance = random.Random(case.id)
    for session, step in commands(case, engine):
        if chance.random() > 0.25:
            run(session, [step.words], 0, 1)
            session.out.clear()
            continue
        expected = moment(engine)
        found = played(engine, chance, lambda session=session, step=step: run(session, [step.words], 0, 1))
        session.out.clear()
        assert found == expected, step.text
        while engine.lazyfree.step():
            pass


def churn(client, chance, keys):
    """A random change."""
    key = b"%d" % chance.randrange(keys)
    client.play(
        chance.choice(
            (
                b"SET %b %d" % (key, chance.randrange(1000)),
                b"SET %b 1 PX 5" % key,
                b"APPEND %b x" % key,
                b"DEL %b" % key,
                b"EXPIRE %b 100" % key,
                b"PERSIST %b" % key,
                b"RENAME %b %d" % (key, chance.randrange(keys)),
                b"COPY %b %d DB 1 REPLACE" % (key, chance.randrange(keys)),
                b"MOVE %b 1" % key,
                b"SWAPDB 0 1",
                b"FLUSHDB" if chance.random() < 0.1 else b"GETDEL %b" % key,
            )
        )
    )


@pytest.mark.parametrize("seed", range(60))
def test_many_changes_while_an_image_is_made(seed):
    chance = random.Random(seed)
    engine = Engine(Config(), ManualClock())
    engine.lazyfree.begin = lambda: None
    client = Client(engine)
    for _ in range(chance.randrange(200)):
        churn(client, chance, 50)
    expected = moment(engine)
    image, found = Image(engine, Dump(engine, False), changes=True), []
    for piece in image.pieces():
        found.append(piece)
        for _ in range(chance.randrange(4)):
            churn(client, chance, 50)
        if chance.random() < 0.1:
            engine.clock.advance(0.003)
            engine.timers.advance()
            engine.lazyfree.step()
    image.close()
    assert without_use(found) == expected
    assert not Walked.of and all(db.__class__ is Database for db in engine.databases)


def test_an_image_that_is_given_up_leaves_no_trace(engine, client):
    client.play("MSET a 1 b 2 c 3")
    image = Image(engine, Dump(engine, False), changes=True)
    next(image.pieces())
    client.play("SET a 2")
    image.close()
    assert not Walked.of and all(db.__class__ is Database for db in engine.databases)
    client.play("FLUSHALL")
    assert client.play("DBSIZE") == b":0\r\n"


@pytest.fixture
def unsaveable(monkeypatch):
    """A value that there is no memory to save."""

    def save(value, text, version):
        if value == b"unsaveable":
            raise MemoryError
        return rdb.save(value, text, version)

    monkeypatch.setattr(forms, "save", save)
    return "unsaveable"


@pytest.mark.parametrize(
    ("command", "reply", "status"),
    [
        ("SAVE", b"-ERR\r\n", b"rdb_last_bgsave_status:ok"),
        ("BGSAVE", b"+Background saving started\r\n", b"rdb_last_bgsave_status:err"),
        ("BGREWRITEAOF", b"+Background append only file rewriting started\r\n", b"aof_last_bgrewrite_status:err"),
    ],
)
def test_what_cannot_be_saved_is_a_failure(client, unsaveable, command, reply, status):
    client.play(f"MSET a 1 b {unsaveable} c 3")
    assert client.play(command) == reply
    assert status in client.play("INFO persistence")
    assert not Walked.of


def test_who_changes_what_cannot_be_saved_is_not_to_blame_and_the_file_is_not_whole(engine, client, unsaveable):
    client.play(f"MSET a 1 b {unsaveable} c 3")
    image = Image(engine, Dump(engine, False), changes=True)
    pieces = image.pieces()
    next(pieces)
    assert client.play("SET b 2") == b"+OK\r\n"
    with pytest.raises(MemoryError):
        list(pieces)
    image.close()


def fill_large(play):
    """Values that are saved in slices, one of each type that can be large."""
    some = range(6000)
    play("SADD set", *(f"member:{number}" for number in some))
    play("HSET hash", *(word for number in some for word in (f"field:{number}", f"value:{number}")))
    play("HSET expiring", *(word for number in some for word in (f"field:{number}", f"value:{number}")))
    play("HPEXPIREAT expiring 9000000000000 FIELDS 2 field:1 field:5999")
    play("ZADD zset", *(word for number in some for word in (f"{number}.5", f"member:{number}")))
    play("RPUSH list", *(f"element:{number}" * 5 for number in some))
    for number in range(3000):
        play(f"XADD stream {number + 1}-1 a {'x' * 90}{number}")
    play("XGROUP CREATE stream group 0")
    play("XREADGROUP GROUP group alice COUNT 100 STREAMS stream >")
    play("SET string", "abc" * 500_000)
    play("SETBIT bits 20000000 1")
    for number in range(30):
        play(f"VADD vectors VALUES 3 {number} {number * number % 7} 1 element{number}")
    play("BF.RESERVE bloom 0.001 3000000")
    play("BF.ADD bloom x")
    play("CMS.INITBYDIM sketch 500000 5")
    play("CMS.INCRBY sketch x 3")
    play("TS.CREATE series CHUNK_SIZE 1024")
    items = ",".join(f'{{"a":{number},"b":[{number},1e40]}}' for number in range(4000))
    play("JSON.SET json $ " + f'\'{{"list":[{items}],"empty":{{}},"x":[]}}\'')
    play("TS.MADD", *(f"series {number} {number % 7}" for number in range(1, 4000)))


CHANGES = {
    "set": ("SREM set member:1", "SADD set new", "SPOP set 100", "DEL set"),
    "hash": ("HSET hash field:1 x", "HDEL hash field:2 field:5998", "HSET hash new x"),
    "expiring": (
        "HPEXPIRE expiring 1000 FIELDS 1 field:5998",
        "HPERSIST expiring FIELDS 1 field:5999",
        "HSET expiring n x",
    ),
    "zset": ("ZADD zset 1 member:5999", "ZREM zset member:3", "ZPOPMAX zset 50"),
    "list": ("LPOP list 50", "RPUSH list x", "LSET list 3000 y", "LTRIM list 10 20"),
    "stream": (
        "XADD stream * a b",
        "XTRIM stream MAXLEN 10",
        "XDEL stream 2-1",
        "XREADGROUP GROUP group bob STREAMS stream >",
    ),
    "string": ("APPEND string x", "SETRANGE string 100 new", "SET string other"),
    "bits": ("SETBIT bits 20000000 0", "SETBIT bits 30000000 1"),
    "vectors": ("VADD vectors VALUES 3 1 1 1 new", "VREM vectors element1"),
    "bloom": ("BF.ADD bloom y",),
    "sketch": ("CMS.INCRBY sketch y 3",),
    "json": ("JSON.SET json $.list[3] 5", "JSON.DEL json $.list[1]"),
    "series": ("TS.ADD series 5000 1", "TS.DEL series 1 2000"),
}


@pytest.fixture(scope="module")
def large():
    engine = Engine(Config(), ManualClock())
    client = Client(engine)
    fill_large(lambda *words: client.play(" ".join(words)))
    engine.used_memory  # noqa: B018 (it weighs)
    engine.snapshots.save(b"large")
    return engine


def saved(pieces, name):
    """What a file has of a key, as DUMP gives it."""
    data = b"".join(pieces)
    engine = Engine(Config(), ManualClock())
    data += rdb.payload.checksum(data)
    source = io.BytesIO(data)
    run_through(Loading(engine, FileReader(source.read), source, len(data)).job())
    return rdb.serialized(engine.databases[0].entries[name].value, False)


def test_large_values_come_in_slices(large):
    """None of them is so large that others would have to wait long."""
    image = Image(large, Dump(large, False), changes=False)
    sizes = [len(piece) for piece in image.pieces()]
    assert len(sizes) > 300
    assert max(sizes) < 300_000


@pytest.mark.parametrize("key", CHANGES)
def test_a_large_value_that_changes_while_it_is_saved(large, key):
    """Whatever is done to it, and whenever, the file has it as it was."""
    client = Client(large)
    db, name = large.databases[0], key.encode()
    kept = copied(db.entries[name].value)
    expected = rdb.serialized(kept, False)
    for change in CHANGES[key]:
        for place in (0, 1, 7):
            image = Image(large, Dump(large, False), changes=True)
            (walk,) = image._walks
            walk._keys, walk._dicts = [name], []
            pieces = image.pieces()
            found = list(islice(pieces, 3 + place))
            client.play(change)
            client.play(change)
            found += pieces
            image.close()
            assert saved(found, name) == expected, (change, place)
            client.play(f"DEL {key}")
            db.insert(name, copied(kept))
            db.reweigh(name)
