"""What replicas cost: SET without, with one and with three; a full synchronization, and how long others wait meanwhile.

The replicas of each master are real servers, so that the figures are the master's.  Nobody is to wait for more than 20 ms
while data are sent, or loaded by a replica of ours.
"""

from __future__ import annotations

import argparse
import threading
import time
from contextlib import ExitStack
from typing import Any, Final

from conformance import servers
from conformance.bench.client import Failed, connect, encode, ping_latencies, pipeline
from conformance.bench.throughput import Load, by_pipeline, redis_benchmark
from conformance.servers import Address

_SIZE: Final = 1_000_000
_CHUNK: Final = 500
_INTERVAL: Final = 0.01
_MOST_MS: Final = 20.0
_AT_ONCE: Final = ("--repl-diskless-sync-delay", "0")
_REPLICAS: Final = {"alone": 0, "one replica": 1, "three": 2}
"""How many replicas are added each time."""
_SERVERS: Final = {"emulator": servers.emulator, "oracle": servers.oracle}


def run(options: argparse.Namespace) -> dict[str, Any]:
    size = options.sizes[0] if options.sizes else 3000 if options.smoke else _SIZE
    figures = {
        "rates": {name: _rates(name, options) for name in _SERVERS},
        "synchronization": {name: _synchronization(name, "oracle", size) for name in _SERVERS},
        "loading": {name: _synchronization("oracle", name, size) for name in _SERVERS},
    }
    _show(figures, size)
    return figures


def _rates(name: str, options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """SETs a second by the number of replicas and by pipeline; nothing without a load generator."""
    tool = redis_benchmark()
    if tool is None:
        if not options.smoke:
            raise Failed("no redis-benchmark that runs on PATH")
        return {}
    rates: dict[str, dict[str, float]] = {}
    with ExitStack() as stack:
        master = stack.enter_context(_SERVERS[name](None, *_AT_ONCE))
        for kind, more in _REPLICAS.items():
            for _ in range(more):
                _follow(stack.enter_context(servers.oracle(None)), master)
            for count in options.pipeline:
                requests = options.requests or (2000 if options.smoke else 40_000 * min(count, 5))
                load = Load(tool, ("set",), options.clients, count)
                load.measure(master, 2000)
                rates.setdefault(kind, {})[str(count)] = load.measure(master, requests)["SET"].rate
    return rates


def _follow(replica: Address, master: Address) -> None:
    """Let a server follow another one, and wait until it does."""
    connection = connect(replica)
    connection("REPLICAOF", master[0], str(master[1]))
    while b"master_link_status:up" not in _told(connection("INFO", "replication").value):
        time.sleep(0.01)
    connection.close()


def _told(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""


def _synchronization(master: str, replica: str, size: int) -> dict[str, float]:
    """Keys a second that come to a replica, and the worst PING (ms) of the one that is measured: master or replica."""
    with (
        _SERVERS[master](None, *_AT_ONCE) as source,
        _SERVERS[replica](None, "--repl-diskless-load", "swapdb") as target,
    ):
        connection = connect(source)
        for start in range(0, size, _CHUNK):
            words = [word for number in range(start, start + _CHUNK) for word in (b"key:%d" % number, b"v")]
            pipeline(connection, [encode(b"MSET", *words)])
        connection.close()
        over = threading.Event()
        started = time.perf_counter()

        def synchronize() -> None:
            _follow(target, source)
            over.set()

        following = threading.Thread(target=synchronize)
        other = connect(source if replica == "oracle" else target)
        other("PING")
        following.start()
        worst = max(ping_latencies(other, lambda: not over.is_set(), _INTERVAL), default=0.0)
        following.join()
        other.close()
        return {"rate": size / (time.perf_counter() - started), "ms": worst}


def _show(figures: dict[str, Any], size: int) -> None:
    for name, kinds in figures["rates"].items():
        for kind, row in kinds.items():
            print(f"{name:<10}SET, {kind:<12}{by_pipeline(row, kinds['alone'])}")
    print(f"{size} keys; a PING waits for at most {_MOST_MS:g} ms")
    for what, of in (("synchronization", "as master"), ("loading", "as replica")):
        for name, row in figures[what].items():
            print(f"{name:<10}{of:<12}{row['rate']:.0f} keys/s, worst PING {row['ms']:.1f} ms")
