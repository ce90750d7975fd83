"""Replication with the real server and with ourselves: the data sets are the same, whoever is master and whoever replica."""

import contextlib
import time

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import emulator
from conformance import servers
from conformance.replicate import main as replicate
from tests.waiting import until


class Real:
    """A real server."""

    def __init__(self, address):
        self.host, self.port = address

    def connect(self):
        return redis.Redis(self.host, self.port)


@pytest.fixture
def real():
    """Start real servers with options."""
    with contextlib.ExitStack() as stack:

        def start(*options):
            try:
                return Real(stack.enter_context(servers.oracle(None, "--repl-diskless-sync-delay", "0", *options)))
            except servers.NoOracle as error:
                pytest.skip(str(error))

        yield start


@pytest.fixture
def ours():
    """Start servers of our own with settings."""
    with contextlib.ExitStack() as stack:
        yield lambda **settings: stack.enter_context(emulator.Server(enable_debug_command="yes", **settings))


def follow(replica, master):
    """Let a server follow another one, until it does."""
    with replica.connect() as client:
        client.execute_command("REPLICAOF", master.host, master.port)
        until(lambda: client.info("replication")["master_link_status"] == "up")


def digest(server):
    with server.connect() as client:
        return client.execute_command("DEBUG", "DIGEST")


def in_step(master, *replicas):
    """Whether replicas have all that their master has, and the same data."""

    def has_all():
        offsets = []
        for server in (master, *replicas):
            with server.connect() as client:
                offsets.append(client.info("replication")["master_repl_offset"])
        return len(set(offsets)) == 1

    until(has_all, "a replica stays behind")
    return len({digest(server) for server in (master, *replicas)}) == 1


def fill(client):
    """Data of every type, some with a deadline."""
    client.set("s", "x" * 300)
    client.set("n", 7, px=600_000)
    client.rpush("l", *range(300))
    client.sadd("i", 1, 2, 3)
    client.sadd("t", *(f"m{n}" for n in range(300)))
    client.hset("h", mapping={f"f{n}": n for n in range(50)})
    client.execute_command("HEXPIRE", "h", 600, "FIELDS", 1, "f1")
    client.zadd("z", {f"m{n}": n / 3 for n in range(200)})
    client.xadd("x", {"a": 1})
    client.xgroup_create("x", "g", "0")
    client.xreadgroup("g", "c", {"x": ">"})
    client.execute_command("SELECT", 3)
    client.set("other", 1)
    client.execute_command("SELECT", 0)


def change(client):
    """Commands whose effects are told otherwise than they were said."""
    client.incrbyfloat("n", 0.1)
    client.spop("t", 5)
    client.lpop("l", 3)
    client.expire("s", 1000)
    client.xadd("x", {"b": 2})
    client.eval("redis.call('set', KEYS[1], 1) redis.call('incr', KEYS[1])", 1, "script")
    with client.pipeline() as pipe:
        pipe.set("p", 1).incr("p").execute()
    client.execute_command("SWAPDB", 0, 3)
    client.set("late", 1)
    client.delete("i")


PAIRS = ["ours of ours", "ours of the real one", "the real one of ours"]


@pytest.fixture(params=PAIRS)
def pair(request, real, ours):
    """A master and a server that is to be its replica."""
    replica, _, master = request.param.partition(" of ")
    return real() if "real" in master else ours(), real() if "real" in replica else ours()


def test_a_replica_has_what_was_there_and_what_comes(pair):
    master, replica = pair
    with master.connect() as client:
        fill(client)
        follow(replica, master)
        assert in_step(master, replica)
        change(client)
        assert in_step(master, replica)
        assert client.wait(1, 10_000) == 1
        assert client.info("stats")["sync_full"] == 1


def test_after_a_cut_only_what_was_missed_is_sent(pair):
    master, replica = pair
    follow(replica, master)
    with master.connect() as client, replica.connect() as there:
        change(client)
        client.execute_command("CLIENT", "KILL", "TYPE", "replica")
        fill(client)
        until(lambda: client.info("stats")["sync_partial_ok"] == 1)
        assert in_step(master, replica)
        there.execute_command("CLIENT", "KILL", "TYPE", "master")
        change(client)
        until(lambda: client.info("stats")["sync_partial_ok"] == 2)
        assert in_step(master, replica)


def test_a_promoted_replica_serves_the_others_without_a_full_synchronization(real, ours):
    first, second, third = ours(), ours(), real()
    follow(second, first)
    follow(third, first)
    with first.connect() as client:
        fill(client)
    assert in_step(first, second, third)
    with second.connect() as client:
        client.execute_command("REPLICAOF", "NO", "ONE")
        follow(third, second)
        change(client)
        assert client.info("stats")["sync_partial_ok"] == 1
        assert client.info("stats")["sync_full"] == 0
    assert in_step(second, third)


def test_a_chain_passes_the_stream_on_byte_for_byte(real, ours):
    first, second, third = ours(), real(), ours()
    follow(second, first)
    follow(third, second)
    with first.connect() as client:
        fill(client)
        change(client)
    assert in_step(first, second, third)


@pytest.mark.parametrize("way", ["no", "yes"])
def test_the_data_come_by_a_file_or_as_they_are_made(real, ours, way):
    master, replica, other = ours(repl_diskless_sync=way), real(), ours()
    with master.connect() as client:
        fill(client)
    follow(replica, master)
    follow(other, master)
    assert in_step(master, replica, other)


@pytest.mark.parametrize("way", ["disabled", "on-empty-db", "swapdb"])
def test_a_replica_loads_in_each_way(ours, way):
    master, replica = ours(), ours(repl_diskless_load=way)
    with master.connect() as client, replica.connect() as there:
        fill(client)
        there.set("old", 1)
        follow(replica, master)
        assert in_step(master, replica)
        assert not there.exists("old")


def test_a_replica_is_read_only_unless_it_may_be_written_to(ours):
    master, replica = ours(), ours()
    follow(replica, master)
    with replica.connect() as client:
        with pytest.raises(redis.exceptions.ReadOnlyError):
            client.set("a", 1)
        with pytest.raises(redis.exceptions.ReadOnlyError):
            client.eval("return redis.call('set', KEYS[1], 1)", 1, "a")
        client.config_set("replica-read-only", "no")
        client.set("a", 1)
        assert client.get("a") == b"1"


def test_a_replica_leaves_expiry_to_its_master(ours):
    master, replica = ours(), ours()
    follow(replica, master)
    with master.connect() as client, replica.connect() as there:
        client.set("k", 1, px=1000)
        client.hset("h", mapping={"f": 1, "g": 1})
        client.execute_command("HPEXPIRE", "h", 1000, "FIELDS", 1, "f")
        assert in_step(master, replica)
        replica.clock.advance(2)
        assert there.get("k") is None
        assert there.hget("h", "f") is None
        assert there.dbsize() == 2  # it is there still
        client.incr("k")
        client.hincrby("h", "f", 1)
        assert client.wait(1, 10_000) == 1
        replica.clock.reset()
        assert there.get("k") == b"2"  # for the master it had never gone
        assert there.hget("h", "f") == b"2"
        master.clock.advance(2)
        until(lambda: there.dbsize() == 1)
        assert there.hlen("h") == 1


def test_without_its_master_a_replica_may_refuse_to_show_old_data(ours):
    replica = ours(replica_serve_stale_data="no")
    with replica.connect() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", servers.free_port())
        with pytest.raises(redis.exceptions.MasterDownError):
            client.get("a")
        client.config_set("replica-serve-stale-data", "yes")
        assert client.get("a") is None


def test_who_wants_replicas_for_writing_is_refused_without_them(ours):
    master, replica = ours(min_replicas_to_write=1), ours()
    with master.connect() as client:
        with pytest.raises(redis.exceptions.ResponseError, match="NOREPLICAS"):
            client.set("a", 1)
        follow(replica, master)
        until(lambda: client.info("replication")["min_slaves_good_slaves"] == 1)
        client.set("a", 1)


def test_a_server_with_a_password_has_replicas_that_know_it(real, ours):
    master = ours(requirepass="secret")
    replica, another = ours(masterauth="secret"), ours()
    follow(replica, master)
    with another.connect() as client:
        client.execute_command("REPLICAOF", master.host, master.port)
        time.sleep(0.2)
        assert client.info("replication")["master_link_status"] == "down"


def test_a_client_hears_of_messages_that_were_published_at_the_master(pair):
    master, replica = pair
    follow(replica, master)
    with master.connect() as client, replica.connect() as there, there.pubsub() as listener:
        listener.subscribe("news")
        assert listener.get_message(timeout=5)["type"] == "subscribe"
        client.publish("news", "hello")
        assert until(lambda: listener.get_message(timeout=1))["data"] == b"hello"


def test_a_user_without_the_right_to_it_gets_no_stream(ours):
    master = ours()
    with master.connect() as client:
        client.acl_setuser("bob", enabled=True, nopass=True, categories=["+@all", "-@dangerous"], keys=["*"])
        client.execute_command("AUTH", "bob", "x")
        for words in (("PSYNC", "?", "-1"), ("SYNC",), ("REPLICAOF", "NO", "ONE"), ("REPLCONF", "ACK", "1")):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*words)


def test_a_script_chooses_who_hears_of_it(pair):
    master, replica = pair
    follow(replica, master)
    script = """
        redis.set_repl(redis.REPL_NONE) redis.call('set', 'none', 1)
        redis.set_repl(redis.REPL_AOF) redis.call('set', 'log', 1)
        redis.set_repl(redis.REPL_REPLICA) redis.call('set', 'replica', 1)
        redis.set_repl(redis.REPL_ALL) redis.call('set', 'all', 1)
    """
    with master.connect() as client, replica.connect() as there:
        client.eval(script, 0)
        assert client.dbsize() == 4
        assert client.wait(1, 10_000) == 1
        assert sorted(there.keys()) == [b"all", b"replica"]


@pytest.mark.parametrize("chain", ["real>ours", "ours>real>ours"])
def test_random_commands_give_equal_data(chain, capsys):
    try:
        servers.oracle_binary()
    except servers.NoOracle as error:
        pytest.skip(str(error))
    assert replicate(["--commands", "1500", "--chain", chain]) == 0, capsys.readouterr().out


def test_failover_changes_places(ours, real):
    master, replica, other = ours(), ours(), real()
    follow(replica, master)
    follow(other, master)
    with master.connect() as client, replica.connect() as there:
        fill(client)
        assert in_step(master, replica, other)
        client.execute_command("FAILOVER", "TO", replica.host, replica.port)
        until(lambda: client.info("replication").get("master_link_status") == "up")
        assert there.info("replication")["role"] == "master"
        assert client.info("replication")["master_failover_state"] == "no-failover"
        there.set("after", 1)
    assert in_step(replica, master)


@pytest.mark.parametrize("kind", ["real", "ours"])
def test_a_copy_is_taken_and_the_master_let_go(real, ours, kind):
    master = real() if kind == "real" else ours()
    with master.connect() as client:
        fill(client)
        before = digest(master)
        copy = ours(replicaof=f"{master.host}:{master.port}", emulator_detach="yes")
        with copy.connect() as there:
            until(lambda: there.info("replication")["role"] == "master")
            assert digest(copy) == before
            there.set("mine", 1)
            client.set("theirs", 1)
            assert not there.exists("theirs")
            assert not client.exists("mine")
            until(lambda: client.info("replication")["connected_slaves"] == 0)


def test_a_copy_has_the_keys_that_match(ours):
    master = ours()
    with master.connect() as client:
        client.mset({"user:1": 1, "user:2": 2, "order:1": 3, "other": 4})
    copy = ours(replicaof=f"{master.host}:{master.port}", emulator_detach="yes", emulator_match="user:* order:*")
    with copy.connect() as there:
        until(lambda: there.info("replication")["role"] == "master")
        assert sorted(there.keys()) == [b"order:1", b"user:1", b"user:2"]


def test_for_the_commands_of_its_master_no_key_has_expired(real, ours):
    master, replica = real(), ours()
    follow(replica, master)
    with master.connect() as client:
        client.set("k", "old", pxat=1)
        client.set("k", "new")
        client.set("j", 1, pxat=1000)
        client.incr("j")
    assert in_step(master, replica)


@pytest.mark.parametrize("kind", ["real", "ours"])
def test_after_a_restart_only_what_was_missed_is_sent(real, tmp_path, kind):
    """The place in the stream stands in the file that a replica saves when it ends."""
    master = real()
    port = servers.free_port()
    options = ("--dir", str(tmp_path), "--replicaof", f"{master.host} {master.port}")
    command = servers.emulator_command if kind == "ours" else servers.oracle_command
    with master.connect() as client:
        fill(client)
        for round in range(2):
            with servers.running(command(port, *options), port):
                replica = Real(("127.0.0.1", port))
                with replica.connect() as there:
                    until(lambda there=there: there.info("replication")["master_link_status"] == "up")
                    assert in_step(master, replica)
                    there.set_retry(Retry(NoBackoff(), 0))
                    there.shutdown(save=True)
            client.incr("counter")
            assert client.info("stats")["sync_partial_ok"] == round
            assert client.info("stats")["sync_full"] == 1


def test_waitaof_counts_disks_of_replicas(real, tmp_path):
    master = real()
    port = servers.free_port()
    with servers.running(servers.emulator_command(port, "--dir", str(tmp_path), "--appendonly", "yes"), port):
        replica = Real(("127.0.0.1", port))
        follow(replica, master)
        with master.connect() as client:
            client.set("a", 1)
            assert client.waitaof(0, 1, 10_000) == [0, 1]
    assert b"SET" in b"".join(path.read_bytes() for path in (tmp_path / "appendonlydir").glob("*.incr.aof"))
