"""Long work in slices: a job is a generator, and is run for some milliseconds at a time while others have their turns."""

from __future__ import annotations

import errno
import logging
import os
from collections import deque
from collections.abc import Callable, Generator
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from emulator.datatypes.wheel import Timer
from emulator.wall import behind_wall

if TYPE_CHECKING:
    from emulator.persistence.host import HostOfFiles

logger = logging.getLogger("emulator")

_SLICE: Final = 0.004
"""Seconds."""
_LEAST_PAUSE: Final = 1000
"""Microseconds, which is as exactly as waits go."""

Job = Generator[Callable[[], Any] | int | None, None, None]
"""Yields None wherever it may be interrupted, a number of microseconds to pause, or what is to be done in a thread."""


class Work(Timer):
    """Runs one job at a time, others after it; as a timer it is the end of a pause.

    ``begin`` is called when there is something to do: it is to call `step` time and again, with others' turns between,
    until that returns False.  Where it is None a job is done at once.
    """

    __slots__ = ("_engine", "_error", "_idle", "_job", "_owed", "_waits", "begin")

    def __init__(self, engine: HostOfFiles) -> None:
        super().__init__()
        self._engine = engine
        self._job: Job | None = None
        self._error: Exception | None = None
        self._owed = 0
        self._waits = False
        self._idle: deque[Callable[[], object]] = deque()
        self.begin: Callable[[], None] | None = None

    @property
    def busy(self) -> bool:
        """Whether there is a job."""
        return self._job is not None

    def when_idle(self, begin: Callable[[], object]) -> None:
        """Call something, which may start a job, as soon as there is none."""
        self._idle.append(begin)
        self._call_idle()

    def _call_idle(self) -> None:
        while self._idle and self._job is None:
            behind_wall(self._idle.popleft(), "what waits for the end of work in slices")

    def start(self, job: Job) -> None:
        """Begin with a job."""
        self._job = job
        self._owed = 0
        if self.begin is None:
            run_through(job)
            self._ended(job)
        else:
            self.begin()

    def start_later(self, job: Job, ended: Callable[[Exception | None], object]) -> None:
        """Begin with a job when those before it have ended, and tell at last what went wrong, or None."""
        self.when_idle(lambda: self.start(_telling(job, ended)))

    def stop(self) -> None:
        """Close the job, wherever it is; those that wait go on."""
        job, self._job = self._job, None
        self._engine.waits.cancel(self)
        self._waits = False
        if job is not None:
            job.close()
        self._call_idle()

    def forget(self) -> None:
        """Close the job and those that wait."""
        self._idle.clear()
        self.stop()

    def step(self) -> bool:
        """Run the job for a slice; whether it is to go on at once."""
        until = perf_counter() + _SLICE
        while (job := self._job) is not None and not self._waits:
            try:
                wish = self._go_on(job)
            except StopIteration:
                self._ended(job)
                break
            except Exception as error:  # a bug: the job is over, and the server goes on
                logger.error("internal error in work in slices", exc_info=error)
                self._ended(job)
                break
            if wish is None:
                if perf_counter() >= until:
                    return True
            elif isinstance(wish, int):
                self._pause(wish)
            else:
                self._do_in_background(job, wish)
        return False

    def _go_on(self, job: Job) -> Callable[[], Any] | int | None:
        if self._error is None:
            return next(job)
        error, self._error = self._error, None
        return job.throw(error)

    def _ended(self, job: Job) -> None:
        if self._job is job:  # else its end has begun another one
            self._job = None
        self._call_idle()

    def _pause(self, micros: int) -> None:
        self._owed += micros
        if self._owed >= _LEAST_PAUSE:
            self._waits = True
            self._engine.waits.set(self, self._engine.clock.elapsed + self._owed // _LEAST_PAUSE)
            self._owed %= _LEAST_PAUSE

    def _do_in_background(self, job: Job, call: Callable[[], Any]) -> None:
        def go_on(outcome: object) -> None:
            if self._job is job:
                self.fire()

        def failed(error: Exception) -> None:
            if self._job is job:  # else it was stopped meanwhile, and the next one has nothing to do with it
                self._error = error
                self.fire()

        if self._engine.in_background is not None:
            self._waits = True
            self._engine.in_background(call, go_on, failed)
            return
        try:
            call()
        except Exception as error:
            self._error = error

    def fire(self) -> None:
        """Go on after a pause."""
        self._waits = False
        if self.begin is not None:
            self.begin()


def _telling(job: Job, ended: Callable[[Exception | None], object]) -> Job:
    failure: Exception | None = None
    try:
        yield from job
    except GeneratorExit:
        ended(InterruptedError(errno.EINTR, os.strerror(errno.EINTR)))
        raise
    except Exception as error:
        failure = error
    ended(failure)


def run_through(job: Job) -> None:
    """Do all of a job at once, without its pauses."""
    error: Exception | None = None
    while True:
        try:
            wish = next(job) if error is None else job.throw(error)
        except StopIteration:
            return
        error = None
        if callable(wish):
            try:
                wish()
            except Exception as raised:
                error = raised
