"""Nodes of a cluster together: clients, messages, failovers, clocks that are turned."""

import socket

import pytest
from redis.exceptions import ClusterDownError

import emulator
from emulator.clock import ManualClock
from tests.one_node import OF_SLOT_0, strange_packets
from tests.waiting import until


@pytest.fixture(scope="module")
def group():
    with emulator.Cluster() as cluster:
        yield cluster


def test_a_client_of_redis_py_finds_each_key(group):
    with group.connect(decode_responses=True) as client:
        for number in range(200):
            client.set(f"key:{number}", number)
        assert [client.get(f"key:{number}") for number in range(200)] == [str(number) for number in range(200)]
        assert client.mget_nonatomic("key:1", "key:2", "key:3") == ["1", "2", "3"]
    sizes = [server.command("DBSIZE") for server in group.masters]
    assert min(sizes) > 0
    assert sum(sizes) == 200


def test_messages_reach_subscribers_at_every_node(group):
    publisher, *others = group.nodes
    listeners = [server.connect().pubsub(ignore_subscribe_messages=True) for server in others]
    for listener in listeners:
        listener.subscribe("news")
        listener.get_message(timeout=5)
    publisher.command("PUBLISH", "news", "hello")
    assert [until(lambda each=each: each.get_message(timeout=5))["data"] for each in listeners] == [b"hello"] * 5


def test_messages_of_a_shard_reach_its_replicas(group):
    master = group.node_of("news")
    (replica,) = group.replicas_of(master)
    with replica.connect() as client:
        listener = client.pubsub(ignore_subscribe_messages=True)
        listener.ssubscribe("news")
        listener.get_sharded_message(timeout=5)
        master.command("SPUBLISH", "news", "hello")
        assert until(lambda: listener.get_sharded_message(timeout=5))["data"] == b"hello"


def test_a_failover_by_hand_loses_nothing(group):
    with group.connect() as client:
        client.set("kept", 1)
        old = group.node_of("kept")
        new = group.failover(old)
        assert new is group.node_of("kept")
        assert group.replicas_of(new) == [old]
        assert client.get("kept") == b"1"


@pytest.mark.parametrize("how", ["FORCE", "TAKEOVER"])
def test_a_failover_can_be_forced(group, how):
    master = group.masters[0]
    (replica,) = group.replicas_of(master)
    replica.command("CLUSTER", "FAILOVER", how)
    until(lambda: replica in group.masters)
    group.wait()
    assert group.replicas_of(replica) == [master]


def test_when_a_master_dies_its_replica_takes_its_place(redis_cluster):
    with redis_cluster.connect() as client:
        client.set("kept", 1)
        client.wait(1, 10_000, target_nodes=client.get_node_from_key("kept"))
        old = redis_cluster.node_of("kept")
        new = redis_cluster.stop_master(old)
        assert new is redis_cluster.node_of("kept")
        assert client.get("kept") == b"1"


def test_clocks_that_are_turned_let_a_master_fail_at_once():
    with emulator.Cluster(clock=ManualClock(), node_timeout=15) as cluster:
        master = cluster.masters[0]
        (replica,) = cluster.replicas_of(master)
        cluster.stop(master)
        cluster.advance(14)
        assert replica not in cluster.masters
        cluster.advance(4)
        assert replica in cluster.masters


def test_without_a_majority_the_cluster_is_down():
    with emulator.Cluster(masters=3, replicas=0, clock=ManualClock(), node_timeout=1) as cluster:
        kept, *others = cluster.nodes
        for server in others:
            cluster.stop(server)
        cluster.advance(2)
        with kept.connect() as client, pytest.raises(ClusterDownError):
            client.get(OF_SLOT_0)


def test_nodes_that_meet_form_a_cluster():
    with (
        emulator.Server(cluster_enabled="yes") as one,
        emulator.Server(cluster_enabled="yes") as two,
        emulator.Server(cluster_enabled="yes") as three,
    ):
        for other in (two, three):
            port = other.run(lambda engine: engine.cluster.state.myself.cport)
            one.command("CLUSTER", "MEET", other.host, other.port, port)
        for server in (one, two, three):
            until(lambda server=server: len(server.run(lambda engine: engine.cluster.state.nodes)) == 3)
            until(lambda server=server: b"handshake" not in server.command("CLUSTER", "NODES"))
        one.command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        until(lambda: b"cluster_state:ok" in two.command("CLUSTER", "INFO"))
        two.command("CLUSTER", "REPLICATE", one.command("CLUSTER", "MYID"))
        with one.connect() as client:
            client.set("a", 1)
        with two.connect() as client:
            client.execute_command("READONLY")
            until(lambda: client.info("replication")["master_link_status"] == "up")
            until(lambda: client.get("a") == b"1")


def test_strangers_at_the_bus_harm_nobody(group):
    server = group.masters[0]
    port = server.run(lambda engine: engine.cluster.state.myself.cport)
    for data in [b"PING\r\n" * 10, b"RCmb" + b"\xff" * 5000, *(data for _, data in strange_packets())]:
        with socket.create_connection((server.host, port)) as stranger:
            stranger.sendall(data)
            stranger.shutdown(socket.SHUT_WR)
            stranger.settimeout(10)
            while stranger.recv(1 << 16):
                pass
    group.wait()
    assert len(server.run(lambda engine: engine.cluster.state.nodes)) == 6


def test_a_cluster_asks_for_sensible_numbers():
    with pytest.raises(ValueError, match="masters=0"):
        emulator.Cluster(masters=0)
