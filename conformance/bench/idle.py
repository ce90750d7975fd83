"""CPU time that a server without keys and without traffic uses."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from conformance import servers


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process, to the clock tick (10 ms)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(options: argparse.Namespace) -> dict[str, list[float]]:
    if not Path("/proc/self/stat").exists():
        print("no /proc on this system: left out")
        return {}
    seconds = options.seconds or (0.2 if options.smoke else 10)
    figures = {}
    for name, command in (("emulator", servers.emulator_command), ("oracle", servers.oracle_command)):
        port = servers.free_port()
        with servers.running(command(port), port, servers.ROOT) as process:
            used = []
            for _ in range(2):
                before = _cpu_seconds(process.pid)
                time.sleep(seconds)
                used.append((_cpu_seconds(process.pid) - before) * 1000)
        print(f"{name:<10}{used[0]:.0f} and {used[1]:.0f} ms of CPU time in {seconds:g} s each")
        figures[name] = used
    return figures
