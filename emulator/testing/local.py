"""A Redis in this process: an engine that several clients share, with no socket, no thread and no loop of its own.

Whoever sends runs the commands, in its own thread; who waits for an answer sleeps until another one's command, or the
timing wheel, has something for it.  So nothing runs while nobody asks for anything.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from emulator.clock import Clock
from emulator.core.engine import Engine
from emulator.server.server import NetworkServer
from emulator.testing.handles import Handle, Words, perform
from emulator.testing.local_connection import LocalSocket, LocalStreams
from emulator.testing.settings import configured, enter_users, login
from emulator.wall import behind_wall

if TYPE_CHECKING:
    import redis
    import redis.asyncio


class Local(Handle):
    """An engine for the clients of this process; `settings` are directives of redis.conf (``maxmemory="10mb"``).

    Raises TypeError for a directive that there is not, ValueError for a value that it does not take.
    """

    def __init__(self, clock: Clock | None = None, **settings: object) -> None:
        super().__init__()
        config = configured(settings)
        self.soon: deque[Callable[[], object]] = deque()
        self._server = NetworkServer(Engine(config, clock))
        self._server.loop = cast(asyncio.AbstractEventLoop, self)
        self.lock = threading.RLock()
        self.news = threading.Condition(self.lock)
        self.waiting = 0  # threads that wait for news
        self.engine: Engine = self._server.engine
        enter_users(self.engine, settings)
        self._keyspaces = self.engine.keyspaces
        self._keyspaces.on_open = self._take_up
        self._take_up(self.engine)
        self._streams: set[LocalStreams] = set()

    def _take_up(self, engine: Engine) -> None:
        engine.in_background = self._at_once
        engine.timers.on_earlier(self._on_earlier)

    @staticmethod
    def _at_once(work: Callable[[], Any], go_on: Callable[[Any], None], failed: Callable[[Exception], None]) -> None:
        try:
            go_on(work())
        except Exception as error:
            failed(error)

    def call_soon(self, callback: Callable[[], object]) -> None:
        """Have something done once what is being done is finished: what a connection expects of an event loop."""
        self.soon.append(callback)

    def settle(self) -> None:
        """Do what was put off; the lock is held."""
        while self.soon:
            behind_wall(self.soon.popleft(), "what was put off")

    def advance(self) -> None:
        """Let happen what is due by the clock; the lock is held."""
        for engine in self._keyspaces:
            engine.timers.advance()
        self.settle()

    def seconds_until_due(self) -> float | None:
        """How long it is until an engine has something to do by itself; None where none has, or time stands still."""
        due = [seconds for engine in self._keyspaces if (seconds := engine.timers.seconds_until_due()) is not None]
        return min(due, default=None)

    def tell(self) -> None:
        """There is news for whoever waits; the lock is held."""
        if self.waiting:
            self.news.notify_all()

    def _on_earlier(self) -> None:
        self.tell()
        for streams in self._streams:
            streams.arm_soon()

    def perform(self, *calls: Words) -> list[Any]:
        with self.lock:
            self.engine.clock.tick()
            replies = perform(self.engine, calls)
            self.settle()
            return replies

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the data set to an RDB file, which a real Redis 8.2 loads too; raises OSError."""
        from emulator.testing import data

        with self.lock:
            data.save(self.engine, path)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Let the data set become that of an RDB file, of Redis up to 8.6 or Valkey up to 9.1; what has expired is left out.

        Raises OSError, and ValueError for a file that is damaged; then the data are as they were.
        """
        from emulator.testing import data

        with self.lock:
            self.engine.clock.tick()
            data.load(self.engine, path)

    def connect(self, **kwargs: Any) -> redis.Redis:
        """A ``redis.Redis`` on this engine; arguments are those of ``redis.Redis``."""
        from emulator.testing.client import connect

        return connect(self, **login(self.engine.config, kwargs), **kwargs)

    def aconnect(self, **kwargs: Any) -> redis.asyncio.Redis:
        """A ``redis.asyncio.Redis`` on this engine; arguments are those of ``redis.asyncio.Redis``."""
        from emulator.testing.client import aconnect

        return aconnect(self, **login(self.engine.config, kwargs), **kwargs)

    def socket(self) -> LocalSocket:
        """A new connection, for a client that blocks."""
        return LocalSocket(self, self._server)

    def streams(self) -> LocalStreams:
        """A new connection, for a client on the loop that is running."""
        streams = LocalStreams(self, self._server)
        self._streams.add(streams)
        return streams

    def forget(self, streams: LocalStreams) -> None:
        """A connection has ended."""
        self._streams.discard(streams)
