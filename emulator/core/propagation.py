"""Propagation: what has changed the data set, as commands that have the same effect wherever they are played.

Whoever follows an engine (a log, a replica) is a listener: it is told of each *unit*, the effects of a command with all
that it caused, of a transaction or of a script.  While there is a listener every command takes the long way; while there
is none, nothing is paid for.  A command counts as having changed something when ``Engine.dirty`` has moved.  What is
logged of it are its own words, or what `effects` has in their place where these would not do the same again.  Keys that
expire or are evicted are effects of their own, or of the unit in which somebody met them.

Source: Redis's documentation of replication, and the stream that Redis 8.2 sends to its replicas.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

from emulator.core.effects import ALWAYS, OTHERWISE_FROM, effects_of
from emulator.protocol.client_side import encoded
from emulator.table.registry import Command
from emulator.wall import internal_error

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.core.engine import Engine
    from emulator.table.registry import Command


class Effect(NamedTuple):
    """A command that has the same effect wherever it is played, and the number of the database."""

    db: int
    words: Sequence[bytes]


class Message(Effect):
    """One that no log keeps: what was published, or what a script has meant for replicas alone."""

    __slots__ = ()


class Logged(Effect):
    """One that replicas do not hear of, as a script has wished it."""

    __slots__ = ()


LOGS: Final = 1
REPLICAS: Final = 2
"""Whom alone a script tells of what it does, as its ``REPL_AOF`` and ``REPL_REPLICA``."""


_MESSAGES: Final = frozenset((b"publish", b"spublish"))

Unit = list[Effect]
R = TypeVar("R")


class Listener(Protocol):
    """One who is told of what changes."""

    @abstractmethod
    def take(self, unit: Unit) -> None:
        """Take effects that belong together."""

    def take_each(self, db: int, commands: Sequence[Sequence[bytes]], data: bytes) -> None:
        """Take commands for a database, each of which is a unit of its own; `data` has them as bytes."""
        for words in commands:
            self.take([Effect(db, words)])


class Propagation:
    """The listeners of an engine, the unit under way, and in ``gathered`` the commands that they have still to be told of."""

    @staticmethod
    def as_stream(unit: Unit, db: int | None) -> Iterator[Sequence[bytes]]:
        """The commands of a unit as a log has them whose last command was for database `db`.

        Several stand between MULTI and EXEC, and SELECT before the first for another database.
        """
        several = len(unit) > 1
        if several:
            yield [b"MULTI"]
        for effect in unit:
            if effect.db != db:
                db = effect.db
                yield [b"SELECT", b"%d" % db]
            yield effect.words
        if several:
            yield [b"EXEC"]

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._unit: Unit = []
        self._depth = 0
        self._mixed = False
        self._gathered_in = 0
        self.gathered: list[Sequence[bytes]] = []
        self._hear_messages: tuple[Listener, ...] = ()
        self.listeners: tuple[Listener, ...] = ()

    @property
    def active(self) -> bool:
        """Whether anybody listens."""
        return bool(self.listeners)

    def listen(self, listener: Listener, messages: bool = False) -> None:
        """Tell `listener` of each unit from now on, with `messages` also of what is published.

        A fault of it is logged and harms nobody else.
        """
        self.deliver()
        self.listeners = (*self.listeners, listener)
        if messages:
            self._hear_messages = (*self._hear_messages, listener)
        self._engine.refresh_sessions()

    def leave(self, listener: Listener) -> None:
        """Tell it no more."""
        self.deliver()
        self.listeners = tuple(other for other in self.listeners if other != listener)
        self._hear_messages = tuple(other for other in self._hear_messages if other != listener)
        self._engine.refresh_sessions()

    def add(self, db: int, words: Sequence[bytes]) -> None:
        """Enter an effect in the unit under way; outside of one it is a unit of its own."""
        if self.listeners:
            if self._depth:
                self._unit.append(Effect(db, words))
            else:
                self._tell([Effect(db, words)])

    def add_for_replicas(self, db: int, words: Sequence[bytes]) -> None:
        """Enter an effect of which no log is told."""
        with self.unit():
            self._unit.append(Message(db, words))
            self._mixed = True

    def alone(self, db: int, words: Sequence[bytes]) -> None:
        """Tell at once of an effect that is no part of the unit under way."""
        self._tell([Effect(db, words)])

    def begin(self, command: Command) -> int:
        """A command begins, of which `end` is to be told, with what this returns: its effects are a unit."""
        if self.gathered and not command.acts:  # it may ask how long the log is
            self.deliver()
        self._depth += 1
        return self._engine.dirty

    def end(self, session: Session, command: Command, words: Sequence[bytes], reply: object, before: int) -> None:
        """The command has ended: enter its effects after those of what was run within it.

        Where these are its own words and nothing else they are gathered, for `deliver`.
        """
        if command.acts and (self._engine.dirty != before or (command.name in ALWAYS and ALWAYS[command.name](reply))):
            db, least = session.db.index, OTHERWISE_FROM.get(command.full_name)
            if least is not None and len(words) >= least:
                self._unit += [Effect(db, effect) for effect in effects_of(session, command, words, reply)]
            elif self._unit or self._depth > 1:
                self._unit.append(Effect(db, words))
            else:
                self._depth = 0
                if db != self._gathered_in:
                    self.deliver()
                    self._gathered_in = db
                self.gathered.append(words)
                return
        elif self._hear_messages and command.name in _MESSAGES:
            self._unit.append(Message(session.db.index, words))
            self._mixed = True
        self._depth -= 1
        if self._unit and not self._depth:
            self._end_unit()

    def follow(
        self,
        session: Session,
        command: Command,
        words: Sequence[bytes],
        run: Callable[[Session, Command, Sequence[bytes]], R],
    ) -> R:
        """Run a command, by `run`, and tell of its effects."""
        before = self.begin(command)
        try:
            reply = run(session, command, words)
        except BaseException:
            self.leave_unit()
            raise
        self.end(session, command, words, reply, before)
        self.deliver()
        return reply

    @contextmanager
    def unit(self) -> Iterator[None]:
        """What happens meanwhile belongs together."""
        self._depth += 1
        try:
            yield
        finally:
            self.leave_unit()

    def leave_unit(self) -> None:
        """What belongs together ends, unless it is a part of more."""
        self._depth -= 1
        if self._unit and not self._depth:
            self._end_unit()

    def _end_unit(self) -> None:
        unit, self._unit = self._unit, []
        mixed, self._mixed = self._mixed, False
        self._tell(unit, mixed)

    def deliver(self, sent: bytes | None = None) -> None:
        """Tell of what was gathered: to be called before anybody looks at a log, or hears of what was done.

        `sent` is what was gathered as a client has sent it, if it is known.
        """
        if self.gathered:
            db, commands = self._gathered_in, self.gathered
            data, self.gathered = sent or encoded(*commands), []
            for listener in self.listeners:
                try:
                    listener.take_each(db, commands, data)
                except Exception as error:
                    internal_error(error, "a listener of effects")

    @contextmanager
    def told_to(self, audience: int) -> Iterator[None]:
        """What a script does meanwhile is for logs alone, for replicas alone, or for nobody, by the bits of `audience`."""
        first = len(self._unit)
        try:
            yield
        finally:
            done = self._unit[first:]
            kind = {LOGS: Logged, REPLICAS: Message}.get(audience)
            self._unit[first:] = [] if kind is None else [kind(*effect) for effect in done]
            self._mixed |= bool(done)

    def _tell(self, unit: Unit, mixed: bool = False) -> None:
        """Tell everybody; in a `mixed` unit there are effects that are not for all."""
        self.deliver()
        for listener in self.listeners:
            try:
                if not mixed:
                    listener.take(unit)
                elif told := self._meant_for(listener, unit):
                    listener.take(told)
            except Exception as error:
                internal_error(error, "a listener of effects")

    def _meant_for(self, listener: Listener, unit: Unit) -> Unit:
        kept_away = Logged if listener in self._hear_messages else Message
        return [effect for effect in unit if effect.__class__ is not kept_away]
