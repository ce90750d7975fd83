"""Faults on command: calls that are delayed, refused, cut off or answered by half, as the network and busy servers do it.

A fault says which calls it is for (command, keys, client, every nth, by chance) and what it does to them.  It is counted
how often it was met and how often it struck, so that a test can assert that it did.  While there is none nothing is looked
at; EMULATOR itself is never struck.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Final

from emulator.datatypes.glob import matcher
from emulator.datatypes.wheel import Timer
from emulator.table.registry import Command

if TYPE_CHECKING:
    from emulator.clients.host import HostOfClients
    from emulator.clients.session import Session

ERROR: Final = "error"
DELAY: Final = "delay"
DROP_BEFORE: Final = "drop-before"
DROP_AFTER: Final = "drop-after"
HALF: Final = "half"
STALL: Final = "stall"
REFUSE: Final = "refuse"
EFFECTS: Final = (ERROR, DELAY, DROP_BEFORE, DROP_AFTER, HALF, STALL, REFUSE)


class Fault:
    """One fault: what it is for, what it does, how often it was `met` and how often it has `fired`.

    `effect` is one of `EFFECTS`: an ``error`` reply (`text`), a ``delay`` (`milliseconds`), the connection dropped before
    or after the command has run, half a reply and then the end, a client that is no longer listened to (``stall``), or new
    connections that are refused.  `command`, `key` and `client` (its name) are globs; without one it is for all.
    """

    def __init__(
        self,
        effect: str,
        *,
        text: str = "ERR injected fault",
        milliseconds: int = 0,
        command: bytes = b"",
        key: bytes = b"",
        client: bytes = b"",
        nth: int = 1,
        times: int = 0,
        probability: float = 1.0,
        seed: int | None = None,
    ) -> None:
        if effect not in EFFECTS:
            raise ValueError(f"{effect} is no effect")
        self.id = 0
        self.effect = effect
        self.text = text
        self.milliseconds = milliseconds
        self.command = command
        self.key = key
        self.client = client
        self.nth = nth
        self.times = times
        self.probability = probability
        self.met = self.fired = 0
        self._chance = Random(seed).random

    def strikes(self) -> bool:
        """Whether it strikes this time, of those that it is for."""
        self.met += 1
        if self.met % self.nth or (self.times and self.fired >= self.times) or self._chance() >= self.probability:
            return False
        self.fired += 1
        return True

    def names(self, command: Command) -> bool:
        """Whether its glob is for a command: by the full name of a sub-command, or by that of what holds it."""
        matches = matcher(self.command, True)
        return matches(command.full_name) or (command.parent is not None and matches(command.parent.name))

    def is_for(self, session: Session, command: Command, args: Sequence[bytes]) -> bool:
        """Whether a call is one of those that it may strike."""
        if self.effect == REFUSE:
            return False
        if self.command and not self.names(command):
            return False
        if self.client and not matcher(self.client)(session.name):
            return False
        return not self.key or any(matcher(self.key)(key) for key, _ in command.find_keys(args))


class Delay(Timer):
    """A call that is held back; as a timer it is the moment when it may go on."""

    __slots__ = ("session",)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session

    def fire(self) -> None:
        self.session.suspension = None
        self.session.wake()


class Faults:
    """The faults of an engine."""

    def __init__(self, engine: HostOfClients) -> None:
        self._engine = engine
        self.faults: dict[int, Fault] = {}
        self._last_id = 0

    def add(self, fault: Fault) -> Fault:
        """Let a fault strike from now on."""
        self._last_id += 1
        fault.id = self._last_id
        self.faults[fault.id] = fault
        self._engine.refresh_sessions()
        return fault

    def clear(self, number: int | None = None) -> int:
        """Take away a fault, or all; how many.  Clients that were no longer listened to are heard again."""
        gone = [each for each in self.faults if number is None or each == number]
        for each in gone:
            del self.faults[each]
        self._engine.refresh_sessions()
        for session in list(self._engine.sessions.values()):
            if session.suspension is not None and session.suspension.deadline is None:
                session.suspension.fire()
        return len(gone)

    def reset(self) -> None:
        """Take all away, and number the next ones from 1."""
        self.clear()
        self._last_id = 0

    def find(self, session: Session, command: Command, args: Sequence[bytes]) -> Fault | None:
        """The fault that strikes a call, if one does."""
        if command.hidden:
            return None
        return next(
            (each for each in self.faults.values() if each.is_for(session, command, args) and each.strikes()), None
        )

    def refuses(self) -> bool:
        """Whether a new connection is refused."""
        return any(each.effect == REFUSE and each.strikes() for each in self.faults.values())

    def suspend(self, session: Session, fault: Fault) -> None:
        """Let a call wait: for a time, or until the faults are cleared."""
        session.suspension = Delay(session)
        if fault.effect == DELAY:
            self._engine.waits.set(session.suspension, self._engine.clock.elapsed + fault.milliseconds)
