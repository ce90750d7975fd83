"""Milliseconds from the start of a process to the first PONG, beside bare Python's and the oracle's."""

from __future__ import annotations

import argparse
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from conformance import servers
from conformance.bench.client import Failed

_MOST_RATIO = 150 / 80


def _to_exit(command: Sequence[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, env=servers.environment(), check=True)
    return (time.perf_counter() - started) * 1000


def _to_pong(command: Callable[[int], Sequence[str]]) -> float:
    port = servers.free_port()
    quiet = subprocess.DEVNULL
    started = time.perf_counter()
    process = subprocess.Popen(command(port), env=servers.environment(), stdout=quiet, stderr=quiet)
    try:
        while process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", port), 5) as probe:
                    probe.sendall(b"PING\r\n")
                    if probe.recv(7) == b"+PONG\r\n":
                        return (time.perf_counter() - started) * 1000
            except OSError:
                time.sleep(0.0005)
        raise Failed("the server ended before its first PONG")
    finally:
        process.kill()
        process.wait()


def _with_modules(port: int) -> Sequence[str]:
    return servers.emulator_command(port, modules=servers.MODULES)


def run(options: argparse.Namespace) -> dict[str, float]:
    subjects: dict[str, Callable[[], float]] = {
        "python -c pass": lambda: _to_exit([sys.executable, "-c", "pass"]),
        "import asyncio": lambda: _to_exit([sys.executable, "-c", "import asyncio"]),
        "emulator": lambda: _to_pong(servers.emulator_command),
        "... with modules": lambda: _to_pong(_with_modules),
        "oracle": lambda: _to_pong(servers.oracle_command),
    }
    for measure in subjects.values():
        measure()  # so that bytecode is cached, as it is for users
    times: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(options.rounds or (1 if options.smoke else 11)):
        for name, measure in subjects.items():
            times[name].append(measure())
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        print(f"{name:<16}{median:>8.1f} ms   ({min(times[name]):.1f} to {max(times[name]):.1f})")
    ratio = medians["emulator"] / medians["import asyncio"]
    print(f"emulator / import asyncio: {ratio:.2f} (at most {_MOST_RATIO:.2f})")
    return medians
