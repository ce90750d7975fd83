"""Milliseconds from the start of a process to the first PONG, beside bare Python's and the oracle's."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from conformance import servers

_MOST_RATIO = 150 / 80


def _environment() -> dict[str, str]:
    """Bytecode is cached, as it is for users."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return environment | {"PYTHONPATH": str(servers.ROOT)}


def _to_exit(command: Sequence[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, env=_environment(), check=True)
    return (time.perf_counter() - started) * 1000


def _to_pong(command: Callable[[int], Sequence[str]]) -> float:
    port = servers.free_port()
    started = time.perf_counter()
    process = subprocess.Popen(command(port), env=_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), 5) as probe:
                    probe.sendall(b"PING\r\n")
                    if probe.recv(7) == b"+PONG\r\n":
                        return (time.perf_counter() - started) * 1000
            except OSError:
                time.sleep(0.0005)
    finally:
        process.kill()
        process.wait()


def run(smoke: bool) -> None:
    subjects: dict[str, Callable[[], float]] = {
        "python -c pass": lambda: _to_exit([sys.executable, "-c", "pass"]),
        "import asyncio": lambda: _to_exit([sys.executable, "-c", "import asyncio"]),
        "emulator": lambda: _to_pong(servers.emulator_command),
        "oracle": lambda: _to_pong(servers.oracle_command),
    }
    for measure in subjects.values():
        measure()
    times: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(1 if smoke else 11):
        for name, measure in subjects.items():
            times[name].append(measure())
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        print(f"{name:<16}{median:>8.1f} ms")
    ratio = medians["emulator"] / medians["import asyncio"]
    print(f"emulator / import asyncio: {ratio:.2f} (at most {_MOST_RATIO:.2f})")
