"""CLIENT PAUSE: for a while commands wait, all of them or those that write; nothing expires and nothing is evicted.

A session whose command is held back is paused: dispatch keeps the command and the owner of the session runs it again
when the pause is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.datatypes.wheel import Timer
from emulator.table.registry import MAY_REPLICATE, WRITE, Command

if TYPE_CHECKING:
    from emulator.clients.host import HostOfClients
    from emulator.clients.session import Session


class Pause(Timer):
    """The pause of an engine; as a timer it is the pause's end."""

    __slots__ = ("active", "engine", "writes_only")

    def __init__(self, engine: HostOfClients) -> None:
        super().__init__()
        self.engine = engine
        self.active = False
        self.writes_only = False

    def start(self, end: int, writes_only: bool) -> None:
        """Pause until `end` (milliseconds of `Clock.elapsed`); a pause under way is neither shortened nor loosened."""
        if self.active:
            writes_only = writes_only and self.writes_only
            end = max(end, self.deadline or 0)
        self.active = True
        self.writes_only = writes_only
        self.engine.waits.set(self, end)
        self.engine.expiration.refresh()
        self.engine.refresh_sessions()

    def stop(self) -> None:
        """End the pause and let the sessions that are paused go on."""
        if not self.active:
            return
        self.active = False
        self.engine.waits.cancel(self)
        self.engine.expiration.refresh()
        self.engine.refresh_sessions()
        for session in list(self.engine.sessions.values()):
            if session.paused:
                session.paused = False
                session.wake()

    def fire(self) -> None:
        self.stop()

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
