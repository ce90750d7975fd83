"""The engine's only source of time, and how it is turned.

``now`` is the time in milliseconds since the epoch as of the last `tick`; commands go by it, so that time stands still
within a command, a transaction or a script.  A clock follows the machine's until it is frozen or set; turning an engine's
clock by `emulator.core.timers.Timers.turn_clock` lets everything happen that is due on the way.

Beside it runs `elapsed`, which never goes back: waits and pauses go by it, so that they take as long as they were meant to
when the machine's clock is set.  Turning the clock forward moves it on by as much.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

_MACHINE: Final = (time.time_ns, time.monotonic_ns)
"""In a tuple, where freezegun, which patches the names of modules, does not find them."""

Source = Callable[[], int]

_LATEST: Final = 1 << 38
"""Seconds that EMULATOR CLOCK takes at most."""


def _patched_time() -> int:
    return time.time_ns()


def _machine_time() -> Source:
    """What tells the machine's time, whatever is patched, in nanoseconds since the epoch.

    time-machine patches the function ``time_ns`` itself, but keeps the old one.
    """
    time_machine = sys.modules.get("time_machine")
    if time_machine is None:
        return _MACHINE[0]
    hatch = time_machine.escape_hatch

    def time_ns() -> int:
        return int(hatch.time.time_ns() if hatch.is_travelling() else _MACHINE[0]())

    return time_ns


def machine_monotonic() -> float:
    """Seconds by a clock that is never set and that nobody patches."""
    return _MACHINE[1]() / 1e9


class Clock:
    """The machine's clock, perhaps turned or frozen.

    ``held`` is what `micros` answers while it is not 0, so that time stands still in a script.  With `patched` it goes by
    what ``time.time_ns`` says at each moment, so that freezegun and time-machine in the same process are honoured; else they
    are not (time-machine where it was imported before the clock was made).  Waits take their time all the same.

    ``on_back`` is told the time when it has gone back: the machine's clock was set, or this one.
    """

    __slots__ = (
        "_elapsed_shift",
        "_elapsed_standing",
        "_monotonic",
        "_shift",
        "_source",
        "_standing",
        "held",
        "now",
        "on_back",
    )

    def __init__(self, patched: bool = False) -> None:
        self._source = _patched_time if patched else _machine_time()
        self._monotonic = _MACHINE[1]
        self.now = self.held = self._shift = self._elapsed_shift = self._elapsed_standing = 0
        self._standing: int | None = None
        self.on_back: Callable[[int], None] | None = None
        self.tick()

    def follow(self, patched: bool) -> None:
        """From now on go by what ``time.time_ns`` says, or by the machine's time whatever is patched."""
        self._source = _patched_time if patched else _machine_time()
        self.tick()

    def tick(self) -> int:
        """Take the time: milliseconds since the epoch."""
        standing = self._standing
        now = (self._source() // 1000 + self._shift if standing is None else standing) // 1000
        went_back = now < self.now
        self.now = now
        if went_back and self.on_back is not None:
            self.on_back(now)
        return now

    @property
    def elapsed(self) -> int:
        """Milliseconds of the time that waits go by, taken afresh; they count from some moment in the past."""
        if self._standing is not None:
            return self._elapsed_standing // 1000
        return (self._monotonic() // 1000 + self._elapsed_shift) // 1000

    def micros(self) -> int:
        """Microseconds since the epoch, taken afresh."""
        return self.held or self._exact()

    def hold(self) -> None:
        """Let `micros` answer with this moment, until `held` is 0 again."""
        self.held = self._source() // 1000 + self._shift if self._standing is None else self._standing

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
        """Stand still, at a whole millisecond, so that both times reach the next one together when they are turned."""
        if self._standing is None:
            self._elapsed_standing = self.elapsed * 1000
            self._standing = self._exact() // 1000 * 1000
        self.tick()

    def resume(self) -> None:
        """Go on from where it stands."""
        if self._standing is not None:
            self._shift = self._standing - self._source() // 1000
            self._elapsed_shift = self._elapsed_standing - self._monotonic() // 1000
            self._standing = None
        self.tick()

    def reset(self) -> None:
        """Follow the machine's clock again."""
        self.resume()
        self._shift = 0
        self.tick()

    def show(self, now: int) -> None:
        """Show another time, in milliseconds since the epoch, and go on from there or stand still as before."""
        micros = now * 1000 - self._exact()
        if self._standing is None:
            self._shift += micros
            self._elapsed_shift += max(micros, 0)
        else:
            self._standing += micros
            self._elapsed_standing += max(micros, 0)
        self.tick()


class ManualClock(Clock):
    """A clock that stands still until it is turned; in Python's units, seconds or ``timedelta`` and ``datetime``.

    (`now` is the engine's, in milliseconds.)
    """

    __slots__ = ()

    def __init__(self, moment: float | datetime = 1_700_000_000) -> None:
        super().__init__()
        self.freeze()
        self.set(moment)

    def set(self, moment: float | datetime) -> None:
        """Show another time: seconds since the epoch, or a date and time."""
        self.show(since_epoch(moment))

    def advance(self, time: float | timedelta) -> None:
        """Show a later time."""
        self.show(self.now + in_milliseconds(time))


def in_milliseconds(time: float | timedelta) -> int:
    """How long something takes, given in seconds or as ``timedelta``.  Raises ValueError where it is less than nothing."""
    seconds = time.total_seconds() if isinstance(time, timedelta) else time
    if not isinstance(seconds, (int, float)):
        raise TypeError(f"seconds or a timedelta are wanted, not {time!r}")
    if not 0 <= seconds < _LATEST:
        raise ValueError(f"a time from 0 seconds on is wanted, not {time!r}")
    return round(seconds * 1000)


def since_epoch(moment: float | datetime) -> int:
    """A moment in milliseconds since the epoch, given in seconds or as ``datetime``."""
    if not isinstance(moment, (int, float, datetime)):
        raise TypeError(f"seconds since the epoch or a datetime are wanted, not {moment!r}")
    return in_milliseconds(moment.timestamp() if isinstance(moment, datetime) else moment)
