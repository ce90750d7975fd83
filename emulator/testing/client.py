"""redis-py's clients on an engine in this process: `connect` and `aconnect`, `Redis` and `AsyncRedis`.

They are real ``redis.Redis`` and ``redis.asyncio.Redis``: only what lies below their connections is another.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from emulator.testing.local import Local
from emulator.testing.places import Place, local_at
from emulator.testing.redis_py import (
    AsyncClient,
    AsyncConnection,
    AsyncParser,
    AsyncPool,
    Client,
    Connection,
    NotConnected,
    Parser,
    Pool,
    arguments,
    is_observed,
)
from emulator.testing.values import Value, decoded


class _Unpacked(list[list[bytes]]):
    """The words of several commands."""

    __slots__ = ()


_UNREADABLE = object()


@lru_cache(256)
def _words_of(name: str) -> list[bytes]:
    """The words that a name of a command stands for, in UTF-8 however others are encoded, as redis-py sends them."""
    return name.encode().split() or [b""]


class _Unwritten:
    """What connections of both kinds do without bytes."""

    encoder: Any

    def pack_commands(self, commands: Any) -> Any:
        """The commands of a pipeline, for `send_packed_command`; that they are packed is their business."""
        return _Unpacked(map(self._words, commands))

    def _words(self, args: Any) -> list[bytes]:
        """The words of a command; what stands for its name may be several."""
        encode, name = self.encoder.encode, args[0]
        if name.__class__ is str:
            words = _words_of(name)
        else:
            word = bytes(encode(name))
            words = word.split() or [b""] if b" " in word else [word]
        return [*words, *[bytes(encode(word)) for word in args[1:]]]

    def _decoded(self, value: Any, disable_decoding: bool) -> Any:
        """A value as its reader wants it; `_UNREADABLE` where it cannot be decoded, which the parser has to find out."""
        if disable_decoding or not self.encoder.decode_responses:
            return value
        try:
            return decoded(value, self.encoder.decode)
        except (UnicodeDecodeError, TypeError):
            return _UNREADABLE


class LocalConnection(_Unwritten, Connection):
    """A connection of ``redis.Redis`` that ends in an engine of this process: `local`, or the server at its address.

    A command goes to the engine without being written and parsed, and a reply comes back as a value; errors, pushes and
    whatever is read otherwise go the way that they go over a socket.
    """

    _sock: Any

    def __init__(self, *, local: Local | None = None, **kwargs: Any) -> None:
        self._local = local or local_at(Place.of(kwargs), kwargs)
        self._unread = False
        kwargs["parser_class"] = Parser  # the one in C asks the system about sockets
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]

    def _connect(self) -> Any:
        local_socket = self._local.socket()
        local_socket.settimeout(self.socket_timeout)
        self._unread = False
        return local_socket

    def activate_maint_notifications_handling_if_enabled(self, check_health: bool = True) -> None:
        """Ask for nothing: an engine of this process is not moved to another host."""

    @property
    def has_unread(self) -> bool:
        """Whether something has arrived that nobody has read."""
        return self._unread or bool(self._sock.received)

    def send_command(self, *args: Any, **kwargs: Any) -> None:
        """Run a command."""
        if self._sock is None:
            self.connect_check_health(check_health=False)
        if self.health_check_interval and kwargs.get("check_health", True):
            self.check_health()  # type: ignore[no-untyped-call]
        self._submit([self._words(args)])

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Run the commands of a pipeline, or what was written by somebody else."""
        if command.__class__ is not _Unpacked:
            super().send_packed_command(command, check_health)  # type: ignore[no-untyped-call]
            return
        if self._sock is None:
            self.connect_check_health(check_health=False)
        if check_health:
            self.check_health()  # type: ignore[no-untyped-call]
        self._submit(command)

    def _submit(self, commands: list[list[bytes]]) -> None:
        try:
            self._sock.submit(commands)
        except OSError as error:
            self.disconnect()  # type: ignore[no-untyped-call]
            raise NotConnected(str(error)) from None

    def can_read(self, timeout: float = 0) -> bool:
        """Whether there is something to read; what has arrived may be in the parser's hands afterwards."""
        found = bool(super().can_read(timeout))
        self._note_unread()
        return found

    def read_response(self, disable_decoding: bool = False, **kwargs: Any) -> Any:
        """The next reply."""
        received: Any = self._sock.received if self._sock is not None else ()
        if not self._unread and received and received[0].__class__ is Value:
            value = self._decoded(received[0].value, disable_decoding)
            if value is not _UNREADABLE:
                received.popleft()
                if self.health_check_interval:
                    self.next_health_check = monotonic() + self.health_check_interval  # type: ignore[assignment]
                return value
        try:
            return super().read_response(disable_decoding, **kwargs)
        finally:
            self._note_unread()

    def _note_unread(self) -> None:
        self._unread = self._sock is not None and bool(self._parser._buffer.unread_bytes())


class LocalPool(Pool):
    """A pool of connections that cost nothing to look at."""

    def get_connection(self, command_name: Any = None, *keys: Any, **options: Any) -> Any:
        """A connection that is ready."""
        if self.cache is not None:  # redis-py's own cache wraps each connection
            return super().get_connection()
        self._checkpid()
        with self._lock:
            idle = self._available_connections
            connection: Any = idle.pop() if idle else self.make_connection()
            self._in_use_connections.add(connection)
        try:
            if connection._sock is None:
                connection.connect()
            elif connection.has_unread or connection._sock.closed:
                connection.disconnect()
                connection.connect()
        except BaseException:
            self.release(connection)
            raise
        return connection

    def release(self, connection: Any) -> None:
        """Take a connection back; one of before a fork is forgotten when the next is asked for."""
        with self._lock:
            if connection in self._in_use_connections:
                self._in_use_connections.remove(connection)
                self._available_connections.append(connection)


class AsyncLocalConnection(_Unwritten, AsyncConnection):
    """A connection of ``redis.asyncio.Redis`` that ends in an engine of this process: `local`, or the one at its address."""

    def __init__(self, *, local: Local | None = None, **kwargs: Any) -> None:
        self._local = local or local_at(Place.of(kwargs), kwargs)
        kwargs["parser_class"] = AsyncParser
        super().__init__(**kwargs)

    async def _connect(self) -> None:
        streams = self._local.streams()
        self._reader = streams.reader
        self._writer: Any = streams

    async def send_command(self, *args: Any, **kwargs: Any) -> None:
        """Run a command."""
        await self._submit([self._words(args)], kwargs.get("check_health", True))

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Run the commands of a pipeline, or what was written by somebody else."""
        if command.__class__ is _Unpacked:
            await self._submit(command, check_health)
        else:
            await super().send_packed_command(command, check_health)

    async def _submit(self, commands: list[list[bytes]], check_health: bool) -> None:
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        if check_health:
            await self.check_health()  # type: ignore[no-untyped-call]
        try:
            self._writer.submit(commands)
        except OSError as error:
            await self.disconnect(nowait=True)
            raise NotConnected(str(error)) from None

    async def can_read(self, *args: Any) -> bool:
        """Whether there is something to read."""
        return bool(self._values) or bool(await super().can_read(*args))

    async def can_read_destructive(self) -> bool:
        """The same, as redis-py had it before version 8."""
        return bool(self._values) or bool(await super().can_read_destructive())

    @property
    def _values(self) -> Any:
        return self._writer.values if self._writer is not None else ()

    async def read_response(self, disable_decoding: bool = False, *args: Any, **kwargs: Any) -> Any:
        """The next reply."""
        values, parser = self._values, cast(Any, self._parser)
        if values and not parser._buffer and not parser._chunks:
            value = self._decoded(values[0].value, disable_decoding)
            if value is not _UNREADABLE:
                values.popleft()
                if self.health_check_interval:
                    self.next_health_check = asyncio.get_running_loop().time() + self.health_check_interval
                return value
        streams = self._writer
        if streams is None:
            return await super().read_response(disable_decoding, *args, **kwargs)
        streams.write_out()
        streams.reading = True
        try:
            return await super().read_response(disable_decoding, *args, **kwargs)
        finally:
            streams.reading = False


def _as(pool: Any, local: Local | None) -> dict[str, Any]:
    """The arguments for a pool in this process that is else as one with sockets; `local` or the engine at its address."""
    given: dict[str, Any] = pool.connection_kwargs
    place = Place.of(given)
    kept = {name: value for name, value in given.items() if not name.startswith(_OF_A_WIRE)}
    if getattr(pool, "cache", None) is not None:
        kept["cache"] = pool.cache
    return kept | {"max_connections": pool.max_connections, "local": local or local_at(place, given)}


_OF_A_WIRE = ("ssl_", "path", "orig_", "maint_notifications_pool_handler", "himport_registry")
"""What a connection of this process does not take, or its pool makes for itself."""


def _has_credentials(pool: Any) -> bool:
    """Whether somebody provides the credentials for a pool, who has to be told of it when a client is made."""
    return pool.connection_kwargs.get("credential_provider") is not None


class Redis(Client):
    """``redis.Redis`` in this process, to be put in its place: ``patch("redis.Redis", emulator.Redis)``.

    Its arguments are the same. Clients of one host and port (or unix socket) have one server, which is made when it is first
    asked for, with the password that it is then asked with; a pool of connections given goes to the server at its address.
    """

    if not TYPE_CHECKING:  # the arguments are those of redis.Redis

        def __init__(
            self, *args: Any, local: Local | None = None, single_connection_client: bool = False, **kwargs: Any
        ):
            super().__init__(*args, **arguments(kwargs))
            pool = self.connection_pool
            ours = issubclass(pool.connection_class, (LocalConnection, AsyncLocalConnection))
            if not ours:
                pool = LocalPool(connection_class=LocalConnection, **_as(pool, local))
            if single_connection_client or _has_credentials(pool):
                super().__init__(connection_pool=pool, single_connection_client=single_connection_client)
            self.connection_pool = pool
            self.auto_close_connection_pool = not ours

        def _execute_command(self, *args: Any, **options: Any) -> Any:
            """Execute a command without all that redis-py prepares for the case that it fails, a third of its time.

            Where one does, redis-py decides as if the failure were its own, so that it tries again as often as it is told to.
            """
            pool = self.connection_pool
            if (
                self.connection is not None
                or pool.__class__ is not LocalPool
                or pool.cache is not None
                or is_observed()
            ):
                return super()._execute_command(*args, **options)
            connection = pool.get_connection()
            try:
                return self._send_command_parse_response(connection, args[0], *args, **options)
            except Exception as error:
                failures = [error]

                def again() -> Any:
                    if failures:
                        raise failures.pop()
                    return self._send_command_parse_response(connection, args[0], *args, **options)

                return connection.retry.call_with_retry(again, lambda _: connection.disconnect())
            finally:
                pool.release(connection)


StrictRedis = Redis


class AsyncRedis(AsyncClient):
    """The same in the place of ``redis.asyncio.Redis``; its connections belong to the loop of their first command."""

    if not TYPE_CHECKING:

        def __init__(
            self, *args: Any, local: Local | None = None, single_connection_client: bool = False, **kwargs: Any
        ):
            super().__init__(*args, **arguments(kwargs))
            pool = self.connection_pool
            ours = issubclass(pool.connection_class, (LocalConnection, AsyncLocalConnection))
            if not ours:
                pool = AsyncPool(connection_class=AsyncLocalConnection, **_as(pool, local))
            if single_connection_client or _has_credentials(pool):
                super().__init__(connection_pool=pool, single_connection_client=single_connection_client)
            self.connection_pool = pool
            self.auto_close_connection_pool = not ours


def connect(engine: Local | str | None = None, *args: Any, **kwargs: Any) -> Client:
    """A ``redis.Redis`` on an engine of this process.

    `engine` is a `Local`, a name (who gives the same name shares the data), a URL, or None for one that nobody else has.
    Further arguments are those of ``redis.Redis``; with ``host``, ``port`` or ``unix_socket_path`` among them it is the
    server of that address, as for `Redis`.
    """
    made: Client = _connect(Redis, engine, args, kwargs)
    return made


def aconnect(engine: Local | str | None = None, *args: Any, **kwargs: Any) -> AsyncClient:
    """As `connect`, but a ``redis.asyncio.Redis``; its connections belong to the loop that runs at their first command."""
    made: AsyncClient = _connect(AsyncRedis, engine, args, kwargs)
    return made


def _connect(client: Any, engine: Local | str | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if isinstance(engine, str):
        if "://" in engine:
            return client.from_url(engine, *args, **arguments(kwargs))
        return client(engine, *args, **kwargs) if args else client(host=engine, **kwargs)
    if not isinstance(engine, Local | None):
        raise TypeError(f"a Local, a name, a URL or None is wanted, not {engine!r}: what listens has its own connect()")
    if engine is None and not args and kwargs.keys().isdisjoint(_ADDRESSES):
        engine = Local()
    return client(*args, local=engine, **kwargs)


_ADDRESSES = ("host", "port", "unix_socket_path", "connection_pool")
