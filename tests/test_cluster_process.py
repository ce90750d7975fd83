"""``python -m emulator --cluster``: a whole cluster in one process."""

import contextlib
import signal
import socket
import subprocess
import sys

import pytest
import redis

from conformance import servers
from tests.waiting import until


def free_ports(count):
    """The first of so many ports one after another that are free, as those for the bus are."""
    for first in servers.share(range(21_000, 30_000, count)):
        with contextlib.ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    for each in (port, port + 10_000):
                        probe = stack.enter_context(socket.socket())
                        probe.bind(("127.0.0.1", each))
            except OSError:
                continue
            return first
    raise AssertionError("no free ports")


@contextlib.contextmanager
def cluster(folder, nodes, *options, port):
    command = [sys.executable, "-m", "emulator", "--cluster", str(nodes), "--port", str(port), *options]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=servers.environment()
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ready(ports):
    """Wait until all nodes serve, and each replica has its master's data."""
    for port in ports:
        with redis.Redis(port=port, decode_responses=True) as client:

            def serves(client=client):
                try:
                    up = client.execute_command("CLUSTER INFO")["cluster_state"] == "ok"
                    return up and client.info("replication").get("master_link_status", "up") == "up"
                except redis.ConnectionError:
                    return False

            until(serves)


def roles(port):
    with redis.Redis(port=port, decode_responses=True) as client:
        nodes = client.execute_command("CLUSTER NODES")
    return {
        int(address.rpartition(":")[2]): "slave" if "slave" in each["flags"] else "master"
        for address, each in nodes.items()
    }


def test_six_nodes_are_three_masters_with_replicas(tmp_path):
    port = free_ports(6)
    with cluster(tmp_path, 6, "--save", "", port=port) as process:
        ready(range(port, port + 6))
        assert list(dict(sorted(roles(port + 5).items())).values()) == ["master"] * 3 + ["slave"] * 3
        with redis.RedisCluster("127.0.0.1", port) as client:
            for number in range(100):
                client.set(f"key:{number}", number)
            assert [int(client.get(f"key:{number}")) for number in range(100)] == list(range(100))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert list(tmp_path.iterdir()) == []


def test_one_node_ends_and_the_others_go_on(tmp_path):
    port = free_ports(6)
    with cluster(tmp_path, 6, "--save", "", "--cluster-node-timeout", "1000", port=port):
        ready(range(port, port + 6))
        with redis.Redis(port=port) as client:
            client.shutdown(nosave=True)
        until(lambda: roles(port + 1)[port + 3] == "master", "the replica does not take over")
        ready(range(port + 1, port + 6))


def test_what_is_kept_is_there_again(tmp_path):
    port = free_ports(3)
    for expected in (None, b"1"):
        with cluster(tmp_path, 3, "--appendonly", "yes", port=port) as process:
            ready(range(port, port + 3))
            with redis.RedisCluster("127.0.0.1", port) as client:
                assert client.get("kept") == expected
                client.set("kept", 1)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
    assert sorted(each.name for each in tmp_path.iterdir()) == [str(each) for each in range(port, port + 3)]
    with cluster(tmp_path, 2, "--appendonly", "yes", port=port) as process:
        told, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "of a cluster of 3 nodes, not 2" in told


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--cluster", "0"), "argument must be between 1 and 1000 inclusive"),
        (("--cluster", "many"), "argument must be between 1 and 1000 inclusive"),
        (("--cluster", "2", "--cluster-replicas", "2"), "2 nodes are too few for a master with 2 replicas"),
        (("--cluster", "3", "--unixsocket", "/tmp/none"), "unixsocket is for one server, and --cluster starts several"),
    ],
)
def test_what_cannot_be_is_refused(options, told):
    done = subprocess.run(
        [sys.executable, "-m", "emulator", *options], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert told in done.stderr
