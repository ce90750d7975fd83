"""Clusters of our nodes and real ones together: made and resharded by redis-cli, with each kind in each role."""

import contextlib
import shutil
import subprocess
import threading

import pytest
import redis
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import RedisClusterException

import emulator
from conformance import servers
from conformance.oracles import NoOracle
from tests import node
from tests.waiting import until

TIMEOUT = 2000
OPTIONS = (
    *("--cluster-enabled", "yes", "--cluster-node-timeout", str(TIMEOUT), "--repl-diskless-sync-delay", "0"),
    *("--enable-debug-command", "yes"),
)


class ClusterProcess:
    """A node in a process of its own."""

    def __init__(self, stack, kind):
        self.kind = kind
        self.host, self.port, self.cport = "127.0.0.1", servers.free_port(), servers.free_port()
        options = (*OPTIONS, "--cluster-port", str(self.cport))
        command = servers.emulator_command if kind == "ours" else servers.oracle_command
        binary = {} if kind == "ours" else {"binary": servers.oracle_binary(kind)}
        process = servers.ServerProcess(command(self.port, *options, **binary), self.port)
        self.process = stack.enter_context(contextlib.closing(process))
        self.client = redis.Redis(self.host, self.port, decode_responses=True)
        stack.callback(self.client.close)
        self.id = self.ask("MYID")
        self.alive = True

    @property
    def address(self):
        return f"{self.host}:{self.port}@{self.cport}"

    def ask(self, *words):
        return self.client.execute_command("CLUSTER", *words)

    def knows(self):
        """Who is there, whom he follows and which slots he has, as this node knows it."""
        nodes = self.client.execute_command("CLUSTER NODES").values()
        return {each["node_id"]: (each["master_id"], tuple(map(tuple, each["slots"]))) for each in nodes}

    @property
    def is_master(self):
        return self.client.execute_command("ROLE")[0] == "master"

    def kill(self):
        self.process.popen.kill()
        self.process.popen.wait()
        self.alive = False

    def restart(self):
        self.process.restart(())
        self.process.wait()
        self.alive = True


class Group:
    """A cluster made by redis-cli, with three masters and a replica for each where there are six nodes."""

    def __init__(self, stack, kinds):
        self.nodes = [ClusterProcess(stack, kind) for kind in kinds]
        replicas = int(len(kinds) >= 6)
        self.cli("create", *(each.address for each in self.nodes), "--cluster-replicas", str(replicas))
        self.wait()

    @property
    def alive(self):
        return [each for each in self.nodes if each.alive]

    def cli(self, *words):
        """Let redis-cli do something; what it prints."""
        command = [redis_cli(), "--cluster", *words, "--cluster-yes"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def wait(self):
        """Wait until all nodes tell the same of all, and each replica has its master's data."""

        def agree():
            views = [each.knows() for each in self.alive]
            up = all(
                each.client.info("replication").get("master_link_status", "up") == "up"
                and each.client.execute_command("CLUSTER INFO")["cluster_state"] == "ok"
                for each in self.alive
            )
            return up and all(view == views[0] for view in views)

        until(agree, "the nodes do not agree")

    def check(self):
        return self.cli("check", f"{self.alive[0].host}:{self.alive[0].port}")

    def node(self, id):
        return next(each for each in self.nodes if each.id == id)

    def master_of(self, key):
        slot = self.alive[0].ask("KEYSLOT", key)
        for id, (master, slots) in self.alive[0].knows().items():
            if master == "-" and any(int(first) <= slot <= int(last) for first, last in map(ends, slots)):
                return self.node(id)
        raise AssertionError(f"nobody serves {key}")

    def replica_of(self, master):
        return self.node(next(id for id, (its, _) in self.alive[0].knows().items() if its == master.id))

    def connect(self):
        nodes = [ClusterNode(each.host, each.port) for each in self.alive]
        return RedisCluster(startup_nodes=nodes, decode_responses=True)


def ends(slots):
    return slots if len(slots) == 2 else (slots[0], slots[0])


def redis_cli():
    found = shutil.which("redis-cli")
    if found is None:
        pytest.skip("needs redis-cli")
    return found


@contextlib.contextmanager
def group_of(*kinds):
    with contextlib.ExitStack() as stack:
        try:
            yield Group(stack, kinds)
        except NoOracle as error:
            pytest.skip(str(error))


REAL = "8.2"
KEYS = 500


@pytest.fixture(scope="module")
def mixed():
    with group_of("ours", REAL, "ours", REAL, "ours", REAL) as group:
        yield group


def fill(group):
    with group.connect() as client:
        for number in range(KEYS):
            client.set(f"key:{number}", number)


def check_keys(group):
    with group.connect() as client:
        assert [client.get(f"key:{number}") for number in range(KEYS)] == [str(number) for number in range(KEYS)]


def test_a_mixed_cluster_is_made_by_redis_cli(mixed):
    assert "[OK] All 16384 slots covered." in mixed.check()
    masters = [each.kind for each in mixed.nodes if each.is_master]
    assert set(masters) == {"ours", REAL}


def test_slots_move_both_ways_with_their_keys(mixed):
    fill(mixed)
    ours = next(each for each in mixed.nodes if each.is_master and each.kind == "ours")
    real = next(each for each in mixed.nodes if each.is_master and each.kind == REAL)
    for source, target in ((ours, real), (real, ours)):
        where = f"{source.host}:{source.port}"
        moved = ("--cluster-from", source.id, "--cluster-to", target.id, "--cluster-slots", "120")
        mixed.cli("reshard", where, *moved)
        mixed.wait()
        check_keys(mixed)
    assert "[OK] All 16384 slots covered." in mixed.check()


@pytest.mark.parametrize("kind", ["ours", REAL])
def test_messages_go_from_each_kind_to_all(mixed, kind):
    speaker = next(each for each in mixed.nodes if each.kind == kind)
    others = [each for each in mixed.nodes if each is not speaker]
    listeners = [each.client.pubsub(ignore_subscribe_messages=True) for each in others]
    for listener in listeners:
        listener.subscribe("news")
        listener.get_message(timeout=5)
    speaker.client.publish("news", "hello")
    assert [until(lambda each=each: each.get_message(timeout=5))["data"] for each in listeners] == ["hello"] * 5
    for listener in listeners:
        listener.close()


@pytest.mark.parametrize("kind", ["ours", REAL])
def test_a_replica_of_each_kind_takes_over_by_hand(mixed, kind):
    fill(mixed)
    replica = next(each for each in mixed.nodes if not each.is_master and each.kind == kind)
    master = mixed.node(replica.client.execute_command("CLUSTER NODES")[f"127.0.0.1:{replica.port}"]["master_id"])
    replica.ask("FAILOVER")
    until(lambda: replica.is_master and not master.is_master)
    mixed.wait()
    assert replica.knows()[master.id][0] == replica.id
    check_keys(mixed)


def write_until(stop, group, written):
    """Write numbers one after another, as a client does that tries again."""
    with group.connect() as client:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                client.set("{load}number", number)
                written.append(number)
                stop.wait(0.001)
            except (redis.RedisError, RedisClusterException):
                stop.wait(0.05)


@pytest.mark.parametrize(("master", "replica"), [("ours", REAL), (REAL, "ours"), ("ours", "ours")])
def test_when_a_master_dies_under_load_its_replica_takes_over(master, replica):
    kinds = {("ours", REAL): (0, 1), (REAL, "ours"): (1, 0), ("ours", "ours"): (0, 0)}[master, replica]
    first, second = (("ours", REAL)[place] for place in kinds)
    with group_of(first, first, first, second, second, second) as group:
        dying = group.master_of("{load}number")
        heir = group.replica_of(dying)
        assert (dying.kind, heir.kind) == (master, replica)
        stop, written = threading.Event(), []
        writer = threading.Thread(target=write_until, args=(stop, group, written))
        writer.start()
        until(lambda: len(written) > 100)
        dying.kill()
        until(lambda: heir.is_master, "the replica does not take over")
        before = len(written)
        until(lambda: len(written) > before + 20, "the client does not find the new master")
        stop.set()
        writer.join()
        with group.connect() as client:
            assert int(client.get("{load}number")) == written[-1]
        until(lambda: group.master_of("{load}number") is heir, "not all nodes hear of the new master")
        dying.restart()
        until(lambda: not dying.is_master, "who comes back does not follow")
        group.wait()
        assert dying.knows()[dying.id][0] == heir.id


@pytest.mark.parametrize("other", ["8.6", "valkey-9.1"])
def test_other_servers_are_in_one_cluster_with_ours(other):
    with group_of("ours", other, "ours") as group:
        fill(group)
        check_keys(group)
        assert "[OK] All 16384 slots covered." in group.check()


def test_a_cluster_of_ours_serves_clients_of_node(tmp_path_factory):
    folder = node.install(tmp_path_factory.mktemp("cluster"), "redis@5", "ioredis@5")
    with emulator.Cluster() as cluster:
        ports = [port for _, port in cluster.addresses]
        told = node.run(folder, "users/clusters.mjs", *ports)
    assert told == {"ioredis": {"values": 100, "message": "hello"}, "nodeRedis": {"values": 100, "message": "hello"}}
