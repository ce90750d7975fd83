"""Streams thrown at a parser and at a connection with a transport that only remembers, without a socket or a loop."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, cast

from emulator.config import Config
from emulator.connection import Connection
from emulator.protocol.parser import Command, RequestParser
from emulator.server import Server

_MOST_ROUNDS = 10_000


class Wrong(Exception):
    """The emulator did what it must not do."""


class Loop:
    """As much of an event loop as a connection needs: what is to be called soon."""

    def __init__(self) -> None:
        self.soon: deque[Callable[[], None]] = deque()

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.soon.append(callback)

    def run(self) -> None:
        """Call whatever waits to be called; it must come to an end."""
        for _ in range(_MOST_ROUNDS):
            if not self.soon:
                return
            self.soon.popleft()()
        raise Wrong("a connection never comes to rest")


class Transport:
    """Remembers what is written, and whether the connection was closed."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        if not self.closed:
            self.written.append(data)

    def close(self) -> None:
        self.closed = True

    abort = close

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name in ("peername", "sockname") else default

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is nothing to limit."""


class Complaints(logging.Handler):
    """What the server logs as an error: a command that raised what it must not raise."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


class Inside:
    """A server that never listens; `password` restricts what its parsers take before AUTH."""

    def __init__(self, password: str = "") -> None:
        config = Config()
        config.requirepass = password
        self.server = Server(config)
        self.loop = Loop()
        self.server.loop = cast(asyncio.AbstractEventLoop, self.loop)
        self.complaints = Complaints()

    def play(self, pieces: Sequence[bytes]) -> tuple[bytes, bool]:
        """What a client that sends these pieces receives, and whether it is closed; it finds no keys and leaves none."""
        engine = self.server.engine
        transport = Transport()
        connection = Connection(self.server)
        connection.connection_made(cast(asyncio.Transport, transport))
        for piece in pieces:
            if transport.closed:
                break
            connection.receive(piece)
            self.loop.run()
        connection.connection_lost(None)
        for db in engine.databases:
            db.clear()
        if self.complaints.records:
            raise Wrong(logging.Formatter().format(self.complaints.records.pop()))
        if engine.sessions or self.server.connections:
            raise Wrong("a session outlives its connection")
        return b"".join(transport.written), transport.closed


def parse(pieces: Sequence[bytes], restricted: bool) -> tuple[list[Command], str | None, int]:
    """The commands in a stream, the error that ends it and how many bytes are left over."""
    parser = RequestParser()
    parser.restricted = restricted
    commands: list[Command] = []
    for piece in pieces:
        found = parser.feed(piece)
        while found:
            commands += found
            found = parser.feed(b"") if restricted else []
    error = None if parser.error is None else str(parser.error)
    return commands, error, 0 if error else parser.buffered
