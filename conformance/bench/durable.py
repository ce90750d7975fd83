"""What it costs to keep data: SET with the append-only file and without, SAVE and loading, and how long others wait.

`appendfsync everysec` is to leave three quarters of the speed without a log; nobody is to wait for more than 20 ms while the
data set is saved, or the log is written anew, in the background.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import threading
import time
from typing import Any, Final

from conformance import servers
from conformance.bench.client import Failed, connect, encode, ping_latencies, pipeline
from conformance.bench.throughput import Load, by_pipeline, redis_benchmark
from conformance.resp import Connection
from conformance.servers import Address

_SIZE: Final = 1_000_000
_CHUNK: Final = 500
_INTERVAL: Final = 0.01
_LEAST_RATIO: Final = 0.75
_MOST_MS: Final = 20.0
_LOGS: Final = {
    "off": (),
    "everysec": ("--appendonly", "yes", "--appendfsync", "everysec"),
    "always": ("--appendonly", "yes", "--appendfsync", "always"),
}
_SERVERS: Final = {"emulator": servers.emulator, "oracle": servers.oracle}


def run(options: argparse.Namespace) -> dict[str, Any]:
    size = options.sizes[0] if options.sizes else 3000 if options.smoke else _SIZE
    figures = {"rates": _rates(options), "saving": {name: _saving(name, size) for name in _SERVERS}}
    _show(figures, size)
    return figures


def _rates(options: argparse.Namespace) -> dict[str, dict[str, dict[str, float]]]:
    """SETs a second by server, log and pipeline, the logs in turns; nothing without a load generator."""
    tool = redis_benchmark()
    if tool is None:
        if not options.smoke:
            raise Failed("no redis-benchmark that runs on PATH")
        return {}
    rates: dict[str, dict[str, dict[str, float]]] = {}
    rounds = options.rounds or (1 if options.smoke else 5)
    for name, server in _SERVERS.items():
        with contextlib.ExitStack() as stack:
            addresses = {log: stack.enter_context(server(None, *settings)) for log, settings in _LOGS.items()}
            for count in options.pipeline:
                load = Load(tool, ("set",), options.clients, count)
                requests = options.requests or (2000 if options.smoke else 30_000 * min(count, 10))
                found = [
                    {log: load.measure(address, requests)["SET"].rate for log, address in addresses.items()}
                    for _ in range(1 + rounds)
                ][1:]  # the first warms up
                for log in _LOGS:
                    rate = statistics.median(rates_of[log] for rates_of in found)
                    rates.setdefault(name, {}).setdefault(log, {})[str(count)] = rate
    return rates


def _saving(name: str, size: int) -> dict[str, float]:
    """Keys a second that are saved and loaded, and the worst PING (ms) meanwhile in the background."""
    with _SERVERS[name](None, "--appendonly", "yes") as address:
        connection = connect(address)
        for start in range(0, size, _CHUNK):
            words = [word for number in range(start, start + _CHUNK) for word in (b"key:%d" % number, b"v")]
            pipeline(connection, [encode(b"MSET", *words)])
        figures = {
            "saved": size / _seconds(connection, "SAVE"),
            "loaded": size / _seconds(connection, "DEBUG", "RELOAD", "NOSAVE"),
            "bgsave_ms": _worst(address, connection, "BGSAVE", b"rdb_bgsave_in_progress:0"),
            "bgrewriteaof_ms": _worst(address, connection, "BGREWRITEAOF", b"aof_rewrite_in_progress:0"),
        }
        connection.close()
    return figures


def _seconds(connection: Connection, *words: str) -> float:
    started = time.perf_counter()
    reply = connection(*words)
    if reply.value != b"OK":
        raise Failed(f"{' '.join(words)}: {reply.value!r}")
    return time.perf_counter() - started


def _worst(address: Address, connection: Connection, command: str, done: bytes) -> float:
    """The worst PING of another client, in milliseconds, while something is done in the background."""
    other, over = connect(address), threading.Event()
    other("PING")
    connection(command)

    def watch() -> None:
        while done not in (told if isinstance(told := connection("INFO", "persistence").value, bytes) else b""):
            time.sleep(0.05)
        over.set()

    watching = threading.Thread(target=watch)
    watching.start()
    worst = max(ping_latencies(other, lambda: not over.is_set(), _INTERVAL), default=0.0)
    watching.join()
    other.close()
    return worst


def _show(figures: dict[str, Any], size: int) -> None:
    for name, logs in figures["rates"].items():
        for log, row in logs.items():
            print(f"{name:<10}SET, log {log:<10}{by_pipeline(row, logs['off'])}")
    print(f"everysec: at least {_LEAST_RATIO:g} of off; {size} keys; a PING waits for at most {_MOST_MS:g} ms")
    for name, row in figures["saving"].items():
        print(f"{name:<10}saved {row['saved']:.0f}/s, loaded {row['loaded']:.0f}/s, ", end="")
        print(f"worst PING in BGSAVE {row['bgsave_ms']:.1f} ms, in BGREWRITEAOF {row['bgrewriteaof_ms']:.1f} ms")
