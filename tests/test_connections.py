"""Connections that end, and what others do in the same round: all as a raw socket sees it with the real server."""

import asyncio
import contextlib
import gc
import socket
import struct

import pytest

from emulator.clients.session import Session
from emulator.clock import ManualClock
from emulator.config.edition import EDITIONS
from emulator.protocol.client_side import encoded
from emulator.server.connection import Connection
from emulator.sockets import rounds

in_both_ways = pytest.mark.parametrize("serve", [rounds.run, asyncio.run], indirect=True, ids=["rounds", "asyncio"])


class Client:
    """A raw socket, whose bytes are with the server when a call returns: what several clients do is one round's."""

    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)

    def send(self, *lines):
        self.socket.sendall(b"".join(encoded(line.encode().split()) for line in lines))

    async def read(self, size):
        loop = asyncio.get_running_loop()
        data = b""
        while len(data) < size and (more := await loop.sock_recv(self.socket, 1 << 20)):
            data += more
        return data

    async def rest(self):
        """All that comes until the server ends the connection."""
        return await self.read(1 << 60)

    async def ask(self, line):
        """The first bytes of the reply to a command."""
        self.send(line)
        return await asyncio.get_running_loop().sock_recv(self.socket, 1 << 20)

    def end_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()


def first_client(server):
    """The id of the client that has been there longest."""
    return next(iter(server.engine.sessions.values())).id


@pytest.fixture
def play(serve):
    """``play(scenario, number)``: run ``await scenario(server, *clients)`` with so many clients."""

    def run(scenario, number, clock=None, **settings):
        async def main(server):
            with contextlib.ExitStack() as stack:
                clients = [stack.enter_context(contextlib.closing(Client(server))) for _ in range(number)]
                for client in clients:
                    assert await client.ask("PING") == b"+PONG\r\n"
                await scenario(server, *clients)

        serve(main, clock, **settings)

    return run


async def wait_until(condition):
    while not condition():
        await asyncio.sleep(0)


async def block(server, client, *lines):
    """Let a client wait for a list."""
    client.send(*lines)
    await wait_until(lambda: server.engine.blocking.blocks)


# Who has gone is given nothing


@in_both_ways
@pytest.mark.parametrize("end", [Client.close, Client.end_sending])
def test_who_ended_its_connection_in_the_same_round_is_given_nothing(play, end):
    async def scenario(server, waiting, other):
        await block(server, waiting, "BLPOP l 0")
        end(waiting)
        other.send("RPUSH l x", "LLEN l")
        assert await other.read(8) == b":1\r\n:1\r\n"

    play(scenario, 2)


def test_who_broke_off_in_the_same_round_is_given_nothing(play):
    async def scenario(server, waiting, other):
        await block(server, waiting, "BLPOP l 0")
        waiting.reset()
        other.send("RPUSH l x", "LLEN l")
        assert await other.read(8) == b":1\r\n:1\r\n"

    play(scenario, 2)


@in_both_ways
def test_who_was_killed_is_given_nothing(play):
    async def scenario(server, waiting, other):
        name = first_client(server)
        await block(server, waiting, "SUBSCRIBE c", "UNSUBSCRIBE c", "BLPOP l 0")
        other.send(f"CLIENT KILL ID {name}", "RPUSH l x", "LLEN l")
        assert await other.read(12) == b":1\r\n:1\r\n:1\r\n"

    play(scenario, 2)


@in_both_ways
def test_who_was_killed_hears_no_message(play):
    async def scenario(server, subscriber, other):
        name = first_client(server)
        await subscriber.ask("SUBSCRIBE c")
        other.send(f"CLIENT KILL ID {name}", "PUBLISH c x")
        assert await other.read(8) == b":1\r\n:0\r\n"
        assert await subscriber.rest() == b""

    play(scenario, 2)


@in_both_ways
def test_who_sends_no_more_is_not_served_although_replies_are_unread(play):
    async def scenario(server, slow, other):
        await other.ask("SETRANGE big 9999999 x")
        await block(server, slow, "GET big", "GET big", "BLPOP l 0")
        slow.end_sending()
        await wait_until(lambda: len(server.engine.sessions) == 1)
        other.send("RPUSH l x", "LLEN l")
        assert await other.read(8) == b":1\r\n:1\r\n"
        assert len(server.connections) == 1

    play(scenario, 2)


@in_both_ways
def test_who_sends_no_more_and_comes_to_wait_later_ends(play):
    async def scenario(server, client):
        client.send(*["PING"] * 600, "BLPOP l 0", "PING")
        client.end_sending()
        assert await client.rest() == b"+PONG\r\n" * 600

    play(scenario, 1)


# What was sent is run


@in_both_ways
@pytest.mark.parametrize("end", [Client.reset, Client.close, Client.end_sending])
@pytest.mark.parametrize("last", ["PING", "QUIT", "NONSENSE", "BLPOP l 0"])
def test_what_was_sent_before_the_end_is_run(play, end, last):
    async def scenario(server, client, other):
        client.send(*["INCR n"] * 600, last)
        end(client)
        await wait_until(lambda: len(server.engine.sessions) == 1)
        assert await other.ask("GET n") == b"$3\r\n600\r\n"
        await wait_until(lambda: len(server.connections) == 1)

    play(scenario, 2)


@in_both_ways
def test_nothing_is_kept_of_who_breaks_off_before_it_has_read_its_last_reply(play):
    async def scenario(server, slow, other):
        await other.ask("SETRANGE big 9999999 x")
        slow.send("GET big", "GET big", "QUIT", *["INCR n"] * 600)
        await wait_until(lambda: any(session.closing for session in server.engine.sessions.values()))
        slow.reset()
        await wait_until(lambda: len(server.engine.sessions) == 1)
        assert await other.ask("EXISTS n") == b":0\r\n"

    play(scenario, 2)


# The end is the last that a client hears


@in_both_ways
@pytest.mark.parametrize(
    ("last", "answer"), [(b"QUIT\r\n", b"+OK\r\n"), (b"*1\r\n!\r\n", b"-ERR Protocol error: expected '$', got '!'\r\n")]
)
def test_nothing_follows_the_last_reply(play, last, answer):
    async def scenario(server, slow, other):
        await other.ask("SETRANGE big 9999999 x")
        slow.send("HELLO 3", "SUBSCRIBE c", "GET big", "GET big")
        slow.socket.sendall(last)
        await wait_until(lambda: any(session.closing for session in server.engine.sessions.values()))
        for _ in range(3):
            assert await other.ask("PUBLISH c x") == b":1\r\n"
        assert b"flags=Pc " in await other.ask("CLIENT LIST")
        heard = await slow.rest()
        assert heard.endswith(answer)
        assert b"message" not in heard

    play(scenario, 2)


# CLIENT REPLY


@in_both_ways
@pytest.mark.parametrize("mode", ["OFF", "SKIP"])
@pytest.mark.parametrize("end", ["RPUSH l x", "CLIENT UNBLOCK {} ERROR"])
def test_the_reply_to_who_waited_is_dropped_as_any_other(play, mode, end):
    async def scenario(server, waiting, other):
        name = first_client(server)
        await block(server, waiting, f"CLIENT REPLY {mode}", "BLPOP l 0")
        assert await other.ask(end.format(name)) == b":1\r\n"
        waiting.send("CLIENT REPLY ON", "PING")
        assert await waiting.read(12) == b"+OK\r\n+PONG\r\n"

    play(scenario, 2)


@in_both_ways
def test_who_wants_no_replies_monitors_nothing(play):
    async def scenario(server, monitor, other):
        monitor.send("CLIENT REPLY OFF", "MONITOR")
        await wait_until(lambda: server.engine.monitor.sessions)
        await other.ask("PING")
        monitor.send("CLIENT REPLY ON")
        assert b"PING" not in await monitor.read(5)

    play(scenario, 2)


# The order of service


@in_both_ways
def test_who_was_paused_first_goes_on_first(play):
    async def scenario(server, first, second, third):
        await first.ask("CLIENT PAUSE 60000 WRITE")
        for client, name in ((third, "c"), (second, "b")):
            client.send(f"RPUSH l {name}")
            await wait_until(
                lambda name=name: sum(s.paused for s in server.engine.sessions.values()) == "-cb".index(name)
            )
        assert await first.ask("CLIENT UNPAUSE") == b"+OK\r\n"
        assert (await third.read(4), await second.read(4)) == (b":1\r\n", b":2\r\n")

    play(scenario, 3)


@in_both_ways
def test_who_was_paused_and_went_does_not_come_back(play):
    async def scenario(server, paused, other):
        await other.ask("CLIENT PAUSE 60000 WRITE")
        paused.send("RPUSH l x")
        await wait_until(lambda: any(session.paused for session in server.engine.sessions.values()))
        paused.close()
        await wait_until(lambda: len(server.engine.sessions) == 1)
        other.send("CLIENT UNPAUSE", "LLEN l")
        assert await other.read(9) == b"+OK\r\n:0\r\n"

    play(scenario, 2)


def test_what_a_round_has_changed_is_broadcast_once_behind_its_replies(play):
    async def scenario(server, caching, other):
        await caching.ask("HELLO 3")
        await caching.ask("CLIENT TRACKING ON BCAST PREFIX k")
        other.send("SET k1 1", "SET k2 1")
        caching.send("SET k3 1", "PING")
        told = b">2\r\n$10\r\ninvalidate\r\n*3\r\n$2\r\nk1\r\n$2\r\nk2\r\n$2\r\nk3\r\n"
        assert await caching.read(12 + len(told)) == b"+OK\r\n+PONG\r\n" + told

    play(scenario, 2)


@in_both_ways
def test_who_monitors_may_be_silent(play):
    clock = ManualClock()

    async def scenario(server, monitor, subscriber, idle):
        await monitor.ask("MONITOR")
        await subscriber.ask("SUBSCRIBE c")
        for _ in range(3):
            clock.advance(6)
            server.engine.timers.advance()
        assert await idle.rest() == b""
        assert len(server.engine.sessions) == 2

    play(scenario, 3, clock, timeout=10)


# What our own errors do


class Bug(Exception):
    """What nobody has thought of."""


def breaking(function, guilty):
    """A method that raises where it is called of the guilty one."""

    def instead(self, *args):
        if self in guilty:
            raise Bug
        return function(self, *args)

    return instead


@pytest.mark.parametrize("name", ["receive", "eof_received", "flush", "_go_on"])
def test_a_bug_ends_its_own_client_alone(play, monkeypatch, caplog, name):
    guilty = set()
    monkeypatch.setattr(Connection, name, breaking(getattr(Connection, name), guilty))

    async def scenario(server, first, other):
        guilty.update(each for each in server.connections if each.session.id == min(server.engine.sessions))
        first.send(*["PING"] * 600)
        other.send("PING")
        first.end_sending()
        await first.rest()
        assert await other.read(7) == b"+PONG\r\n"
        await wait_until(lambda: len(server.engine.sessions) == 1)

    play(scenario, 2)
    assert "Traceback" in caplog.text
    assert "Bug" in caplog.text


def test_a_bug_in_what_is_run_later_ends_its_own_client_alone(play, monkeypatch, caplog):
    guilty = set()
    monkeypatch.setattr(Connection, "_go_on", breaking(Connection._go_on, guilty))

    async def scenario(server, waiting, other):
        await block(server, waiting, "BLPOP l 0")
        guilty.update(each for each in server.connections if each.session.blocked)
        assert await other.ask("RPUSH l x") == b":1\r\n"
        assert await waiting.rest() == b""

    play(scenario, 2)
    assert "Bug" in caplog.text


def test_a_bug_in_letting_a_client_in_ends_its_own_client_alone(play, monkeypatch, caplog):
    async def scenario(server, other):
        with monkeypatch.context() as context:
            context.setattr(type(server), "accept", breaking(type(server).accept, {server}))
            with contextlib.closing(Client(server)) as refused:
                assert await refused.rest() == b""
        with contextlib.closing(Client(server)) as client:
            assert await client.ask("PING") == b"+PONG\r\n"
        assert await other.ask("PING") == b"+PONG\r\n"

    play(scenario, 1)
    assert "internal error in a new connection" in caplog.text


@in_both_ways
def test_who_comes_when_the_server_ends_is_not_let_in(play):
    async def scenario(server, client):
        client.send("SHUTDOWN NOSAVE")
        with contextlib.closing(Client(server)) as late:
            late.send("SET k v")
            with contextlib.suppress(ConnectionError):
                assert await late.rest() == b""
        assert len(server.engine.databases[0]) == 0

    play(scenario, 1)


KINDS = ("PING", "BLPOP list 0", "SUBSCRIBE news", "CLIENT LIST", "WATCH key", "MULTI", "MONITOR", "NONE")


@pytest.mark.parametrize("edition", ["8.2", "valkey-9.1"])
def test_a_client_that_has_gone_leaves_no_circle(play, edition):
    """The garbage collector does not look at what has been there for long."""

    async def scenario(server, *clients):
        kinds = Session, Connection, asyncio.Transport

        def there():
            return [thing for thing in gc.get_objects() if isinstance(thing, kinds)]

        for client, kind in zip(clients, KINDS, strict=True):
            client.send(kind)
        await asyncio.sleep(0)
        gc.collect()
        assert len(there()) >= 3 * len(KINDS)
        gc.disable()
        try:
            for client in clients:
                client.close()
            while server.engine.sessions:
                await asyncio.sleep(0)
            for _ in range(3):
                await asyncio.sleep(0)
            assert there() == []
        finally:
            gc.enable()

    play(scenario, len(KINDS), edition=EDITIONS[edition])
