"""What is due by the clock: the deadlines of keys, the waits of clients, and both when the clock itself is turned."""

from __future__ import annotations

from collections.abc import Callable
from time import thread_time
from typing import TYPE_CHECKING, Final

from emulator.datatypes.wheel import NEVER
from emulator.wall import behind_wall

if TYPE_CHECKING:
    from emulator.core.engine import Engine

_STEPS_A_SLICE: Final = 250
_STEPS_A_LOOK: Final = 50
_SLICE: Final = 0.004
"""Seconds of the processor's time after which a slice ends: large values that nobody has used for long take their time."""


class Timers:
    """The two wheels of an engine: `Engine.wheel` goes by the time that the clock shows, `Engine.waits` by what has elapsed.

    Nothing happens by itself: whoever owns the engine calls `advance` after `seconds_until_due`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def advance(self) -> bool:
        """Let happen what is due, in one bounded slice; whether more is due already."""
        engine = self._engine
        more = self._expire()
        more |= engine.waits.advance(engine.clock.elapsed, _STEPS_A_SLICE)
        if engine.pending_work:
            engine.work()
        if engine.tracking.changed:
            behind_wall(engine.tracking.broadcast, "what is told to clients that cache")
        self._set_alarms()
        return more

    def _expire(self) -> bool:
        """Let a slice of what is due expire; whether there is more."""
        engine = self._engine
        now = engine.clock.tick()
        if not engine.latency.threshold:
            return self._expire_some(now)
        with engine.latency.watch(b"expire-cycle"):
            return self._expire_some(now)

    def _expire_some(self, now: int) -> bool:
        ends = thread_time() + _SLICE
        for _ in range(0, _STEPS_A_SLICE, _STEPS_A_LOOK):
            if not self._engine.wheel.advance(now, _STEPS_A_LOOK):
                return False
            if thread_time() > ends:
                break
        return True

    def seconds_until_due(self) -> float | None:
        """How long it is until `advance` has something to do; None while it has nothing, or time stands still."""
        engine, clock = self._engine, self._engine.clock
        if clock.frozen:
            return None
        next_deadline, next_wait = engine.wheel.next_moment(), engine.waits.next_moment()
        due = []
        if next_deadline is not None:
            due.append(next_deadline / 1000 - clock.micros() / 1e6)
        if next_wait is not None:
            due.append((next_wait - clock.elapsed) / 1000)
        return max(min(due), 0.0) if due else None

    def on_earlier(self, listener: Callable[[], None] | None) -> None:
        """Whom to tell when something is due earlier than `seconds_until_due` has told."""
        self._engine.wheel.on_earlier = self._engine.waits.on_earlier = listener

    def turn_clock(self, moment: int) -> None:
        """Show another time, in milliseconds since the epoch; what is due until then happens in order, each at its time."""
        engine, clock = self._engine, self._engine.clock
        if moment < clock.now:
            clock.show(moment)
        while (due := self._next_due()) <= moment:
            clock.show(max(due, clock.now))
            engine.wheel.advance(clock.now, _STEPS_A_SLICE)
            engine.waits.advance(clock.elapsed, _STEPS_A_SLICE)
            if engine.pending_work:
                engine.work()
        clock.show(moment)
        self._set_alarms()
        self._tell_of_alarm()

    def _next_due(self) -> int:
        """When the next timer of either wheel is due, in milliseconds since the epoch."""
        engine, clock = self._engine, self._engine.clock
        deadline, wait = engine.wheel.next_moment(), engine.waits.next_moment()
        wait = NEVER if wait is None else clock.now + max(wait - clock.elapsed, 0)
        return wait if deadline is None else min(deadline, wait)

    def freeze_clock(self) -> None:
        """Let time stand still: nothing expires until it is turned or goes on."""
        self._engine.clock.freeze()

    def resume_clock(self) -> None:
        """Let time go on from where it stands."""
        self._engine.clock.resume()
        self._tell_of_alarm()

    def reset_clock(self) -> None:
        """Let the clock follow the machine's again; nothing happens that would have been due meanwhile."""
        if self._engine.clock.turned:
            self._engine.clock.reset()
            self._tell_of_alarm()

    def follow_patched_time(self, patched: bool) -> None:
        """Let the clock go by Python's time as freezegun and time-machine patch it, or by the machine's whatever they do."""
        self._engine.clock.follow(patched)
        self._set_alarms()
        self._tell_of_alarm()

    def _set_alarms(self) -> None:
        for wheel in (self._engine.wheel, self._engine.waits):
            moment = wheel.next_moment()
            wheel.alarm = NEVER if moment is None else moment

    def _tell_of_alarm(self) -> None:
        """The owner's alarm goes by a time that has changed."""
        if self._engine.wheel.on_earlier is not None:
            self._engine.wheel.on_earlier()
