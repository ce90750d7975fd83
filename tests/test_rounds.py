"""The rounds of the event loop: what is read, run and written when, and the transport that they serve."""

import asyncio
import errno
import socket

import pytest

import emulator
from emulator.sockets import rounds
from emulator.sockets.transport import Receiver, SocketTransport, StreamListener


class Noting(Receiver):
    """Notes what it is told, and answers at the end of the round."""

    def __init__(self, name, notes, loop):
        self.name, self.notes, self.loop = name, notes, loop
        self.lost = asyncio.Event()
        self.keeps_open = False
        self.times = 2

    def connection_made(self, transport):
        self.transport = transport

    def receive(self, data):
        self.notes.append(f"{self.name} {data.decode()}")
        if data == b"bug":
            raise RuntimeError("unthought-of")
        self.loop.rounds.at_end(self.answer)
        if data == b"wake":
            self.loop.rounds.before_end(self.go_on)

    def go_on(self):
        self.notes.append(f"{self.name} goes on")
        self.times -= 1
        if self.times:
            self.loop.rounds.before_end(self.go_on)
        else:
            self.lost.set()

    def answer(self):
        self.notes.append(f"answer {self.name}")
        self.transport.write(b"answer")

    def eof_received(self):
        self.notes.append(f"{self.name} ends")
        return self.keeps_open

    def connection_lost(self, exc):
        self.notes.append(f"{self.name} lost {exc}")
        self.lost.set()


class Pair:
    """A connection, of which the test has the other end."""

    def __init__(self, name, notes):
        loop = asyncio.get_running_loop()
        ours, self.client = socket.socketpair()
        ours.setblocking(False)
        self.receiver = Noting(name, notes, loop)
        self.transport = SocketTransport(loop, loop.rounds, ours, "", self.receiver)


def play(scenario):
    """Let a scenario run in rounds; what was noted."""
    notes = []

    async def main():
        pairs = [Pair(name, notes) for name in "ab"]
        try:
            await scenario(*pairs)
        finally:
            for pair in pairs:
                pair.transport.abort()
                pair.client.close()

    rounds.run(main())
    return notes


def test_all_is_run_before_anything_is_written():
    async def scenario(a, b):
        a.client.send(b"1")
        b.client.send(b"2")
        await asyncio.sleep(0)

    assert play(scenario)[:4] == ["a 1", "b 2", "answer a", "answer b"]


def test_who_is_woken_goes_on_before_anything_is_written():
    async def scenario(a, b):
        a.client.send(b"wake")
        await a.receiver.lost.wait()

    assert play(scenario)[:4] == ["a wake", "a goes on", "a goes on", "answer a"]


def test_who_wakes_others_for_ever_does_not_hold_up_what_is_written():
    async def scenario(a, b):
        a.receiver.times = 1000
        a.client.send(b"wake")
        await a.receiver.lost.wait()

    notes = play(scenario)
    assert notes.index("answer a") <= 100
    assert notes.count("a goes on") == 1000


def test_what_the_loop_leaves_for_the_end_is_done_before_it_waits():
    async def scenario(a, b):
        loop = asyncio.get_running_loop()
        loop.rounds.at_end(lambda: loop.call_soon(a.receiver.lost.set))
        await a.receiver.lost.wait()  # nothing else would wake the loop

    play(scenario)


def test_a_bug_ends_its_own_connection_alone(caplog):
    async def scenario(a, b):
        a.client.send(b"bug")
        b.client.send(b"2")
        await a.receiver.lost.wait()

    assert play(scenario)[:4] == ["a bug", "b 2", "answer b", "a lost unthought-of"]
    assert "internal error in a connection" in caplog.text


def test_a_client_that_ends_is_let_go():
    async def scenario(a, b):
        a.client.close()
        await a.receiver.lost.wait()

    assert play(scenario)[:2] == ["a ends", "a lost None"]


def test_a_client_that_only_sends_no_more_may_be_kept():
    async def scenario(a, b):
        a.receiver.keeps_open = True
        a.client.shutdown(socket.SHUT_WR)
        await asyncio.sleep(0)
        assert not a.transport.is_reading()
        a.transport.write(b"late")
        a.transport.close()
        await a.receiver.lost.wait()
        assert a.client.recv(10) == b"late"

    play(scenario)


def test_who_is_not_read_is_not_heard_until_then():
    async def scenario(a, b):
        a.transport.pause_reading()
        a.client.send(b"1")
        await asyncio.sleep(0)
        assert a.receiver.notes == []
        a.transport.resume_reading()
        await asyncio.sleep(0)

    assert play(scenario)[0] == "a 1"


def test_what_does_not_fit_is_sent_in_order_before_the_end():
    large = bytes(range(256)) * 40_000

    async def scenario(a, b):
        for _ in range(3):
            a.transport.write(large)
        a.transport.close()
        assert 0 < a.transport.get_write_buffer_size() < 3 * len(large)
        read = await asyncio.to_thread(lambda: b"".join(iter(lambda: a.client.recv(1 << 20), b"")))
        assert read == 3 * large
        assert a.transport.get_write_buffer_size() == 0

    play(scenario)


def test_what_cannot_be_sent_ends_the_connection():
    async def scenario(a, b):
        a.client.close()
        a.transport.write(b"1")
        a.transport.write(b"2")
        await a.receiver.lost.wait()

    (lost,) = (note for note in play(scenario) if note.startswith("a lost"))
    assert "Broken pipe" in lost


class Listening:
    """A listening socket of a system that has no more files, once."""

    def __init__(self):
        self.errors = [OSError(errno.EMFILE, "Too many open files"), BlockingIOError()]

    def accept(self):
        raise self.errors.pop(0)


class Loop:
    """What a listener asks of a loop."""

    def __init__(self):
        self.reader = self.later = None

    def add_reader(self, _, reader):
        self.reader = reader

    def remove_reader(self, _):
        self.reader = None

    def call_later(self, _, later):
        self.later = later


def test_a_system_without_files_is_given_a_rest(caplog):
    loop = Loop()
    StreamListener(loop, None, Listening(), None)
    loop.reader()
    assert loop.reader is None
    assert "Accepting client connection: Too many open files" in caplog.text
    loop.later()
    loop.reader()


class Gone:
    """The socket of a client that has gone before it was looked at."""

    closed = False

    def setblocking(self, _):
        pass

    def getsockname(self):
        raise OSError(errno.EINVAL, "Invalid argument")

    def close(self):
        self.closed = True


def test_a_client_that_has_gone_when_it_is_accepted_is_let_go():
    loop, listening, gone = Loop(), Listening(), Gone()
    listening.accept = lambda: (gone, "") if not gone.closed else Listening().accept()
    StreamListener(loop, None, listening, lambda: None)
    loop.reader()
    assert gone.closed


def connected(server):
    return socket.create_connection((server.host, server.port))


@pytest.mark.parametrize("settings", [{}, {"appendonly": True, "appendfsync": "always"}])
def test_who_sends_no_more_hears_all_replies(tmp_path, settings):
    with emulator.Server(dir=str(tmp_path), **settings) as server, connected(server) as client:
        client.sendall(b"SET k v\r\n" * 1000)
        client.shutdown(socket.SHUT_WR)
        assert b"".join(iter(lambda: client.recv(65536), b"")) == b"+OK\r\n" * 1000


def test_replies_before_a_protocol_error_come_before_it():
    with emulator.Server() as server, connected(server) as client:
        client.sendall(b"PING\r\n*1\r\n!\r\n")
        read = b"".join(iter(lambda: client.recv(65536), b""))
        assert read == b"+PONG\r\n-ERR Protocol error: expected '$', got '!'\r\n"


def test_others_have_their_replies_while_a_script_is_busy():
    with emulator.Server(busy_reply_threshold=1) as server:
        busy, other = connected(server), connected(server)
        busy.sendall(b"EVAL 'while true do end' 0\r\n")
        other.sendall(b"PING\r\n")
        while not (read := other.recv(100)).startswith(b"-BUSY"):
            assert read == b"+PONG\r\n"
            other.sendall(b"PING\r\n")
        other.sendall(b"SCRIPT KILL\r\n")
        assert other.recv(100) == b"+OK\r\n"
        assert busy.recv(1000).startswith(b"-ERR Script killed by user")
        busy.close()
        other.close()
