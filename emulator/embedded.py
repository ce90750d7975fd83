"""A server within a program: ``with Server() as server:`` gives it a thread, ``async with`` the loop that is running."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

from emulator import server as network
from emulator.clock import Clock
from emulator.config import Config
from emulator.engine import Engine
from emulator.faults import Fault
from emulator.options import free_port
from emulator.recording import Recorded

T = TypeVar("T")

_ATTEMPTS = 10


class Server:
    """A server on a port of this machine.

    `port` is a free one unless one is given; `settings` are directives of redis.conf (``maxmemory="10mb"``).  Raises
    OSError where the address cannot be had.
    """

    def __init__(self, *, port: int | None = None, clock: Clock | None = None, **settings: object) -> None:
        self._port = port
        self._settings = settings
        self._given_clock = clock
        self._server: network.Server
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self.clock = TurnableClock(self)
        self.faults = ServerFaults(self)

    # What others need to know

    @property
    def host(self) -> str:
        """The address that it listens on."""
        return self._server.config.bind.split()[0].removeprefix("-")

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.port

    @property
    def url(self) -> str:
        """What clients take: ``redis://127.0.0.1:6379``."""
        return f"redis://{self.host}:{self.port}"

    @property
    def engine(self) -> Engine:
        """The engine, for `run` only while the server has a thread of its own."""
        return self._server.engine

    def connect(self, **kwargs: Any) -> Any:
        """A ``redis.Redis`` connected to it; arguments are those of ``redis.Redis``."""
        import redis

        return redis.Redis(host=self.host, port=self.port, **kwargs)

    def run(self, work: Callable[[Engine], T]) -> T:
        """Do something to the engine between two commands, and return what came of it."""
        if self._thread is None or self._loop is None:
            return work(self.engine)
        done: Future[T] = Future()

        def go() -> None:
            try:
                self.engine.clock.tick()
                done.set_result(work(self.engine))
            except BaseException as error:
                done.set_exception(error)

        self._loop.call_soon_threadsafe(go)
        return done.result()

    @contextmanager
    def record(self) -> Iterator[ServerRecording]:
        """Record what clients send while the context lasts."""
        self.run(lambda engine: engine.recording.start())
        try:
            yield ServerRecording(self)
        finally:
            self.run(lambda engine: engine.recording.stop())

    def snapshot(self) -> ServerSnapshot:
        """The data set as it is now, to come back to."""
        return ServerSnapshot(self)

    # Life

    async def _start(self) -> None:
        for attempt in range(_ATTEMPTS):
            config = Config()
            config.bind = "127.0.0.1"
            config.save = ()
            config.port = self._port or free_port()
            for name, value in self._settings.items():
                config.assign(name.replace("_", "-"), [str(value)])
            self._server = network.Server(config, self._given_clock)
            try:
                await self._server.start()
            except OSError:
                if self._port or attempt == _ATTEMPTS - 1:
                    raise
            else:
                self._loop = asyncio.get_running_loop()
                return

    async def __aenter__(self) -> Server:
        await self._start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._server.stop()

    def __enter__(self) -> Server:
        started: Future[None] = Future()

        async def live() -> None:
            try:
                await self._start()
            except BaseException as error:
                started.set_exception(error)
                return
            started.set_result(None)
            await self._server.wait_closed()
            await self._server.stop()

        self._thread = threading.Thread(target=lambda: asyncio.run(live()), name="redis-emulator", daemon=True)
        self._thread.start()
        started.result()
        return self

    def __exit__(self, *exc: object) -> None:
        assert self._thread is not None and self._loop is not None
        self._loop.call_soon_threadsafe(self._server.shut_down)
        self._thread.join()


class ServerRecording:
    """What clients have sent to a server since the recording began."""

    def __init__(self, server: Server) -> None:
        self._server = server

    @property
    def commands(self) -> list[Recorded]:
        """The calls, with client, words, keys and answer."""
        return self._server.run(lambda engine: list(engine.recording.commands))

    @property
    def lines(self) -> list[str]:
        """The calls as lines of redis-cli, which read well where an assertion fails."""
        return [str(call) for call in self.commands]


class ServerSnapshot:
    """The data set of a moment.  As a context manager it is restored at the end, and forgotten."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._name = f"snapshot {id(self)}".encode()
        server.run(lambda engine: engine.snapshots.save(self._name))

    def restore(self) -> None:
        """Bring the data set back, in time proportional to what has changed."""
        self._server.run(lambda engine: engine.snapshots.restore(self._name))

    def drop(self) -> None:
        """Forget it."""
        self._server.run(lambda engine: engine.snapshots.drop(self._name))

    def __enter__(self) -> ServerSnapshot:
        return self

    def __exit__(self, *exc: object) -> None:
        self.restore()
        self.drop()


class ServerFaults:
    """The faults of a server; a `Fault` tells how often it was met and how often it has fired."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def add(
        self, effect: str, *, command: str = "", key: str = "", client: str = "", error: str = "", **conditions: Any
    ) -> Fault:
        """Let a fault strike from now on: an `effect` and conditions as `emulator.faults.Fault` has them.

        ``add("error", error="OOM ...", command="set")``, ``add("delay", milliseconds=200, nth=3)``, ``add("drop-after")``.
        """
        if error:
            conditions["text"] = error
        fault = Fault(effect, command=command.encode(), key=key.encode(), client=client.encode(), **conditions)
        return self._server.run(lambda engine: engine.faults.add(fault))

    def clear(self) -> None:
        """Take all of them away."""
        self._server.run(lambda engine: engine.faults.clear())


class TurnableClock:
    """The clock of a server, in seconds.  What is due on the way happens in order, each thing at its own time."""

    def __init__(self, server: Server) -> None:
        self._server = server

    @property
    def now(self) -> float:
        """Seconds since the epoch."""
        return self._server.run(lambda engine: engine.clock.micros()) / 1e6

    @property
    def frozen(self) -> bool:
        """Whether it stands still."""
        return self._server.run(lambda engine: engine.clock.frozen)

    def advance(self, seconds: float) -> None:
        """Turn it forward."""
        self._server.run(lambda engine: engine.turn_clock(engine.clock.now + round(seconds * 1000)))

    def set(self, moment: float | datetime) -> None:
        """Turn it to a moment: seconds since the epoch, or a date and time."""
        seconds = moment.timestamp() if isinstance(moment, datetime) else moment
        self._server.run(lambda engine: engine.turn_clock(round(seconds * 1000)))

    def freeze(self) -> None:
        """Let it stand still."""
        self._server.run(Engine.freeze_clock)

    def resume(self) -> None:
        """Let it go on."""
        self._server.run(Engine.resume_clock)
