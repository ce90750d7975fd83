"""What answers the requests of HTTP connections, and where it listens: the same for the REST API and for its management."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from emulator.rest.http import MOST_BODY, HttpConnection
from emulator.sockets.listeners import Serving, listening_socket, serve

if TYPE_CHECKING:
    from socket import socket
    from ssl import SSLContext

    from emulator.rest.answers import Answer, Opening
    from emulator.rest.requests import Request

_SECONDS_TO_FINISH = 5.0
_BACKLOG = 511


class HttpService(ABC):
    """Answers requests.

    ``has_room`` tells whether one more connection is taken, ``most_body`` is the largest body in bytes, and ``closing`` says
    that no connection is to be kept.
    """

    most_body = MOST_BODY

    def __init__(self) -> None:
        self.connections: set[HttpConnection] = set()
        self.has_room: Callable[[], bool] = lambda: True
        self.closing = False

    @abstractmethod
    def respond(self, request: Request) -> Answer | Opening | Awaitable[Answer | Opening]:
        """The answer to a request, at once or to be waited for."""

    @abstractmethod
    def admits(self, request: Request) -> bool | Awaitable[bool]:
        """Whether whoever sends a request may come in: to be asked before a large body is taken in."""

    @abstractmethod
    def unauthorized(self, request: Request) -> Answer:
        """The answer to a request of somebody who may not."""


def http_socket(host: str, port: int) -> socket:
    """A socket that listens for requests.  Raises OSError, whose text tells where and why not."""
    try:
        return listening_socket(host, port, _BACKLOG)
    except OSError as error:
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror}") from None


class HttpServer:
    """A service on a port, at the addresses of `bind` (a ``-`` before one: it may be missing on this machine).

    With a `context` it speaks TLS.
    """

    def __init__(self, service: HttpService, port: int, bind: str, context: SSLContext | None = None) -> None:
        self.port = port
        self.context = context
        self._bind = bind.split()
        self._service = service
        self._servers: list[Serving] = []

    async def start(self) -> None:
        """Listen.  Raises OSError where an address cannot be had."""
        for address in self._bind:
            try:
                listening = http_socket(address.removeprefix("-"), self.port)
                self.port = listening.getsockname()[1]
                self._servers.append(await serve(listening, self._connection, _BACKLOG, self.context))
            except OSError:
                if not address.startswith("-"):
                    await self.stop()
                    raise

    def _connection(self) -> HttpConnection:
        return HttpConnection(self._service)

    @property
    def connection_count(self) -> int:
        """How many connections there are."""
        return len(self._service.connections)

    def limit(self, has_room: Callable[[], bool]) -> None:
        """Take a connection only where this says that there is room for it."""
        self._service.has_room = has_room

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

    @property
    def entered(self) -> list[asyncio.Transport]:
        """The connections whose requests are being run: more than one where a script is busy and others are heard."""
        return [connection.transport for connection in self._service.connections if connection.entered]

    @property
    def host(self) -> str:
        """An address by which clients of this machine come here."""
        host = self._bind[0].removeprefix("-")
        return {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1"}.get(host, host)

    @property
    def url(self) -> str:
        """What clients take: ``http://127.0.0.1:8079``."""
        scheme = "http" if self.context is None else "https"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"
