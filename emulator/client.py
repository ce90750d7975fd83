"""redis-py's clients on an engine in this process: `connect` and `aconnect`.

They are real ``redis.Redis`` and ``redis.asyncio.Redis``: only what lies below their connections is another.
"""

from __future__ import annotations

from typing import Any

import redis
import redis.asyncio
from redis._parsers import _AsyncRESP2Parser, _RESP2Parser

from emulator.local import Local

_named: dict[str, Local] = {}


def named(engine: Local | str | None) -> Local:
    """The engine meant: itself, the one of a name (made when it is first named), or with None a new one."""
    if isinstance(engine, str):
        return _named.setdefault(engine, Local())
    return Local() if engine is None else engine


class LocalConnection(redis.Connection):
    """A connection of ``redis.Redis`` that ends in an engine of this process."""

    def __init__(self, *, local: Local, **kwargs: Any) -> None:
        self._local = local
        kwargs.setdefault("parser_class", _RESP2Parser)  # the one in C asks the system about sockets
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]

    def _connect(self) -> Any:
        local_socket = self._local.socket()
        local_socket.settimeout(self.socket_timeout)
        return local_socket


class AsyncLocalConnection(redis.asyncio.Connection):
    """A connection of ``redis.asyncio.Redis`` that ends in an engine of this process."""

    def __init__(self, *, local: Local, **kwargs: Any) -> None:
        self._local = local
        kwargs.setdefault("parser_class", _AsyncRESP2Parser)
        super().__init__(**kwargs)

    async def _connect(self) -> None:
        streams = self._local.streams()
        self._reader = streams.reader
        self._writer: Any = streams


def connect(engine: Local | str | None = None, **kwargs: Any) -> redis.Redis:
    """A ``redis.Redis`` on an engine of this process.

    `engine` is a `Local`, a name (who gives the same name shares the data), or None for one that nobody else has.
    Further arguments are those of ``redis.Redis``.
    """
    pool = redis.ConnectionPool(connection_class=LocalConnection, local=named(engine), **kwargs)
    return redis.Redis.from_pool(pool)


def aconnect(engine: Local | str | None = None, **kwargs: Any) -> redis.asyncio.Redis:
    """As `connect`, but a ``redis.asyncio.Redis``; its connections belong to the loop that runs at their first command."""
    pool = redis.asyncio.ConnectionPool(connection_class=AsyncLocalConnection, local=named(engine), **kwargs)
    return redis.asyncio.Redis.from_pool(pool)
