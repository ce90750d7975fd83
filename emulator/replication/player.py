"""Plays the stream of a master: its commands are run here, and their bytes passed on to replicas of this server.

The master decides what has expired.  A key whose time is over by our clock, and of which the master has not said so, is there
for its commands: those are run at the beginning of time.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from emulator.clients.session import Session
from emulator.datatypes.hash import Hash
from emulator.protocol.errors import CommandError
from emulator.table.lookup import check_arity, find
from emulator.table.registry import ADMIN, NOSCRIPT, RUNS_SCRIPT, WRITE, Command
from emulator.wall import behind_wall

if TYPE_CHECKING:
    from emulator.replication.host import HostOfReplication

logger = logging.getLogger("emulator")

Words = Sequence[bytes]

_BEGINNING: Final = 0
SET_DEADLINES: Final = frozenset(
    b"set psetex setex expire pexpire expireat pexpireat restore hexpire hpexpire hexpireat hpexpireat hsetex getex".split()
)
"""Commands that may set a deadline that is over: the key stays until the master deletes it."""
_PLAIN_SET: Final = 3
_REFUSED: Final = ADMIN | NOSCRIPT
"""What concerns the server, or the connection alone."""
_ALLOWED: Final = frozenset((b"multi", b"exec", b"discard", b"script|load", b"script|flush"))
"""What a master may send all the same: before 7.0 one sent its scripts."""


class Player:
    """The master as a client of this server."""

    def __init__(self, engine: HostOfReplication, session: Session, db: int) -> None:
        self._engine = engine
        self._session = session
        self._transaction: list[tuple[Command, Words]] | None = None
        self._must_abort = False
        self._passing: list[Words] = []
        session.deny_blocking = True
        session.db = engine.databases[db]

    def end(self) -> None:
        """The master is a client no more."""
        self._session.peer = None
        self._session.forget()

    def play(self, commands: Iterable[Words]) -> Iterator[Words]:
        """Run commands; yields those by which the master asks for something, when all before has been passed on."""
        engine = self._engine
        with engine.turn_of(self._session):
            for words in commands:
                if words[0].upper() == b"REPLCONF":
                    self._pass_on()
                    yield words
                else:
                    self._take(words)
                self._passing.append(words)
        self._pass_on()
        if engine.pending_work:
            engine.work()
        if engine.tracking.changed:
            behind_wall(engine.tracking.broadcast, "what is told to clients that cache")
        if engine.unwritten:
            engine.persistence.log.flush()

    def _pass_on(self) -> None:
        """What was played counts as had, and goes to our own replicas: a transaction when it has ended."""
        if self._transaction is not None:
            return
        passing, self._passing = self._passing, []
        stream = self._engine.replication.stream
        stream.db = self._session.db.index
        if passing:
            stream.add(passing)

    def _take(self, words: Words) -> None:
        """Run a command, or keep it for the end of its transaction."""
        name = words[0].lower()
        try:
            command = self._allowed(words)
            if name == b"multi":
                self._begin_transaction()
            elif name in (b"exec", b"discard"):
                self._end_transaction(name)
            elif self._transaction is None:
                self._run(command, words)
            else:
                self._transaction.append((command, words))
        except CommandError as error:
            self._complain(error, words)

    def _allowed(self, words: Words) -> Command:
        """The command that the words call; raises `CommandError` where there is none, or none for a master to call."""
        try:
            command = find(self._engine.commands, words)
            check_arity(command, words)
            if (
                command.full_name not in _ALLOWED
                and command.flags & _REFUSED
                and not command.flags & (WRITE | RUNS_SCRIPT)
            ):
                raise CommandError(f"ERR '{command.full_name.decode()}' has no place in the stream of a master")
        except CommandError:
            self._must_abort = True
            if words[0].lower() == b"exec":
                self._transaction = None
            raise
        return command

    def _begin_transaction(self) -> None:
        if self._transaction is not None:
            raise CommandError("ERR MULTI calls can not be nested")
        self._pass_on()
        self._transaction, self._must_abort = [], False

    def _end_transaction(self, name: bytes) -> None:
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            raise CommandError(f"ERR {name.decode().upper()} without MULTI")
        if name == b"discard":
            return
        if self._must_abort:
            raise CommandError("EXECABORT Transaction discarded because of previous errors.")
        with self._engine.propagation.unit():
            for command, words in transaction:
                self._run(command, words)

    def _run(self, command: Command, words: Words) -> None:
        self._session.last_command = command
        reply = self._at_the_right_time(command, words)
        if isinstance(reply, CommandError):
            self._complain(reply, words)
        if self._engine.pending_work:
            self._engine.work()

    def _complain(self, error: CommandError, words: Words) -> None:
        try:
            name = find(self._engine.commands, words).full_name.decode()
        except CommandError:
            name = "<unknown>"
        logger.warning(
            "== CRITICAL == This replica is sending an error to its master: '-%s' after processing the command '%s'",
            error,
            name,
        )

    def _at_the_right_time(self, command: Command, words: Words) -> object:
        engine, session = self._engine, self._session
        db, nested = session.db, engine.dispatch.nested
        sets_deadline = command.name in SET_DEADLINES and not (command.name == b"set" and len(words) == _PLAIN_SET)
        if not sets_deadline and not db.expiring and not db.fields_with_expiry:
            return nested(session, command, words)
        keys = [key for spec in command.keys for key in spec.words(words)]
        if not sets_deadline and not any(map(self._is_over, keys)):
            return nested(session, command, words)
        used = {key: entry.access for key in keys if (entry := db.entries.get(key)) is not None}
        now, engine.clock.now = engine.clock.now, _BEGINNING
        try:
            return nested(session, command, words)
        finally:
            engine.clock.now = now
            for key in keys:
                entry = db.entries.get(key)
                if entry is not None:
                    entry.access = used.get(key, now if db.frequency is None else db.frequency.fresh())
                    db.used(entry)

    def _is_over(self, key: bytes) -> bool:
        """Whether the time of a key, or of a field of it, is over by our clock."""
        entry = self._session.db.entries.get(key)
        if entry is None:
            return False
        now = self._engine.clock.now
        if entry.deadline is not None and entry.deadline <= now:
            return True
        deadline = entry.value.next_deadline if entry.value.__class__ is Hash else None
        return deadline is not None and deadline <= now
