"""Where the nodes of a cluster connect to this one: the listening sockets of the cluster bus."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from emulator.cluster.state import PORT_INCREMENT
from emulator.server.dialler import PeerConnection
from emulator.sockets.listeners import Serving, listening_socket, serve

if TYPE_CHECKING:
    from ssl import SSLContext

    from emulator.cluster.bus import Bus
    from emulator.core.engine import Engine

logger = logging.getLogger("emulator")


class BusListeners:
    """The listening sockets of an engine's bus, at the addresses of ``bind``.  OSError is raised where one cannot be had."""

    def __init__(self, engine: Engine, bus: Bus) -> None:
        self._engine = engine
        self._bus = bus
        self._servers: list[Serving] = []

    async def open(self) -> None:
        """Listen."""
        config, loop = self._engine.config, asyncio.get_running_loop()
        listens = config.tls_port if config.tls_cluster else config.port
        port = config.cluster_port or listens + PORT_INCREMENT
        context = self._context() if config.tls_cluster else None

        def factory() -> PeerConnection:
            return PeerConnection(self._engine, loop, self._bus.accept())

        for address in config.bind.split():
            try:
                listening = listening_socket(address.removeprefix("-"), port, config.tcp_backlog)
            except OSError as error:
                if address.startswith("-"):
                    continue
                raise OSError(f"Failed listening on port {port} (cluster), aborting.") from error
            self._servers.append(await serve(listening, factory, config.tcp_backlog, context))

    def _context(self) -> SSLContext:
        from emulator.sockets.tls import TlsError, server_context

        try:
            return server_context(self._engine.config)
        except TlsError as error:
            logger.warning("%s", error)
            raise OSError("Failed to configure TLS. Check logs for more info.") from None

    def close(self) -> None:
        """Listen no more."""
        for server in self._servers:
            server.close()
