"""A pipelining client that takes no reply apart, so that it measures the server rather than itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager

from conformance import servers
from conformance.resp import Closed, Connection, encoded
from conformance.servers import Address

SERVERS: dict[str, Callable[[], AbstractContextManager[Address]]] = {
    "emulator": servers.emulator,
    "oracle": servers.oracle,
}
"""What is measured, each in its turn."""

_MARK = b"the end of a batch"


class Failed(Exception):
    """A server did not do what it must do at any speed."""


def encode(*words: bytes) -> bytes:
    """A command as bytes."""
    return encoded(words)


_ECHO = encode(b"ECHO", _MARK)
_ECHOED = b"$%d\r\n%b\r\n" % (len(_MARK), _MARK)


def batches(commands: Iterable[bytes], size: int = 200) -> Iterator[bytes]:
    """So many commands each time as one request."""
    batch: list[bytes] = []
    for command in commands:
        batch.append(command)
        if len(batch) == size:
            yield b"".join(batch)
            batch.clear()
    if batch:
        yield b"".join(batch)


def pipeline(connection: Connection, commands: Iterable[bytes]) -> float:
    """Send commands in batches, each when the one before is answered; the seconds that took.

    Raises `Failed` where a reply is an error.
    """
    requests = [batch + _ECHO for batch in batches(commands)]
    started = time.perf_counter()
    for request in requests:
        connection.write(request)
        _skip_replies(connection)
    return time.perf_counter() - started


def _skip_replies(connection: Connection) -> None:
    received = bytearray()
    while not received.endswith(_ECHOED):
        data = connection.socket.recv(1 << 16)
        if not data:
            raise Closed
        received += data
    if received.startswith(b"-") or b"\r\n-" in received:
        raise Failed(next(line for line in received.split(b"\r\n") if line.startswith(b"-")).decode())


def micros_each(connection: Connection, commands: Sequence[bytes]) -> float:
    """Microseconds that each of the commands takes."""
    return pipeline(connection, commands) / len(commands) * 1e6


def connect(address: Address) -> Connection:
    """A connection that is patient: servers are slow here on purpose."""
    return Connection(address, 600.0)


def ping_latencies(connection: Connection, going: Callable[[], bool], interval: float = 0.002) -> list[float]:
    """Milliseconds that PINGs take while `going`, one due every `interval` seconds.

    One that could not be sent in time counts from when it was due: a server that stands still delays all of them.
    """
    measured: list[float] = []
    due = time.perf_counter()
    while going():
        wait = due - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        started = time.perf_counter() if wait > 0 else due
        connection("PING")
        measured.append((time.perf_counter() - started) * 1000)
        due += interval
    return measured


def percentile(values: Iterable[float], part: float) -> float:
    """The value below which `part` of the values lie; the largest for 1."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)]


def spread(latencies: Sequence[float]) -> dict[str, float]:
    """The figures of latencies that are printed, in milliseconds."""
    return {"p50_ms": percentile(latencies, 0.5), "p99_ms": percentile(latencies, 0.99), "max_ms": max(latencies)}


def show_spread(figures: dict[str, float]) -> str:
    """The same for people."""
    return f"p50 {figures['p50_ms']:.2f} ms, p99 {figures['p99_ms']:.2f} ms, max {figures['max_ms']:.2f} ms"
