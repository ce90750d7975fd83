"""A client's connection: an asyncio protocol between the transport and the session.

What arrives is parsed at once and run in slices, so that an endless pipeline of one client leaves the others their turn.
Reading goes on while replies wait to be read, since clients may send everything before they read anything; what bounds
memory is ``client-query-buffer-limit`` here and ``client-output-buffer-limit`` in `flow_control`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from emulator.clients.memory import SHARED, Buffers
from emulator.clients.output_limit import OutputLimit
from emulator.clients.session import Session
from emulator.core.dispatch import run
from emulator.protocol.parser import READ_AT_ONCE, RequestParser, Words
from emulator.protocol.replies import DROPPING, REPLY_OFF
from emulator.sockets.transport import Receiver
from emulator.stats.slowlog import request_size
from emulator.wall import internal_error

if TYPE_CHECKING:
    from emulator.server.server import NetworkServer

_COMMANDS_A_SLICE = 256
_UNAUTHENTICATED_LIMIT = 1 << 20
READ_SIZE = READ_AT_ONCE
"""Bytes read at a time, into a buffer that all connections of a server share."""


class Connection(Receiver):
    """Bytes in, bytes out, for one client."""

    def __init__(self, server: NetworkServer) -> None:
        self.server = server
        self.engine = server.engine
        self.loop = server.loop
        self.transport: asyncio.Transport
        self.session: Session
        config = server.engine.config
        self._parser = RequestParser(config.proto_max_bulk_len, strict=not config.edition.is_valkey)
        self._parser.on_large = self._arrived if config.edition.is_valkey else None
        self._buffer = server.read_buffer
        self._backlog: list[Words] = []
        self._position = 0
        self._sent: bytes | None = None  # the backlog as the client has sent it, byte for byte
        self._waiting = 0  # bytes of the backlog: that have come since it is one, or while the client waits all
        self._measured = 0  # the position in the backlog when that was found out
        self._read = 0  # bytes that arrived last
        self._room = 0  # what the real server would have made a buffer for, of this client's own
        self._scheduled = False
        self._half_closed = False
        self._unheard = False  # the connection has gone, the client has not
        self._ended = False

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=1 << 62)
        session = self.server.accept(self)
        if session is None:
            return
        self._limit = OutputLimit(self)
        self._take_up(session)
        self._parser.restricted = self._is_restricted()

    def _take_up(self, session: Session) -> None:
        """Speak for a session from now on."""
        self.session, self.engine = session, session.engine
        session.on_wake = self._go_on_soon
        session.on_abort = self.abort
        session.on_move = self._move
        session.on_overrun = self._limit.overrun
        session.buffers = self._buffered
        session.refresh()

    def _let_go(self) -> None:
        session = self.session
        session.on_wake = session.on_abort = session.on_move = session.on_overrun = None
        session.buffers = Buffers

    def _move(self, session: Session) -> None:
        """The client goes over to another engine."""
        self._limit.release()
        self._let_go()
        self._take_up(session)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.receive(bytes(self._buffer[:nbytes]))

    def receive(self, data: bytes) -> None:
        """Parse what has arrived and run what is complete."""
        session, engine, parser = self.session, self.engine, self._parser
        session.active = engine.clock.tick()
        size = self._read = len(data)
        session.total_input += size
        stats = engine.stats
        stats.net_input_bytes += size
        stats.reads += 1
        if session.queue and self._exceeds_query_limit(size):
            self.server.query_buffer_overrun(self)
            return
        commands = parser.feed(data)
        if parser.verbatim:
            self.take(commands, size, data)
        else:
            self._note_room()
            self.take(commands, size)

    def _arrived(self, request: Words) -> None:
        self.engine.sizes.arrived(self.session, request)

    def take(self, commands: list[Words], size: int, sent: bytes | None = None) -> None:
        """Run commands, which were `size` bytes, just those in `sent` if it is known; after those that wait already."""
        if self._backlog:
            self._backlog += commands
            self._sent = None
            self._waiting += size
            self._check_query_buffer()
        elif commands:
            self._backlog = commands
            self._sent = sent
            self._go_on()
        elif self._parser.error is not None:
            self._go_on()
        else:
            self._check_query_buffer()

    def eof_received(self) -> bool:
        """The client sends no more: what it has sent is still run, but it does not go on waiting.

        What the system does not take by then is not sent, as with the real server.
        """
        self.server.release(self)
        self.server.tell_ended(self.session)
        self._half_closed = bool(self._backlog) and not self._waits()
        if not self._half_closed:
            self.abort()
        return self._half_closed

    def connection_lost(self, exc: Exception | None) -> None:
        has_more = bool(self._backlog) and not self._waits() and self.session.peer is None
        if has_more and (self._half_closed or isinstance(exc, OSError)):  # what the client has sent is still run
            self._half_closed = self._unheard = True
            self.session.reply_mode = REPLY_OFF
            self.session.refresh()
            self._schedule()
        elif self._forget() and exc is not None:
            self.server.tell_ended(self.session, exc)

    def abort(self) -> None:
        """Close at once.  The client is no more from now on, not only when the loop says so: nothing is given to it.

        Not so if its own command is being run, or if it is a server, which others go through the list of.
        """
        if not self.session.running and self.session.peer is None:
            self._forget()
        self.transport.abort()

    def _forget(self) -> bool:
        """The connection has gone; whether this is news, of a client that was let in."""
        self._ended = True
        self._backlog = []
        if not self.server.released(self):
            return False
        self._limit.release()
        self._let_go()
        del self._limit
        self._parser.on_large = None
        return True

    # Running

    def _go_on(self) -> None:
        """Run a slice of the backlog and write what there is to say."""
        session, parser = self.session, self._parser
        if self._backlog and session.blocked is None and not session.suspended:
            self._position = run(session, self._backlog, self._position, _COMMANDS_A_SLICE, self._sent)
            session = self.session
            if self._position >= len(self._backlog):
                self._backlog, self._sent = [], None
                self._position = self._measured = self._waiting = 0
                if parser.restricted:
                    self._parse_rest()
            elif self._waits() and self.engine.config.edition.precedes("8.4.0"):  # later ones have parsed it already
                self._measure_rest()
        if parser.error is not None and not self._backlog and not session.closing:
            self.server.protocol_error(self, parser.error)
        if session.closing:
            if not self._is_left_alone():
                self._leave()
            return
        if session.out:
            self.server.hold(self)
        if self._backlog and not self._waits():
            self._schedule()
        elif self._half_closed:
            self.server.release(self)
            self.abort()

    def _waits(self) -> bool:
        return self.session.blocked is not None or self.session.suspended

    def _is_left_alone(self) -> bool:
        """Whether a client that is to be closed stays: the real server closes it as it writes the last reply.

        CLIENT REPLY may drop that one.
        """
        session = self.session
        return session.reply_mode in DROPPING and not session.awaits_replies and not self._half_closed

    def _measure_rest(self) -> None:
        """The client waits, and more of what it has sent is to be run.  O(commands that were run since it waited last)."""
        if self._measured:
            self._waiting -= sum(map(request_size, self._backlog[self._measured : self._position]))
        else:
            self._waiting = sum(map(request_size, self._backlog[self._position :]))
        self._measured = self._position
        self._note_room()

    def _leave(self) -> None:
        """Close when all is sent; nothing more is said."""
        self.server.release(self)
        self._ended = True
        self._backlog = []
        self.transport.close()
        if self._unheard:
            self._forget()

    def _parse_rest(self) -> None:
        """Before authentication the parser hands out one command at a time."""
        self._parser.restricted = self._is_restricted()
        self._backlog = self._parser.feed(b"")

    def _is_restricted(self) -> bool:
        return not self.session.authenticated and not self.engine.acl.open_to_all

    def flush(self) -> None:
        """Write the replies, for the server."""
        session = self.session
        if self._ended or not session.out:
            return
        data = b"".join(session.out)
        size = len(data)
        if session.output_limit and session.exceeds_limit(size):
            session.overrun()
            return
        session.out.clear()
        session.pushed = 0
        session.total_output += size
        if size > session.replies.peak or session.replies.forgets_at < self.engine.clock.now:
            session.replies.note(size, self.engine.clock.now)
        stats = self.engine.stats
        stats.net_output_bytes += size
        stats.writes += 1
        self.transport.write(data)
        self._limit.check()
        if self.engine.client_eviction.limit:
            self.engine.client_eviction.note(session)

    def _schedule(self) -> None:
        """Go on in the next round of the loop."""
        if not self._scheduled and not self._ended:
            self._scheduled = True
            self.loop.call_soon(self._wake)

    def _go_on_soon(self) -> None:
        """Go on before the replies of this round are written, since a wait has ended or there is something to say."""
        if not self._scheduled and not self._ended:
            self._scheduled = True
            self.server.before_writing(self._wake)

    def _wake(self) -> None:
        self._scheduled = False
        if self._ended:
            return
        self.session.unblocked = False
        self.engine.clock.tick()
        try:
            self._go_on()
        except Exception as error:
            internal_error(error, "a connection")
            self.abort()

    def _buffered(self) -> Buffers:
        parser = self._parser
        waiting = parser.unparsed + self._waiting
        return Buffers(
            waiting, self._waiting or self._read, *parser.begun, self._room, self.transport.get_write_buffer_size()
        )

    def _exceeds_query_limit(self, more: int) -> bool:
        """Whether the client has sent too much that was not run, `more` bytes among it; what is queued counts, since 7.4."""
        queue = self.session.queue
        queued = 0 if queue is None or self.engine.config.edition.precedes("7.4.0") else queue.size
        size = self._parser.buffered + self._waiting + more + queued
        limit = self.engine.config.client_query_buffer_limit
        return size > (min(limit, _UNAUTHENTICATED_LIMIT) if self._is_restricted() else limit)

    def _note_room(self) -> None:
        """What is left of what was read takes a buffer of the client's own."""
        announced = self._parser.announced
        if announced or self._parser.unparsed or self._waiting:
            self._room = max(announced, SHARED)

    def _check_query_buffer(self) -> None:
        self._note_room()
        if self._exceeds_query_limit(0):
            self.server.query_buffer_overrun(self)
        elif self.engine.client_eviction.limit:
            self.engine.client_eviction.note(self.session)
