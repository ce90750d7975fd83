"""What a server at rest uses: CPU time without keys and traffic; memory for thousands of connections that say nothing."""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from conformance import servers
from conformance.bench.client import connect, ping_latencies, show_spread, spread

_CONNECTIONS = 10_000
_SCHEDULED = 2
"""Of a process's clocks on Linux the one that the scheduler keeps."""


def cpu_seconds(pid: int) -> float:
    """What a process has used of the processors, with its threads, to the nanosecond."""
    return time.clock_gettime(~pid << 3 | _SCHEDULED)


def _resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _at_rest(process: subprocess.Popen[bytes], seconds: float) -> list[float]:
    """Milliseconds of CPU time, in two spans."""
    used = []
    for _ in range(2):
        before = cpu_seconds(process.pid)
        time.sleep(seconds)
        used.append((cpu_seconds(process.pid) - before) * 1000)
    return used


def _with_connections(process: subprocess.Popen[bytes], port: int, count: int, seconds: float) -> dict[str, float]:
    """Bytes that each of so many silent connections takes, the time of a PING meanwhile, and CPU time at rest."""
    address = ("127.0.0.1", port)
    connection = connect(address)
    connection("PING")
    before = _resident(process.pid)
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(socket.create_connection(address, 30))
        connection("PING")
        bytes_each = (_resident(process.pid) - before) / count
        used = _at_rest(process, seconds)[1]
        end = time.monotonic() + seconds
        latencies = spread(ping_latencies(connection, lambda: time.monotonic() < end))
    return {"count": count, "bytes_each": bytes_each, "cpu_ms": used, **latencies}


def run(options: argparse.Namespace) -> dict[str, Any]:
    if not Path("/proc/self/stat").exists():
        print("no /proc on this system: left out")
        return {}
    seconds = options.seconds or (0.2 if options.smoke else 10)
    count = 200 if options.smoke else _CONNECTIONS
    figures: dict[str, Any] = {}
    for name, command in (("emulator", servers.emulator_command), ("oracle", servers.oracle_command)):
        port = servers.free_port()
        with servers.running(command(port, "--maxclients", str(count + 10)), port) as process:
            used = _at_rest(process, seconds)
            print(f"{name:<10}{used[0]:.0f} and {used[1]:.0f} ms of CPU time in {seconds:g} s each")
            crowd = _with_connections(process, port, count, seconds)
            print(
                f"{name:<10}{count} silent connections: {crowd['bytes_each']:.0f} bytes each, "
                f"{crowd['cpu_ms']:.0f} ms of CPU time; PING meanwhile {show_spread(crowd)}"
            )
        figures[name] = {"cpu_ms": used, "connections": crowd}
    return figures
