"""Microseconds of CPU time that the server process uses for a command, user and system by the system's own accounts:
emulator, oracle and a floor (`conformance.bench.floor`), round by round in one run.

Unlike a throughput it says nothing of the load generator and little of what else the machine does.  redis-benchmark makes
the load, over a thousand keys; of the rounds the least counts.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import subprocess
import sys
from typing import Any, Final

from conformance import servers
from conformance.bench.client import Failed, connect
from conformance.bench.idle import cpu_seconds
from conformance.bench.throughput import redis_benchmark

_SCRIPT: Final = "return redis.call('INCR', KEYS[1])"
_KEY: Final = "key:__rand_int__"
TESTS: Final = {
    "PING": ("PING",),
    "SET": ("SET", _KEY, "xxx"),
    "GET": ("GET", _KEY),
    "INCR": ("INCR", f"counter:{_KEY}"),
    "LPUSH": ("LPUSH", "list", "xxx"),
    "HSET": ("HSET", "hash", f"field:{_KEY}", "xxx"),
    "SADD": ("SADD", "set", f"member:{_KEY}"),
    "ZADD": ("ZADD", "zset", "__rand_int__", f"member:{_KEY}"),
    "XADD": ("XADD", "stream", "MAXLEN", "~", "1000", "*", "field", "xxx"),
    "MSET of 10": ("MSET", *(_KEY, "xxx") * 10),
    "LRANGE_100": ("LRANGE", "hundred", "0", "99"),
    "EVALSHA": ("EVALSHA", hashlib.sha1(_SCRIPT.encode()).hexdigest(), "1", f"counter:{_KEY}"),
}
_PREPARED: Final = (("RPUSH", "hundred", *["xxx"] * 100), ("SCRIPT", "LOAD", _SCRIPT))
_KEYS: Final = 1000
_EXPENSIVE: Final = ("MSET of 10", "LRANGE_100", "EVALSHA")
"""A quarter of the requests will do for these."""


def _floor_command(port: int) -> list[str]:
    return [sys.executable, "-m", "conformance.bench.floor", str(port)]


_COMMANDS: Final = {
    "emulator": servers.emulator_command,
    "oracle": servers.oracle_command,
    "floor": _floor_command,
}
Processes = dict[str, tuple[int, int]]
"""Of each server: the process and the port."""


def _load(tool: str, port: int, words: tuple[str, ...], clients: int, pipeline: int, requests: int) -> None:
    command = [tool, "-p", str(port), "-c", str(clients), "-P", str(pipeline), "-n", str(requests)]
    done = subprocess.run([*command, "-r", str(_KEYS), "-q", *words], capture_output=True, text=True, check=False)
    if done.returncode or "rror" in done.stdout:
        raise Failed(f"redis-benchmark: {' '.join(words)}: {(done.stdout + done.stderr).strip()}")


def _measure(
    tool: str, processes: Processes, pipeline: int, options: argparse.Namespace
) -> dict[str, dict[str, float]]:
    """The least microseconds a command, of each test for each server."""
    rounds = options.rounds or (1 if options.smoke else 5)
    most = options.requests or (200 if options.smoke else 20_000 if pipeline == 1 else 100_000)
    figures: dict[str, dict[str, float]] = {}
    for test, words in TESTS.items():
        requests = most // 4 if test in _EXPENSIVE else most
        row = figures[test] = dict.fromkeys(processes, float("inf"))
        for _ in range(rounds):
            for server, (pid, port) in processes.items():
                before = cpu_seconds(pid)
                _load(tool, port, words, options.clients, pipeline, requests)
                row[server] = min(row[server], (cpu_seconds(pid) - before) / requests * 1e6)
    return figures


def _report(clients: int, pipeline: int, figures: dict[str, dict[str, float]]) -> None:
    print(f"\n{clients} clients, pipeline of {pipeline}, microseconds of CPU time a command")
    print(f"{'test':<12}{'emulator':>10}{'oracle':>10}{'ratio':>7}{'floor':>10}{'ratio':>7}")
    for test, row in figures.items():
        ours, oracle, floor = row["emulator"], row["oracle"], row["floor"]
        print(f"{test:<12}{ours:>10.2f}{oracle:>10.2f}{ours / oracle:>7.1f}{floor:>10.2f}{ours / floor:>7.2f}")


def run(options: argparse.Namespace) -> dict[str, Any]:
    tool = redis_benchmark()
    if tool is None or sys.platform != "linux":
        print("no redis-benchmark that runs, or no accounts of other processes' CPU time: left out")
        return {}
    figures = {}
    with contextlib.ExitStack() as stack:
        processes: Processes = {}
        for name, command in _COMMANDS.items():
            port = servers.free_port()
            process = stack.enter_context(servers.running(command(port), port))
            processes[name] = process.pid, port
            with contextlib.closing(connect(("127.0.0.1", port))) as connection:
                for words in _PREPARED:
                    connection(*words)
        for pipeline in options.pipeline:
            figures[str(pipeline)] = _measure(tool, processes, pipeline, options)
            _report(options.clients, pipeline, figures[str(pipeline)])
    return figures
