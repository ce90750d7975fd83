"""Connections to an engine in this process, which need neither a socket nor a thread.

The engine has the very connection that a server has, with another transport.  A client has a `LocalSocket`, as much of a
socket as redis-py needs, or `LocalStreams`, as much of a pair of asyncio's streams.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from errno import EWOULDBLOCK
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from emulator.clients.session import Session
from emulator.protocol.encoder import Encoders
from emulator.protocol.replies import REPLY_ON
from emulator.server.connection import Connection
from emulator.testing.values import VALUES, Value

if TYPE_CHECKING:
    from emulator.server.server import NetworkServer
    from emulator.testing.local import Local


class _Direct(Connection):
    """A connection whose replies may be values that are not written."""

    values: Mapping[int, Encoders] = VALUES

    def submit(self, words: list[bytes]) -> None:
        """Run a command of the client that need not be parsed; where nothing special holds its reply is a `Value`."""
        session = self.session
        if session.followed or not (session.fast_path or _is_plain_transaction(session, words)):
            self.take([words], 0)
            return
        encoders = session.encoders
        session.encoders = values = self.values[session.protocol]
        try:
            self.take([words], 0)
        finally:
            if session.encoders is values:
                session.encoders = encoders

    def flush(self) -> None:
        out: list[Any] = self.session.out
        if len(out) == 1 and out[0].__class__ is Value and not self.session.output_limit:
            cast(_Wire, self.transport).deliver(out.pop())
            self.engine.stats.writes += 1
            return
        out[:] = map(_written, out)
        super().flush()


class _Measured(_Direct):
    """The same for Valkey, which logs large requests and replies."""

    def submit(self, words: list[bytes]) -> None:
        sizes = self.engine.sizes
        self.values = sizes.measuring(VALUES)
        sizes.arrived(self.session, words)
        super().submit(words)


def _is_plain_transaction(session: Session, words: list[bytes]) -> bool:
    """Whether a session is not plain because of MULTI alone, so that nobody looks at the reply's bytes before they go out."""
    queue = session.queue
    if queue is None or session.output_limit or session.reply_mode != REPLY_ON or session.engine.needs_guards:
        return False
    return words[0].upper() != b"EXEC" or not any(command.hidden for command, _ in queue)


def _written(reply: object) -> bytes:
    return reply.written() if isinstance(reply, Value) else cast(bytes, reply)


class _Wire:
    """One connection to a local engine, seen from the client; to the engine it is a transport."""

    def __init__(self, local: Local, server: NetworkServer) -> None:
        self.local = local
        self.closed = False
        with local.lock:
            kind = _Measured if local.engine.config.edition.is_valkey else _Direct
            self._connection = kind(server)
            self._connection.connection_made(cast(asyncio.Transport, self))

    def send(self, data: bytes) -> None:
        """Run what the client sends."""
        local = self.local
        with local.lock:
            if self.closed:
                raise ConnectionResetError("the server has closed the connection")
            self._connection.receive(data)
            local.settle()

    def submit(self, commands: Iterable[list[bytes]]) -> None:
        """Run commands of the client that need not be parsed."""
        local = self.local
        with local.lock:
            if self.closed:
                raise ConnectionResetError("the server has closed the connection")
            connection = self._connection
            connection.session.active = connection.engine.clock.tick()
            for words in commands:
                connection.submit(words)
            if local.soon:
                local.settle()

    def deliver(self, value: Value) -> None:
        """Hand over a reply that was not written."""
        raise NotImplementedError

    # The transport

    def write(self, data: bytes) -> None:
        raise NotImplementedError

    def close(self) -> None:
        with self.local.lock:
            if not self.closed:
                self.closed = True
                self._connection.connection_lost(None)
                self.local.tell()

    def abort(self) -> None:
        self.close()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 0) if name in ("peername", "sockname") else default

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is nothing to limit."""


class LocalSocket:
    """A connection with the methods of a socket that redis-py uses; a timeout is in seconds, None for ever.

    ``received`` has what has arrived and was not read yet: bytes, and replies that were not written.
    """

    def __init__(self, local: Local, server: NetworkServer) -> None:
        self._timeout: float | None = None
        self.received: deque[bytes | Value] = deque()
        self._local = local
        self._wire = _SocketWire(local, server, self.received)

    def settimeout(self, seconds: float | None) -> None:
        self._timeout = seconds

    def gettimeout(self) -> float | None:
        return self._timeout

    def submit(self, commands: Iterable[list[bytes]]) -> None:
        """Run commands."""
        self._wire.submit(commands)

    def sendall(self, data: bytes) -> None:
        self._wire.send(bytes(data))

    def recv(self, size: int, flags: int = 0) -> bytes:
        """What has arrived; waits for something to arrive.  Raises TimeoutError, with a timeout of 0 BlockingIOError."""
        with self._local.lock:
            if not self.received:
                self._wait()
            if not self.received:
                return b""
            data = _written(self.received.popleft())
            if len(data) > size:
                self.received.appendleft(data[size:])
                data = data[:size]
            return data

    def recv_into(self, buffer: bytearray) -> int:
        data = self.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _wait(self) -> None:
        local = self._local
        deadline = None if self._timeout is None else monotonic() + self._timeout
        while not self.received and not self._wire.closed:
            if self._timeout == 0:
                raise BlockingIOError(EWOULDBLOCK, "nothing has arrived")
            left = None if deadline is None else deadline - monotonic()
            if left is not None and left <= 0:
                raise TimeoutError("timed out")
            due = local.seconds_until_due()
            local.waiting += 1
            try:
                local.news.wait(
                    min(left, due) if left is not None and due is not None else due if left is None else left
                )
            finally:
                local.waiting -= 1
            local.advance()

    @property
    def closed(self) -> bool:
        """Whether the server has closed the connection."""
        return self._wire.closed

    def getpeername(self) -> tuple[str, int]:
        return "127.0.0.1", 0

    def shutdown(self, how: int) -> None:
        self._wire.close()

    def close(self) -> None:
        self._wire.close()


class _SocketWire(_Wire):
    def __init__(self, local: Local, server: NetworkServer, received: deque[bytes | Value]) -> None:
        self._received = received
        super().__init__(local, server)

    def write(self, data: bytes) -> None:
        self._received.append(data)
        self.local.tell()

    def deliver(self, value: Value) -> None:
        self._received.append(value)
        self.local.tell()


class LocalStreams(_Wire):
    """A connection for a client on an event loop: ``reader`` gets the replies, the rest is what redis-py asks of a writer.

    ``values`` has replies that were not written, all of them behind what the reader holds no more.  They are written where
    somebody is ``reading`` from it, and before anything else is.
    """

    def __init__(self, local: Local, server: NetworkServer) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._alarm: asyncio.TimerHandle | None = None
        self.reader = asyncio.StreamReader()
        self.reading = False
        self.values: deque[Value] = deque()
        super().__init__(local, server)

    @property
    def transport(self) -> LocalStreams:
        return self

    def write(self, data: bytes) -> None:
        """Replies, from whichever thread they come."""
        if threading.get_ident() == self._thread:
            self._feed(data)
        else:
            self._loop.call_soon_threadsafe(self._feed, data)

    def _feed(self, data: bytes) -> None:
        self.write_out()
        self.reader.feed_data(data)

    def deliver(self, value: Value) -> None:
        if self.reading or self.reader._buffer:  # type: ignore[attr-defined]
            self._feed(value.written())
        else:
            self.values.append(value)

    def write_out(self) -> None:
        """Give the reader what was not written."""
        while self.values:
            self.reader.feed_data(self.values.popleft().written())

    def submit(self, commands: Iterable[list[bytes]]) -> None:
        super().submit(commands)
        self._arm()

    def writelines(self, pieces: Iterable[bytes]) -> None:
        """Run what the client sends."""
        self.send(b"".join(pieces))
        self._arm()

    async def drain(self) -> None:
        """What is written has been run already."""

    def arm_soon(self) -> None:
        """Something is due earlier than it was."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._arm)

    def _arm(self) -> None:
        """Be there when the timing wheel has something to do."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        seconds = None if self.closed else self.local.seconds_until_due()
        if seconds is not None:
            self._alarm = self._loop.call_later(seconds, self._on_alarm)

    def _on_alarm(self) -> None:
        self._alarm = None
        with self.local.lock:
            self.local.advance()
        self._arm()

    def close(self) -> None:
        if not self.closed:
            super().close()
            self.local.forget(self)
            if self._alarm is not None:
                self._alarm.cancel()
            if threading.get_ident() == self._thread:
                self.reader.feed_eof()
            else:
                self._loop.call_soon_threadsafe(self.reader.feed_eof)

    def is_closing(self) -> bool:
        return self.closed

    async def wait_closed(self) -> None:
        """Closing takes no time."""
