"""A small RESP client that keeps what it reads exact: every reply is a tree of `Reply`, its type mark included."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from typing import NamedTuple

Value = bytes | None | list["Reply"]

sys.setrecursionlimit(max(sys.getrecursionlimit(), 20_000))  # a script can answer thousands of lists in one another

_AGGREGATES = {b"*": 1, b"%": 2, b"~": 1, b">": 1, b"|": 2}


class Reply(NamedTuple):
    """``kind`` is the type mark (``$`` for a bulk string), ``value`` text, None for a null, or a list of replies."""

    kind: bytes
    value: Value

    def __str__(self) -> str:
        return render(self)


class Closed(Exception):
    """The server has closed the connection."""


class Silent(Exception):
    """No reply came in time."""


def encoded(words: Sequence[bytes]) -> bytes:
    """A command as it is sent."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


class Connection:
    """One connection to a server; `timeout` in seconds bounds each read."""

    def __init__(self, address: tuple[str, int], timeout: float = 30.0) -> None:
        self.timeout = timeout
        self.socket = self._dialled(address)
        self._buffer = bytearray()
        self._position = 0

    def _dialled(self, address: tuple[str, int]) -> socket.socket:
        connected = socket.create_connection(address, self.timeout)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected

    @property
    def port(self) -> int:
        """The port of this end."""
        port: int = self.socket.getsockname()[1]
        return port

    def __call__(self, *words: bytes | str) -> Reply:
        """Send a command and read its reply."""
        self.send([word.encode() if isinstance(word, str) else word for word in words])
        return self.read()

    def at_once(self, *commands: Sequence[bytes]) -> list[Reply]:
        """Send commands together, and read their replies."""
        self.write(b"".join(map(encoded, commands)))
        return [self.read() for _ in commands]

    def send(self, words: Sequence[bytes]) -> None:
        self.write(encoded(words))

    def write(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Closed from error

    def read(self, timeout: float | None = None) -> Reply:
        """The next reply; raises `Closed` or `Silent`."""
        self.socket.settimeout(self.timeout if timeout is None else timeout)
        reply = self._reply()
        if self._position > 1 << 16:
            del self._buffer[: self._position]
            self._position = 0
        return reply

    def close(self) -> None:
        self.socket.close()

    def _fill(self) -> None:
        try:
            data = self.socket.recv(1 << 16)
        except TimeoutError:
            raise Silent from None
        except OSError as error:
            raise Closed from error
        if not data:
            raise Closed
        self._buffer += data

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n", self._position)) < 0:
            self._fill()
        line = bytes(self._buffer[self._position : end])
        self._position = end + 2
        return line

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < self._position + count + 2:
            self._fill()
        data = bytes(self._buffer[self._position : self._position + count])
        self._position += count + 2
        return data

    def _reply(self) -> Reply:
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind in _AGGREGATES:
            count = int(rest)
            if count < 0:
                return Reply(kind, None)
            return Reply(kind, [self._reply() for _ in range(count * _AGGREGATES[kind])])
        if kind in (b"$", b"=", b"!"):
            return Reply(kind, None if rest == b"-1" else self._take(int(rest)))
        return Reply(kind, rest)


def render(reply: Reply, indent: int = 0) -> str:
    """A reply for people to read, with its type marks."""
    mark = reply.kind.decode("latin-1")
    if reply.value is None:
        return f"{mark}null"
    if isinstance(reply.value, bytes):
        return f"{mark}{reply.value!r}"
    if not reply.value:
        return f"{mark}(empty)"
    pad = " " * (indent + 2)
    return f"{mark}{len(reply.value)}" + "".join(f"\n{pad}{render(item, indent + 2)}" for item in reply.value)
