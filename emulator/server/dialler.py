"""Connections to other servers, for an engine that wants to be a replica."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from emulator.sockets.tls import TlsError, client_context
from emulator.sockets.transport import Receiver

if TYPE_CHECKING:
    from emulator.core.engine import Engine
    from emulator.replication.host import Receiver as Listener


class Dialler:
    """Opens connections in an event loop."""

    def __init__(self, engine: Engine, loop: asyncio.AbstractEventLoop) -> None:
        self._engine = engine
        self._loop = loop

    def dial(self, host: str, port: int, receiver: Listener) -> Callable[[], None]:
        """Open a connection to a master or a server that is watched; what is returned gives that up."""
        return self._begin(host, port, receiver, self._engine.config.tls_replication)

    def dial_node(self, host: str, port: int, receiver: Listener) -> Callable[[], None]:
        """Open a connection of the cluster bus; what is returned gives that up."""
        return self._begin(host, port, receiver, self._engine.config.tls_cluster)

    def _begin(self, host: str, port: int, receiver: Listener, secure: bool) -> Callable[[], None]:
        task = self._loop.create_task(self._open(host, port, receiver, secure))
        return lambda: None if task.done() else cast(Any, task.cancel())

    async def _open(self, host: str, port: int, receiver: Listener, secure: bool) -> None:
        config = self._engine.config
        source = (config.bind_source_addr, 0) if config.bind_source_addr else None
        try:
            context = client_context(config) if secure else None
            async with asyncio.timeout(config.repl_timeout):
                await self._loop.create_connection(
                    lambda: PeerConnection(self._engine, self._loop, receiver),
                    host,
                    port,
                    ssl=context,
                    local_addr=source,
                )
        except (
            OSError,
            TimeoutError,
            TlsError,
            ValueError,
            OverflowError,
        ) as error:  # the last two: no such host or port
            self._engine.clock.tick()
            receiver.lost(f"Error condition on socket for SYNC: {getattr(error, 'strerror', None) or error}")


class PeerConnection(Receiver):
    """One connection to another server, whoever has opened it: a `Wire`.  It reads no more at once than a client's."""

    def __init__(self, engine: Engine, loop: asyncio.AbstractEventLoop, receiver: Listener) -> None:
        self._engine = engine
        self._loop = loop
        self._receiver: Listener | None = receiver
        self._transport: asyncio.Transport
        self._paused = False
        self.address = self.local_address = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.address = _address(transport.get_extra_info("peername"))
        self.local_address = _address(transport.get_extra_info("sockname"))
        self._engine.clock.tick()
        if self._receiver is not None:
            self._receiver.connected(self)

    def receive(self, data: bytes) -> None:
        self._engine.clock.tick()
        if self._receiver is not None:
            self._receiver.received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            self._engine.clock.tick()
            receiver.lost(str(exc) if exc is not None else "")

    # The wire

    @property
    def unsent(self) -> int:
        return self._transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def close(self) -> None:
        self._receiver = None
        self._transport.abort()

    def soon(self, work: Callable[[], object]) -> None:
        def go_on() -> None:
            self._engine.clock.tick()
            work()

        self._loop.call_soon(go_on)

    def pause(self, paused: bool) -> None:
        if paused == self._paused or self._transport.is_closing():
            return
        self._paused = paused
        if paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()


def _address(name: Any) -> bytes:
    if not isinstance(name, tuple):
        return b""
    host, port = name[:2]
    return (f"[{host}]:{port}" if ":" in host else f"{host}:{port}").encode()
