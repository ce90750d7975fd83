"""``cloud-proxy``: a proxy by which unmodified programs that know only the service's own addresses come to this server.

It takes CONNECT for the service's own names, ends TLS itself and answers in their stead; every other name is refused.  Its
authority is made when the server starts and its key never leaves the process, so that whoever trusts the certificate trusts
this process alone.  It listens on the loopback interface only.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import trustme

from emulator.rest.http import HttpConnection
from emulator.rest.http_service import http_socket

if TYPE_CHECKING:
    from emulator.rest.http_service import HttpService

logger = logging.getLogger("emulator")

MANAGED: Final = ("api.upstash.com", "upstash.com")
_HOST: Final = "127.0.0.1"
_HTTPS: Final = "443"
_MOST_HEAD: Final = 8 * 1024
_SECONDS_TO_ASK: Final = 10.0
_MOST_CONNECTIONS: Final = 1000
_REFUSED: Final = b"HTTP/1.1 %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_OPEN: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Proxy:
    """The proxy; `domain` is what the host names of databases end in, `folder` where the authority's certificate is put."""

    def __init__(self, management: HttpService, rest: HttpService, domain: str, port: int, folder: str) -> None:
        self._management = management
        self._rest = rest
        self._domain = domain
        self.port = port
        self._own_folder = None if folder else tempfile.TemporaryDirectory(prefix="redis-emulator-")
        self.certificate = Path(folder or cast(tempfile.TemporaryDirectory[str], self._own_folder).name) / "ca.pem"
        self.context = self._context()
        self.connections: set[asyncio.BaseTransport] = set()
        self._server: asyncio.Server | None = None

    def _context(self) -> ssl.SSLContext:
        authority = trustme.CA(organization_name="redis-emulator")
        authority.cert_pem.write_to_path(self.certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*MANAGED, f"*.{self._domain}").configure_cert(context)
        return context

    async def start(self) -> None:
        """Listen.  Raises OSError."""
        listening = http_socket(_HOST, self.port)
        self.port = listening.getsockname()[1]
        self._server = await asyncio.get_running_loop().create_server(lambda: Asking(self), sock=listening)

    def stop(self) -> None:
        """Listen no more, and let go of who has not asked for anything yet."""
        if self._server is not None:
            self._server.close()
        for transport in list(self.connections):
            cast(asyncio.Transport, transport).abort()
        if self._own_folder is not None:
            self._own_folder.cleanup()

    def service(self, host: str, port: str) -> HttpService | None:
        """Who answers in the place of a host; None where that is none of the service's."""
        if port != _HTTPS:
            return None
        if host in MANAGED:
            return self._management
        return self._rest if host.endswith(f".{self._domain}") else None

    @property
    def lines(self) -> list[str]:
        """What makes programs of Node from 24 on, of Python and of Go come here."""
        return [
            f"HTTPS_PROXY=http://{_HOST}:{self.port}",
            f"NODE_EXTRA_CA_CERTS={self.certificate}",
            f"SSL_CERT_FILE={self.certificate}",
            "NODE_USE_ENV_PROXY=1",
        ]


class Asking(asyncio.Protocol):
    """A connection of which it is not known yet where it wants to go."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._loop = asyncio.get_running_loop()
        self._head = b""
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle
        self._opening: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._timer = self._loop.call_later(_SECONDS_TO_ASK, self._transport.abort)
        self._proxy.connections.add(transport)
        if len(self._proxy.connections) > _MOST_CONNECTIONS:
            self._refuse(b"503 Service Unavailable")

    def connection_lost(self, exc: Exception | None) -> None:
        self._let_go()

    def _let_go(self) -> None:
        self._timer.cancel()
        self._proxy.connections.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        if self._opening is not None or self._transport.is_closing():
            return
        self._head += data
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if len(head) > _MOST_HEAD:
            self._refuse(b"431 Request Header Fields Too Large")
        elif rest:
            self._refuse(b"400 Bad Request")  # nobody has said yet that the way is open
        elif end:
            self._take(head.partition(b"\r\n")[0].split(b" "))

    def _take(self, words: list[bytes]) -> None:
        if len(words) != 3 or words[0] != b"CONNECT":
            self._refuse(b"405 Method Not Allowed")
            return
        host, _, port = words[1].decode("latin-1").lower().rpartition(":")
        service = self._proxy.service(host, port)
        if service is None:
            self._refuse(b"403 Forbidden")
            return
        self._transport.write(_OPEN)
        self._opening = self._loop.create_task(self._open(service))

    def _refuse(self, status: bytes) -> None:
        self._transport.write(_REFUSED % status)
        self._transport.close()

    async def _open(self, service: HttpService) -> None:
        """Begin TLS, and have what comes then answered by the service."""
        early = Early()
        try:
            secure = await self._loop.start_tls(
                self._transport, early, self._proxy.context, server_side=True, ssl_handshake_timeout=_SECONDS_TO_ASK
            )
        except (OSError, ssl.SSLError) as error:
            logger.info("cloud-proxy: %s", error)
            self._transport.abort()
            return
        finally:
            self._let_go()
        if secure is not None:
            early.hand_over(secure, HttpConnection(service))


class Early(asyncio.Protocol):
    """Keeps what arrives before somebody is there for it."""

    def __init__(self) -> None:
        self._received: list[bytes] = []
        self._ended = False

    def data_received(self, data: bytes) -> None:
        self._received.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True

    def hand_over(self, transport: asyncio.Transport, connection: HttpConnection) -> None:
        """Let a connection take over, and have what has arrived."""
        if self._ended:
            return
        transport.set_protocol(connection)
        connection.connection_made(transport)
        for data in self._received:
            connection.data_received(data)
