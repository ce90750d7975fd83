"""What the subsystems of clients use of the engine that they belong to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from emulator.clock import Clock
from emulator.config.directives import Config
from emulator.datatypes.wheel import Wheel
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import Reply
from emulator.stats.counters import Stats
from emulator.table.registry import Command

if TYPE_CHECKING:
    from emulator.clients.blocking import Blocking
    from emulator.clients.pause import Pause
    from emulator.clients.reply_buffer import ReplyBuffers
    from emulator.clients.session import Session

R = TypeVar("R")
Meter = Callable[["Session", Command, Sequence[bytes], object, float], None]
"""Is told of a call that took the long way: its words, its reply, and the seconds that it took."""


class Dispatch(Protocol):
    """How commands are run: by the module `emulator.core.dispatch`."""

    @property
    def nested(self) -> Callable[[Session, Command, Sequence[bytes]], Reply]:
        """Run a command of a transaction or a script, which has passed the guards."""
        ...

    def count(self, client: Session, session: Session, command: Command, args: Sequence[bytes], elapsed: float) -> None:
        """Enter a call of a session, for the client whose turn it is, in the statistics."""
        ...

    def failure(self, engine: HostOfClients, command: Command | None, error: Exception) -> CommandError:
        """Make the reply to a command that raised."""
        ...

    def note_slow(self, session: Session, command: Command, args: Sequence[bytes], seconds: float) -> None:
        """Enter a call that took long in the slow log."""
        ...

    def refusal(self, session: Session) -> CommandError | None:
        """The error of a call that waits, where it would be refused by now."""
        ...

    def unblocked(self, session: Session, elapsed: float, reply: Reply) -> None:
        """Count the call of a client that has waited and has its answer now."""
        ...


class Peer(Protocol):
    """Another server at the end of a session: ``kind`` and ``flag`` are those of CLIENT LIST."""

    @property
    def kind(self) -> bytes: ...

    @property
    def flag(self) -> bytes: ...

    def gone(self) -> None:
        """The session has ended."""


class Switched(Protocol):
    """Whether keys expire by themselves, as a pause changes it."""

    def switch(self, on: bool) -> None: ...

    def refresh(self) -> None: ...


class Listener(Protocol):
    """One who is told of effects, as `emulator.core.propagation.Listener`."""

    def take(self, unit: list[Any]) -> None: ...

    def take_each(self, db: int, commands: Sequence[Sequence[bytes]], data: bytes) -> None: ...


class Propagates(Protocol):
    """Who is told of the effects of commands."""

    @property
    def listeners(self) -> Sequence[object]: ...

    @property
    def active(self) -> bool: ...

    def add(self, db: int, words: Sequence[bytes]) -> None: ...

    def alone(self, db: int, words: Sequence[bytes]) -> None: ...

    def follow(
        self,
        session: Session,
        command: Command,
        words: Sequence[bytes],
        run: Callable[[Session, Command, Sequence[bytes]], R],
    ) -> R: ...

    def unit(self) -> AbstractContextManager[None]: ...

    def told_to(self, audience: int) -> AbstractContextManager[None]: ...

    def as_stream(self, unit: Any, db: int | None) -> Iterable[Sequence[bytes]]: ...

    def listen(self, listener: Listener, messages: bool = False) -> None: ...

    def leave(self, listener: Listener) -> None: ...


class HostOfClients(Protocol):
    """An engine, as its clients' subsystems know it; see `emulator.core.engine.Engine` for what is meant."""

    clock: Clock
    config: Config
    stats: Stats
    waits: Wheel
    reply_buffers: ReplyBuffers
    blocking: Blocking
    pause: Pause
    sessions: dict[int, Session]
    current: Session | None
    pending_work: bool
    dispatch: Dispatch
    meters: list[Meter]
    has_large_reply: bool

    @property
    def databases(self) -> Sequence[Any]: ...

    @property
    def propagation(self) -> Propagates: ...

    def refresh_sessions(self) -> None: ...

    def runs_script_in(self, session: Session) -> bool: ...

    def bytes_put_off(self, session: Session) -> int: ...

    @property
    def soon(self) -> Callable[[Callable[[], object]], object]: ...

    @property
    def expiration(self) -> Switched: ...

    def tell_what_was_done(self) -> None: ...

    def turn_of(self, session: Session) -> AbstractContextManager[None]: ...

    def listen(self, listener: Callable[[Any, bytes], object]) -> None: ...

    def leave(self, listener: Callable[[Any, bytes], object]) -> None: ...
