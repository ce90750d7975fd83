"""Streams thrown at a parser and at a connection with a transport that only remembers, without a socket or a loop.

However a stream is torn, it must yield the same commands and the same error, and one in ten, which goes to a connection, the
same replies; nothing may be logged, no session left over.  ``python -m tests.torn --inputs 1000000`` does so at length.
"""

import argparse
import asyncio
import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, cast

from conformance.torn.generate import stream, torn
from emulator.config.directives import Config
from emulator.core.engine import Engine
from emulator.protocol.parser import RequestParser, Words
from emulator.server.connection import Connection
from emulator.server.server import NetworkServer

_CONNECTIONS = 10
_SLOWEST = 1.0
_GROWTH = 4 << 20
"""One in so many inputs goes to a connection; the seconds that one input may take; the bytes that memory may grow by."""

_REFUSED = b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
"""An answer that Redis does not give while earlier ones are on their way."""

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
        self.server = NetworkServer(Engine(config))
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


def parse(pieces: Sequence[bytes], restricted: bool) -> tuple[list[Words], str | None, int]:
    """The commands in a stream, the error that ends it and how many bytes are left over."""
    parser = RequestParser()
    parser.restricted = restricted
    commands: list[Words] = []
    for piece in pieces:
        found = parser.feed(piece)
        while found:
            commands += found
            found = parser.feed(b"") if restricted else []
    error = None if parser.error is None else str(parser.error)
    return commands, error, 0 if error else parser.buffered


def _resident() -> int:
    """Bytes of memory that this process has, 0 where the system does not tell."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * 4096


def inside(random: Random, inputs: int) -> dict[str, float]:
    """Throw streams at parsers and connections of this process; raises `Wrong`."""
    both = [(Inside(), Inside()), (Inside("secret"), Inside("secret"))]
    complaints = [one.complaints for pair in both for one in pair]
    logger = logging.getLogger("emulator")
    logger.setLevel(logging.ERROR)
    for handler in complaints[:1]:
        logger.addHandler(handler)
    slowest = 0.0
    errors = commands = settled = 0
    for number in range(inputs):
        data = stream(random)
        pieces = torn(random, data)
        restricted = random.random() < 0.2
        started = time.thread_time()
        whole, parts = parse([data], restricted), parse(pieces, restricted)
        if whole != parts:
            raise Wrong(f"torn, it is parsed otherwise: {pieces!r}\n{whole!r}\n{parts!r}")
        if number % _CONNECTIONS == 0:
            one, other = both[restricted]
            (answers, closed), (others, otherwise) = one.play([data]), other.play(pieces)
            # whoever must be closed without an answer is, only if one from before is still to be written
            if answers.replace(_REFUSED, b"") != others.replace(_REFUSED, b"") or (
                closed != otherwise and b"REPLY" not in data.upper()
            ):
                raise Wrong(f"torn, it is answered otherwise: {pieces!r}")
        slowest = max(slowest, time.thread_time() - started)
        if slowest > _SLOWEST:
            raise Wrong(f"it takes {slowest:.1f} s: {pieces!r}")
        commands += len(whole[0])
        errors += whole[1] is not None
        if number == inputs // 10:
            settled = _resident()
    growth = _resident() - settled
    if growth > _GROWTH:
        raise Wrong(f"memory has grown by {growth} bytes")
    return {"inputs": inputs, "commands": commands, "errors": errors, "slowest_ms": slowest * 1000, "growth": growth}


def main() -> int:
    """Throw as many streams as asked for; 1 where something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.torn", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started = time.monotonic()
    try:
        figures = inside(Random(options.seed), options.inputs)
    except Wrong as wrong:
        print(wrong)
        return 1
    print(
        f"{figures['inputs']} streams in {time.monotonic() - started:.0f} s: {figures['commands']} commands, "
        f"{figures['errors']} protocol errors; the slowest took {figures['slowest_ms']:.1f} ms, "
        f"memory grew by {figures['growth'] / 1024:.0f} KiB"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
