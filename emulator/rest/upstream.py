"""An existing Redis, spoken to by redis-py's asyncio client: one server, the master that sentinels name, or a cluster.

What comes back are the values that the encoders know: a status is a `Status`, an error a `CommandError` with its whole text.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import redis.asyncio
from redis._parsers import _AsyncRESP2Parser
from redis.asyncio.sentinel import Sentinel
from redis.exceptions import AuthenticationError, RedisClusterException, RedisError, ResponseError
from redis.exceptions import ConnectionError as NotConnected

from emulator import system
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import NullArray, Received, Status
from emulator.protocol.text import to_text

Words = Sequence[bytes]
Address = tuple[str, int]

_LIMITS: dict[str, Any] = {"max_connections": 128, "timeout": 20}
"""Connections to a server at the most, and for how many seconds a request waits for one."""


class ReplyParser(_AsyncRESP2Parser):
    """redis-py's parser, but statuses, null arrays and the whole text of errors are told apart."""

    async def _read_response(self, disable_decoding: bool = False) -> Any:
        line = await self._readline()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return Status(rest)
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else await self._read(int(rest))
        if kind == b"*":
            return NULL if rest == b"-1" else [await self._read_response() for _ in range(int(rest))]
        text = to_text(rest)
        error: Any = self.parse_error(text)  # type: ignore[no-untyped-call]
        if isinstance(error, AuthenticationError):  # which is an answer here, not the end of the connection
            error = ResponseError(text)
        error.whole_text = text
        if isinstance(error, NotConnected):
            self._clear()  # type: ignore[no-untyped-call]
            raise error
        return error


NULL = NullArray()
TROUBLE = (RedisError, RedisClusterException)
"""What redis-py raises where it is no answer of the server."""


def as_reply(value: Any) -> Received:
    """A value of the parser's as a reply: errors become `CommandError`, in aggregates too."""
    if isinstance(value, list):
        return [as_reply(element) for element in value]
    return error_of(value) if isinstance(value, RedisError) else value


def error_of(error: Exception) -> CommandError:
    """What to answer where redis-py raises."""
    return CommandError(getattr(error, "whole_text", None) or f"ERR upstream: {error}")


class Upstream(ABC):
    """An existing Redis.  What is not the server's answer (it cannot be reached, say) raises ``redis.RedisError``."""

    @abstractmethod
    async def run(self, commands: Sequence[Words]) -> list[Received]:
        """The replies to commands, one after the other; one that fails does not stop the rest."""

    @abstractmethod
    async def transaction(self, commands: Sequence[Words]) -> list[Received]:
        """The replies to commands run without a gap.

        Raises CommandError, and nothing was run, where one of them is refused as it stands; the error is that one's own.
        """

    @abstractmethod
    def connection(self) -> AsyncConnection:
        """A connection of its own, for what goes on and on: subscriptions, MONITOR."""

    @abstractmethod
    def as_user(self, name: str, password: str) -> Upstream:
        """The same Redis as another user sees it."""

    @abstractmethod
    async def forget_user(self, name: str, password: str) -> None:
        """Have no connections as that user any more."""

    @abstractmethod
    async def close(self) -> None:
        """Have no connection any more."""


class AsyncConnection:
    """A connection that is used for one thing until it is closed."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def open(self) -> None:
        """Connect and authenticate."""
        await self._connection.connect()

    async def close(self) -> None:
        """Be no more."""
        await self._connection.disconnect(nowait=True)

    async def send(self, *words: bytes) -> None:
        """Send a command."""
        await self._connection.send_command(*words, check_health=False)

    async def receive(self) -> Received:
        """The next thing that arrives; waits for it."""
        try:
            return as_reply(await self._connection.read_response(disable_decoding=True, timeout=None))
        except ResponseError as error:
            return error_of(error)


class OneServer(Upstream):
    """A server, or with sentinels the master that they name, behind a pool of connections that `new_pool` makes."""

    def __init__(self, new_pool: Callable[..., Any]) -> None:
        self._new_pool = new_pool
        self._pool: Any = new_pool()
        self._others: dict[tuple[str, str], OneServer] = {}

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[Any]:
        connection = await self._pool.get_connection()
        try:
            yield connection
        except BaseException:
            await connection.disconnect(nowait=True)  # what it still has to say belongs to nobody
            raise
        finally:
            await self._pool.release(connection)

    async def run(self, commands: Sequence[Words]) -> list[Received]:
        async with self._borrowed() as connection:
            return await conversation(connection, commands)

    async def transaction(self, commands: Sequence[Words]) -> list[Received]:
        async with self._borrowed() as connection:
            return await transaction(connection, commands)

    def connection(self) -> AsyncConnection:
        return AsyncConnection(self._pool.make_connection())

    def as_user(self, name: str, password: str) -> OneServer:
        other = self._others.get((name, password))
        if other is None:
            new_pool = partial(self._new_pool, username=name, password=password)
            other = self._others[name, password] = OneServer(new_pool)
        return other

    async def forget_user(self, name: str, password: str) -> None:
        other = self._others.pop((name, password), None)
        if other is not None:
            await other.close()

    async def close(self) -> None:
        for other in self._others.values():
            await other.close()
        await self._pool.disconnect()


async def conversation(connection: Any, commands: Sequence[Words]) -> list[Received]:
    """Send commands at once, and read the reply to each."""
    await connection.send_packed_command(connection.pack_commands(commands))
    return [as_reply(await _answer(connection)) for _ in commands]


async def transaction(connection: Any, commands: Sequence[Words]) -> list[Received]:
    """MULTI, the commands, EXEC; raises the error of the first command that cannot be queued."""
    replies = await conversation(connection, [(b"MULTI",), *commands, (b"EXEC",)])
    for reply in replies[:-1]:
        if isinstance(reply, CommandError):
            raise reply
    done = replies[-1]
    if isinstance(done, CommandError):
        raise done
    assert isinstance(done, list)
    return done


async def _answer(connection: Any) -> Any:
    try:
        return await connection.read_response(disable_decoding=True)
    except ResponseError as error:
        return error


# URLs


def upstream_of(url: str) -> Upstream:
    """The Redis at a URL.

    ``redis://`` and ``rediss://`` as redis-py has them, ``unix://``; ``redis+cluster://host:port[,host:port …]``;
    ``redis+sentinel://[user:password@]host:port[,host:port …]/service[/database][?sentinel_username=…&sentinel_password=…]``;
    ``rediss+…`` for the same by TLS.  Raises ValueError for any other.
    """
    scheme = url.partition("://")[0]
    options = {"parser_class": ReplyParser, "protocol": 2, "decode_responses": False}
    if scheme == "unix" and not system.has_unix_sockets():
        raise ValueError(f"{url}: {system.NO_UNIX_SOCKETS}")
    if scheme in ("redis", "rediss", "unix"):
        return OneServer(partial(_pool_by_url, url, options))
    secure = scheme.startswith("rediss")
    kind = scheme.partition("+")[2]
    if kind == "sentinel":
        return OneServer(_pools_by_sentinels(url, {"ssl": True} if secure else {}, options))
    if kind == "cluster":
        from emulator.rest.cluster import Cluster

        parts = urlsplit(url)
        return Cluster.at(addresses(parts.netloc), credentials(parts), options | ({"ssl": True} if secure else {}))
    raise ValueError(f"{scheme}:// is no URL of a Redis")


def new_pool(**kwargs: Any) -> Any:
    """A pool of connections to a server; by TLS with ``ssl=True``."""
    if kwargs.pop("ssl", False):
        kwargs["connection_class"] = redis.asyncio.SSLConnection
    return redis.asyncio.BlockingConnectionPool(**_LIMITS, **kwargs)


def addresses(netloc: str) -> list[Address]:
    """Hosts and ports of ``user:password@host:port,host:port``."""
    found = []
    for address in netloc.rpartition("@")[2].split(","):
        host, colon, port = address.rpartition(":")
        found.append((host.strip("[]"), int(port)) if colon else (address, 6379))
    return found


def credentials(parts: Any) -> dict[str, str]:
    """User and password of a URL with several addresses."""
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    found = {"username": unquote(user), "password": unquote(password)}
    return {name: value for name, value in found.items() if value}


def _pool_by_url(url: str, options: dict[str, Any], **credentials: str) -> Any:
    pool = redis.asyncio.BlockingConnectionPool.from_url(url, **_LIMITS, **options)
    pool.connection_kwargs |= credentials  # which count for more than those of the URL
    return pool


def _pools_by_sentinels(url: str, security: dict[str, Any], options: dict[str, Any]) -> Callable[..., Any]:
    parts = urlsplit(url)
    service, _, database = parts.path.strip("/").partition("/")
    asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
    own = {name.removeprefix("sentinel_"): value for name, value in asked.items() if name.startswith("sentinel_")}
    sentinel: Any = Sentinel(addresses(parts.netloc), sentinel_kwargs=own | security)  # type: ignore[no-untyped-call]
    settings: dict[str, Any] = {"db": int(database or 0)} | credentials(parts) | security | options
    return lambda **user: sentinel.master_for(service, **settings | user).connection_pool
