"""HTTP that no client should send, thrown at the REST API's connections without sockets, in pieces of any size.

Whatever comes: each answer is HTTP with a status that fits, none tells of a bug, nothing is logged, no session is left over,
memory does not grow.  ``python -m tests.torn_http --inputs 300000`` does so at length.
"""

import argparse
import asyncio
import gc
import json
import logging
import re
import sys
import tracemalloc
from random import Random
from typing import Any, cast

from emulator.core.engine import Engine
from emulator.rest.http import HttpConnection
from emulator.rest.local import LocalDatabase
from emulator.rest.service import RestService
from emulator.rest.tokens import Tokens

_STATUSES = {b"100", b"200", b"400", b"401", b"405", b"413", b"431", b"501", b"505"}
_HEAD = re.compile(rb"(?:\A|[\n\]}])HTTP/1\.1 (\d{3}) ")
_GROWTH = 2 << 20

_PIECES = [
    *b"GET POST PUT HEAD OPTIONS DELETE / /pipeline /multi-exec /get/k /set/k/v?EX=5 /subscribe/c /%zz/% ?_token=dev".split(),
    *(
        line.encode() + b"\r\n"
        for line in (
            " HTTP/1.1",
            " HTTP/1.0",
            " HTTP/2.0",
            "Host: x",
            "Authorization: Bearer dev",
            "Authorization: dev",
            "Content-Length: 5",
            "Content-Length: 99999999999",
            "Content-Length: -5",
            "Transfer-Encoding: chunked",
            "Transfer-Encoding: gzip, chunked",
            "Connection: close",
            "Expect: 100-continue",
            "Upstash-Encoding: base64",
            "Upstash-Response-Format: resp2",
            "5\r\nhello",
            "0\r\n",
            "ffffffffffffffffffff",
            "",
        )
    ),
    *(
        b" ",
        b"\n",
        b"\r",
        b"\0",
        b"[",
        b"]",
        b'["SET","k","v"]',
        b'[["GET","k"],["INCR","k"]]',
        b'"\xff\xfe"',
        b"[[[[[[",
    ),
    *(b'{"a":1}', b"null", b"\xf0\x9f\x98\x80", b"1e999"),
]


class Wrong(Exception):
    """The REST API did what it must not do."""


class Transport:
    """Remembers what is written."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.closed = False

    def write(self, data: bytes) -> None:
        if not self.closed:
            self.written += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def nothing(self) -> None:
        """There is nothing to do."""

    write_eof = pause_reading = resume_reading = nothing

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name == "peername" else default


def request(chance: Random) -> bytes:
    """A request that is right, or nearly."""
    body = json.dumps([chance.choice("abc") for _ in range(chance.randrange(4))]).encode()
    path = chance.choice((b"/", b"/pipeline", b"/multi-exec", b"/get/k", b"/ping?_token=dev", b"/publish/c/x"))
    size = len(body) + chance.choice((0, 0, 0, 0, 1, -1))
    return b"%b %b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer dev\r\nContent-Length: %d\r\n\r\n%b" % (
        chance.choice((b"POST", b"GET", b"PUT", b"HEAD")),
        path,
        max(size, 0),
        body,
    )


def stream(chance: Random) -> bytes:
    """Requests, some of them spoilt, and rubbish."""
    parts = []
    for _ in range(chance.randrange(1, 6)):
        if chance.random() < 0.6:
            text = bytearray(request(chance))
            for _ in range(chance.choice((0, 0, 1, 3))):
                place = chance.randrange(len(text))
                text[place : place + chance.randrange(3)] = chance.choice(_PIECES)
            parts.append(bytes(text))
        else:
            parts.append(b"".join(chance.choices(_PIECES, k=chance.randrange(1, 12))))
    return b"".join(parts)


def service_of(engine: Engine) -> RestService:
    """The REST API of an engine, whose token is ``dev``."""
    return RestService([LocalDatabase(engine, Tokens(engine, "dev"))])


def connection(engine: Engine, service: RestService | None = None) -> tuple[Transport, HttpConnection]:
    """A connection to it, and what it has instead of a socket."""
    transport = Transport()
    made = HttpConnection(service or service_of(engine))
    made.connection_made(cast(asyncio.Transport, transport))
    return transport, made


async def play(engine: Engine, service: RestService, data: bytes, chance: Random) -> None:
    """Throw a stream at a connection, and look at what it answers."""
    transport, thrown_at = connection(engine, service)
    place = 0
    while place < len(data) and not transport.closed:
        size = chance.choice((1, 7, 50, len(data)))
        thrown_at.data_received(data[place : place + size])
        place += size
    while thrown_at.busy:
        await asyncio.sleep(0)
    thrown_at.connection_lost(None)
    await asyncio.sleep(0)  # the loop lets go of timers that were cancelled
    for status in _HEAD.findall(bytes(transport.written)):
        if status not in _STATUSES:
            raise Wrong(f"status {status.decode()} for {data!r}")
    if transport.written and not transport.written.startswith(b"HTTP/1.1 "):
        raise Wrong(f"no HTTP for {data!r}")


async def throw(inputs: int, seed: int) -> int:
    """Throw so many streams; by how many bytes memory has grown between the first tenth and the end."""
    engine = Engine()
    service = service_of(engine)
    chance = Random(seed)
    before = 0
    tracemalloc.start()
    for number in range(inputs):
        if number == inputs // 10:
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
        await play(engine, service, stream(chance), chance)
    if engine.sessions or service.connections:
        raise Wrong("something is left over")
    engine.databases[0].clear()
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return grown


class _Alarm(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise Wrong(record.getMessage())


def main(arguments: list[str]) -> int:
    """Throw many; 1 where something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    logging.getLogger("emulator").addHandler(_Alarm())
    grown = asyncio.run(throw(options.inputs, options.seed))
    print(f"{options.inputs} streams of HTTP; memory grew by {grown >> 10} KiB")
    return int(grown > _GROWTH)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
