"""An engine of this process as a database of the REST API.

Each request is a session of its own, which speaks RESP2 with encoders that print JSON.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from emulator.acl.users import explanation
from emulator.clients.output_limit import OutputLimit
from emulator.clients.session import Session
from emulator.core.dispatch import Outcome, run
from emulator.protocol.encoder import Encoders
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import NoReply, Push, Replies, Status
from emulator.protocol.text import to_bytes, to_text
from emulator.rest.database import EventStream, RestDatabase
from emulator.rest.dialect import is_special, own_way, refusal
from emulator.rest.encoding import Format
from emulator.rest.events import monitor_event, push_event
from emulator.rest.limits import RequestLimits, check_sizes, cut
from emulator.rest.requests import Words
from emulator.rest.texts import EMPTY_PIPELINE_COMMAND
from emulator.rest.tokens import base32
from emulator.table.lookup import check_arity, find

if TYPE_CHECKING:
    from emulator.acl.user import User
    from emulator.core.engine import Engine
    from emulator.rest.tokens import Tokens

_COMMANDS_A_SLICE = 256


class Dropped(Exception):
    """The connection is to be dropped without an answer, as a fault wants it."""


class LocalDatabase(RestDatabase):
    """An engine and the tokens that open it.

    As its configuration says it lacks what the product lacks (``upstash-strict``) and has its quotas (``upstash-limits``).
    """

    def __init__(self, engine: Engine, tokens: Tokens, name: str = "") -> None:
        self.engine = engine
        self.name = name
        self.tokens = tokens
        self._strict = engine.config.upstash_strict
        self._limits = RequestLimits(engine) if engine.config.upstash_limits else None

    @property
    def is_open(self) -> bool:
        """Whether its keyspace is still there."""
        return self.engine in self.engine.keyspaces

    def access(self, token: str) -> User | None:
        return self.tokens.user(token) if self.is_open else None

    @property
    def sync_token(self) -> bytes:
        return b"zt" + base32(self.engine.dirty)

    def _session(self, user: User, address: bytes, encoders: Encoders) -> Session:
        """A session for one request."""
        self.engine.clock.tick()
        session = Session(self.engine, address)
        session.user = user
        session.authenticated = session.upstash = True
        session.encoders = encoders
        session.refresh()
        return session

    def run(
        self, access: User, address: bytes, commands: Sequence[Words], format: Format
    ) -> list[bytes] | Awaitable[list[bytes]]:
        if self._limits is not None:
            check_sizes(commands)
        session = self._session(access, address, format.answers)
        if len(commands) > _COMMANDS_A_SLICE or any(map(self._needs_care, commands)):
            return self._go_on(session, commands, 0)
        return self._run_plain(session, commands)

    def _run_plain(self, session: Session, commands: Sequence[Words]) -> list[bytes] | Awaitable[list[bytes]]:
        position = run(session, commands, 0, len(commands))
        self._log()
        if position < len(commands) or session.blocked is not None:
            return self._go_on(session, commands, position, careful=False)
        session.forget()
        return _answers(session, len(commands))

    async def _go_on(
        self, session: Session, commands: Sequence[Words], position: int, careful: bool = True
    ) -> list[bytes]:
        """Run the rest: in slices, so that others have their turn, and waiting where the server is paused.

        With `careful` there may be commands that are refused here, or have a way of their own.
        """
        awake = asyncio.Event()
        session.on_wake = awake.set
        turn = position + _COMMANDS_A_SLICE
        try:
            while not session.closing:
                if session.suspended or session.blocked is not None:
                    await awake.wait()
                    awake.clear()
                    self.engine.clock.tick()
                    continue
                if position >= len(commands):
                    break
                if position >= turn:
                    await asyncio.sleep(0)
                    self.engine.clock.tick()
                    turn = position + _COMMANDS_A_SLICE
                if careful and self._needs_care(commands[position]):
                    position += self._run_with_care(session, commands[position])
                    continue
                end, most = position + 1, min(len(commands), turn)
                while end < most and not (careful and self._needs_care(commands[end])):
                    end += 1
                position = run(session, commands, position, end - position)
                if position < end:  # it has had its turn, or waits
                    turn = position
                self._log()
        finally:
            session.forget()
        answers = _answers(session, len(commands))
        return answers if self._limits is None else list(map(cut, answers))

    def _log(self) -> None:
        """Bring the append-only file up to date before what was done is answered for."""
        if self.engine.unwritten:
            self.engine.persistence.log.flush()

    def _needs_care(self, command: Words) -> bool:
        return self._strict or self._limits is not None or is_special(command)

    def _problem(self, command: Words) -> CommandError | None:
        """Why a command is not run by REST, if it is not."""
        error = refusal(command, self._strict)
        return self._limits.check(command) if error is None and self._limits is not None else error

    def _run_with_care(self, session: Session, command: Words) -> int:
        """Run a command that may be refused here, or have a way of its own; how many were answered."""
        reply: Outcome | None = self._problem(command)
        if reply is None:
            way = own_way(command)
            if way is None:
                return run(session, [command], 0, 1)
            reply = way(session)
        encoder = session.encoders.get(reply.__class__)
        if encoder is None:
            return 0  # the server is paused: it comes again
        session.out.append(encoder(reply))
        return 1

    def transaction(
        self, access: User, address: bytes, commands: Sequence[Words], format: Format
    ) -> bytes | Awaitable[bytes]:
        if self._limits is not None:
            check_sizes(commands)
        session = self._session(access, address, format.transaction)
        try:
            for command in commands:
                self._check(session, command)
        except CommandError:
            session.forget()
            raise
        if any(map(own_way, commands)):
            return self._run_each(session, commands)
        queue = session.open_queue()
        for command in commands:
            queue.append((find(self.engine.commands, command), list(command)))
        answers = self._run_plain(session, [[b"EXEC"]])
        return answers[0] if isinstance(answers, list) else _first(answers)

    def _run_each(self, session: Session, commands: Sequence[Words]) -> bytes:
        """A transaction with commands that are done otherwise here: nobody's come between."""
        for command in commands:
            self._run_with_care(session, command)
        session.forget()
        return b"[%b]" % b",".join(_answers(session, len(commands)))

    def _check(self, session: Session, command: Words) -> None:
        """Raise where a command of a transaction cannot be run at all."""
        if not command:
            raise CommandError(EMPTY_PIPELINE_COMMAND)
        error = self._problem(command)
        if error is not None:
            raise error
        if own_way(command) is not None:
            return
        entry = find(self.engine.commands, command)
        check_arity(entry, command)
        denial = session.check_user(session.user, entry, command)
        if denial is not None:
            self.engine.acl.refused(session, denial, b"multi")
            raise CommandError(f"NOPERM {explanation(session.user, denial)}")

    def listen(self, access: User, address: bytes, command: Words) -> EventStream:
        session = self._session(access, address, _EVENTS)
        run(session, [command], 0, 1)
        if session.out[0].startswith(b"-"):
            session.forget()
            raise CommandError(to_text(session.out[0][1:]))
        return LocalStream(session)


async def _first(answers: Awaitable[list[bytes]]) -> bytes:
    return (await answers)[0]


def _answers(session: Session, count: int) -> list[bytes]:
    if session.closing or len(session.out) != count or b"" in session.out:
        raise Dropped
    return session.out


class LocalStream(EventStream):
    """A session that listens, and whose events are sent on."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.engine = session.engine
        self._limit: OutputLimit | None = None

    def begin(self, send: Callable[[bytes], None], end: Callable[[], None], transport: asyncio.Transport) -> None:
        self.transport = transport
        self._send, self._end = send, end
        self._limit = OutputLimit(self)
        self.session.on_abort = end
        self.session.on_wake = self._flush
        self._flush()

    def _flush(self) -> None:
        data = b"".join(self.session.out)
        self.session.out.clear()
        if data:
            self._send(data)
            if self._limit is not None:
                self._limit.check()
        if self.session.closing:
            self._end()

    def close(self) -> None:
        if self._limit is not None:
            self._limit.release()
            self._limit = None
        self.session.on_wake = self.session.on_abort = None
        self.session.forget()


_EVENTS: Encoders = {
    Push: push_event,
    Replies: lambda pushes: b"".join(map(push_event, pushes)),
    Status: monitor_event,
    NoReply: lambda _: b"",
    CommandError: lambda error: b"-" + to_bytes(str(error)),
}
