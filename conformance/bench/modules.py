"""Microseconds of CPU time that the server process uses for a command of a module, emulator and oracle in one run.

A module has its commands here: what is prepared, and what is measured, each so often in a round; of the rounds the least
counts.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from conformance import servers
from conformance.bench.client import connect, encode, pipeline
from conformance.bench.idle import cpu_seconds

_ORACLE_TIMES: Final = 12
"""How many times the oracle's time is still good."""
_SMOKE: Final = 20


class Workload(NamedTuple):
    """Commands that are sent once, and those that are measured by their names, each with how often it is sent."""

    prepared: Sequence[Sequence[bytes]]
    measured: dict[str, tuple[int, Sequence[bytes]]]


def _item(number: int) -> dict[str, Any]:
    """About a kilobyte of what documents are made of."""
    return {
        "id": number,
        "name": f"item {number}",
        "price": number * 1.25,
        "tags": ["one", "two", "three", "four"],
        "stock": {"here": number % 7, "there": None, "sold": True},
        "text": "some words that describe the item at length " * 17,
    }


def _json() -> Workload:
    small = json.dumps(_item(1)).encode()
    large = json.dumps({"items": [_item(number) for number in range(1000)]}).encode()
    return Workload(
        [(b"JSON.SET", b"small", b"$", small), (b"JSON.SET", b"large", b"$", large)],
        {
            "JSON.SET of 1 kB": (5000, (b"JSON.SET", b"d", b"$", small)),
            "JSON.GET of 1 kB": (5000, (b"JSON.GET", b"small", b"$")),
            "... one path": (5000, (b"JSON.GET", b"small", b"$.stock.here")),
            "... every tag": (5000, (b"JSON.GET", b"small", b"$..tags[*]")),
            "JSON.NUMINCRBY": (5000, (b"JSON.NUMINCRBY", b"small", b"$.stock.here", b"1")),
            "JSON.SET of a path": (5000, (b"JSON.SET", b"small", b"$.stock.there", b'"x"')),
            "JSON.SET of 1 MB": (10, (b"JSON.SET", b"d", b"$", large)),
            "JSON.GET of 1 MB": (10, (b"JSON.GET", b"large", b"$")),
            "... one path in it": (5000, (b"JSON.GET", b"large", b"$.items[500].price")),
            "... a filter": (10, (b"JSON.GET", b"large", b"$.items[?(@.price>1240)].id")),
            "... everywhere": (10, (b"JSON.GET", b"large", b"$..price")),
            "NUMINCRBY in 1 MB": (5000, (b"JSON.NUMINCRBY", b"large", b"$.items[500].price", b"1")),
            "SET in 1 MB": (5000, (b"JSON.SET", b"large", b"$.items[500].name", b'"x"')),
        },
    )


def _sketches() -> Workload:
    items = [b"item:%d" % number for number in range(1000)]
    numbers = [b"%d.25" % (number * 7919 % 1000) for number in range(1000)]
    return Workload(
        [
            (b"BF.RESERVE", b"bf", b"0.01", b"100000"),
            (b"BF.MADD", b"bf", *items),
            (b"CF.RESERVE", b"cf", b"1000000"),
            (b"CMS.INITBYDIM", b"cms", b"2000", b"7"),
            (b"TOPK.RESERVE", b"top", b"100", b"1000", b"7", b"0.9"),
            (b"TOPK.ADD", b"top", *items),
            (b"TDIGEST.CREATE", b"td"),
            (b"TDIGEST.ADD", b"td", *numbers),
        ],
        {
            "BF.ADD": (20_000, (b"BF.ADD", b"bf", b"item:5000")),
            "BF.MADD of 100": (300, (b"BF.MADD", b"bf", *items[:100])),
            "BF.EXISTS": (20_000, (b"BF.EXISTS", b"bf", b"item:500")),
            "CF.ADDNX": (20_000, (b"CF.ADDNX", b"cf", b"item:500")),
            "CMS.INCRBY": (20_000, (b"CMS.INCRBY", b"cms", b"item:500", b"1")),
            "TOPK.ADD": (10_000, (b"TOPK.ADD", b"top", b"item:500")),
            "TDIGEST.ADD": (20_000, (b"TDIGEST.ADD", b"td", b"42.5")),
            "TDIGEST.ADD of 100": (1000, (b"TDIGEST.ADD", b"td", *numbers[:100])),
            "TDIGEST.QUANTILE": (10_000, (b"TDIGEST.QUANTILE", b"td", b"0.5")),
        },
    )


_MANY: Final = 100_000


def _time_series() -> Workload:
    samples = [(b"t", b"%d" % moment, b"%d.5" % (moment * 7919 % 1000)) for moment in range(_MANY)]
    portions = [samples[place : place + 1000] for place in range(0, _MANY, 1000)]
    whole = (b"TS.RANGE", b"t", b"-", b"+")
    return Workload(
        [
            (b"TS.CREATE", b"t"),
            (b"TS.CREATE", b"u", b"DUPLICATE_POLICY", b"LAST"),
            *((b"TS.MADD", *(word for sample in portion for word in sample)) for portion in portions),
        ],
        {
            "TS.ADD": (20_000, (b"TS.ADD", b"u", b"*", b"5")),
            "TS.GET": (20_000, (b"TS.GET", b"t")),
            "TS.RANGE of 10": (5000, (*whole, b"COUNT", b"10")),
            "... 100000, avg of 1000": (20, (*whole, b"AGGREGATION", b"avg", b"1000")),
            "... max of 1000": (20, (*whole, b"AGGREGATION", b"max", b"1000")),
            "... std.p of 1000": (20, (*whole, b"AGGREGATION", b"std.p", b"1000")),
            "... sum of 10": (5, (*whole, b"AGGREGATION", b"sum", b"10")),
            "... twa of 1000": (3, (*whole, b"AGGREGATION", b"twa", b"1000")),
            "... all": (3, whole),
        },
    )


_WORKLOADS: Final = {"json": _json, "bf": _sketches, "timeseries": _time_series}
"""What each module does, by the word that chooses it."""


def _measure(workload: Workload, word: str, rounds: int, smoke: bool) -> dict[str, dict[str, float]]:
    """The least microseconds a command, of each test for each server."""
    figures: dict[str, dict[str, float]] = {test: {} for test in workload.measured}
    commands = {"emulator": servers.emulator_command, "oracle": servers.oracle_command}
    with contextlib.ExitStack() as stack:
        connections = {}
        for name, command in commands.items():
            port = servers.free_port()
            process = stack.enter_context(servers.running(command(port, modules=(word,)), port))
            connection = stack.enter_context(contextlib.closing(connect(("127.0.0.1", port))))
            connections[name] = process.pid, connection
            pipeline(connection, [encode(*words) for words in workload.prepared])
        for test, (often, words) in workload.measured.items():
            times = max(often // _SMOKE, 1) if smoke else often
            for _ in range(rounds):
                for name, (pid, connection) in connections.items():
                    before = cpu_seconds(pid)
                    pipeline(connection, [encode(*words)] * times)
                    used = (cpu_seconds(pid) - before) / times * 1e6
                    figures[test][name] = min(used, figures[test].get(name, used))
    return figures


def run(options: argparse.Namespace) -> dict[str, Any]:
    if sys.platform != "linux":
        print("no accounts of other processes' CPU time: left out")
        return {}
    rounds = options.rounds or (1 if options.smoke else 5)
    found = {word: _measure(make(), word, rounds, options.smoke) for word, make in _WORKLOADS.items()}
    print(f"{'microseconds of CPU time':<26}{'emulator':>12}{'oracle':>12}{'ratio':>8}")
    for figures in found.values():
        for test, row in figures.items():
            ratio = row["emulator"] / row["oracle"]
            late = "   more than it should be" if ratio > _ORACLE_TIMES else ""
            print(f"{test:<26}{row['emulator']:>12.1f}{row['oracle']:>12.1f}{ratio:>8.1f}{late}")
    return found
