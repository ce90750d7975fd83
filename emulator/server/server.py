"""The network server: listeners and the life of connections."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from emulator.clients.description import describe
from emulator.clients.session import Session
from emulator.core.engine import Engine
from emulator.protocol.encoder import encode
from emulator.protocol.errors import CommandError, ProtocolError
from emulator.protocol.replies import REPLY_ON
from emulator.server.connection import READ_SIZE, Connection
from emulator.server.driver import Driver
from emulator.sockets.listeners import Listeners
from emulator.sockets.rounds import rounds_of
from emulator.stats.log import told_of_fault
from emulator.wall import internal_error

if TYPE_CHECKING:
    from emulator.cluster.bus import Bus
    from emulator.rdb.errors import BadFile
    from emulator.rest.cloud.server import CloudServer
    from emulator.rest.http_service import HttpServer
    from emulator.rest.server import RestServer
    from emulator.server.bus import BusListeners
    from emulator.sockets.rounds import Rounds

logger = logging.getLogger("emulator")

_QUIET_SECONDS = 0.01
_PROTECTED = (
    b"-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default "
    b"user. In this mode connections are only accepted from the loopback interface. If you want to connect from external "
    b"computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode sending the command "
    b"'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same host the server is "
    b"running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make "
    b"this change permanent. 2) Alternatively you can just disable the protected mode by editing the Redis configuration "
    b"file, and setting the protected mode option to 'no', and then restarting the server. 3) If you started the server "
    b"manually just for testing, restart it with the '--protected-mode no' option. 4) Set up an authentication password "
    b"for the default user. NOTE: You only need to do one of the above things in order for the server to start accepting "
    b"connections from the outside.\r\n"
)


class NetworkServer:
    """Serves an engine on the addresses that its configuration names.

    ``async with Server(Engine(config)) as server:`` or `start`, `wait_closed`, `stop`.  OSError is raised where an address
    cannot be had, ConfigError where the configuration asks for a server that this cannot be.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.config = engine.config
        self.loop: asyncio.AbstractEventLoop
        self.read_buffer = memoryview(bytearray(READ_SIZE))
        self.connections: set[Connection] = set()
        self._held: list[Connection] = []
        self._rounds: Rounds | None = None
        self._listeners = Listeners(self.config, lambda: Connection(self))
        self.rest: RestServer | None = None
        self.cloud: CloudServer | None = None
        self._bus: BusListeners | None = None
        self._drivers: dict[Engine, Driver] = {}
        self._closed: asyncio.Future[None]
        self._ends = False

    async def __aenter__(self) -> NetworkServer:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    @property
    def port(self) -> int:
        """The TCP port (0 without TCP)."""
        return self.config.port

    # Life cycle

    async def start(self) -> None:
        """Listen.  When this returns, connections are accepted, and `load` is to be called."""
        self.loop = asyncio.get_running_loop()
        self._closed = self.loop.create_future()
        self._rounds = rounds_of(self.loop)
        keyspaces = self.engine.keyspaces
        keyspaces.on_open, keyspaces.on_drop = self._drive, self._let_go
        for engine in keyspaces:
            self._drive(engine)
        self.engine.persistence.open()
        if self.engine.cluster is not None:
            self.engine.cluster.open()
        try:
            await self._listeners.open()
            if self.engine.cluster is not None:
                self.engine.cluster.announce()  # now the port is known
                await self._open_bus(self.engine.cluster.bus)
            if self.config.rest_port or self.config.cloud_port:
                await self.serve_rest()
            if self.config.cloud_port:
                await self._serve_cloud()
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop listening and every script, close every connection and wake whoever waits in `wait_closed`."""
        self.stop_scripts()
        await self._listeners.close()
        if self._bus is not None:
            self._bus.close()
        for server in self._http_servers:
            await server.stop()
        for connection in list(self.connections):
            connection.abort()
        await self._listeners.wait_closed()
        for engine in self.engine.keyspaces:
            engine.persistence.log.end()  # until now there may have been somebody to be answered
        if self.engine.cluster is not None:
            self.engine.cluster.close()
        for driver in self._drivers.values():
            driver.stop()
        self.shut_down()

    async def serve_rest(self) -> RestServer:
        """Offer the REST API as well, on ``rest-port`` or where that is 0 on a free port.  Raises OSError where it cannot."""
        try:
            from emulator.rest.server import rest_server
        except ModuleNotFoundError as error:
            if error.name != "h11":
                raise
            raise OSError("The REST API needs h11: pip install h11") from None
        self.rest = rest_server(self.engine)
        self.rest.limit(self._has_room)
        try:
            await self.rest.start()
        except OSError as error:
            raise OSError(f"REST API: {error}") from None
        return self.rest

    async def _open_bus(self, bus: Bus) -> None:
        """Let other nodes of a cluster connect."""
        from emulator.server.bus import BusListeners

        self._bus = BusListeners(self.engine, bus)
        await self._bus.open()

    async def _serve_cloud(self) -> None:
        """Offer the management API, whose databases the REST API has."""
        from emulator.rest.cloud.server import cloud_server

        assert self.rest is not None
        try:
            self.cloud = cloud_server(self.engine, self.rest)
            for server in (self.cloud, *self.cloud.regions):
                server.limit(self._has_room)
            await self.cloud.start()
        except (OSError, ValueError) as error:
            raise OSError(f"Management API: {error}") from None

    @property
    def _http_servers(self) -> list[HttpServer]:
        cloud = [self.cloud, *self.cloud.regions] if self.cloud is not None else []
        return [*cloud, *([self.rest] if self.rest is not None else [])]

    def end_when_quiet(self, save: bool | None, force: bool, refused: Callable[[], object]) -> None:
        """End as `Engine.request_shutdown` does as soon as no script is busy; tell where that is refused.

        Until then clients hear that a script is busy, and may kill it.
        """
        if self._closed.done():
            return  # it ends already, and what was said of saving holds
        if any(engine.busy for engine in self.engine.keyspaces):
            self.loop.call_later(_QUIET_SECONDS, self.end_when_quiet, save, force, refused)
            return
        begin, end = self.engine.replication.shutdown.begin, partial(self.engine.request_shutdown, save, force)
        if begin(end, refused) is False:
            refused()

    def end(self) -> None:
        """End, for whoever asks from another thread: a script that runs is stopped."""
        self.stop_scripts()
        self.loop.call_soon_threadsafe(self.shut_down)

    def stop_scripts(self) -> None:
        """Stop every script that runs and all that may still begin; from any thread."""
        for engine in list(self.engine.keyspaces):
            engine.scripting.end()

    def cut_off(self) -> None:
        """End, where data have been saved for the last time: nobody is answered any more, for what is done is not kept."""
        for connection in list(self.connections):
            connection.abort()
        self.shut_down()

    def shut_down(self) -> None:
        """Let `wait_closed` return: somebody asked the server to end.  Who comes now is not let in."""
        self._ends = True
        self.stop_scripts()
        if not self._closed.done():
            self._closed.set_result(None)

    async def load(self) -> None:
        """Load what is kept, while clients hear that it is being loaded; raises `BadFile`."""
        done: asyncio.Future[BadFile | None] = self.loop.create_future()
        self.engine.persistence.load(done.set_result)
        ended, _ = await asyncio.wait((done, self._closed), return_when=asyncio.FIRST_COMPLETED)
        failure = done.result() if done in ended else None
        if failure is not None:
            raise failure
        if not self._closed.done():
            self.begin()

    def begin(self) -> None:
        """All is loaded: follow the master that the configuration names, greet the nodes of a cluster, or watch those that a
        sentinel is to watch."""
        self.engine.replication.begin()
        if self.engine.cluster is not None:
            self.engine.cluster.bus.begin()
        if self.engine.sentinel is not None:
            self.engine.sentinel.begin()

    async def wait_closed(self) -> None:
        """Wait until the server is asked to end."""
        await asyncio.shield(self._closed)

    def _drive(self, engine: Engine) -> None:
        self._drivers[engine] = Driver(engine, self)

    def _let_go(self, engine: Engine) -> None:
        self._drivers.pop(engine).stop()

    # Connections

    def hold(self, connection: Connection) -> None:
        """Hold a connection's replies until the end of the round of the loop, when all replies are written.

        By then the append-only file has been written once, and brought to the disk once, for them all.  In a loop that does
        not go in rounds only those wait that must not be read before the file is on the disk.
        """
        engine = connection.engine
        if self._rounds is None and not (engine.unwritten and engine.persistence.log.holds_replies):
            self.release(connection)
            return
        if not self._held:
            at_end = self.loop.call_soon if self._rounds is None else self._rounds.at_end
            at_end(self._release)
        self._held.append(connection)

    def before_writing(self, work: Callable[[], object]) -> None:
        """Do something before the replies of this round are written, or soon in a loop that does not go in rounds."""
        (self.loop.call_soon if self._rounds is None else self._rounds.before_end)(work)

    def _release(self) -> None:
        held, self._held = self._held, []
        for connection in held:
            try:
                self.release(connection)
            except Exception as error:
                internal_error(error, "writing replies")
                connection.abort()

    def release(self, connection: Connection) -> None:
        """Write a connection's replies, and before them what the append-only file is to have."""
        engine = connection.engine
        if engine.unwritten:
            engine.persistence.log.flush()
        connection.flush()

    def accept(self, connection: Connection) -> Session | None:
        """The session of a new connection, or None where it is refused and closed."""
        transport = connection.transport
        stats = self.engine.stats
        peer = transport.get_extra_info("peername")
        if logger.isEnabledFor(logging.INFO):
            self._tell_accepted(peer)
        if self._ends or (self.engine.faults.faults and self.engine.faults.refuses()):
            transport.abort()
            return None
        if not self._has_room():
            if transport.get_extra_info("sslcontext"):  # it could be told only after a handshake
                transport.abort()
                return None
            return self._refuse(transport, b"-ERR max number of clients reached\r\n")
        local = transport.get_extra_info("sockname")
        if self._is_protected_from(peer):
            stats.rejected_connections += 1
            return self._refuse(transport, _PROTECTED)
        stats.connections_received += 1
        self.connections.add(connection)
        handle: socket.socket | None = transport.get_extra_info("socket")
        if handle is not None and isinstance(peer, tuple):
            self._keep_alive(handle)
        fd = handle.fileno() if handle is not None else -1
        if not isinstance(peer, tuple):
            address = local_address = f"{self.config.unixsocket}:0".encode()
        else:
            address, local_address = _address(peer), _address(local)
        return Session(self.engine, address, local_address, fd)

    def _tell_accepted(self, peer: Any) -> None:
        if isinstance(peer, tuple):
            logger.info("Accepted %s:%d", *peer[:2])
        else:
            logger.info("Accepted connection to %s", self.config.unixsocket)

    def tell_ended(self, session: Session, error: Exception | None = None) -> None:
        """A client has ended its connection, in good order or by an error."""
        if error is not None:
            what = "Error writing to" if isinstance(error, BrokenPipeError) else "Reading from"
            logger.info("%s client: %s", what, getattr(error, "strerror", None) or error)
        elif logger.isEnabledFor(logging.INFO):
            logger.info("Client closed connection %s", describe(session, ended=True).decode("utf-8", "replace"))

    def _has_room(self) -> bool:
        """Whether there is room for one more connection, on whichever port; one that finds none counts as rejected."""
        count = len(self.connections) + sum(server.connection_count for server in self._http_servers)
        if count < self.config.maxclients:
            return True
        self.engine.stats.rejected_connections += 1
        return False

    def _is_protected_from(self, peer: Any) -> bool:
        return (
            self.config.protected_mode
            and self.engine.acl.default.no_password
            and isinstance(peer, tuple)
            and not peer[0].startswith("127.")
            and peer[0] not in ("::1", "::ffff:127.0.0.1")
        )

    @staticmethod
    def _refuse(transport: asyncio.Transport, message: bytes) -> None:
        transport.write(message)
        transport.close()

    def _keep_alive(self, handle: socket.socket) -> None:
        seconds = self.config.tcp_keepalive
        if not seconds:
            return
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            try:
                handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
                handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(seconds // 3, 1))
                handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
            except OSError as error:
                logger.info("tcp-keepalive %d is beyond what the system takes: %s", seconds, error.strerror)

    @property
    def entered(self) -> list[asyncio.Transport]:
        """The connections whose commands are being run: more than one where a script is busy and others are heard."""
        transports = [connection.transport for connection in self.connections if connection.session.running]
        return transports + [transport for server in self._http_servers for transport in server.entered]

    def released(self, connection: Connection) -> bool:
        """A connection has gone; whether it had been accepted."""
        if connection not in self.connections:
            return False
        self.connections.discard(connection)
        connection.session.forget()
        return True

    def protocol_error(self, connection: Connection, error: ProtocolError) -> None:
        """Tell the client what was wrong, the last that it is told."""
        session = connection.session
        if logger.isEnabledFor(logging.INFO):
            name, sample = told_of_fault(error)
            line = session.describe().decode("utf-8", "replace")
            logger.info("Protocol error (%s) from client: %s. %s", name, line, sample)
        if session.reply_mode == REPLY_ON:
            session.out.append(encode(CommandError(f"ERR Protocol error: {error}"), 2))
        session.close()

    def query_buffer_overrun(self, connection: Connection) -> None:
        """The client has sent more than ``client-query-buffer-limit`` of what could not be run yet."""
        self.engine.stats.query_limit_disconnections += 1
        logger.warning(
            "Closing client that reached max query buffer length: %s",
            connection.session.describe().decode("utf-8", "replace"),
        )
        connection.abort()


def _address(peer: Any) -> bytes:
    host, port = peer[0], peer[1]
    return (f"[{host}]:{port}" if ":" in host else f"{host}:{port}").encode()
