"""redis-py on an engine of its own process, beside fakeredis, which is the same idea."""

from __future__ import annotations

import argparse
from typing import Any

from conformance.bench.client import Failed
from conformance.bench.program import figures_of

_LEAST_RATIO = 2.0
_MOST_MS_TO_FIRST_ANSWER = 100.0

_PROGRAM = """
import json, sys, time
name, count = sys.argv[1], int(sys.argv[2])
started = time.perf_counter()
import redis, redis.asyncio
figures = {"redis_py_ms": (time.perf_counter() - started) * 1000}
started = time.perf_counter()
if name == "fakeredis":
    import fakeredis
    client = fakeredis.FakeRedis()
else:
    import emulator
    client = emulator.connect()
client.ping()
figures["first_use_ms"] = (time.perf_counter() - started) * 1000
for word, call in (("SET", lambda: client.set("k", "v")), ("GET", lambda: client.get("k"))):
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        for _ in range(count):
            call()
        best = min(best, time.perf_counter() - started)
    figures[word] = best / count * 1e6
print(json.dumps(figures))
"""


def _measure(name: str, count: int) -> dict[str, float] | None:
    """Microseconds for each command and milliseconds until the first answer; None where it is not installed."""
    try:
        return figures_of(_PROGRAM, name, count)
    except Failed as error:
        if "ModuleNotFoundError" in str(error):
            return None
        raise


def run(options: argparse.Namespace) -> dict[str, Any]:
    count = 300 if options.smoke else 20_000
    figures: dict[str, Any] = {name: _measure(name, count) for name in ("emulator", "fakeredis")}
    for name, found in figures.items():
        if found is None:
            print(f"{name:<10} is not installed")
        else:
            print(
                f"{name:<10} SET {found['SET']:.1f} us, GET {found['GET']:.1f} us, "
                f"first answer after {found['first_use_ms']:.0f} ms, and {found['redis_py_ms']:.0f} ms to import redis-py"
            )
    ours, theirs = figures["emulator"], figures["fakeredis"]
    if ours is None:
        raise Failed("redis-py is not installed")
    if not options.smoke and ours["first_use_ms"] > _MOST_MS_TO_FIRST_ANSWER:
        raise Failed(f"the first answer takes more than {_MOST_MS_TO_FIRST_ANSWER:.0f} ms")
    if theirs is not None:
        ratios = {word: theirs[word] / ours[word] for word in ("SET", "GET")}
        print("; ".join(f"{word} {ratio:.1f} times fakeredis" for word, ratio in ratios.items()))
        if not options.smoke and min(ratios.values()) < _LEAST_RATIO:
            raise Failed(f"less than {_LEAST_RATIO} times fakeredis")
    return figures
