"""``python -m conformance bench``: the emulator's speed, always beside the real server's in the same run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from conformance.bench import crowd, idle, scale, startup, throughput

PROGRAMS = {
    "throughput": throughput.run,
    "scale": scale.run,
    "startup": startup.run,
    "idle": idle.run,
    "crowd": crowd.run,
}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m conformance bench", description=__doc__)
    parser.add_argument("program", nargs="?", choices=[*PROGRAMS, "all"], help="default: throughput; with --smoke all")
    parser.add_argument("--smoke", action="store_true", help="tiny: it only has to finish")
    options = parser.parse_args(arguments)
    chosen = options.program or ("all" if options.smoke else "throughput")
    for name, run in PROGRAMS.items():
        if chosen in (name, "all"):
            print(f"== {name}", flush=True)
            run(options.smoke)
    return 0
