"""TLS on a connection that a client has made: what stands between the transport of the socket and the receiver.

The receiver is there from the beginning, so that who never ends the handshake counts as a client, as in the real server;
asyncio's own TLS tells of nobody before, sets aside 256 kB for each connection and ties them in a circle.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import thread_time
from typing import Any, Final, TypeAlias, cast

from emulator.protocol.parser import READ_AT_ONCE
from emulator.sockets.transport import Receiver, taker
from emulator.wall import behind_wall

_AT_ONCE: Final = 64 * 1024
"""Bytes that are encrypted at once; while so many wait to be taken, the rest waits as it is."""
_SECONDS_TO_GREET: Final = 60.0
_SECONDS_TO_HEAR: Final = 2.0
"""For the end of the handshake, where there is only something to be told before the connection is closed."""
_TURN: Final = 0.005
"""Seconds of the processor's time for handshakes in a round."""

Protocol: TypeAlias = Receiver | asyncio.Protocol


class Greeter:
    """Makes the transports of a listener, and lets their handshakes take turns: each costs more than many commands."""

    def __init__(self, context: ssl.SSLContext, factory: Callable[[], Protocol]) -> None:
        self._context = context
        self._factory = factory
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Callable[[], object]] = deque()

    def __call__(self) -> TlsTransport:
        return TlsTransport(self._context, self._factory(), self._soon)

    def _soon(self, handshake: Callable[[], object]) -> None:
        if not self._waiting:
            self._loop.call_soon(self._go_on)
        self._waiting.append(handshake)

    def _go_on(self) -> None:
        ends = thread_time() + _TURN
        while self._waiting:
            behind_wall(self._waiting[0], "a TLS handshake")
            self._waiting.popleft()
            if thread_time() > ends and self._waiting:
                self._loop.call_soon(self._go_on)
                return


class TlsTransport(asyncio.Transport, Receiver):
    """The transport of a receiver, and itself the receiver of the transport below.

    It takes part in a handshake when `soon` says so.
    """

    def __init__(
        self, context: ssl.SSLContext, receiver: Protocol, soon: Callable[[Callable[[], object]], object]
    ) -> None:
        super().__init__()
        self._context = context
        self._receiver = receiver
        self._deliver = taker(receiver)
        self._soon = soon
        self._arrived, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._arrived, self._leaving, server_side=True)
        self._below: asyncio.Transport
        self._timer: asyncio.TimerHandle
        self._greeted = False
        self._unsent: deque[memoryview] = deque()
        self._size = 0  # bytes unsent
        self._closing = False

    # As a receiver

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._below = cast(asyncio.Transport, transport)
        self._below.set_write_buffer_limits(high=_AT_ONCE - 1)
        self._timer = asyncio.get_running_loop().call_later(_SECONDS_TO_GREET, self.abort)
        self._receiver.connection_made(self)

    def receive(self, data: bytes) -> None:
        self._arrived.write(data)
        if self._greeted:
            self._read()
        else:
            self._soon(self._greet)

    def eof_received(self) -> bool | None:
        self._arrived.write_eof()
        if self._closing or not self._greeted:
            self.abort()
            return False
        return self._receiver.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        self._drop()
        self._receiver.connection_lost(exc)
        del self._receiver, self._deliver

    def resume_writing(self) -> None:
        self._write_more()

    def _greet(self) -> None:
        """Go on with the handshake, as far as what has arrived allows."""
        if self._greeted or self._below.is_closing():
            return
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._send()
            return
        except ssl.SSLError:
            self._send()  # it tells the other side why
            self._below.close()
            return
        self._greeted = True
        self._timer.cancel()
        self._write_more()
        self._read()

    def _read(self) -> None:
        """Hand over what can be read."""
        pieces: list[bytes] = []
        ended: Exception | None = None
        try:
            while piece := self._tls.read(READ_AT_ONCE):
                pieces.append(piece)
            ended = ssl.SSLZeroReturnError()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            ended = error.with_traceback(None)
        self._send()  # it may have been asked for new keys
        if pieces and not self._closing:
            self._deliver(b"".join(pieces))
        if ended is None or self._closing:
            return
        if not isinstance(ended, ssl.SSLZeroReturnError):
            self.abort()
        elif self._receiver.eof_received():
            self._below.pause_reading()
        else:
            self.close()

    def _send(self) -> None:
        if data := self._leaving.read():
            self._below.write(data)

    # As a transport

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "sslcontext":
            return self._context
        return self._tls if name == "ssl_object" else self._below.get_extra_info(name, default)

    def is_reading(self) -> bool:
        return self._below.is_reading()

    def pause_reading(self) -> None:
        self._below.pause_reading()

    def resume_reading(self) -> None:
        self._below.resume_reading()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing or not data:
            return
        self._unsent.append(memoryview(data))
        self._size += len(data)
        self._write_more()

    def _write_more(self) -> None:
        while self._greeted and self._unsent and self._below.get_write_buffer_size() < _AT_ONCE:
            piece = self._unsent.popleft()
            if len(piece) > _AT_ONCE:
                self._unsent.appendleft(piece[_AT_ONCE:])
                piece = piece[:_AT_ONCE]
            self._size -= len(piece)
            self._tls.write(piece)
            self._send()
        if self._closing and self._greeted and not self._unsent and not self._below.is_closing():
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        with suppress(ssl.SSLError):  # the other side has not said it yet, or never will
            self._tls.unwrap()
        self._send()
        self._below.close()

    def get_write_buffer_size(self) -> int:
        return self._size + self._below.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no limit: the receiver looks at the size itself."""

    def is_closing(self) -> bool:
        return self._closing or self._below.is_closing()

    def close(self) -> None:
        """Close when all is sent."""
        if self.is_closing():
            return
        self._closing = True
        if self._greeted:
            self._below.pause_reading()
            self._write_more()
        elif self._unsent:
            self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(_SECONDS_TO_HEAR, self.abort)
        else:
            self.abort()

    def abort(self) -> None:
        """Close at once."""
        self._drop()
        self._below.abort()

    def can_write_eof(self) -> bool:
        return False

    def _drop(self) -> None:
        self._closing = True
        self._unsent.clear()
        self._size = 0
