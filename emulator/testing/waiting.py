"""Waiting until the servers of a test agree."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

from emulator.clock import machine_monotonic

_PATIENCE = 120.0
"""Seconds: a failover that fails on a busy machine is tried again, more than once."""
_PAUSE = 0.002


def until(check: Callable[[], bool], complaint: str) -> None:
    """Wait until a check holds.  Raises TimeoutError with the complaint where that takes two minutes."""
    for pause in _pauses(check, complaint):
        time.sleep(pause)


async def until_here(check: Callable[[], bool], complaint: str) -> None:
    """The same in the running loop, which goes on meanwhile."""
    for pause in _pauses(check, complaint):
        await asyncio.sleep(pause)


def _pauses(check: Callable[[], bool], complaint: str) -> Iterator[float]:
    """How long to wait before each further look."""
    deadline = machine_monotonic() + _PATIENCE
    while not check():
        if machine_monotonic() > deadline:
            raise TimeoutError(complaint)
        yield _PAUSE
