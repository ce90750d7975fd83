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
_MOST_MS_TO_RESTORE = 5.0


def _pytest_seconds(fixture: str, count: int) -> float:
    """How long pytest says that so many empty tests took."""
    with tempfile.TemporaryDirectory() as folder:
        text = f"import pytest\n@pytest.mark.parametrize('n', range({count}))\ndef test_it(n{fixture}):\n    pass\n"
        Path(folder, "test_it.py").write_text(text)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "emulator.pytest_plugin", "."],
            cwd=folder,
            env=servers.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
    found = re.search(r"passed.* in ([\d.]+)s", done.stdout)
    if found is None and "already registered" in done.stderr:
        raise Failed("the plugin is installed and named at once")
    if done.returncode or found is None:
        raise Failed(done.stdout[-500:] + done.stderr[-500:])
    return float(found[1])


def _fixture(count: int, rounds: int) -> dict[str, float]:
    """Milliseconds that ``redis_client`` adds to a test: the quickest of some rounds with it and without."""
    least = {name: min(_pytest_seconds(name, count) for _ in range(rounds)) for name in ("", ", redis_client")}
    return {"ms_a_test": (least[", redis_client"] - least[""]) / count * 1000}


def _snapshot(size: int, changed: int) -> dict[str, float]:
    """Milliseconds to restore a data set of so many keys of which some have changed, and to load it anew."""
    port = servers.free_port()
    with servers.running(servers.emulator_command(port), port, servers.ROOT):
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
        print(f"redis_client  {figures['fixture']['ms_a_test']:.2f} ms a test")
    size = 1000 if options.smoke else 100_000
    found = figures["snapshot"] = _snapshot(size, 10)
    print(
        f"snapshot      restored in {found['restore_ms']:.2f} ms with 10 of {size} keys changed; "
        f"loaded anew in {found['load_ms']:.0f} ms, {found['load_ms'] / found['restore_ms']:.0f} times as long"
    )
    if not options.smoke:
        if figures.get("fixture", {}).get("ms_a_test", 0) > _MOST_MS_A_TEST:
            raise Failed(f"redis_client costs more than {_MOST_MS_A_TEST} ms")
        if found["restore_ms"] > _MOST_MS_TO_RESTORE:
            raise Failed(f"restoring takes more than {_MOST_MS_TO_RESTORE} ms")
    return figures
