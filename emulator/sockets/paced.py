"""What stands between a connection and asyncio's TLS: it writes no more than is taken.

asyncio encrypts whatever is written to it at once and hands it on, and what then waits to be sent is not to be asked for.
So a client that does not read would be under no limit.  Here what is too much waits as it is, and is counted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from emulator.sockets.transport import Receiver

_AT_ONCE: Final = 64 * 1024


class PacedTransport(asyncio.Transport, asyncio.BufferedProtocol):
    """The transport of a receiver, and itself the protocol of the transport below."""

    def __init__(self, receiver: Receiver) -> None:
        super().__init__()
        self._receiver = receiver
        self._below: asyncio.Transport
        self._unsent: deque[memoryview] = deque()
        self._size = 0  # bytes unsent
        self._paused = False
        self._closing = False

    # As a protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._below = cast(asyncio.Transport, transport)
        self._receiver.connection_made(self)

    def get_buffer(self, sizehint: int) -> Any:
        return self._receiver.get_buffer(sizehint)

    def buffer_updated(self, nbytes: int) -> None:
        self._receiver.buffer_updated(nbytes)

    def eof_received(self) -> bool | None:
        return self._receiver.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._drop()
        self._receiver.connection_lost(exc)
        del self._receiver

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._write_more()

    # As a transport

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._below.get_extra_info(name, default)

    def is_reading(self) -> bool:
        return self._below.is_reading()

    def pause_reading(self) -> None:
        self._below.pause_reading()

    def resume_reading(self) -> None:
        self._below.resume_reading()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._unsent.append(memoryview(data))
        self._size += len(data)
        self._write_more()

    def _write_more(self) -> None:
        while self._unsent and not self._paused:
            piece = self._unsent.popleft()
            if len(piece) > _AT_ONCE:
                self._unsent.appendleft(piece[_AT_ONCE:])
                piece = piece[:_AT_ONCE]
            self._size -= len(piece)
            self._below.write(piece)
        if self._closing and not self._unsent and not self._below.is_closing():
            self._below.close()

    def get_write_buffer_size(self) -> int:
        return self._size + self._below.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no limit: the receiver looks at the size itself."""

    def is_closing(self) -> bool:
        return self._closing or self._below.is_closing()

    def close(self) -> None:
        """Close when all is sent."""
        if not self.is_closing():
            self._closing = True
            self._below.pause_reading()
            self._write_more()

    def abort(self) -> None:
        """Close at once."""
        self._drop()
        self._below.abort()

    def _drop(self) -> None:
        self._closing = True
        self._unsent.clear()
        self._size = 0
