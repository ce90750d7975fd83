"""Programs of Python that are measured in a process of their own and print their figures."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from conformance.bench.client import Failed
from conformance.servers import ROOT, environment


def figures_of(program: str, *words: object) -> dict[str, Any]:
    """What a program prints as JSON; raises `Failed` with the end of what it says went wrong."""
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failed(done.stderr[-500:])
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures
