"""Requests a second with 50 clients, unpipelined and with a pipeline of 16: emulator, oracle, and fakeredis where it is
installed, round by round in one run.  redis-benchmark makes the load, with its default keys."""

from __future__ import annotations

import contextlib
import csv
import importlib.util
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator

from conformance import servers
from conformance.servers import Address

TESTS = ("set", "get", "incr", "lpush", "hset", "zadd", "mset")
CLIENTS = 50
TARGETS = {1: (0.5, 6.0), 16: (0.15, 40.0)}
"""For each pipeline: the least ratios to the oracle and to fakeredis."""

_FAKE = """
import sys
from fakeredis import TcpFakeServer
TcpFakeServer(("127.0.0.1", int(sys.argv[1])), server_type="redis").serve_forever()
"""

Figures = dict[str, tuple[float, float, float]]


def redis_benchmark() -> str | None:
    """The load generator, or None where there is none that runs."""
    found = shutil.which("redis-benchmark")
    if found is None:
        return None
    works = subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0
    return found if works else None


@contextlib.contextmanager
def fakeredis() -> Iterator[Address | None]:
    """fakeredis's TCP server in a process of its own, or None where it is not installed."""
    if importlib.util.find_spec("fakeredis") is None:
        yield None
        return
    port = servers.free_port()
    with servers.running([sys.executable, "-c", _FAKE, str(port)], port):
        yield "127.0.0.1", port


def measure(tool: str, address: Address, pipeline: int, requests: int) -> Figures:
    """Requests a second, p50 and p99 in milliseconds for each test."""
    command = [tool, "-p", str(address[1]), "-c", str(CLIENTS), "-P", str(pipeline), "-n", str(requests)]
    output = subprocess.run(
        [*command, "-t", ",".join(TESTS), "--csv"], capture_output=True, text=True, check=True
    ).stdout
    rows = csv.DictReader(line for line in output.splitlines() if line.startswith('"'))
    return {
        row["test"]: (float(row["rps"]), float(row["p50_latency_ms"]), float(row["p99_latency_ms"])) for row in rows
    }


def run(smoke: bool) -> None:
    tool = redis_benchmark()
    if tool is None:
        print("no redis-benchmark on PATH (Debian: redis-tools): left out")
        return
    rounds, requests = (1, {1: 500, 16: 2000}) if smoke else (3, {1: 60_000, 16: 400_000})
    with contextlib.ExitStack() as stack:
        emulator = stack.enter_context(servers.emulator())
        oracle = stack.enter_context(servers.oracle())
        fake = stack.enter_context(fakeredis())
        for address in (emulator, oracle):
            measure(tool, address, 16, 2000)
        for pipeline in TARGETS:
            results: dict[str, list[Figures]] = {"emulator": [], "oracle": [], "fakeredis": []}
            for _ in range(rounds):
                results["emulator"].append(measure(tool, emulator, pipeline, requests[pipeline]))
                results["oracle"].append(measure(tool, oracle, pipeline, requests[pipeline]))
                if fake is not None:
                    results["fakeredis"].append(measure(tool, fake, pipeline, 100 if smoke else 3000))
            report(pipeline, results)


def report(pipeline: int, results: dict[str, list[Figures]]) -> None:
    least, least_fake = TARGETS[pipeline]
    print(
        f"\n{CLIENTS} clients, pipeline of {pipeline}; to reach: {least} of the oracle, {least_fake:g} times fakeredis"
    )
    print(
        f"{'test':<18}{'emulator':>10}{'oracle':>10}{'ratio':>7}{'fakeredis':>11}{'ratio':>8}{'p50 ms':>9}{'p99 ms':>9}"
    )
    for test in results["emulator"][0]:
        ours = [figures[test] for figures in results["emulator"]]
        rate = statistics.median(row[0] for row in ours)
        theirs = statistics.median(figures[test][0] for figures in results["oracle"])
        fake = statistics.median(figures[test][0] for figures in results["fakeredis"]) if results["fakeredis"] else 0.0
        p50, p99 = (statistics.median(row[column] for row in ours) for column in (1, 2))
        beside_fake = f"{fake:>11.0f}{rate / fake:>8.1f}" if fake else f"{'-':>11}{'-':>8}"
        print(f"{test[:17]:<18}{rate:>10.0f}{theirs:>10.0f}{rate / theirs:>7.2f}{beside_fake}{p50:>9.2f}{p99:>9.2f}")
