"""How cost grows with size; a full SCAN under writes; a million keys that expire in the same second."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence

from conformance import servers
from conformance.bench.client import connect, encode, micros_each, percentile, pipeline
from conformance.resp import Connection
from conformance.servers import Address

_OPERATIONS = 2000


def _load(connection: Connection, size: int) -> None:
    numbers = random.Random(1).sample(range(size), size)
    pipeline(connection, (encode(b"ZADD", b"z", b"%d" % number, b"m%d" % number) for number in numbers))
    for command, key in ((b"RPUSH", b"l"), (b"SADD", b"s")):
        chunks = (numbers[start : start + 500] for start in range(0, size, 500))
        pipeline(connection, (encode(command, key, *(b"m%d" % number for number in chunk)) for chunk in chunks))
    pipeline(connection, (encode(b"HSET", b"h", b"f%d" % number, b"v") for number in numbers))
    pipeline(connection, (encode(b"SET", b"k%d" % number, b"v") for number in numbers))


def _commands(size: int) -> dict[str, list[bytes]]:
    rng = random.Random(2)
    count = min(_OPERATIONS, size // 3)
    members = [b"m%d" % rng.randrange(size) for _ in range(count)]
    middle = [rng.randrange(size - 10) for _ in range(count)]
    return {
        "ZADD": [encode(b"ZADD", b"z", b"%f" % rng.uniform(0, size), b"new%d" % number) for number in range(count)],
        "ZSCORE": [encode(b"ZSCORE", b"z", member) for member in members],
        "ZRANK": [encode(b"ZRANK", b"z", member) for member in members],
        "ZRANGE of 10": [encode(b"ZRANGE", b"z", b"%d" % rank, b"%d" % (rank + 9)) for rank in middle],
        "LPOP": [encode(b"LPOP", b"l")] * count,
        "RPOP": [encode(b"RPOP", b"l")] * count,
        "SRANDMEMBER": [encode(b"SRANDMEMBER", b"s")] * count,
        "SPOP": [encode(b"SPOP", b"s")] * count,
        "RANDOMKEY": [encode(b"RANDOMKEY")] * count,
        "HRANDFIELD": [encode(b"HRANDFIELD", b"h")] * count,
    }


def _growth(sizes: Sequence[int], subjects: dict[str, Callable[[], object]]) -> None:
    figures: dict[tuple[str, str, int], float] = {}
    for name, server in subjects.items():
        for size in sizes:
            with server() as address:  # type: ignore[attr-defined]
                connection = connect(address)
                _load(connection, size)
                for key in (b"s", b"h"):
                    connection(b"SRANDMEMBER" if key == b"s" else b"HRANDFIELD", key)
                for operation, commands in _commands(size).items():
                    figures[name, operation, size] = micros_each(connection, commands)
    print(
        f"{'µs each':<14}"
        + "".join(f"{name + ' ' + str(size):>18}" for name in subjects for size in sizes)
        + f"{'growth':>9}"
    )
    for operation in _commands(sizes[0]):
        row = [figures[name, operation, size] for name in subjects for size in sizes]
        growth = figures["emulator", operation, sizes[-1]] / figures["emulator", operation, sizes[0]]
        print(f"{operation:<14}" + "".join(f"{value:>18.1f}" for value in row) + f"{growth:>9.1f}")


def _scan_under_writes(address: Address, size: int) -> None:
    connection = connect(address)
    pipeline(connection, (encode(b"SET", b"k%d" % number, b"v") for number in range(size)))
    stop = threading.Event()

    def write() -> None:
        other = connect(address)
        rng = random.Random(3)
        while not stop.is_set():
            names = [b"x%d" % rng.randrange(size) for _ in range(50)]
            pipeline(other, [encode(rng.choice((b"INCR", b"DEL")), name) for name in names])

    writer = threading.Thread(target=write)
    writer.start()
    seen: set[bytes] = set()
    calls, cursor = [], b"0"
    started = time.perf_counter()
    while True:
        before = time.perf_counter()
        reply = connection("SCAN", cursor, "COUNT", "100").value
        calls.append((time.perf_counter() - before) * 1000)
        assert isinstance(reply, list) and isinstance(reply[0].value, bytes) and isinstance(reply[1].value, list)
        seen.update(item.value for item in reply[1].value if isinstance(item.value, bytes))
        cursor = reply[0].value
        if cursor == b"0":
            break
    seconds = time.perf_counter() - started
    stop.set()
    writer.join()
    missing = size - sum(name.startswith(b"k") for name in seen)
    print(
        f"SCAN of {size} keys under writes: {seconds:.1f} s, p99 of a call {percentile(calls, 0.99):.1f} ms, {missing} missed"
    )
    if missing:
        raise AssertionError("SCAN must return every key that is there from start to end")


def _expiry(address: Address, size: int, delay: float) -> None:
    connection = connect(address)
    due = int((time.time() + delay) * 1000)
    rng = random.Random(4)
    pipeline(
        connection,
        (encode(b"SET", b"e%d" % n, b"v", b"PXAT", b"%d" % (due + rng.randrange(1000))) for n in range(size)),
    )
    late = time.time() * 1000 - due
    if late > 0:
        print(f"loading took {late:.0f} ms longer than planned")
    time.sleep(max(due / 1000 - time.time(), 0))
    latencies = []
    started = time.perf_counter()
    while True:
        before = time.perf_counter()
        connection("PING")
        latencies.append((time.perf_counter() - before) * 1000)
        left = connection("DBSIZE").value
        if left == b"0":
            break
        time.sleep(0.002)
    p50, p99, most = percentile(latencies, 0.5), percentile(latencies, 0.99), max(latencies)
    print(
        f"expiry of {size} keys in one second: gone after {time.perf_counter() - started:.1f} s; PING meanwhile "
        f"p50 {p50:.2f} ms, p99 {p99:.2f} ms (at most 20), max {most:.2f} ms"
    )


def run(smoke: bool) -> None:
    sizes = (1000, 3000) if smoke else (1000, 100_000, 1_000_000)
    _growth(sizes, {"emulator": servers.emulator, "oracle": servers.oracle})
    size = 5_000 if smoke else 1_000_000
    for name, server in (("emulator", servers.emulator), ("oracle", servers.oracle)):
        print(name)
        with server() as address:
            _scan_under_writes(address, size)
        with server() as address:
            _expiry(address, size, 0.5 if smoke else 45.0)
