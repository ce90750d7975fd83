"""ioredis and node-redis through a failover under load: they follow, and meet nothing but what real nodes let them meet."""

import contextlib

import pytest
import redis

import emulator
from conformance import servers
from emulator.testing.sentinel import SentinelServer
from tests import node
from tests.test_replication import Real, digest, follow
from tests.waiting import until

NAME = "m"
SETTINGS = {"down-after-milliseconds": "30000", "failover-timeout": "5000"}
QUICKLY = ("PUBLISH-PERIOD", 100, "INFO-PERIOD", 200, "ASK-PERIOD", 100)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return node.install(tmp_path_factory.mktemp("sentinels"), "redis@5", "ioredis@5")


@contextlib.contextmanager
def real_node():
    with servers.oracle(None, "--repl-diskless-sync-delay", "0") as address:
        yield Real(address)


@contextlib.contextmanager
def real_sentinel(master, tmp_path):
    config = tmp_path / "sentinel.conf"
    lines = [f"monitor {NAME} {master.host} {master.port} 1", *(f"{name} {NAME} {SETTINGS[name]}" for name in SETTINGS)]
    config.write_text("".join(f"sentinel {line}\n" for line in lines))
    port = servers.free_port()
    with servers.running([servers.oracle_binary(), str(config), "--sentinel", "--port", str(port)], port):
        yield Real(("127.0.0.1", port))


def our_node():
    return emulator.Server(enable_debug_command="yes")


def our_sentinel(master, _tmp_path):
    settings = [[name, NAME, value] for name, value in SETTINGS.items()]
    return SentinelServer([["monitor", NAME, master.host, str(master.port), "1"], *settings])


@pytest.fixture(
    params=[(real_node, real_sentinel), (our_node, real_sentinel), (our_node, our_sentinel)],
    ids=["real nodes and sentinel", "a real sentinel", "all ours"],
)
def watched(request, tmp_path):
    """A master, its replica and the sentinel that knows both."""
    start_node, start_sentinel = request.param
    with contextlib.ExitStack() as stack:
        try:
            master, replica = (stack.enter_context(start_node()) for _ in range(2))
            follow(replica, master)
            sentinel = stack.enter_context(start_sentinel(master, tmp_path))
        except servers.NoOracle as error:
            pytest.skip(str(error))
        with redis.Redis(sentinel.host, sentinel.port, decode_responses=True) as client:
            client.execute_command("SENTINEL", "DEBUG", *QUICKLY)
            until(lambda: [each["master-link-status"] for each in client.sentinel_slaves(NAME)] == ["ok"])
        yield master, replica, sentinel


PATIENT = {
    "All sentinels are unreachable. Retrying from scratch",
    "ECONNRESET read ECONNRESET",
    "ECONNRESET write ECONNRESET",
    "EPIPE write EPIPE",
}
MET = {
    "ioredis": PATIENT,
    "ioredisWithoutPatience": {
        *PATIENT,
        "Reached the max retries per request limit (which is 0). Refer to",
        "Stream isn't writeable and enableOfflineQueue options is false",
    },
    "nodeRedis": set(),
    "nodeRedisWithoutPatience": {"Socket closed unexpectedly", "Disconnects client"},
}
"""How that begins which was met in a dozen plays over real nodes and a real sentinel: the first of the three is held to it.

Neither READONLY nor UNBLOCKED is among it: a sentinel demotes a master and ends its clients in one transaction.
"""


def test_clients_follow_a_failover_under_load(folder, watched):
    master, replica, sentinel = watched
    told = node.run(folder, "users/sentinels.mjs", NAME, sentinel.port, master.port)
    met = {(user, error) for user, each in told.items() for error in each["met"]}
    assert not [(user, error) for user, error in met if not error.startswith(tuple(MET[user]))]
    with replica.connect() as client:
        assert client.info("replication")["role"] == "master"
        assert {user: int(client.get(user)) for user in MET} == {user: each["value"] for user, each in told.items()}
    until(lambda: digest(master) == digest(replica))
