"""Where a server listens: TCP, TLS, a unix socket; and how that changes while it runs."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from emulator import system
from emulator.config.directives import ConfigError
from emulator.sockets.rounds import rounds_of
from emulator.sockets.transport import Receiver, StreamListener

if TYPE_CHECKING:
    from ssl import SSLContext

    from emulator.config.directives import Config

logger = logging.getLogger("emulator")

Serving: TypeAlias = "StreamListener | asyncio.Server"
"""What is served until it is closed."""

_NOT_OF_THIS_MACHINE: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.ENOPROTOOPT)
"""Why an address marked with a ``-`` may be missing."""
_PATH_SIZE: Final = 104 if sys.platform == "darwin" else 108
"""The bytes that the system has for the path of a unix socket and a zero behind it."""


class ListeningPlace(NamedTuple):
    """An address to listen on, as ``bind`` names it."""

    host: str
    port: int
    secure: bool


def listening_socket(host: str, port: int, backlog: int) -> socket.socket:
    """A socket that listens at an address as ``bind`` names it; an IPv6 address is for IPv6 only.  Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    name = {"*": "0.0.0.0", "::*": "::"}.get(host, host)
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio sets TCP_NODELAY by that
    try:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((name, port))
        listening.listen(backlog)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


async def serve(
    listening: socket.socket,
    factory: Callable[[], Receiver | asyncio.Protocol],
    backlog: int,
    context: SSLContext | None = None,
) -> Serving:
    """Serve a listening socket, with a context by TLS: within the rounds, or where there are none in asyncio's own way."""
    loop = asyncio.get_running_loop()
    if context is not None:
        from emulator.sockets.tls_transport import Greeter  # and with it `ssl`

        factory = Greeter(context, factory)
    rounds = rounds_of(loop)
    if rounds is not None:
        return StreamListener(loop, rounds, listening, factory)
    return await loop.create_server(factory, sock=listening, backlog=backlog)


class Listeners:
    """The listening sockets of a server, whose connections `factory` makes.

    OSError is raised where an address cannot be had or TLS cannot be configured.
    """

    def __init__(self, config: Config, factory: Callable[[], Receiver]) -> None:
        self._config = config
        self._factory = factory
        self._tcp: dict[ListeningPlace, Serving] = {}
        self._unix: Serving | None = None
        self._context: SSLContext | None = None
        self._rebinding: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Listen.  When this returns, connections are accepted."""
        await self._serve(self._bind())
        await self._open_unix()
        for name in ("port", "tls-port"):
            self._config.on_change(name, self._open_anew)
        self._config.on_change("bind", lambda: self._open_anew("Failed to bind to specified addresses."))
        if self._config.tls_port or self._config.tls_cert_file:
            from emulator.sockets.tls import SETTINGS

            for name in SETTINGS:
                self._config.on_change(name, self._renew_context)

    async def close(self) -> None:
        """Listen no more; `wait_closed` returns when the connections have gone as well."""
        if self._rebinding is not None:
            await self._rebinding
        for server in self._servers:
            server.close()

    async def wait_closed(self) -> None:
        """Wait for the end of the last connection."""
        for server in self._servers:
            await server.wait_closed()
        if self._unix is not None:
            with suppress(FileNotFoundError):
                os.unlink(self._config.unixsocket)

    @property
    def _servers(self) -> list[Serving]:
        return [*self._tcp.values(), *([self._unix] if self._unix else [])]

    async def _server_of(self, listening: socket.socket, context: SSLContext | None = None) -> Serving:
        return await serve(listening, self._factory, self._config.tcp_backlog, context)

    # TCP and TLS

    def _wanted(self) -> list[tuple[ListeningPlace, bool]]:
        """The places to listen on, and whether each may be missing on this machine."""
        config = self._config
        ports = [(port, secure) for port, secure in ((config.port, False), (config.tls_port, True)) if port]
        return [
            (ListeningPlace(address.removeprefix("-"), port, secure), address.startswith("-"))
            for port, secure in ports
            for address in config.bind.split()
        ]

    def _bind(self) -> dict[ListeningPlace, socket.socket]:
        """Listening sockets for those places that have none yet; one marked with a ``-`` may fail."""
        sockets: dict[ListeningPlace, socket.socket] = {}
        kept = set(self._tcp)
        wanted = self._wanted()
        if any(place.secure for place, _ in wanted) and self._context is None:
            self._context = self._new_context()
        for place, optional in wanted:
            if place in kept:
                kept.remove(place)  # named once more it is taken
                continue
            try:
                sockets[place] = listening_socket(place.host, place.port, self._config.tcp_backlog)
            except OSError as error:
                reason = error.strerror if isinstance(error, socket.gaierror) else f"bind: {error.strerror}"
                where = f"{place.host}:{place.port}"
                logger.warning("Warning: Could not create server TCP listening socket %s: %s", where, reason)
                if optional and error.errno in _NOT_OF_THIS_MACHINE:
                    continue
                for listening in sockets.values():
                    listening.close()
                raise
        return sockets

    async def _serve(self, sockets: dict[ListeningPlace, socket.socket]) -> None:
        for place, listening in sockets.items():
            self._tcp[place] = await self._server_of(listening, self._context if place.secure else None)
        if (self._config.port or self._config.tls_port) and not self._tcp:
            raise OSError("no address to listen on")

    def _open_anew(self, refusal: str = "Unable to listen on this port. Check server logs.") -> None:
        """``port``, ``tls-port`` or ``bind`` has changed: connections stay, new ones come by the new addresses.

        The old ones end first, since they may be in the way; where there can be no new ones they begin again.
        """
        backlog, loop = self._config.tcp_backlog, asyncio.get_running_loop()
        left = self._tcp.keys() - dict(self._wanted()).keys()
        for place in left:
            self._tcp.pop(place).close()
        try:
            sockets = self._bind()
        except OSError:
            again = {place: listening_socket(place.host, place.port, backlog) for place in left}
            self._rebinding = loop.create_task(self._serve(again))
            raise ConfigError(refusal) from None
        self._rebinding = loop.create_task(self._serve(sockets))

    # TLS

    def _new_context(self) -> SSLContext:
        from emulator.sockets.tls import TlsError, server_context

        try:
            return server_context(self._config)
        except TlsError as error:
            logger.warning("%s", error)
            raise OSError("Failed to configure TLS. Check logs for more info.") from None

    def _renew_context(self) -> None:
        """A directive of TLS has changed: who connects from now on meets the new context."""
        if not self._config.tls_port:
            self._context = None
            return
        try:
            self._context = self._new_context()
        except OSError:
            raise ConfigError("Unable to update TLS configuration. Check server logs.") from None
        for place in [place for place in self._tcp if place.secure]:
            self._tcp.pop(place).close()
        self._open_anew()

    # Unix socket

    async def _open_unix(self) -> None:
        path = self._config.unixsocket
        if not path:
            return
        if not system.has_unix_sockets():
            raise OSError(f"unixsocket {path}: {system.NO_UNIX_SOCKETS}")
        if (length := len(os.fsencode(path))) >= _PATH_SIZE:
            raise OSError(
                f"Failed opening Unix socket: unix socket path too long ({length}), must be under {_PATH_SIZE}"
            )
        with suppress(OSError):  # if it cannot be taken away, it cannot be taken either
            os.unlink(path)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listening.bind(path)
            listening.listen(self._config.tcp_backlog)
            listening.setblocking(False)
        except OSError as error:
            listening.close()
            raise OSError(f"Failed opening Unix socket: bind: {error.strerror}") from None
        self._unix = await self._server_of(listening)
        if self._config.unixsocketperm:
            os.chmod(path, self._config.unixsocketperm)
