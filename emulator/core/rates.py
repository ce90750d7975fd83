"""How much there is to do in a second, for INFO: the mean of the last 1.6 seconds, as of samples ten times a second.

Samples are only taken for some seconds after somebody has asked.  Who asks after a longer time, or for the first time, gets
the mean since the last sample there is.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from emulator.datatypes.wheel import Timer

if TYPE_CHECKING:
    from emulator.core.engine import Engine

_PERIOD: Final = 100
"""Milliseconds between samples."""
_SAMPLES: Final = 16
_PATIENCE: Final = 10_000
"""For how many milliseconds samples are taken when somebody has asked."""


class Rate(NamedTuple):
    """A second's commands, bytes received and sent, rounds of reading, and the seconds that commands took."""

    commands: float = 0.0
    received: float = 0.0
    sent: float = 0.0
    rounds: float = 0.0
    busy: float = 0.0


class Rates(Timer):
    """The samples of an engine; as a timer it is the next one."""

    __slots__ = ("_asked", "_engine", "_samples", "_taken", "_totals")

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine
        self._samples: deque[Rate] = deque(maxlen=_SAMPLES)
        self._totals = Rate()
        self._taken = engine.clock.elapsed
        self._asked = 0

    def reset(self) -> None:
        """The counters have been set back."""
        self._samples.clear()
        self._totals = Rate()
        self._taken = self._engine.clock.elapsed

    def mean(self) -> Rate:
        """What there is to do just now."""
        self._asked = self._engine.clock.elapsed
        if self.deadline is None:
            self._samples.clear()
            self._sample()
            self._engine.waits.set(self, self._asked + _PERIOD)
        count = len(self._samples)
        return Rate(*(sum(values) / count for values in zip(*self._samples, strict=True))) if count else Rate()

    def fire(self) -> None:
        self._sample()
        now = self._engine.clock.elapsed
        if now < self._asked + _PATIENCE:
            self._engine.waits.set(self, now + _PERIOD)

    def _sample(self) -> None:
        engine, stats = self._engine, self._engine.stats
        passed = engine.clock.elapsed - self._taken
        if passed <= 0:
            return
        engine.count_durations()
        busy = engine.commands.seconds_spent()
        totals = Rate(stats.commands_processed, stats.net_input_bytes, stats.net_output_bytes, stats.reads, busy)
        pairs = zip(totals, self._totals, strict=True)
        self._samples.append(Rate(*((after - before) * 1000 / passed for after, before in pairs)))
        self._totals = totals
        self._taken = engine.clock.elapsed
