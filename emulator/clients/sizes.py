"""COMMANDLOG of Valkey: the requests and replies that are large.

What cannot be large is not measured.  A reply to a client is measured by `Sizes.encoders` while its bytes are made, those of
calls within EXEC and scripts by a meter of the engine.  A large request has come in several pieces: the parser tells of it,
and it takes the long way.  Only while a limit of requests is smaller than a piece every command takes that way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from emulator.clients.monitor import redacted
from emulator.protocol.encoder import RESP2, RESP3, SHORT, Encoders, bulk, long_bulk
from emulator.protocol.errors import CommandError
from emulator.protocol.parser import READ_AT_ONCE
from emulator.protocol.replies import QUEUED
from emulator.stats.slowlog import CommandLog, request_size
from emulator.table.registry import SKIP_SLOWLOG

if TYPE_CHECKING:
    from emulator.clients.host import HostOfClients
    from emulator.clients.session import Session
    from emulator.table.registry import Command

Tables = Mapping[int, Encoders]
PLAIN: Final[Tables] = {2: RESP2, 3: RESP3}
_HEAD: Final = 16
"""The most bytes that stand round an argument, and before all of them."""
_SCALARS: Final = (int, bool, float, type(None))


class Sizes:
    """Measures for an engine.  ``needs_guards`` says that every request has to be measured."""

    def __init__(self, engine: HostOfClients) -> None:
        self._engine = engine
        self.requests, self.replies = CommandLog(), CommandLog()
        self.encoders: Tables = PLAIN
        self.needs_guards = False
        self._measuring: dict[int, Tables] = {}

    def configure(self) -> None:
        """Follow the limits."""
        engine, config = self._engine, self._engine.config
        self.needs_guards = 0 <= config.commandlog_request_larger_than <= READ_AT_ONCE
        before, self._measuring = self.encoders, {}
        self.encoders = self.measuring(PLAIN)
        if self.note_within in engine.meters:
            engine.meters.remove(self.note_within)
        if config.commandlog_reply_larger_than >= 0:
            engine.meters.append(self.note_within)
        for session in engine.sessions.values():
            if session.encoders is before[session.protocol]:
                session.encoders = self.encoders[session.protocol]
        engine.refresh_sessions()

    def measuring(self, tables: Tables) -> Tables:
        """The same encoders of RESP 2 and 3, which tell of a reply that is large."""
        known = self._measuring.get(id(tables))
        if known is None:
            least = self._engine.config.commandlog_reply_larger_than
            known = (
                {protocol: self._table(encoders, least) for protocol, encoders in tables.items()}
                if least >= 0
                else tables
            )
            self._measuring[id(tables)] = known
        return known

    def _table(self, encoders: Encoders, least: int) -> Encoders:
        is_long = least > 2 * SHORT  # so that scalars and short strings are never large
        table = {
            kind: encode if is_long and kind in _SCALARS else self._measured(encode, least)
            for kind, encode in encoders.items()
        }
        if is_long and encoders in PLAIN.values():
            table[bytes] = bulk(self._measured(long_bulk, least))
        return table

    def _measured(self, encode: Callable[[Any], bytes], least: int) -> Callable[[Any], bytes]:
        def measured(reply: Any) -> bytes:
            data = encode(reply)
            if len(data) >= least:
                self._engine.pending_work = self._engine.has_large_reply = True
            return data

        return measured

    def note_reply(self, session: Session, args: Sequence[bytes], reply: object) -> None:
        """Log the call that a client has made, if its reply is large; what the client is told of it itself counts as well."""
        self._engine.has_large_reply = False
        command, encoder = session.last_command, PLAIN[session.protocol].get(reply.__class__)
        was_called = reply is not QUEUED and not (isinstance(reply, CommandError) and reply.refused)
        if was_called and command is not None and encoder is not None:
            size = len(encoder(reply)) + self._engine.bytes_put_off(session)
            self._enter_reply(session, command, args, size)

    def note_late(self, session: Session, reply: object) -> None:
        """The same for a client that has waited."""
        if self.encoders is not PLAIN:
            self.note_reply(session, session.words, reply)

    def note_within(
        self, session: Session, command: Command, args: Sequence[bytes], reply: object, seconds: float
    ) -> None:
        """Log a call within EXEC or a script whose reply is large; in EXEC the replies before it count as well."""
        in_script = self._engine.runs_script_in(session)
        queue = session.queue if session.deny_blocking else None
        encoder = PLAIN[session.protocol].get(reply.__class__)
        if encoder is not None and (in_script or queue is not None):
            size = len(encoder(reply))
            self._enter_reply(session, command, args, size if queue is None else queue.wrote(size))

    def _enter_reply(self, session: Session, command: Command, args: Sequence[bytes], size: int) -> None:
        config = self._engine.config
        if not command.flags & SKIP_SLOWLOG and 0 <= config.commandlog_reply_larger_than <= size:
            log_call(session, self.replies, args, size, config.commandlog_large_reply_max_len)

    def arrived(self, session: Session, args: Sequence[bytes]) -> None:
        """A request may have come in several pieces: if it is large it takes the long way."""
        limit = self._engine.config.commandlog_request_larger_than
        if sum(map(len, args)) + _HEAD * (len(args) + 1) >= limit >= 0 and request_size(args) >= limit:
            session.large_requests = [*session.large_requests, args]
            session.refresh()

    def note_request(self, session: Session, command: Command, args: Sequence[bytes]) -> None:
        """Log a command that took the long way, if its request is large."""
        config = self._engine.config
        if not command.flags & SKIP_SLOWLOG and 0 <= config.commandlog_request_larger_than <= (
            size := request_size(args)
        ):
            log_call(session, self.requests, args, size, config.commandlog_large_request_max_len)


def log_call(session: Session, log: CommandLog, args: Sequence[bytes], measure: int, most: int) -> None:
    """Enter a call in a log of at most so many; those of a script are its client's."""
    client = session.engine.current or session
    log.add(client.engine.clock.now // 1000, measure, redacted(args), client.address, client.name, most)
