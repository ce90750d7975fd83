"""How cost grows with size; a full SCAN under writes; a million keys that expire at the same moment."""

from __future__ import annotations

import argparse
import contextlib
import random
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from conformance.bench.client import (
    SERVERS,
    Failed,
    connect,
    encode,
    micros_each,
    percentile,
    ping_latencies,
    pipeline,
    show_spread,
    spread,
)
from conformance.resp import Connection
from conformance.servers import Address

_SIZES = [1000, 100_000, 1_000_000]
_OPERATIONS = 5000
_PENDING_PART = 10
_MOST_LATENCY = 20.0
_SHORTLY = 0.3
"""Seconds before keys are due from which on a server may be busy with them."""


def _load(connection: Connection, size: int) -> None:
    numbers = random.Random(1).sample(range(size), size)
    pipeline(connection, (encode(b"ZADD", b"z", b"%d" % number, b"m%d" % number) for number in numbers))
    for command, key in ((b"RPUSH", b"l"), (b"SADD", b"s")):
        chunks = (numbers[start : start + 500] for start in range(0, size, 500))
        pipeline(connection, (encode(command, key, *(b"m%d" % number for number in chunk)) for chunk in chunks))
    pipeline(connection, (encode(b"HSET", b"h", b"f%d" % number, b"v") for number in numbers))
    pipeline(connection, (encode(b"SET", b"k%d" % number, b"v") for number in numbers))
    pipeline(connection, (encode(b"XADD", b"x", b"%d-1" % number, b"f", b"v") for number in range(1, size + 1)))
    connection("XGROUP", "CREATE", "x", "g", "0")
    connection("XREADGROUP", "GROUP", "g", "c", "COUNT", str(size // _PENDING_PART), "STREAMS", "x", ">")


def _commands(size: int) -> dict[str, list[bytes]]:
    """What is timed; what takes elements away leaves at least a third of them.

    The first random choices stand by themselves: an index may be built then.
    """
    rng = random.Random(2)
    few = min(_OPERATIONS, size // 3)
    members = [b"m%d" % rng.randrange(size) for _ in range(_OPERATIONS)]
    middle = [size // 2 - rng.randrange(size // 10) for _ in range(_OPERATIONS)]
    return {
        "1st SRANDMEMBER": [encode(b"SRANDMEMBER", b"s")],
        "1st HRANDFIELD": [encode(b"HRANDFIELD", b"h")],
        "ZADD": [encode(b"ZADD", b"z", b"%f" % rng.uniform(0, size), b"new%d" % number) for number in range(few)],
        "ZSCORE": [encode(b"ZSCORE", b"z", member) for member in members],
        "ZRANK": [encode(b"ZRANK", b"z", member) for member in members],
        "ZRANGE of 10": [encode(b"ZRANGE", b"z", b"%d" % rank, b"%d" % (rank + 9)) for rank in middle],
        "LPOP": [encode(b"LPOP", b"l")] * few,
        "RPOP": [encode(b"RPOP", b"l")] * few,
        "SRANDMEMBER": [encode(b"SRANDMEMBER", b"s")] * _OPERATIONS,
        "SPOP": [encode(b"SPOP", b"s")] * few,
        "RANDOMKEY": [encode(b"RANDOMKEY")] * _OPERATIONS,
        "HRANDFIELD": [encode(b"HRANDFIELD", b"h")] * _OPERATIONS,
        "XADD": [encode(b"XADD", b"x", b"*", b"f", b"v")] * _OPERATIONS,
        "XRANGE of 10": [encode(b"XRANGE", b"x", b"%d" % number, b"+", b"COUNT", b"10") for number in middle],
        "XREADGROUP": [encode(b"XREADGROUP", b"GROUP", b"g", b"d", b"COUNT", b"1", b"STREAMS", b"x", b">")] * few,
        "XACK": [encode(b"XACK", b"x", b"g", b"%d-1" % number) for number in range(1, min(few, size // _PENDING_PART))],
        "XPENDING": [encode(b"XPENDING", b"x", b"g")] * few,
        "PFADD": [encode(b"PFADD", b"p", b"element%d" % number) for number in range(_OPERATIONS)],
    }


def _growth(sizes: Sequence[int]) -> dict[str, dict[str, list[float]]]:
    """For each operation and server the microseconds at each size."""
    figures: dict[str, dict[str, list[float]]] = {}
    for size in sizes:
        commands = _commands(size)
        for name, server in SERVERS.items():
            with server() as address:
                connection = connect(address)
                _load(connection, size)
                for operation, requests in commands.items():
                    row = figures.setdefault(operation, {}).setdefault(name, [])
                    row.append(micros_each(connection, requests))
    print(f"{'µs each':<16}" + "".join(f"{name + ' ' + str(size):>18}" for name in SERVERS for size in sizes), end="")
    print("".join(f"{name + ' grows':>16}" for name in SERVERS))
    for operation, rows in figures.items():
        print(f"{operation:<16}" + "".join(f"{value:>18.2f}" for row in rows.values() for value in row), end="")
        print("".join(f"{row[-1] / row[0]:>16.1f}" for row in rows.values()))
    return figures


@contextlib.contextmanager
def _writing(address: Address, size: int) -> Iterator[None]:
    """Meanwhile another client writes and deletes keys with names of their own."""
    stop = threading.Event()

    def write() -> None:
        connection = connect(address)
        rng = random.Random(3)
        while not stop.is_set():
            pipeline(
                connection, [encode(rng.choice((b"INCR", b"DEL")), b"x%d" % rng.randrange(size)) for _ in range(50)]
            )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


def _scan_page(connection: Connection, cursor: bytes) -> tuple[bytes, list[bytes]]:
    reply = connection("SCAN", cursor, "COUNT", "100").value
    if not isinstance(reply, list) or not isinstance(reply[0].value, bytes) or not isinstance(reply[1].value, list):
        raise Failed(f"SCAN answered {reply!r}")
    return reply[0].value, [item.value for item in reply[1].value if isinstance(item.value, bytes)]


def _scan_under_writes(address: Address, size: int) -> dict[str, float]:
    connection = connect(address)
    pipeline(connection, (encode(b"SET", b"k%d" % number, b"v") for number in range(size)))
    permanent: set[bytes] = set()
    calls: list[float] = []
    cursor: bytes | None = None
    started = time.perf_counter()
    with _writing(address, size):
        while cursor != b"0":
            before = time.perf_counter()
            cursor, keys = _scan_page(connection, cursor or b"0")
            calls.append((time.perf_counter() - before) * 1000)
            permanent.update(key for key in keys if key.startswith(b"k"))
        seconds = time.perf_counter() - started
    figures = {"seconds": seconds, "p99_ms": percentile(calls, 0.99), "max_ms": max(calls)}
    print(
        f"SCAN of {size} keys under writes: {seconds:.1f} s, of a call p99 {figures['p99_ms']:.2f} ms, "
        f"max {figures['max_ms']:.2f} ms; {len(permanent)} of the permanent keys returned"
    )
    if len(permanent) != size:
        raise Failed("SCAN must return every key that is there from start to end")
    return figures


def _load_expiring(connection: Connection, size: int) -> float:
    """Keys that are due at one moment, which lies soon after they are loaded; that moment, in seconds."""
    sample = min(size, 5000)
    each = (
        micros_each(connection, [encode(b"SET", b"e%d" % number, b"v", b"PX", b"1") for number in range(sample)]) / 1e6
    )
    due = time.time() + 1 + 2 * each * size + size * 3e-6
    moment = b"%d" % (due * 1000)
    pipeline(connection, (encode(b"SET", b"e%d" % number, b"v", b"PXAT", moment) for number in range(size)))
    if connection("DBSIZE").value != b"%d" % size or time.time() > due:
        raise Failed(f"loading {size} keys took longer than planned")
    return due


def _expiry(address: Address, size: int) -> dict[str, float]:
    connection = connect(address)
    due = _load_expiring(connection, size)
    before = ping_latencies(connection, lambda: time.time() < due - _SHORTLY)
    meanwhile = ping_latencies(connection, lambda: connection("DBSIZE").value != b"0")
    figures = spread(meanwhile) | {"seconds": time.time() - due, "max_before_ms": max(before)}
    print(
        f"expiry of {size} keys due at one moment: gone after {figures['seconds']:.2f} s; "
        f"PING meanwhile {show_spread(figures)} "
        f"(p99 at most {_MOST_LATENCY:g}); max before that {figures['max_before_ms']:.2f} ms"
    )
    return figures


def run(options: argparse.Namespace) -> dict[str, Any]:
    sizes = options.sizes or ([1000, 3000] if options.smoke else _SIZES)
    figures: dict[str, Any] = {"sizes": sizes, "micros_each": _growth(sizes)}
    for name, server in SERVERS.items():
        print(name)
        with server() as address:
            scan = _scan_under_writes(address, sizes[-1])
        with server() as address:
            figures[name] = {"scan": scan, "expiry": _expiry(address, sizes[-1])}
    return figures
