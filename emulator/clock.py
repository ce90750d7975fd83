"""The engine's only source of time, and how it is turned.

``now`` is the time in milliseconds since the epoch as of the last `tick`; commands go by it, so that time stands still
within a command, a transaction or a script.  A clock follows the machine's until it is frozen or set; turning an engine's
clock by `Engine.turn` lets everything happen that is due on the way.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final

_MACHINE: Final = (time.time_ns,)
"""In a tuple, where freezegun, which patches the names of modules, does not find it."""


def _patched_time() -> int:
    return time.time_ns()


def _machine_time() -> Callable[[], int]:
    """What tells the machine's time, whatever is patched: time-machine patches the function itself, but keeps the old one."""
    time_machine = sys.modules.get("time_machine")
    if time_machine is None:
        return _MACHINE[0]
    hatch = time_machine.escape_hatch

    def time_ns() -> int:
        return int(hatch.time.time_ns() if hatch.is_travelling() else _MACHINE[0]())

    return time_ns


class Clock:
    """The machine's clock, perhaps turned or frozen.

    ``held`` is what `micros` answers while it is not 0, so that time stands still in a script.  With `patched` it goes by
    what ``time.time_ns`` says at each moment, so that freezegun and time-machine in the same process are honoured; else they
    are not (time-machine where it was imported before the clock was made).
    """

    __slots__ = ("_shift", "_source", "_standing", "held", "now")

    def __init__(self, patched: bool = False) -> None:
        self._source: Callable[[], int] = _patched_time if patched else _machine_time()
        self.now = self.held = self._shift = 0
        self._standing: int | None = None
        self.tick()

    def tick(self) -> int:
        """Take the time: milliseconds since the epoch."""
        standing = self._standing
        self.now = now = (self._source() // 1000 + self._shift if standing is None else standing) // 1000
        return now

    def micros(self) -> int:
        """Microseconds since the epoch, taken afresh."""
        return self.held or self._exact()

    def hold(self) -> None:
        """Let `micros` answer with this moment, until `held` is 0 again."""
        self.held = self._exact()

    def _exact(self) -> int:
        return self._source() // 1000 + self._shift if self._standing is None else self._standing

    @property
    def frozen(self) -> bool:
        """Whether it stands still."""
        return self._standing is not None

    @property
    def turned(self) -> bool:
        """Whether it shows another time than the machine's."""
        return self._standing is not None or self._shift != 0

    def freeze(self) -> None:
        """Stand still."""
        self._standing = self._exact()
        self.tick()

    def resume(self) -> None:
        """Go on from where it stands."""
        if self._standing is not None:
            self._shift = self._standing - self._source() // 1000
            self._standing = None
        self.tick()

    def reset(self) -> None:
        """Follow the machine's clock again."""
        self._shift = 0
        self._standing = None
        self.tick()

    def set(self, now: int) -> None:
        """Show another time, in milliseconds since the epoch, and go on from there or stand still as before."""
        if self._standing is None:
            self._shift = now * 1000 - self._source() // 1000
        else:
            self._standing = now * 1000
        self.tick()

    def advance(self, milliseconds: int) -> None:
        """Show a later time."""
        if self._standing is None:
            self._shift += milliseconds * 1000
        else:
            self._standing += milliseconds * 1000
        self.tick()


class ManualClock(Clock):
    """A clock that stands still until it is turned."""

    __slots__ = ()

    def __init__(self, now: int = 1_700_000_000_000) -> None:
        super().__init__()
        self.freeze()
        self.set(now)
