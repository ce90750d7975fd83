"""Where the REST API listens, what it tells at its start, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from emulator.rest.http import HttpConnection
from emulator.rest.local import LocalDatabase
from emulator.rest.service import RestService
from emulator.rest.tokens import Tokens, random_token
from emulator.sockets.listeners import listening_socket

if TYPE_CHECKING:
    from emulator.core.engine import Engine
    from emulator.rest.database import RestDatabase

_SECONDS_TO_FINISH = 5.0
_BACKLOG = 511


class RestServer:
    """Serves databases on a port, at the addresses of `bind` (a ``-`` before one: it may be missing on this machine)."""

    def __init__(self, databases: list[RestDatabase], port: int, bind: str, token: str) -> None:
        self.port = port
        self.token = token
        self._bind = bind.split()
        self._databases = databases
        self._service = RestService(databases)
        self._servers: list[asyncio.Server] = []

    async def start(self) -> None:
        """Listen.  Raises OSError where an address cannot be had."""
        loop = asyncio.get_running_loop()
        for address in self._bind:
            try:
                listening = listening_socket(address.removeprefix("-"), self.port, _BACKLOG)
                self.port = listening.getsockname()[1]
                self._servers.append(await loop.create_server(self._connection, sock=listening))
            except OSError:
                if not address.startswith("-"):
                    await self.stop()
                    raise

    @property
    def connection_count(self) -> int:
        """How many connections there are."""
        return len(self._service.connections)

    def limit(self, has_room: Callable[[], bool]) -> None:
        """Take a connection only where this says that there is room for it."""
        self._service.has_room = has_room

    def _connection(self) -> HttpConnection:
        return HttpConnection(self._service)

    async def stop(self) -> None:
        """Listen no more, let what is being answered be answered, and close every connection."""
        self._service.closing = True
        for server in self._servers:
            server.close()
        for connection in list(self._service.connections):
            connection.end()
        deadline = asyncio.get_running_loop().time() + _SECONDS_TO_FINISH
        while self._service.connections and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        for connection in list(self._service.connections):
            connection.transport.abort()
        for database in self._service.databases:
            await database.close()

    @property
    def entered(self) -> list[asyncio.Transport]:
        """The connections whose requests are being run: more than one where a script is busy and others are heard."""
        return [connection.transport for connection in self._service.connections if connection.entered]

    def open(self, engine: Engine, name: str) -> str:
        """Offer one more database; its token, the same each time.  Those whose keyspaces have gone are let go."""
        local = [database for database in self._databases if isinstance(database, LocalDatabase)]
        for database in local:
            if database.engine is engine:
                return database.tokens.token
            if not database.is_open:
                self._databases.remove(database)
        token = random_token()
        self._databases.append(LocalDatabase(engine, Tokens(engine, token), name))
        return token

    @property
    def url(self) -> str:
        """What clients take: ``http://127.0.0.1:8079``."""
        host = self._bind[0].removeprefix("-")
        host = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1"}.get(host, host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def lines(self) -> list[str]:
        """What to put into the environment of an application."""
        names = (("UPSTASH_REDIS_REST_URL", self.url), ("UPSTASH_REDIS_REST_TOKEN", self.token))
        aliases = (("KV_REST_API_URL", self.url), ("KV_REST_API_TOKEN", self.token))
        return [f"{name}={value}" for name, value in (*names, *aliases)]


def rest_server(engine: Engine) -> RestServer:
    """The REST API of an engine, as its configuration describes it; further databases are keyspaces of it."""
    config = engine.config
    token = config.rest_token or config.requirepass or random_token()
    databases: list[RestDatabase] = [LocalDatabase(engine, Tokens(engine, token, config.rest_readonly_token))]
    for declaration in config.rest_database.split():
        name, own, *read_only = declaration.split(":")
        keyspace = engine.keyspaces.open(name.encode(), keep=True)
        databases.append(LocalDatabase(keyspace, Tokens(keyspace, own, *read_only), name))
    return RestServer(databases, config.rest_port, config.rest_bind, token)
