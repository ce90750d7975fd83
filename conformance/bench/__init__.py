"""``python -m conformance bench``: the emulator's speed, always beside the real server's in the same run."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from conformance.bench import (
    cpu,
    crowd,
    durable,
    heavy,
    idle,
    inprocess,
    large,
    local,
    modules,
    plugin,
    replication,
    rest,
    scale,
    soak,
    stall,
    startup,
    throughput,
    vectors,
    wide,
)
from conformance.bench.client import Failed

PROGRAMS = {
    "throughput": throughput.run,
    "cpu": cpu.run,
    "wide": wide.run,
    "heavy": heavy.run,
    "scale": scale.run,
    "stall": stall.run,
    "startup": startup.run,
    "durable": durable.run,
    "replication": replication.run,
    "idle": idle.run,
    "crowd": crowd.run,
    "vectors": vectors.run,
    "large": large.run,
    "modules": modules.run,
    "soak": soak.run,
    "inprocess": inprocess.run,
    "local": local.run,
    "plugin": plugin.run,
    "rest": rest.run,
}


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _words(text: str) -> list[str]:
    return text.split(",")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m conformance bench", description=__doc__)
    parser.add_argument("program", nargs="?", choices=[*PROGRAMS, "all"], help="default: throughput; with --smoke all")
    parser.add_argument("--smoke", action="store_true", help="tiny: it only has to finish")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument(
        "--rounds",
        type=int,
        help="throughput (3), durable (5), startup (11): medians of so many; cpu, modules (5): the least",
    )
    parser.add_argument("-n", type=int, dest="requests", help="throughput, cpu: requests for each test and round")
    parser.add_argument(
        "--tests", type=_words, default=throughput.TESTS, help="throughput: as redis-benchmark has them"
    )
    parser.add_argument("--pipeline", type=_numbers, default=[1, 16], help="throughput, cpu: commands in flight (1,16)")
    parser.add_argument("--clients", type=int, default=50, help="throughput, cpu: connections (50)")
    parser.add_argument(
        "--sizes",
        type=_numbers,
        help="elements: scale (1000,100000,1000000), wide (20,20000), vectors (100000); "
        "large, heavy, stall, durable, replication (1000000)",
    )
    parser.add_argument(
        "--match", metavar="TEXT", help="wide, heavy: only the cases with this text (or one of several: A|B)"
    )
    parser.add_argument("--seconds", type=float, help="idle (10), crowd (5), soak (60): how long to measure")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run one of the programs, or all; 1 where a server failed, whatever its speed."""
    options = _parser().parse_args(arguments)
    chosen = options.program or ("all" if options.smoke else "throughput")
    figures: dict[str, object] = {}
    try:
        for name, run in PROGRAMS.items():
            if chosen in (name, "all"):
                print(f"== {name}", flush=True)
                figures[name] = run(options)
    except Failed as failure:
        print(f"failed: {failure}", file=sys.stderr)
        return 1
    finally:
        if options.json:
            options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0
