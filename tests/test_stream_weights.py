"""What a stream weighs: groups and consumers are weighed once they have changed, to what it would be from the beginning."""

from random import Random

import pytest

from emulator.clock import ManualClock
from emulator.config.directives import Config
from emulator.config.edition import EDITIONS
from emulator.core.engine import Engine
from emulator.datatypes import consumers
from emulator.datatypes.radix import tree_nodes, tree_size
from emulator.datatypes.stream import Stream
from emulator.keyspace.weighed import MOST_PARTS
from tests.conftest import Client


@pytest.fixture
def measured(monkeypatch):
    """The sizes of the trees of groups and consumers that are measured."""
    sizes = []

    def noted(ids):
        sizes.append(len(ids))
        return tree_size(ids)

    monkeypatch.setattr(consumers, "tree_size", noted)
    return sizes


@pytest.fixture
def latest():
    return Client(Engine(Config(EDITIONS["8.8"]), ManualClock()))


def played(client: Client, *lines: str):
    for line in lines:
        assert not client.play(line).startswith(b"-"), line


def stream_at(client: Client, key: bytes) -> Stream:
    stream = client.session.db.peek(key)
    assert isinstance(stream, Stream)
    return stream


def weight_of_groups(stream: Stream) -> int:
    """From the beginning: 40 bytes a group and 32 a consumer with its name, their trees, 24 for what is pending."""
    weight = 0
    for group in stream.groups.values():
        weight += 40 + tree_size(list(group.pending)) + 24 * len(group.pending)
        for name, consumer in group.consumers.items():
            weight += 32 + len(name) + tree_size(list(consumer.pending))
    return weight


def test_of_a_thousand_groups_those_that_have_changed_are_weighed(client, measured):
    played(client, *(f"XADD s {number}-0 f v" for number in range(1, 4)))
    for name in range(1000):
        played(client, f"XGROUP CREATE s {name} 0", f"XREADGROUP GROUP {name} me STREAMS s >")
    db = client.session.db
    db.weigh()
    measured.clear()
    for line, sizes in (
        ("XADD s 4-0 f v", []),
        ("XREADGROUP GROUP 5 me STREAMS s >", [4, 4]),
        ("XACK s 5 1-0 2-0", [2, 2]),
        ("XCLAIM s 7 you 0 1-0", [1, 2]),
        ("XGROUP CREATECONSUMER s 7 other", [0]),
        ("XGROUP DELCONSUMER s 7 me", [1]),
        ("XGROUP DESTROY s 7", []),
        ("XDEL s 4-0", []),
    ):
        played(client, line)
        db.weigh()
        assert sorted(measured) == sizes, line
        measured.clear()


def test_a_copy_is_weighed_at_once(client, measured):
    played(client, "XADD s 1-0 f v", *(f"XGROUP CREATE s {name} 0" for name in range(100)))
    payload = client.session.db.peek(b"s").copy()
    assert payload.weights.total() == weight_of_groups(payload)
    measured.clear()
    played(client, "COPY s t")
    assert len(measured) == 100
    client.session.db.weigh()
    assert len(measured) == 200  # those of the first one, which nobody had asked about


@pytest.mark.parametrize("line", ["XACK {key} g 1-0", "XDELEX {key} DELREF IDS 1 1-0", "XTRIM {key} MAXLEN 0 DELREF"])
def test_never_are_there_many_to_weigh(client, line):
    keys = [f"s{number}" for number in range(2 * MOST_PARTS)]
    for key in keys:
        played(client, f"XADD {key} 1-0 f v", f"XGROUP CREATE {key} g 0", f"XREADGROUP GROUP g me STREAMS {key} >")
    client.session.db.weigh()
    streams = [stream_at(client, key.encode()) for key in keys]
    for key in keys:
        played(client, line.format(key=key))
    assert sum(len(stream.weights.changed) for stream in streams) <= 2 * MOST_PARTS
    assert any(not stream.weights.changed and not stream.groups[b"g"].pending for stream in streams)


def test_entries_that_are_claimed_by_reading_count(latest):
    names = range(MOST_PARTS)
    played(latest, *(f"XADD s {number + 1}-0 f v" for number in names), "XGROUP CREATE s g 0")
    played(latest, *(f"XREADGROUP GROUP g {name} COUNT 1 STREAMS s >" for name in names))
    played(latest, "XREADGROUP GROUP g me CLAIM 0 STREAMS s >")
    assert not stream_at(latest, b"s").weights.changed


def test_what_forgets_an_entry_that_has_gone_is_weighed(client):
    played(client, "XADD s 1-0 f v", "XGROUP CREATE s g 0", "XREADGROUP GROUP g me STREAMS s >", "XDEL s 1-0")
    db = client.session.db
    before = db.weigh()
    assert client.play("XDELEX s DELREF IDS 1 1-0") == b"*1\r\n:-1\r\n"
    assert db.weigh() == before - 2 * (16 + 244) - 24


@pytest.mark.parametrize("seed", range(6))
def test_it_is_what_it_would_be_from_the_beginning(latest, seed):
    client, random = latest, Random(seed)
    entries = 0

    def group() -> str:
        return f"g{random.randrange(3)}"

    def consumer() -> str:
        return f"c{random.randrange(3)}"

    def entry() -> str:
        return f"{random.randrange(max(entries - 130, 1), entries + 2) * 37}-0"

    for step in range(600):
        if random.random() < 0.4:
            entries += 1
            client.play(f"XADD s {entries * 37}-0 f v")
        line = random.choice(
            (
                f"XGROUP CREATE s {group()} {random.choice('0$')} MKSTREAM",
                f"XGROUP DESTROY s {group()}" if random.random() < 0.1 else "PING",
                f"XGROUP CREATECONSUMER s {group()} {consumer()}",
                f"XGROUP DELCONSUMER s {group()} {consumer()}" if random.random() < 0.2 else "PING",
                f"XGROUP SETID s {group()} {entry()}",
                f"XREADGROUP GROUP {group()} {consumer()} COUNT {random.randrange(1, 150)} STREAMS s >",
                f"XREADGROUP GROUP {group()} {consumer()} CLAIM 0 COUNT 2 STREAMS s >",
                f"XACK s {group()} {entry()} {entry()}",
                f"XNACK s {group()} FAIL IDS 1 {entry()} FORCE",
                f"XCLAIM s {group()} {consumer()} 0 {entry()} FORCE",
                f"XAUTOCLAIM s {group()} {consumer()} 0 {entry()} COUNT 3",
                f"XDEL s {entry()}",
                f"XDELEX s DELREF IDS 1 {entry()}",
                f"XACKDEL s {group()} DELREF IDS 1 {entry()}",
                "XTRIM s MAXLEN 150",
                "COPY s t REPLACE",
                "RENAME t s",
                "DEBUG RELOAD",
            )
        )
        client.play(line)
        stream = client.session.db.peek(b"s")
        if isinstance(stream, Stream) and random.random() < 0.3:
            assert stream.weights.total() == weight_of_groups(stream), (step, line)
            stream._check()
    assert entries > 100


def nodes_of(keys: list[bytes], depth: int = 0) -> int:
    """A tree, built by hand: a node where keys part or end, and one for what all have in one piece."""
    if not keys:
        return 1
    common = depth
    while common < 16 and len({key[common] for key in keys}) == 1:
        common += 1
    branches = {key[common] for key in keys} if common < 16 else ()
    below = [nodes_of([key for key in keys if key[common] == byte], common + 1) for byte in branches]
    return 1 + (common > depth) + sum(below)


@pytest.mark.parametrize("seed", range(4))
def test_nodes_of_a_tree(seed):
    random = Random(seed)
    for _ in range(150):
        count, step = random.randrange(130), random.choice((1, 1 << 8, 1 << 64, (1 << 64) * 37))
        near = {random.randrange(1 << random.choice((4, 9, 17))) * step + (1 << 100) for _ in range(count)}
        few = {int.from_bytes(random.choices((0, 1, 255), (8, 1, 1), k=16)) for _ in range(count)}
        far = {random.randrange(1 << 128) for _ in range(count)}
        for ids in map(sorted, (near, few, far, near | few)):
            assert tree_nodes(ids) == nodes_of([id.to_bytes(16) for id in ids])
