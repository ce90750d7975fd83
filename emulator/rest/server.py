"""The REST API on a port: which databases it offers, and what it tells at its start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.rest.http_service import HttpServer
from emulator.rest.local import LocalDatabase
from emulator.rest.service import RestService
from emulator.rest.tokens import Tokens, random_token

if TYPE_CHECKING:
    from ssl import SSLContext

    from emulator.config.directives import Config
    from emulator.core.engine import Engine
    from emulator.rest.database import RestDatabase


class RestServer(HttpServer):
    """Serves databases; ``service`` answers for them, ``token`` opens the first."""

    def __init__(
        self, databases: list[RestDatabase], port: int, bind: str, token: str, context: SSLContext | None = None
    ) -> None:
        self.token = token
        self.service = RestService(databases)
        super().__init__(self.service, port, bind, context)
        self._databases = databases

    async def stop(self) -> None:
        await super().stop()
        for database in self._databases:
            await database.close()

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
    def lines(self) -> list[str]:
        """What to put into the environment of an application."""
        names = (("UPSTASH_REDIS_REST_URL", self.url), ("UPSTASH_REDIS_REST_TOKEN", self.token))
        aliases = (("KV_REST_API_URL", self.url), ("KV_REST_API_TOKEN", self.token))
        return [f"{name}={value}" for name, value in (*names, *aliases)]


def rest_server(engine: Engine) -> RestServer:
    """The REST API of an engine, as its configuration describes it; further databases are keyspaces of it.

    Raises OSError where it is to speak TLS and cannot.
    """
    config = engine.config
    token = config.rest_token or config.requirepass or random_token()
    databases: list[RestDatabase] = [LocalDatabase(engine, Tokens(engine, token, config.rest_readonly_token))]
    for declaration in config.rest_database.split():
        name, own, *read_only = declaration.split(":")
        keyspace = engine.keyspaces.open(name.encode(), keep=True)
        databases.append(LocalDatabase(keyspace, Tokens(keyspace, own, *read_only), name))
    return RestServer(
        databases, config.rest_port, config.rest_bind, token, _context(config) if config.rest_tls else None
    )


def _context(config: Config) -> SSLContext:
    from emulator.sockets.tls import TlsError, server_context  # `ssl` takes a while to be imported

    try:
        return server_context(config)
    except TlsError as error:
        raise OSError(f"rest-tls: {error}") from None
