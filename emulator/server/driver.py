"""What drives an engine in an event loop: the alarm of its timing wheel, threads for what takes long, the watch for idle
clients, and the others' turn while a script does not end."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from emulator.core.engine import at_once
from emulator.datatypes.wheel import Timer
from emulator.server.dialler import Dialler
from emulator.server.nested_loop import run_one_round

if TYPE_CHECKING:
    from emulator.core.engine import Engine
    from emulator.server.server import NetworkServer

logger = logging.getLogger("emulator")

_BUSY_SECONDS = 0.01
_LONGEST_SLEEP = 10.0
"""Seconds after which a server that has deadlines looks at the time: the machine's clock may have been set forward."""


class Driver:
    """Drives an engine of a server from its making until `stop`."""

    def __init__(self, engine: Engine, server: NetworkServer) -> None:
        self._engine = engine
        self._server = server
        self._loop = server.loop
        self._alarm: asyncio.TimerHandle | None = None
        engine.timers.on_earlier(self._arm)
        engine.on_shutdown = server.cut_off
        engine.on_busy = self._serve_meanwhile
        engine.in_background = self._in_background
        engine.soon = server.loop.call_soon
        dialler = Dialler(engine, server.loop)
        engine.dial, engine.dial_node = dialler.dial, dialler.dial_node
        engine.lazyfree.begin = self._free_soon
        engine.persistence.work.begin = self._work_soon
        engine.persistence.log.on_lost = partial(os._exit, 1)
        self._watch: asyncio.TimerHandle | None = None
        if engine.persistence.needs_checks:
            self._look_after()
        idle_watch = IdleWatch(engine)
        engine.config.on_change("timeout", idle_watch.begin)
        idle_watch.begin()
        self._on_alarm()

    def stop(self) -> None:
        """Let nothing happen any more by itself."""
        if self._alarm is not None:
            self._alarm.cancel()
        if self._watch is not None:
            self._watch.cancel()
        self._engine.timers.on_earlier(None)
        self._engine.persistence.work.begin = None
        if self._engine.replication.link is not None:
            self._engine.replication.link.end()
        if self._engine.sentinel is not None:
            self._engine.sentinel.end()
        if self._engine.cluster is not None:
            self._engine.cluster.bus.end()
        self._engine.dial = self._engine.dial_node = None
        self._engine.soon = at_once

    def _arm(self) -> None:
        """Let the engine advance when it is due."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        seconds = self._engine.timers.seconds_until_due()
        if seconds is not None:
            self._alarm = self._loop.call_later(min(seconds, _LONGEST_SLEEP), self._on_alarm)

    def _on_alarm(self) -> None:
        if self._engine.busy is not None:
            self._alarm = self._loop.call_later(_BUSY_SECONDS, self._on_alarm)
            return
        self._alarm = None
        try:
            self._engine.timers.advance()
            if self._engine.unwritten:
                self._engine.persistence.log.flush()
        finally:
            self._arm()

    def _free_soon(self) -> None:
        """Free a little of what was deleted in each round of the loop."""
        self._loop.call_soon(self._free)

    def _free(self) -> None:
        if self._engine.lazyfree.step():
            self._free_soon()

    def _work_soon(self) -> None:
        """Save or load a little in each round of the loop."""
        self._loop.call_soon(self._work)

    def _work(self) -> None:
        self._engine.clock.tick()
        if self._engine.persistence.work.step():
            self._work_soon()

    def _look_after(self) -> None:
        """Do each second what is due to the files."""
        self._watch = self._loop.call_later(1.0, self._look_after)
        if self._engine.busy is None:
            self._engine.clock.tick()
            self._engine.persistence.check()

    def _in_background(
        self, work: Callable[[], Any], go_on: Callable[[Any], None], failed: Callable[[Exception], None]
    ) -> None:
        """Do something in a thread, and go on with what came of it in the loop."""

        def finished(future: asyncio.Future[Any]) -> None:
            self._engine.clock.tick()
            try:
                go_on(future.result())
            except Exception as error:
                failed(error)
            if self._alarm is not None:
                self._alarm.cancel()
            self._on_alarm()

        self._loop.run_in_executor(None, work).add_done_callback(finished)

    def _serve_meanwhile(self) -> None:
        """A script does not end: let the others be heard, at the standstill of time that a script sees.

        Its own client is not: the loop cannot enter once more the callback in which the script runs.
        """
        clock = self._engine.clock
        waiting = [transport for transport in self._server.entered if transport.is_reading()]
        for transport in waiting:
            transport.pause_reading()
        now = clock.now
        run_one_round(self._loop)
        clock.now = now
        for transport in waiting:
            transport.resume_reading()


class IdleWatch(Timer):
    """``timeout``: looks each second for clients that have been silent for too long."""

    __slots__ = ("_engine",)

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine

    def begin(self) -> None:
        """Watch from now on, if the configuration asks for it."""
        if self._engine.config.timeout:
            self._engine.waits.set(self, self._engine.clock.elapsed + 1000)

    def fire(self) -> None:
        engine = self._engine
        limit = engine.config.timeout
        if not limit:
            return
        for session in list(engine.sessions.values()):
            busy = session.blocked is not None or session.subscriptions
            busy = (
                busy
                or (session.peer is not None and session.peer.kind != b"normal")
                or session in engine.monitor.sessions
            )
            if not busy and engine.clock.now - session.active > limit * 1000:
                logger.info("Closing idle client")
                session.abort()
        self.begin()
