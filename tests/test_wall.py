"""An error in our own code, put in on purpose at each seam: the one whose call it was is told, and everybody else lives."""

import logging

import pytest
import redis

import emulator
from emulator.clients import tracking
from emulator.clients.pubsub import PubSub
from emulator.commands import migrate
from emulator.core import effects
from emulator.datatypes.list import List
from emulator.datatypes.wheel import Timer
from emulator.keyspace.entry import ExpiringEntry
from emulator.protocol.encoder import RESP2, RESP3
from emulator.testing.values import VALUES
from tests.heard import Heard


class Bug(Exception):
    """What nobody has thought of."""


def bug(*_: object, **__: object) -> None:
    raise Bug("unthought-of")


@pytest.fixture(params=["in a thread", "in process"])
def server(request):
    if request.param == "in process":
        yield emulator.Local()
    else:
        with emulator.Server() as server:
            yield server


def client_of(server, **kwargs):
    client = server.connect(decode_responses=True, retry=None, **kwargs)
    client.connection = client.connection_pool.get_connection()
    return client


def send(client, *words):
    client.connection.send_command(*words)


def receive(client):
    return client.connection.read_response()


def wait_until_blocked(server):
    watcher = client_of(server)
    while not any("b" in line["flags"] for line in watcher.client_list()):
        pass


INTERNAL = "internal error: Bug: unthought-of"


class Log(logging.Handler):
    """Keeps what was logged."""

    def __init__(self):
        super().__init__()
        self.errors = []

    def emit(self, record):
        if record.exc_info:
            self.errors.append(record.exc_info[1])


@pytest.fixture
def logged():
    """That the log has the traceback."""
    log = Log()
    logging.getLogger("emulator").addHandler(log)
    yield
    logging.getLogger("emulator").removeHandler(log)
    assert any(isinstance(error, Bug) for error in log.errors)


@pytest.fixture
def others_live(server, logged):
    """That a client of before, and one of after, are served, that keys expire and that waits end."""
    before = client_of(server)
    before.ping()
    yield
    after = client_of(server)
    assert before.ping() and after.ping()
    assert after.blpop("nothing", 0.01) is None
    after.set("fleeting", "x", px=1)
    while after.exists("fleeting"):
        pass
    info = after.info()
    assert info["blocked_clients"] == 0
    assert not any(session.running for session in server.engine.sessions.values())


def test_a_key_that_expires(server, others_live, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(ExpiringEntry, "fire", bug)
        client = client_of(server)
        client.set("k", "v", ex=100)
        server.clock.advance(100)
        assert client.get("k") is None


def test_a_wait_that_ends_by_time(server, others_live, monkeypatch):
    client = client_of(server)
    send(client, "BLPOP", "q", "100")
    wait_until_blocked(server)
    with monkeypatch.context() as patch:
        finish = type(server.engine.blocking).finish
        calls = []

        def once(self, block, reply):
            calls.append(block)
            if len(calls) == 1:
                bug()
            finish(self, block, reply)

        patch.setattr(type(server.engine.blocking), "finish", once)
        server.clock.advance(100)
        with pytest.raises(redis.ResponseError, match=INTERNAL):
            receive(client)


def test_a_waiters_second_attempt(server, others_live, monkeypatch):
    client, pusher = client_of(server), client_of(server)
    send(client, "BLPOP", "q", "0")
    wait_until_blocked(server)
    with monkeypatch.context() as patch:
        patch.setattr(List, "pop_left", bug)
        assert pusher.rpush("q", "x") == 1
        with pytest.raises(redis.ResponseError, match=INTERNAL):
            receive(client)


def test_the_answer_to_a_waiter(server, others_live, monkeypatch):
    client, pusher = client_of(server), client_of(server)
    send(client, "BLPOP", "q", "0")
    wait_until_blocked(server)
    with monkeypatch.context() as patch:
        for table in (RESP2, RESP3, *VALUES.values()):
            patch.setitem(table, list, bug)
        pusher.rpush("q", "x")
        with pytest.raises(redis.ResponseError, match=INTERNAL):
            receive(client)


def test_the_encoder_of_a_reply(server, others_live, monkeypatch):
    client = client_of(server)
    client.rpush("l", "x")
    with monkeypatch.context() as patch:
        for table in (RESP2, RESP3, *VALUES.values()):
            patch.setitem(table, list, bug)
        with pytest.raises(redis.ResponseError, match=INTERNAL):
            client.lrange("l", 0, -1)
    assert client.lrange("l", 0, -1) == ["x"]


def test_a_guard_in_front_of_a_command(server, others_live, monkeypatch):
    client = client_of(server)
    client.client_no_touch("on")
    with monkeypatch.context() as patch:
        patch.setattr("emulator.core.dispatch.check", bug)
        with pytest.raises(redis.ResponseError, match=INTERNAL):
            client.get("k")
    assert client.get("k") is None


def test_a_job_in_the_background(server, others_live, monkeypatch):
    client = client_of(server)
    client.set("k", "v")
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "_converse", bug)
        with pytest.raises(redis.ResponseError, match=INTERNAL):
            client.migrate("127.0.0.1", 1, "k", 0, 10)
    assert client.get("k") == "v"


def test_what_follows_a_job_in_the_background(server, others_live, monkeypatch):
    client = client_of(server)
    client.set("k", "v")
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "_conclude", bug)
        with pytest.raises(redis.ResponseError, match=INTERNAL):
            client.migrate("127.0.0.1", 1, "k", 0, 10)


def test_a_listener_of_a_change(server, others_live, monkeypatch):
    client = client_of(server)
    client.config_set("notify-keyspace-events", "KEA")
    with monkeypatch.context() as patch:
        patch.setattr(PubSub, "publish", bug)
        with pytest.raises(redis.ResponseError, match=INTERNAL):
            client.set("k", "v")
        client.config_set("notify-keyspace-events", "")


def test_a_listener_of_an_expiry(server, others_live, monkeypatch):
    client = client_of(server)
    client.config_set("notify-keyspace-events", "KEA")
    client.set("k", "v", ex=100)
    client.set("other", "v", ex=200)
    with monkeypatch.context() as patch:
        patch.setattr(PubSub, "publish", bug)
        server.clock.advance(500)
    assert client.dbsize() == 0


def test_what_is_told_to_clients_that_cache(server, others_live, monkeypatch):
    client = client_of(server, protocol=3)
    client.execute_command("CLIENT", "TRACKING", "ON", "BCAST")
    with monkeypatch.context() as patch:
        patch.setattr(tracking.Tracking, "broadcast", bug)
        assert client_of(server).set("k", "v")
        assert client_of(server).ping()  # the round is over by then


def test_a_timer_of_our_own_is_logged_and_the_next_one_fires(server, others_live):
    fired = []

    class Faulty(Timer):
        def fire(self):
            bug()

    class Sound(Timer):
        def fire(self):
            fired.append(True)

    def set_timers(engine):
        for timer in (Faulty(), Sound()):
            engine.waits.set(timer, engine.clock.elapsed + 1000)

    if isinstance(server, emulator.Local):
        with server.lock:
            set_timers(server.engine)
    else:
        server.run(set_timers)
    server.clock.advance(1000)
    assert fired


def test_what_is_logged_in_place_of_a_command(server, others_live, monkeypatch):
    client = client_of(server)
    client.set("k", "v")
    heard = Heard()
    server.engine.propagation.listen(heard)
    monkeypatch.setitem(effects._INSTEAD, b"expire", bug)
    assert client.expire("k", 100) is True
    server.engine.propagation.leave(heard)
    assert [[list(effect.words) for effect in unit] for unit in heard.units] == [[[b"EXPIRE", b"k", b"100"]]]
