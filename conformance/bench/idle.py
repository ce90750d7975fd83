"""CPU time that a server without keys and without traffic uses."""

from __future__ import annotations

import os
import time
from pathlib import Path

from conformance import servers


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(smoke: bool) -> None:
    if not Path("/proc/self/stat").exists():
        print("no /proc on this system: left out")
        return
    seconds = 1 if smoke else 10
    for name, command in (("emulator", servers.emulator_command), ("oracle", servers.oracle_command)):
        for _ in range(2):
            port = servers.free_port()
            with servers.running(command(port), port, servers.ROOT) as process:
                before = _cpu_seconds(process.pid)
                time.sleep(seconds)
                used = _cpu_seconds(process.pid) - before
            print(f"{name:<10}{used * 1000:>8.0f} ms of CPU time in {seconds} s")
