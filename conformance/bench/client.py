"""A pipelining client that only counts replies, so that it measures the server rather than itself."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Sequence

from conformance.resp import Connection
from conformance.servers import Address


def encode(*words: bytes) -> bytes:
    """A command as bytes."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def batches(commands: Iterable[bytes], size: int = 200) -> Iterable[list[bytes]]:
    batch: list[bytes] = []
    for command in commands:
        batch.append(command)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def pipeline(connection: Connection, commands: Iterable[bytes]) -> float:
    """Send commands in batches and read their replies; the seconds that took."""
    ready = [(b"".join(batch), len(batch)) for batch in batches(commands)]
    started = time.perf_counter()
    for data, count in ready:
        connection.write(data)
        for _ in range(count):
            connection.read()
    return time.perf_counter() - started


def micros_each(connection: Connection, commands: Sequence[bytes]) -> float:
    """Microseconds that each of the commands takes."""
    return pipeline(connection, commands) / len(commands) * 1e6


def connect(address: Address) -> Connection:
    connection = Connection(address, 600.0)
    connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def percentile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)] if ordered else float("nan")
