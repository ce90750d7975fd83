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
from emulator.table.registry import ADMIN, WRITE, Command
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


class Player:
    """The master as a client of this server."""

    def __init__(self, engine: HostOfReplication, session: Session, db: int) -> None:
        self._engine = engine
        self._session = session
        self._transaction: list[Words] | None = None
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
                name = words[0].upper()
                if name == b"REPLCONF":
                    self._pass_on()
                    yield words
                    self._passing.append(words)
                    continue
                if name == b"MULTI":
                    self._transaction = []
                elif self._transaction is None:
                    self._run(words)
                elif name == b"EXEC":
                    self._end_transaction(self._transaction)
                else:
                    self._transaction.append(words)
                if self._transaction is None:
                    self._passing.append(words)
        self._pass_on()
        if engine.pending_work:
            engine.work()
        if engine.tracking.changed:
            behind_wall(engine.tracking.broadcast, "what is told to clients that cache")
        if engine.unwritten:
            engine.persistence.log.flush()

    def _end_transaction(self, transaction: list[Words]) -> None:
        with self._engine.propagation.unit():
            for words in transaction:
                self._run(words)
        self._transaction = None
        self._passing += [b"MULTI"], *transaction

    def _pass_on(self) -> None:
        """What was played counts as had, and goes to our own replicas."""
        passing, self._passing = self._passing, []
        stream = self._engine.replication.stream
        stream.db = self._session.db.index
        if passing:
            stream.add(passing)

    def _run(self, words: Words) -> None:
        engine, session = self._engine, self._session
        try:
            command = find(engine.commands, words)
            check_arity(command, words)
            if command.flags & ADMIN and not command.flags & WRITE:
                raise CommandError(f"ERR '{command.full_name.decode()}' has no place in the stream of a master")
        except CommandError as error:
            self._complain(error, words)
            return
        session.last_command = command
        reply = self._at_the_right_time(command, words)
        if isinstance(reply, CommandError):
            self._complain(reply, words)
        if engine.pending_work:
            engine.work()

    @staticmethod
    def _complain(error: CommandError, words: Words) -> None:
        logger.warning(
            "== CRITICAL == This replica is sending an error to its master: '-%s' after processing the command '%s'",
            error,
            words[0].decode("utf-8", "replace"),
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
