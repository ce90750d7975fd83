"""CLIENT PAUSE: for a while commands wait, all of them or those that write; nothing expires and nothing is evicted.

A session whose command is held back is paused: dispatch keeps the command and the owner of the session runs it again
when the pause is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emulator.datatypes.wheel import Timer
from emulator.table.registry import MAY_REPLICATE, WRITE, Command

if TYPE_CHECKING:
    from emulator.clients.host import HostOfClients
    from emulator.clients.session import Session


BY_CLIENT: Final = "client_pause"
BY_FAILOVER: Final = "failover_in_progress"
BY_SHUTDOWN: Final = "shutdown_in_progress"
BY_MIGRATION: Final = "slot_migration_in_progress"
BY_MIGRATE: Final = "migrate_in_progress"
"""Why clients wait: each reason begins and ends by itself."""


class Pause(Timer):
    """The pause of an engine; as a timer it is the end of the reason that ends first."""

    __slots__ = ("_ends", "_waiting", "active", "engine", "writes_only")

    def __init__(self, engine: HostOfClients) -> None:
        super().__init__()
        self.engine = engine
        self._ends: dict[str, tuple[int, bool]] = {}
        self._waiting: dict[Session, None] = {}
        self.active = False
        self.writes_only = False

    @property
    def reason(self) -> str:
        """The first reason why clients wait, empty where they do not."""
        return next(iter(self._ends), "")

    def start(self, end: int, writes_only: bool, reason: str = BY_CLIENT) -> None:
        """Pause until `end` (milliseconds of `Clock.elapsed`); what a reason has begun it neither shortens nor loosens."""
        if reason in self._ends:
            before, loose = self._ends[reason]
            end, writes_only = max(end, before), writes_only and loose
        self._ends[reason] = (end, writes_only)
        self._apply()

    def stop(self, reason: str = BY_CLIENT) -> None:
        """End what a reason has begun, and let the sessions that are paused go on, unless there is another."""
        if self._ends.pop(reason, None) is not None:
            self._loosen()

    def clear(self) -> None:
        """End the pause whatever its reasons are."""
        if self._ends:
            self._ends.clear()
            self._loosen()

    def fire(self) -> None:
        now = self.engine.clock.elapsed
        self._ends = {reason: (end, loose) for reason, (end, loose) in self._ends.items() if end > now}
        self._loosen()

    def _apply(self) -> None:
        engine = self.engine
        self.active = bool(self._ends)
        self.writes_only = all(loose for _, loose in self._ends.values())
        if self.active:
            engine.waits.set(self, min(end for end, _ in self._ends.values()))
        else:
            engine.waits.cancel(self)
        engine.expiration.refresh()
        engine.refresh_sessions()

    def _loosen(self) -> None:
        """Something has ended: those who are paused try again."""
        self._apply()
        waiting, self._waiting = self._waiting, {}
        for session in waiting:
            session.paused = False
            session.wake()
        self.engine.blocking.resume()

    def hold(self, session: Session) -> None:
        """Let a session wait, behind those that do so already."""
        session.paused = True
        self._waiting[session] = None

    def forget(self, session: Session) -> None:
        """The session has gone."""
        self._waiting.pop(session, None)

    def suspends(self, command: Command, flags: int, session: Session) -> bool:
        """Whether a command has to wait; `flags` are those of the call, which for a script are its own.

        EMULATOR never waits: turning the clock may be what ends the pause.
        """
        if not self.active or session.deny_blocking or command.hidden:
            return False
        if not self.writes_only:
            return True
        if command.name == b"exec" and session.queue is not None:
            return any(queued.flags & (WRITE | MAY_REPLICATE) for queued, _ in session.queue)
        return bool(flags & (WRITE | MAY_REPLICATE))
