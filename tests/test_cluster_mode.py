"""Cluster mode of one node: its file, what it costs where it is off, and redis-py's client for clusters."""

import random

import pytest
import redis

import emulator
from emulator.cluster.file import NodesFile
from emulator.cluster.lines import BadLine, read_state, state_text
from emulator.cluster.state import ALL_SLOTS, Node, State, bitmap, members, new_id, ranges
from emulator.config.directives import Config, ConfigError
from emulator.core.engine import Engine
from emulator.datatypes.slots import SLOTS
from emulator.persistence.disk import Disk
from tests.conftest import Client


def node_in(folder, **settings):
    """An engine in cluster mode whose file of nodes is in a folder."""
    config = Config()
    config.cluster_enabled, config.dir, config.port = True, str(folder), 7001
    for name, value in settings.items():
        setattr(config, name, value)
    engine = Engine(config)
    engine.persistence.folder = Disk(config)
    return engine


@pytest.fixture
def node(tmp_path):
    engine = node_in(tmp_path)
    engine.cluster.open()
    yield Client(engine)
    engine.cluster.close()


# The state


def test_slots_are_bits():
    rng = random.Random(1)
    for _ in range(200):
        slots = set(rng.sample(range(SLOTS), rng.randrange(60))) | set(range(rng.randrange(100)))
        bits = bitmap(slots)
        assert set(members(bits)) == slots
        assert {slot for first, last in ranges(bits) for slot in range(first, last + 1)} == slots
        assert bits.bit_count() == len(slots)
    assert list(ranges(ALL_SLOTS)) == [(0, SLOTS - 1)]


def test_a_slot_has_one_owner_whoever_gets_it():
    state = State(b"1" * 40, b"a" * 40)
    other = state.add(Node(b"2" * 40, b"b" * 40))
    state.assign(state.myself, range(100))
    state.assign(other, range(50, 150))
    assert list(ranges(state.myself.slots)) == [(0, 49)]
    assert list(ranges(other.slots)) == [(50, 149)]
    state.migrating[3] = state.importing[60] = other
    state.remove(other)
    assert state.owners[50:150] == [None] * 100
    assert not state.migrating
    assert not state.importing


def test_it_is_up_while_each_slot_has_somebody_and_most_masters_answer():
    state = State(b"1" * 40, b"a" * 40)
    others = [state.add(Node(bytes([digit]) * 40, b"b" * 40)) for digit in b"23"]
    state.assign(state.myself, range(SLOTS - 2))
    assert state.refresh(full_coverage=False)
    assert not state.refresh(full_coverage=False)
    assert state.is_ok
    state.refresh(full_coverage=True)
    assert not state.is_ok
    for slot, other in enumerate(others, SLOTS - 2):
        state.assign(other, (slot,))
    state.refresh(full_coverage=True)
    assert (state.is_ok, state.size) == (True, 3)
    for other in others:
        other.flags |= 4  # they do not answer this node
    state.refresh(full_coverage=False)
    assert not state.is_ok


# The file


def random_state(rng):
    state = State(new_id(rng), new_id(rng))
    for number in range(rng.randrange(8)):
        node = Node(new_id(rng), new_id(rng), b"10.0.0.%d" % number, 7000 + number, 17000 + number)
        node.hostname = rng.choice((b"", b"host.example"))
        node.human_name = rng.choice((b"", b"name"))
        node.config_epoch = rng.randrange(9)
        state.add(node)
    nodes = list(state.nodes.values())
    for node in nodes:
        state.assign(node, rng.sample(range(SLOTS), rng.randrange(200)))
    replica, master = nodes[-1], nodes[0]
    if replica is not master:
        state.set_master(replica, master)
        replica.config_epoch = master.config_epoch  # its line tells the master's
        state.migrating[rng.randrange(SLOTS)] = state.importing[rng.randrange(SLOTS)] = replica
    state.current_epoch, state.last_vote_epoch = rng.randrange(99), rng.randrange(9)
    return state


@pytest.mark.parametrize("seed", range(30))
def test_a_state_is_read_as_it_was_written(seed):
    state = random_state(random.Random(seed))
    text = state_text(state)
    again = State(b"0" * 40, b"0" * 40)
    read_state(text, again)
    assert sorted(state_text(again).splitlines()) == sorted(text.splitlines())
    assert [owner and owner.id for owner in again.owners] == [owner and owner.id for owner in state.owners]


@pytest.mark.parametrize(
    "text", [b"x", b"x y z", b"vars currentEpoch 1\n", b"1 127.0.0.1:1@2 hero - 0 0 0 connected\n"]
)
def test_another_file_is_refused(text, tmp_path):
    with pytest.raises(BadLine):
        read_state(text, State(b"0" * 40, b"0" * 40))
    (tmp_path / "nodes.conf").write_bytes(text)
    with pytest.raises(ConfigError, match="corrupted cluster config file"):
        node_in(tmp_path).cluster.open()


def test_a_node_is_who_it_was(tmp_path):
    engine = node_in(tmp_path)
    engine.cluster.open()
    client = Client(engine)
    client.play("CLUSTER ADDSLOTSRANGE 0 99 200 299")
    client.play("CLUSTER BUMPEPOCH")
    told = client.play("CLUSTER NODES")
    engine.cluster.close()
    again = node_in(tmp_path)
    again.cluster.open()
    assert Client(again).play("CLUSTER NODES") == told
    assert b"0-99 200-299" in told
    again.cluster.close()


def test_nobody_else_may_have_its_file(tmp_path, node):
    other = node_in(tmp_path)
    with pytest.raises(ConfigError, match="is already used by a different Redis Cluster node"):
        other.cluster.open()
    node.play("CLUSTER SAVECONFIG")  # which puts another file there
    with pytest.raises(ConfigError, match="is already used by a different Redis Cluster node"):
        other.cluster.open()
    node.engine.cluster.close()
    other.cluster.open()
    other.cluster.close()


def test_the_old_file_is_there_until_the_new_one_is_whole(tmp_path, monkeypatch):
    config = Config()
    config.dir = str(tmp_path)
    file = NodesFile(Disk(config), "nodes.conf")
    file.save(b"old")
    monkeypatch.setattr("os.fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        file.save(b"new")
    assert (tmp_path / "nodes.conf").read_bytes() == b"old"
    file.close()


def test_a_port_whose_bus_has_no_place_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="port number too high"):
        node_in(tmp_path, port=60000).cluster.open()
    node = node_in(tmp_path, port=60000, cluster_port=7002)
    node.cluster.open()
    assert node.cluster.state.myself.cport == 7002
    node.cluster.close()


# Commands


def test_it_costs_nothing_where_it_is_off(client, node):
    assert client.session.fast_path
    assert client.engine.databases[0]._index is None
    assert not node.session.fast_path


def test_the_index_is_there_again_when_all_keys_are_gone(node):
    node.play("CLUSTER ADDSLOTSRANGE 0 16383")
    for command in ("FLUSHALL", "FLUSHDB ASYNC"):
        node.play("MSET {a}1 1 {a}2 2")
        assert node.play("CLUSTER COUNTKEYSINSLOT 15495") == b":2\r\n"
        node.play(command)
        assert node.play("CLUSTER COUNTKEYSINSLOT 15495") == b":0\r\n"
    node.engine.databases[0]._index._check()


def test_a_slot_that_is_lost_ends_waits_and_subscriptions(node):
    waiting, listening = Client(node.engine), Client(node.engine)
    node.play("CLUSTER ADDSLOTSRANGE 0 16383")
    waiting.play("BLPOP {a}l 0")
    listening.play("SSUBSCRIBE {a}")
    node.play("CLUSTER DELSLOTS 15495")
    assert waiting.received() == b"-CLUSTERDOWN Hash slot not served\r\n"
    assert listening.received() == b"*3\r\n$12\r\nsunsubscribe\r\n$3\r\n{a}\r\n:0\r\n"


def test_a_reset_node_is_new(node):
    before = node.play("CLUSTER MYID")
    node.play("CLUSTER ADDSLOTSRANGE 0 16383")
    assert node.play("CLUSTER RESET") == b"+OK\r\n"
    assert node.play("CLUSTER MYID") == before
    assert node.play("CLUSTER SLOTS") == b"*0\r\n"
    node.play("CLUSTER SET-CONFIG-EPOCH 5")
    node.play("CLUSTER RESET HARD")
    assert node.play("CLUSTER MYID") != before
    assert node.play("CLUSTER SET-CONFIG-EPOCH 3") == b"+OK\r\n"


def test_the_cluster_client_of_redis_py():
    with emulator.Server(cluster_enabled=True) as server:
        client = server.connect()
        client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
        with redis.RedisCluster(host="127.0.0.1", port=server.port) as cluster:
            assert cluster.set("a", 1)
            assert cluster.mget_nonatomic("a", "b") == [b"1", None]
            pipeline = cluster.pipeline()
            pipeline.set("x", 1)
            pipeline.incr("y")
            assert pipeline.execute() == [True, 1]
            assert sorted(cluster.scan_iter()) == [b"a", b"x", b"y"]
            assert cluster.cluster_keyslot("a") == 15495
            assert cluster.cluster_info()["cluster_state"] == "ok"
            with pytest.raises(redis.exceptions.ResponseError, match="hash to the same slot"):
                client.mget("a", "b")
            assert cluster.eval("return redis.call('GET', KEYS[1])", 1, "a") == b"1"
