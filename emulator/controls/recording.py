"""What clients have sent, as a list to assert on, to keep as lines of redis-cli, and to play again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from emulator.clients.monitor import redacted
from emulator.datatypes.glob import matcher
from emulator.protocol.inline import quoted
from emulator.table.registry import ADMIN

if TYPE_CHECKING:
    from emulator.clients.host import HostOfClients
    from emulator.clients.session import Session
    from emulator.table.registry import Command

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-:./*+@%{}[]()<>=,^$|~?!#&")


class Recorded(NamedTuple):
    """A call: when (seconds since the epoch), by which client, in which database, its words and keys, and the answer.

    The answer is as it was sent, in the protocol of the client; empty where it came later (a client that waited) or never.
    Secrets are left out as MONITOR leaves them out, and so are the answers to administrators' commands, which may tell some.
    """

    moment: float
    client: int
    name: bytes
    db: int
    words: tuple[bytes, ...]
    keys: tuple[bytes, ...]
    protocol: int
    answer: bytes

    def __str__(self) -> str:
        """The call as a line of redis-cli."""
        return " ".join(_shown(word) for word in self.words)

    def __repr__(self) -> str:
        return str(self)


class Calls(list[Recorded]):
    """Calls in their order, to assert on."""

    @property
    def lines(self) -> list[str]:
        """The calls as lines of redis-cli, which read well where an assertion fails."""
        return [str(call) for call in self]

    def select(self, command: str = "*", key: str = "", client: str = "") -> Calls:
        """The calls of a command (its first word), that use a key, of a client by its name; all three are globs."""
        is_command, is_key, is_client = (matcher(glob.encode(), glob is command) for glob in (command, key, client))
        return Calls(
            call
            for call in self
            if is_command(call.words[0])
            and (not key or any(map(is_key, call.keys)))
            and (not client or is_client(call.name))
        )

    def __repr__(self) -> str:
        return "\n".join(self.lines) or "no calls"


def _shown(word: bytes) -> str:
    return word.decode() if word and _PLAIN.issuperset(word) else quoted(word).decode()


class Recording:
    """The recording of an engine; ``active`` while it goes on."""

    def __init__(self, engine: HostOfClients) -> None:
        self._engine = engine
        self.active = False
        self.commands = Calls()

    def start(self) -> None:
        """Begin anew."""
        self.commands = Calls()
        self.active = True
        self._engine.refresh_sessions()

    def stop(self) -> None:
        """Record no more; what was recorded stays."""
        self.active = False
        self._engine.refresh_sessions()

    def forget(self) -> None:
        """Record no more, and forget what was recorded."""
        self.stop()
        self.commands = Calls()

    def add(self, session: Session, command: Command | None, args: Sequence[bytes], answer: bytes) -> None:
        """A client has sent a command."""
        if command is not None and command.hidden:
            return
        keys = tuple(key for key, _ in command.find_keys(args)) if command is not None else ()
        moment, db = self._engine.clock.now, session.db.index
        if command is not None and command.flags & ADMIN:
            answer = b""
        words = tuple(redacted(args))
        self.commands.append(
            Recorded(moment / 1000, session.id, session.name, db, words, keys, session.protocol, answer)
        )
