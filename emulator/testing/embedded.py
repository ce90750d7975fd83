"""A server within a program: ``with Server() as server:`` gives it a thread, ``async with`` the loop that is running."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import quote

from emulator.clock import Clock, machine_monotonic
from emulator.core.engine import Engine
from emulator.server import server as network
from emulator.sockets import rounds
from emulator.system import free_port
from emulator.testing.handles import Handle, Words, keyspace_url, perform
from emulator.testing.replicas import ReplicaHandle, Replicas
from emulator.testing.settings import configured, enter_users, login

if TYPE_CHECKING:
    import redis

    from emulator.config.directives import Config
    from emulator.rest.server import RestServer

T = TypeVar("T")

_ATTEMPTS = 10
_AT_ONCE = {"repl_diskless_sync_delay": 0}
"""Replicas of a server within a program need not wait for others."""
_FREE = {"rest_port": (0, "auto"), "cloud_port": (0, "auto"), "cloud_proxy": ("auto",), "tls_port": ("auto",)}
"""What stands for a free port: a REST API on port 0 is one that nobody asks for."""


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class Server(Handle):
    """A server on a port of this machine.

    `port` is a free one unless one is given, and with 0 there is none but that of TLS or the unix socket; `settings` are
    directives of redis.conf (``maxmemory="10mb"``), ``tls_port``, ``rest_port`` and ``cloud_port`` may be ``"auto"``.  As a
    context manager it is there from the beginning to the end: by ``with`` in a thread, by ``async with`` in the running
    loop.  The REST API is there when ``rest_url`` or ``rest_token`` is first asked for.

    It has as many `replicas` as are asked for, with the same settings and clocks of their own; a server that is one itself,
    by the setting ``replicaof`` too, can be held back and cut off by its ``replica``.

    Raises TypeError for a directive that there is not, ValueError for a value that it does not take, OSError where the
    address cannot be had.
    """

    def __init__(
        self,
        *,
        port: int | Literal["auto"] | None = None,
        clock: Clock | None = None,
        replicas: int = 0,
        **settings: object,
    ) -> None:
        super().__init__()
        self._port = None if port == "auto" else port
        self._settings = settings
        self._given_clock = clock
        self._started: network.NetworkServer | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self.replicas = Replicas(self, replicas, clock, settings)
        self.replica = ReplicaHandle(self)
        config = self._configured()
        if not config.port and not config.tls_port and not config.unixsocket:
            raise ValueError("port=0 without tls_port or unixsocket listens nowhere: leave port out for a free one")

    @property
    def _server(self) -> network.NetworkServer:
        if self._started is None:
            raise RuntimeError("the server has not started: use it within 'with emulator.Server() as server:'")
        return self._started

    # What others need to know

    @property
    def host(self) -> str:
        """The address that it listens on."""
        return self._server.config.bind.split()[0].removeprefix("-")

    @property
    def port(self) -> int:
        """The port that it listens on: that of TLS where there is no other, 0 where there is a unix socket only."""
        return self._server.port or self._server.config.tls_port

    @property
    def url(self) -> str:
        """What clients take: ``redis://127.0.0.1:6379``, with the default user's password, if it was set as ``requirepass``.

        ``rediss://`` or ``unix://`` where there is no plain port; what certificates to trust is up to the client.
        """
        config = self._server.config
        login = f":{quote(config.requirepass, '')}@" if config.requirepass else ""
        if not self.port:
            return f"unix://{login}{config.unixsocket}"
        return f"{'redis' if config.port else 'rediss'}://{login}{_bracketed(self.host)}:{self.port}"

    @property
    def engine(self) -> Engine:
        """The engine, for `run` only while the server has a thread of its own."""
        return self._server.engine

    @property
    def password(self) -> str:
        """The default user's password as it was set, with none any word at all."""
        return self._server.config.requirepass or "none"

    def connect(self, **kwargs: Any) -> redis.Redis:
        """A ``redis.Redis`` connected to it; arguments are those of ``redis.Redis``, with the default user's password."""
        from emulator.testing.redis_py import Client, arguments

        return Client(**arguments(self._address() | login(self._server.config, kwargs) | kwargs))

    def _address(self) -> dict[str, Any]:
        """The arguments by which a client gets here; over TLS with the server's certificate and without looking at it."""
        config = self._server.config
        if not self.port:
            return {"unix_socket_path": config.unixsocket}
        address = {"host": self.host, "port": self.port}
        if config.port:
            return address
        own = {"ssl_certfile": config.tls_cert_file, "ssl_keyfile": config.tls_key_file}
        return address | own | {"ssl": True, "ssl_cert_reqs": "none", "ssl_check_hostname": False}

    @property
    def rest(self) -> RestServer:
        """The REST API, which begins when it is first asked for; OSError is raised where it cannot.

        Within ``async with`` it is there by the setting ``rest_port`` only; RuntimeError is raised else.
        """
        if self._server.rest is None:
            if self._thread is None or self._loop is None:
                raise RuntimeError('a server in the running loop has a REST API where rest_port="auto" asks for it')
            asyncio.run_coroutine_threadsafe(self._server.serve_rest(), self._loop).result()
        assert self._server.rest is not None
        return self._server.rest

    @property
    def rest_url(self) -> str:
        """What clients of the REST API take: ``http://127.0.0.1:8079``."""
        return self.rest.url

    @property
    def rest_token(self) -> str:
        """The token that opens it."""
        return self.rest.token

    @property
    def cloud_url(self) -> str:
        """Where the management API is, which the setting ``cloud_port`` asks for: ``http://127.0.0.1:8080``."""
        if self._server.cloud is None:
            raise RuntimeError('there is a management API where cloud_port="auto" asks for it')
        return self._server.cloud.url

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the data set to an RDB file, which a real Redis 8.2 loads too; raises OSError."""
        from emulator.testing import data

        self.run(lambda engine: data.save(engine, path))

    def load(self, path: str | os.PathLike[str]) -> None:
        """Let the data set become that of an RDB file, of Redis up to 8.6 or Valkey up to 9.1; what has expired is left out.

        Raises OSError, and ValueError for a file that is damaged; then the data are as they were.
        """
        from emulator.testing import data

        self.run(lambda engine: data.load(engine, path))

    def run(self, work: Callable[[Engine], T]) -> T:
        """Do something to the engine between two commands, and return what came of it.

        Raises RuntimeError in a process that was forked from the server's, and once the server has ended.
        """
        if self._thread is None or self._loop is None:
            return work(self.engine)
        if not self._thread.is_alive():
            raise RuntimeError("the server runs in another process, or no more: connect to it by its URL")
        done: Future[T] = Future()

        def go() -> None:
            try:
                self.engine.clock.tick()
                done.set_result(work(self.engine))
            except BaseException as error:
                done.set_exception(error)

        self._loop.call_soon_threadsafe(go)
        return done.result()

    def perform(self, *calls: Words) -> list[Any]:
        return self.run(lambda engine: perform(engine, calls))

    def reset(self) -> None:
        """Bring everything that clients can change back to what it was when it began, on replicas too."""
        super().reset()
        for replica in self.replicas:
            replica.reset()
        self.replicas.wait()

    def follow_patched_time(self, patched: bool = True) -> None:
        """Let its clock go by Python's time as freezegun and time-machine patch it, or by the machine's whatever they do."""
        self.run(lambda engine: engine.timers.follow_patched_time(patched))

    def keyspace(self, name: str) -> Keyspace:
        """A keyspace of its own within this server, made when it is first used (`emulator.controls.instances`)."""
        return Keyspace(self, name)

    # Life

    def _configured(self) -> Config:
        port = free_port() if self._port is None else self._port
        given = self._settings
        settings = {name: free_port() if value in _FREE.get(name, ()) else value for name, value in given.items()}
        config = configured(settings, bind="127.0.0.1", save="", port=port, **_AT_ONCE)
        if config.cluster_enabled and not config.cluster_port and self._port is None:
            config.cluster_port = free_port()  # the usual one, so many ports above a free one, may be none
        return config

    def _prepare(self) -> None:
        """Make ready what is there before anybody connects."""
        enter_users(self.engine, self._settings)

    async def _start(self) -> None:
        for attempt in range(_ATTEMPTS):
            self._started = network.NetworkServer(Engine(self._configured(), self._given_clock))
            self._prepare()
            try:
                await self._server.start()
            except OSError:
                if self._port or attempt == _ATTEMPTS - 1:
                    raise
            else:
                self._loop = asyncio.get_running_loop()
                self._server.begin()
                return

    async def __aenter__(self) -> Server:
        await self._start()
        await self.replicas.start_here()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.replicas.stop_here()
        await self._server.stop()

    def __enter__(self) -> Server:
        started: Future[None] = Future()

        async def live() -> None:
            asyncio.get_running_loop().time = machine_monotonic  # type: ignore[method-assign]  # which freezegun cannot stop
            try:
                await self._start()
            except BaseException as error:
                started.set_exception(error)
                return
            started.set_result(None)
            await self._server.wait_closed()
            await self._server.stop()

        self._thread = threading.Thread(target=lambda: rounds.run(live()), name="redis-emulator", daemon=True)
        self._thread.start()
        started.result()
        self.replicas.start()
        return self

    def __exit__(self, *exc: object) -> None:
        assert self._thread is not None and self._loop is not None
        if not self._thread.is_alive():
            return
        self.replicas.stop()
        self._server.end()
        self._thread.join()


class Keyspace(Handle):
    """A named keyspace of a server.  As a context manager it is dropped at the end."""

    def __init__(self, server: Server, name: str) -> None:
        super().__init__()
        self._server = server
        self.name = name

    @property
    def engine(self) -> Engine:
        """Its engine, for `Server.run` only."""
        return self._server.engine.keyspaces.open(self.name.encode())

    @property
    def url(self) -> str:
        """What clients take."""
        return keyspace_url(self._server.url, self.name, self._server.password)

    def connect(self, **kwargs: Any) -> redis.Redis:
        """A ``redis.Redis`` connected to it; arguments are those of ``redis.Redis``."""
        user, password = f"keyspace.{self.name}", self._server.password
        return self._server.connect(username=user, password=password, **kwargs)

    def perform(self, *calls: Words) -> list[Any]:
        return self._server.run(lambda main: perform(main.keyspaces.open(self.name.encode()), calls))

    def follow_patched_time(self, patched: bool = True) -> None:
        """As `Server.follow_patched_time`."""
        self._server.run(lambda main: main.keyspaces.open(self.name.encode()).timers.follow_patched_time(patched))

    @property
    def rest_url(self) -> str:
        """What clients of the REST API take; the token says which keyspace is meant."""
        return self._server.rest_url

    @property
    def rest_token(self) -> str:
        """The token that opens it."""
        rest = self._server.rest
        return self._server.run(lambda main: rest.open(main.keyspaces.open(self.name.encode()), self.name))

    def drop(self) -> None:
        """Forget it, and close its clients' connections."""
        self._server.command("EMULATOR", "KEYSPACE", "DROP", self.name)

    def __enter__(self) -> Keyspace:
        return self

    def __exit__(self, *exc: object) -> None:
        self.drop()
