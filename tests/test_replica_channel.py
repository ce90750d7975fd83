"""A full synchronization over two connections, a replica that is written to, and the end of a server that has replicas."""

import threading

import pytest
import redis

from tests.test_replication import follow, in_step
from tests.test_replication import ours as ours
from tests.test_replication import real as real
from tests.waiting import until

SLOWLY = "500"
"""Microseconds for each key that is sent."""


def start(real, ours, kind, **settings):
    """A server, a real one or one of ours."""
    if kind == "ours":
        return ours(repl_diskless_sync_delay=0, **settings)
    return real(*(word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", value)))


def state(master):
    with master.connect() as client:
        return client.info("replication").get("slave0", {}).get("state")


@pytest.mark.parametrize("pair", ["real>ours", "ours>real", "ours>ours"])
@pytest.mark.parametrize("way", ["yes", "no"])
def test_the_stream_comes_beside_the_data_or_after_them(real, ours, pair, way):
    one, other = pair.split(">")
    master = start(real, ours, one, rdb_key_save_delay=SLOWLY)
    replica = start(real, ours, other, repl_rdb_channel=way)
    with master.connect() as client, replica.connect() as there:
        for number in range(1000):
            client.set(f"k{number}", number)
        there.execute_command("REPLICAOF", master.host, master.port)
        until(lambda: state(master) == ("send_bulk_and_stream" if way == "yes" else "wait_bgsave"))
        if way == "yes" and one == "ours":
            assert b"SC" in {each["flags"].encode() for each in client.client_list()}
            assert client.info("replication")["connected_slaves"] == 1
        client.set("during", "x" * 100_000)
        client.delete("k7")
        if way == "yes" and other == "ours":
            until(lambda: there.info("replication")["replica_full_sync_buffer_size"] > 100_000)
        until(lambda: state(master) == "online")
        assert in_step(master, replica)
        assert there.get("during") == client.get("during")
        assert client.info("stats")["sync_full"] == 1
        assert client.info("replication")["connected_slaves"] == len(client.client_list("replica")) == 1


def test_a_connection_for_data_that_nobody_waits_for_is_refused(ours):
    with (
        ours().connect() as client,
        pytest.raises(redis.exceptions.ResponseError, match="Unrecognized RDB client id: 7"),
    ):
        client.execute_command("REPLCONF", "rdb-channel", 1, "main-ch-client-id", 7)


def test_with_one_connection_of_two_the_other_goes(ours):
    master = ours(repl_diskless_sync_delay=0, rdb_key_save_delay=SLOWLY)
    replica = ours()
    with master.connect() as client, replica.connect() as there:
        for number in range(3000):
            client.set(f"k{number}", number)
        there.execute_command("REPLICAOF", master.host, master.port)
        for flags in ("SC", "S"):
            [victim] = until(lambda: [each for each in client.client_list() if each["flags"] == flags])  # noqa: B023
            client.client_kill_filter(_id=victim["id"])
            until(lambda: not {each["id"] for each in client.client_list() if "S" in each["flags"]} & {victim["id"]})  # noqa: B023
        client.config_set("rdb-key-save-delay", 0)
        until(lambda: state(master) == "online")
        assert in_step(master, replica)


def test_a_replica_deletes_what_its_own_clients_have_let_expire(ours):
    master, replica = ours(), ours(replica_read_only="no")
    follow(replica, master)
    with master.connect() as client, replica.connect() as there:
        client.set("theirs", 1, px=1000)
        client.set("shared", 1)
        assert in_step(master, replica)
        there.set("own", 1, px=1000)
        there.set("plain", 1)
        there.eval("redis.call('set', KEYS[1], 1, 'px', 1000)", 1, "scripted")
        there.pexpire("shared", 1000)
        there.set("kept", 1, px=1000)
        there.persist("kept")
        assert there.info("stats")["slave_expires_tracked_keys"] == 3
        replica.clock.advance(2)
        assert until(lambda: there.dbsize() == 3 and there.info("stats"))["slave_expires_tracked_keys"] == 0
        assert there.exists("theirs", "plain", "kept") == 2  # the first is there, but nobody sees it
        assert there.append("theirs", "x") == 1  # whoever writes deletes it
        there.set("later", 1, px=1000)
        there.execute_command("REPLICAOF", "NO", "ONE")
        replica.clock.advance(2)
        until(lambda: not there.exists("later"))


class Asked:
    """SHUTDOWN in a thread; ``answer`` is what came of it."""

    def __init__(self, server, *words):
        self.answer = None
        self._client = server.connect()
        self._thread = threading.Thread(target=self._ask, args=words)
        self._thread.start()

    def _ask(self, *words):
        try:
            self._client.execute_command("SHUTDOWN", *words)
        except redis.exceptions.RedisError as error:
            self.answer = error

    def ended(self):
        self._thread.join(30)
        return self.answer


def test_a_server_ends_when_its_replicas_have_everything(ours):
    master, replica = ours(shutdown_timeout=1000), ours()
    follow(replica, master)
    with master.connect() as client:
        for words, answer in (
            (["ABORT"], "No shutdown in progress"),
            (["ABORT", "abort"], "No"),
            (["ABORT", "NOW"], "syntax"),
        ):
            with pytest.raises(redis.exceptions.ResponseError, match=answer):
                client.execute_command("SHUTDOWN", *words)
        replica.replica.lag(1000)
        client.set("a", 1)
        asked = Asked(master), Asked(master)
        until(lambda: client.info("clients")["blocked_clients"] == 2)
        assert 900_000 < client.info("server")["shutdown_in_milliseconds"] <= 1_000_000
        assert client.execute_command("SHUTDOWN", "ABORT") is True
        assert [str(each.ended()) for each in asked] == ["Errors trying to SHUTDOWN. Check logs."] * 2
        assert "shutdown_in_milliseconds" not in client.info("server")
        client.set("a", 2)
        last = Asked(master, "NOSAVE")
        until(lambda: client.info("clients")["blocked_clients"] == 1)
        replica.replica.lag(0)
        assert isinstance(last.ended(), redis.exceptions.ConnectionError)
        with replica.connect() as there:
            assert there.get("a") == b"2"


@pytest.mark.parametrize("how", ["NOW", "in time", "no timeout"])
def test_a_server_does_not_wait_for_ever(ours, how):
    master, replica = ours(shutdown_timeout=0 if how == "no timeout" else 1000), ours()
    follow(replica, master)
    with master.connect() as client:
        replica.replica.lag(1000)
        client.set("a", 1)
        asked = Asked(master, *(["NOW"] if how == "NOW" else []))
        if how == "in time":
            until(lambda: client.info("clients")["blocked_clients"] == 1)
            master.clock.advance(1001)
        assert isinstance(asked.ended(), redis.exceptions.ConnectionError)
