"""The sockets that the rounds serve: a client's, as an asyncio transport, and the one that listens for clients.

It does what the transport of asyncio's own loop does, in the same order: whoever closes is told of it in the next round.
Only that the client has broken off is told at once, lest others of the same round give it what would be lost.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import islice
from selectors import EVENT_READ, EVENT_WRITE
from typing import TYPE_CHECKING, Any, Final

from emulator.protocol.parser import READ_AT_ONCE
from emulator.wall import behind_wall, internal_error

if TYPE_CHECKING:
    from emulator.sockets.rounds import Rounds

_PIECES_AT_ONCE: Final = 512
"""No system takes less in one call."""
_ACCEPTED_AT_ONCE: Final = 64
_SECONDS_OF_REST: Final = 1.0
_NOT_NOW: Final = (BlockingIOError, InterruptedError)


logger = logging.getLogger("emulator")


class Receiver(asyncio.BufferedProtocol, ABC):
    """A protocol whose bytes are handed over as they were read; asyncio's own transports may serve it as well."""

    _read_into: memoryview | None = None  # there while asyncio reads

    def get_buffer(self, sizehint: int) -> memoryview:
        self._read_into = memoryview(bytearray(READ_AT_ONCE))
        return self._read_into

    def buffer_updated(self, nbytes: int) -> None:
        assert self._read_into is not None
        data, self._read_into = bytes(self._read_into[:nbytes]), None
        self.receive(data)

    @abstractmethod
    def receive(self, data: bytes) -> None:
        """Take what has arrived."""


def taker(receiver: Receiver | asyncio.Protocol) -> Callable[[bytes], None]:
    """By what a receiver, or any protocol of asyncio's, takes what has arrived."""
    return receiver.receive if isinstance(receiver, Receiver) else receiver.data_received


class SocketTransport(asyncio.Transport):
    """Reads and writes a connected socket, which does not block, for a receiver."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        rounds: Rounds,
        sock: socket.socket,
        peer: Any,
        receiver: Receiver | asyncio.Protocol,
    ) -> None:
        super().__init__({"socket": sock, "sockname": sock.getsockname(), "peername": peer})
        self._loop = loop
        self._rounds = rounds
        self._socket = sock
        self._receiver = receiver
        self._events = 0  # that the rounds watch for
        self._unsent: deque[memoryview] = deque()
        self._size = 0  # bytes unsent
        self._closing = self._ends = False
        self._lost = False
        self._receive, self._recv, self._send = taker(receiver), sock.recv, sock.send  # looked up once
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        receiver.connection_made(self)
        if not self._closing:
            self._watch(EVENT_READ)

    def _watch(self, events: int) -> None:
        if events == self._events:
            return
        if not self._events:
            self._rounds.register(self._socket, events, self)
        elif not events:
            self._rounds.unregister(self._socket)
        else:
            self._rounds.modify(self._socket, events, self)
        self._events = events

    # Reading

    def read(self) -> None:
        """Take what has arrived, for the rounds."""
        if not self._events & EVENT_READ:
            return  # it was told to stop after the system had said that there is something
        try:
            data = self._recv(READ_AT_ONCE)
        except _NOT_NOW:
            return
        except OSError as error:
            self._stop()
            behind_wall(partial(self._tell, error), "the end of a connection")
            return
        if data:
            self._receive(data)
        elif self._receiver.eof_received():
            self.pause_reading()
        else:
            self.close()

    def is_reading(self) -> bool:
        return bool(self._events & EVENT_READ)

    def pause_reading(self) -> None:
        self._watch(self._events & ~EVENT_READ)

    def resume_reading(self) -> None:
        if not self._closing:
            self._watch(self._events | EVENT_READ)

    # Writing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._lost:
            return
        if not self._unsent:
            try:
                sent = self._send(data)
            except _NOT_NOW:
                sent = 0
            except OSError as error:
                self._lose(error)
                return
            if sent == len(data):
                return
            data = memoryview(data)[sent:]
            self._watch(self._events | EVENT_WRITE)
        self._unsent.append(memoryview(data))
        self._size += len(data)

    def write_more(self) -> None:
        """Send what did not fit before, for the rounds."""
        if not self._events & EVENT_WRITE:
            return
        try:
            sent = self._socket.sendmsg(islice(self._unsent, _PIECES_AT_ONCE))
        except _NOT_NOW:
            return
        except OSError as error:
            self._lose(error)
            return
        self._size -= sent
        while sent:
            piece = self._unsent.popleft()
            if sent < len(piece):
                self._unsent.appendleft(piece[sent:])
                break
            sent -= len(piece)
        if not self._unsent:
            self._watch(self._events & ~EVENT_WRITE)
            if self._closing:
                self._lose(None)
                return
            if self._ends:
                self._shut()
            self._receiver.resume_writing()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """Say that nothing more comes, when all is sent."""
        self._ends = True
        if not self._unsent and not self._lost:
            self._shut()

    def _shut(self) -> None:
        with suppress(OSError):  # the other side has gone already
            self._socket.shutdown(socket.SHUT_WR)

    def get_write_buffer_size(self) -> int:
        return self._size

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no limit: the receiver looks at the size itself."""

    # The end

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """Close when all is sent."""
        if self._closing:
            return
        self._closing = True
        self.pause_reading()
        if not self._unsent:
            self._lose(None)

    def abort(self) -> None:
        """Close at once."""
        self._lose(None)

    def fail(self, error: Exception) -> None:
        """An error in our own code has come up in serving this connection: it alone ends."""
        internal_error(error, "a connection")
        self._lose(error)

    def _lose(self, error: Exception | None) -> None:
        """The connection has ended, which the receiver is told in the next round."""
        if not self._lost:
            self._stop()
            self._loop.call_soon(self._tell, error)

    def _stop(self) -> None:
        self._lost = self._closing = True
        self._watch(0)
        self._unsent.clear()
        self._size = 0

    def _tell(self, error: Exception | None) -> None:
        try:
            self._receiver.connection_lost(error)
        finally:
            self._socket.close()
            del self._receiver, self._receive  # who has lived for long and is in a circle is never found to be garbage


class StreamListener:
    """A listening socket whose connections the rounds serve; it ends as an `asyncio.Server` does."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        rounds: Rounds,
        listening: socket.socket,
        factory: Callable[[], Receiver | asyncio.Protocol],
    ) -> None:
        self._loop = loop
        self._rounds = rounds
        self._socket = listening
        self._factory = factory
        self._again: asyncio.TimerHandle | None = None
        self._listen()

    def _listen(self) -> None:
        self._again = None
        self._loop.add_reader(self._socket, self._accept)

    def _accept(self) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                sock, peer = self._socket.accept()
            except (*_NOT_NOW, ConnectionAbortedError):
                return
            except OSError as error:  # no more files or memory: some may be free a little later
                logger.warning("Accepting client connection: %s", error.strerror)
                self._loop.remove_reader(self._socket)
                self._again = self._loop.call_later(_SECONDS_OF_REST, self._listen)
                return
            sock.setblocking(False)
            try:
                SocketTransport(self._loop, self._rounds, sock, peer, self._factory())
            except OSError:  # some systems say so of a client that has gone already
                sock.close()
            except Exception as error:
                internal_error(error, "a new connection")
                sock.close()

    def close(self) -> None:
        """Listen no more."""
        if self._again is not None:
            self._again.cancel()
        self._loop.remove_reader(self._socket)
        self._socket.close()

    async def wait_closed(self) -> None:
        """Return at once: who listens does not know who is connected."""
