"""EMULATOR: what no real Redis can do.  It does not stand in COMMAND LIST, and ``--emulator-commands no`` takes it away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.commands.arguments import bounded, wrong_subcommand_arity
from emulator.commands.registry import EMULATOR, command, container
from emulator.protocol.errors import SYNTAX, CommandError
from emulator.protocol.replies import Reply

if TYPE_CHECKING:
    from emulator.session import Session

container(EMULATOR, group=EMULATOR, since="8.2.0", acl=EMULATOR, help_since="8.2.0", help_acl=EMULATOR)

_LATEST = 1 << 48


@command(
    EMULATOR,
    container=EMULATOR,
    since="8.2.0",
    flags="noscript loading stale no_multi",
    acl=EMULATOR,
    complexity="O(N) for N keys and clients whose time comes",
)
def emulator_clock(client: Session, action: bytes, *milliseconds: bytes) -> dict[bytes, Reply]:
    """FREEZE or RESUME the clock, ADVANCE it by milliseconds or SET it to milliseconds since the epoch, or just GET it."""
    engine, word = client.engine, action.upper()
    if word not in (b"FREEZE", b"RESUME", b"ADVANCE", b"SET", b"GET"):
        raise CommandError(SYNTAX)
    if len(milliseconds) != (word in (b"ADVANCE", b"SET")):
        raise wrong_subcommand_arity(client)
    if word == b"FREEZE":
        engine.freeze_clock()
    elif word == b"RESUME":
        engine.resume_clock()
    elif word != b"GET":
        number = bounded(milliseconds[0], 0, _LATEST, "ERR value is out of range, must be positive")
        engine.turn_clock(number if word == b"SET" else engine.clock.now + number)
    return {b"now": engine.clock.now, b"frozen": engine.clock.frozen}
