"""A sentinel keeps what it knows in its configuration file, as the real one does, and begins with it again."""

import contextlib
import re
import sys

import pytest
import redis

from conformance import servers
from tests.test_replication import follow
from tests.test_replication import ours as ours
from tests.waiting import until

FILE = """# my sentinel
port {port}
dir /
# watch
sentinel monitor m {host} {top} 1

sentinel down-after-milliseconds m 5000
# comment before
sentinel failover-timeout m 60000
"""
CHANGES = (
    "SENTINEL SET m auth-pass secret parallel-syncs 3",
    "SENTINEL SET m auth-user bob",
    "SENTINEL MONITOR other 127.0.0.1 1 2",
    "SENTINEL CONFIG SET announce-ip 10.0.0.1",
    "SENTINEL CONFIG SET announce-port 55",
    "SENTINEL SET other down-after-milliseconds 77",
    "SENTINEL SET m down-after-milliseconds 30000 auth-user alice",
    "SENTINEL REMOVE other",
    "SENTINEL FLUSHCONFIG",
)
"""After each of them the file is looked at."""


def state(path):
    """The lines of a file that concern the sentinel, and the comments among them, without ids."""
    kept = ("sentinel", "# my", "# watch", "# comment")
    lines = path.read_text().splitlines()
    found = [re.sub(r"\b[0-9a-f]{40}\b", "<id>", line) for line in lines if line.startswith(kept)]
    return sorted(found) if any(" other " in line for line in found) else found  # two masters stand there in no order


@contextlib.contextmanager
def sentinel(kind, path, port):
    """A sentinel with a file, the real one or ours."""
    command = [servers.oracle_binary()] if kind == "real" else [sys.executable, "-m", "emulator"]
    with servers.running([*command, str(path), "--sentinel"], port), redis.Redis(port=port) as client:
        yield client


def history(kind, folder, master):
    """What the file is like at the beginning, after each change, and after a restart; and what is known then."""
    folder.mkdir()
    path, port = folder / "sentinel.conf", servers.free_port()
    path.write_text(FILE.format(port=port, host=master.host, top=master.port))
    found = []
    with sentinel(kind, path, port) as client:
        until(lambda: "known-replica" in path.read_text())
        found.append(state(path))
        for change in CHANGES:
            client.execute_command(*change.split())
            found.append(state(path))
        path.unlink()
        client.execute_command("SENTINEL", "FLUSHCONFIG")
        found.append(state(path))
        id = client.execute_command("SENTINEL", "MYID")
    with sentinel(kind, path, port) as client:
        assert client.execute_command("SENTINEL", "MYID") == id
        [known] = client.sentinel_masters().values()
        replicas = client.sentinel_slaves("m")
        found.append([known[name] for name in ("ip", "port", "down-after-milliseconds", "parallel-syncs", "quorum")])
        found.append([(each["ip"], each["port"]) for each in replicas])
        found.append(state(path))
    return found


def test_the_file_is_as_the_real_one_has_it(ours, tmp_path):
    master, replica = ours(), ours()
    follow(replica, master)
    try:
        real = history("real", tmp_path / "real", master)
    except servers.NoOracle as error:
        pytest.skip(str(error))
    assert history("ours", tmp_path / "ours", master) == real


ODD = b'a b\n"c\\ \xff#'


def test_names_from_strangers_stay_words_of_their_line(ours, tmp_path):
    master, port = ours(), servers.free_port()
    path = tmp_path / "s.conf"
    path.write_text(FILE.format(port=port, host=master.host, top=master.port))
    with sentinel("ours", path, port) as client:
        client.execute_command("SENTINEL", "MONITOR", ODD, "127.0.0.1", 1, 1)
        client.execute_command("SENTINEL", "SET", ODD, "auth-pass", "x\nuser default off")
        for id, address in (
            (b"d\nport 1 #" * 4, b"127.0.0.1"),
            (b"e" * 40, b"127.0.0.1\nport 1"),
            (b"\xff", b"127.0.0.2"),
        ):
            client.publish("__sentinel__:hello", b"%b,26379,%b,1,m,127.0.0.1,%d,0" % (address, id, master.port))
        client.publish("__sentinel__:hello", b"127.0.0.1,26379,%b,1,m,1\n2,%d,9" % (b"f" * 40, master.port))
        client.publish("__sentinel__:hello", "127.0.0.1,²,%s,1,m,127.0.0.1,1,9" % ("f" * 40))
        client.execute_command("SENTINEL", "FLUSHCONFIG")
        found = client.execute_command("ROLE"), client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "m")
    with sentinel("ours", path, port) as client:
        assert (
            client.execute_command("ROLE"),
            client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "m"),
        ) == found
        assert found[0][1] == [b"m", ODD]
        assert len(client.execute_command("SENTINEL", "SENTINELS", "m")) == 2


def test_a_failover_and_other_sentinels_are_remembered(ours, tmp_path):
    master, replica = ours(), ours()
    follow(replica, master)
    ports = servers.free_port(), servers.free_port()
    paths = [tmp_path / f"{port}.conf" for port in ports]
    for path, port in zip(paths, ports, strict=True):
        path.write_text(FILE.format(port=port, host=master.host, top=master.port))
    with sentinel("ours", paths[0], ports[0]) as client, sentinel("ours", paths[1], ports[1]) as other:
        for each in (client, other):
            each.execute_command("SENTINEL", "DEBUG", "INFO-PERIOD", 200, "PUBLISH-PERIOD", 100)
        until(lambda: client.sentinel_slaves("m") and client.sentinel_slaves("m")[0]["master-link-status"] == "ok")
        until(lambda: all("known-sentinel" in path.read_text() for path in paths))
        client.execute_command("SENTINEL", "FAILOVER", "m")
        for path in paths:
            until(lambda: f"sentinel monitor m 127.0.0.1 {replica.port} 1" in path.read_text())  # noqa: B023
            until(lambda: f"sentinel known-replica m 127.0.0.1 {master.port}" in path.read_text())  # noqa: B023
        assert {"sentinel current-epoch 1", "sentinel config-epoch m 1"} <= set(state(paths[0]))
    with sentinel("ours", paths[1], ports[1]) as other:
        assert other.sentinel_get_master_addr_by_name("m") == (b"127.0.0.1", replica.port)
        assert len(other.sentinel_sentinels("m")) == 1


def test_a_file_that_cannot_be_written_is_told(ours, tmp_path):
    master, port = ours(), servers.free_port()
    folder = tmp_path / "gone"
    folder.mkdir()
    (folder / "s.conf").write_text(FILE.format(port=port, host=master.host, top=master.port))
    with sentinel("ours", folder / "s.conf", port) as client:
        folder.rename(tmp_path / "elsewhere")  # at once, though it may just be writing
        for words in ("FLUSHCONFIG", "SET m quorum 2", "CONFIG SET announce-port 5"):
            with pytest.raises(redis.exceptions.ResponseError, match="Failed to save config file"):
                client.execute_command("SENTINEL", *words.split())
        assert client.sentinel_masters()["m"]["quorum"] == 2
