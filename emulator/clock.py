"""The engine's only source of time.

``now`` is the time in milliseconds since the epoch as of the last `tick`; commands go by it, so that time stands still
within a command, a transaction or a script.  A `ManualClock` moves only when told.
"""

from __future__ import annotations

import time


class Clock:
    """The machine's clock; ``held`` is what `micros` answers while it is not 0, so that time stands still in a script."""

    __slots__ = ("held", "now")

    def __init__(self) -> None:
        self.now = self.held = 0
        self.tick()

    def tick(self) -> int:
        """Take the time: milliseconds since the epoch."""
        self.now = now = time.time_ns() // 1_000_000
        return now

    def micros(self) -> int:
        """Microseconds since the epoch, taken afresh."""
        return self.held or time.time_ns() // 1000


class ManualClock(Clock):
    """A clock for tests: it stands still until `advance` or `set`, both in milliseconds."""

    __slots__ = ()

    def __init__(self, now: int = 1_700_000_000_000) -> None:
        super().__init__()
        self.now = now

    def tick(self) -> int:
        return self.now

    def micros(self) -> int:
        return self.now * 1000

    def advance(self, milliseconds: int) -> None:
        self.now += milliseconds

    def set(self, now: int) -> None:
        self.now = now
