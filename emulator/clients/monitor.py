"""MONITOR: clients that see every command that is run, and what nobody may see."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

from emulator.protocol.inline import quoted
from emulator.protocol.replies import REPLY_ON, Status
from emulator.table.registry import ADMIN, SKIP_MONITOR, Command

if TYPE_CHECKING:
    from emulator.clients.host import HostOfClients
    from emulator.clients.session import Session

REDACTED: Final = b"(redacted)"
_SECRETS: Final = frozenset(
    (b"requirepass", b"masterauth", b"masteruser", b"tls-key-file-pass", b"tls-client-key-file-pass")
)


class Monitor:
    """The clients of an engine that monitor it."""

    def __init__(self, engine: HostOfClients) -> None:
        self._engine = engine
        self.sessions: dict[Session, None] = {}

    def begin(self, session: Session) -> None:
        """Show a client what is run from now on; while there is one every command takes the long way."""
        is_first = not self.sessions
        self.sessions[session] = None
        if is_first:
            self._engine.refresh_sessions()

    def end(self, session: Session) -> None:
        """The client has seen enough."""
        if session in self.sessions:
            del self.sessions[session]
            if not self.sessions:
                self._engine.refresh_sessions()

    def show(self, session: Session, command: Command, args: Sequence[bytes]) -> None:
        """Show a command, unless it is an administrator's."""
        if command.flags & (ADMIN | SKIP_MONITOR):
            return
        self.show_always(session, args)

    def show_always(self, session: Session, args: Sequence[bytes]) -> None:
        """Show a command; those of scripts are shown as the client ``lua``."""
        seconds, micros = divmod(self._engine.clock.micros(), 1_000_000)
        words = b" ".join([quoted(word) for word in redacted(args)])
        line = Status(b"%d.%06d [%d %b] %b" % (seconds, micros, session.db.index, _source(session), words))
        for each in [session for session in self.sessions if session.reply_mode == REPLY_ON]:
            each.send(each.encoders[Status](line))


def _source(session: Session) -> bytes:
    if not session.address:
        return b"lua"
    path, _, port = session.address.rpartition(b":")
    return b"unix:" + path if port == b"0" else session.address


def redacted(args: Sequence[bytes]) -> Sequence[bytes]:
    """The words of a call without the secrets in it: passwords, the rules of users."""
    name = args[0].lower()
    hidden: Collection[int] = ()
    if name == b"auth":
        hidden = range(1, len(args))
    elif name == b"hello":
        hidden = {place + step for place, word in enumerate(args) if word.lower() == b"auth" for step in (1, 2)}
    elif name == b"config" and len(args) > 2 and args[1].lower() == b"set":
        hidden = {place + 1 for place in range(2, len(args), 2) if args[place].lower() in _SECRETS}
    elif name == b"acl" and len(args) > 2 and args[1].lower() in (b"setuser", b"deluser", b"getuser"):
        hidden = range(2, len(args))
    elif name == b"migrate":
        followers = {b"AUTH": (1,), b"AUTH2": (1, 2)}
        hidden = {place + step for place, word in enumerate(args[6:], 6) for step in followers.get(word.upper(), ())}
    return [REDACTED if place in hidden else word for place, word in enumerate(args)] if hidden else args
