"""What the fixtures cost: ``redis_client`` for each test, and a snapshot restored against a data set loaded anew."""

from __future__ import annotations

import argparse
import contextlib
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from conformance import servers
from conformance.bench.client import Failed, connect

_MOST_MS_A_TEST = 1.0
_MOST_MS_TO_FIRST_ANSWER = 100.0
_MOST_MS_TO_RESTORE = 5.0


_FIRST_USE = """
import time
import redis, redis.asyncio

def test_it(request):
    started = time.perf_counter()
    request.getfixturevalue("redis_client").get("k")
    print("first use", (time.perf_counter() - started) * 1000)
"""


def _pytest(tests: str, wanted: str) -> float:
    """Run tests with no plugin but ours; the number that they print, or pytest tells, after the words that are wanted."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_it.py").write_text(tests)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "-p", "emulator.pytest_plugin", "."],
            cwd=folder,
            env=servers.environment() | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    found = re.search(rf"{wanted} ([\d.]+)", done.stdout)
    if done.returncode or found is None:
        raise Failed(done.stdout[-500:] + done.stderr[-500:])
    return float(found[1])


def _seconds(fixture: str, count: int) -> float:
    """How long pytest says that so many empty tests took."""
    tests = f"import pytest\n@pytest.mark.parametrize('n', range({count}))\ndef test_it(n{fixture}):\n    pass\n"
    return _pytest(tests, "passed.* in")


def _fixture(count: int, rounds: int) -> dict[str, float]:
    """Milliseconds that ``redis_client`` adds to a test, and until the first one has answered: the least of some rounds."""
    least = {name: min(_seconds(name, count) for _ in range(rounds)) for name in ("", ", redis_client")}
    return {
        "ms_a_test": (least[", redis_client"] - least[""]) / count * 1000,
        "first_use_ms": min(_pytest(_FIRST_USE, "first use") for _ in range(rounds)),
    }


def _snapshot(size: int, changed: int) -> dict[str, float]:
    """Milliseconds to restore a data set of so many keys of which some have changed, and to load it anew."""
    port = servers.free_port()
    with servers.running(servers.emulator_command(port), port):
        ask = connect(("127.0.0.1", port))
        value = "x" * 20

        def load() -> float:
            started = time.perf_counter()
            ask("FLUSHALL")
            for first in range(0, size, 1000):
                ask("MSET", *(word for number in range(first, first + 1000) for word in (f"k{number}", value)))
            return (time.perf_counter() - started) * 1000

        loaded = min(load() for _ in range(2))
        ask("EMULATOR", "SNAPSHOT", "SAVE", "s")
        least = float("inf")
        for _ in range(5):
            for number in range(changed):
                ask("SET", f"k{number}", "changed")
            started = time.perf_counter()
            ask("EMULATOR", "SNAPSHOT", "RESTORE", "s")
            least = min(least, (time.perf_counter() - started) * 1000)
    return {"restore_ms": least, "load_ms": loaded}


def run(options: argparse.Namespace) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    with contextlib.suppress(ModuleNotFoundError):
        import redis  # noqa: F401

        figures["fixture"] = _fixture(20, 1) if options.smoke else _fixture(1000, 3)
        found = figures["fixture"]
        print(
            f"redis_client  {found['ms_a_test']:.2f} ms a test; the first one answers after "
            f"{found['first_use_ms']:.0f} ms, redis-py's import left aside"
        )
    size = 1000 if options.smoke else 100_000
    found = figures["snapshot"] = _snapshot(size, 10)
    print(
        f"snapshot      restored in {found['restore_ms']:.2f} ms with 10 of {size} keys changed; "
        f"loaded anew in {found['load_ms']:.0f} ms, {found['load_ms'] / found['restore_ms']:.0f} times as long"
    )
    if not options.smoke:
        if figures.get("fixture", {}).get("ms_a_test", 0) > _MOST_MS_A_TEST:
            raise Failed(f"redis_client costs more than {_MOST_MS_A_TEST} ms")
        if figures.get("fixture", {}).get("first_use_ms", 0) > _MOST_MS_TO_FIRST_ANSWER:
            raise Failed(f"the first redis_client takes more than {_MOST_MS_TO_FIRST_ANSWER} ms")
        if found["restore_ms"] > _MOST_MS_TO_RESTORE:
            raise Failed(f"restoring takes more than {_MOST_MS_TO_RESTORE} ms")
    return figures
