"""One round of the event loop from within a callback.

A script runs within a callback, and one that does not end would hold up the loop for ever.  asyncio has no way to run its
loop from inside itself; this is the one place where its private parts are touched, and only while a script has been running
for longer than ``busy-reply-threshold``.
"""

from __future__ import annotations

import asyncio
from typing import Any


def run_one_round(loop: asyncio.AbstractEventLoop) -> None:
    """Handle what is ready, without waiting.

    The round under way counts on as many callbacks as were ready when it began, so those that are taken from it here are
    made up for by ones that do nothing.  Where the script runs within a task, the loop forgets so for the round: it would
    let no other task go on.  A loop of another make (uvloop) is left alone.
    """
    inner: Any = loop
    if not hasattr(inner, "_run_once"):
        return
    task = asyncio.current_task(loop)
    if task is not None:
        asyncio.tasks._leave_task(loop, task)
    try:
        expected = len(inner._ready)
        loop.call_soon(_nothing)
        inner._run_once()
        while len(inner._ready) < expected:
            loop.call_soon(_nothing)
    finally:
        if task is not None:
            asyncio.tasks._enter_task(loop, task)


def _nothing() -> None:
    pass
