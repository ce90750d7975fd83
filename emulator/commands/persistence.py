"""SAVE and its kin: there are no files yet, and these commands say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.protocol.errors import SYNTAX, CommandError
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_UNSUPPORTED = "ERR persistence is not supported by redis-emulator: what it holds ends with the process"


@command("server", since="1.0.0", flags="admin noscript no_async_loading no_multi", complexity="O(N) for N keys")
def save(client: Session) -> None:
    """Save the data to disk, which is refused."""
    raise CommandError(_UNSUPPORTED)


@command("server", since="1.0.0", flags="admin noscript no_async_loading", complexity="O(1)")
def bgsave(client: Session, *schedule: bytes) -> None:
    """Save the data to disk in the background, which is refused."""
    if [word.upper() for word in schedule] not in ([], [b"SCHEDULE"]):
        raise CommandError(SYNTAX)
    raise CommandError(_UNSUPPORTED)


@command("server", since="1.0.0", flags="admin noscript no_async_loading", complexity="O(1)")
def bgrewriteaof(client: Session) -> None:
    """Write the append-only file anew, which is refused."""
    raise CommandError(_UNSUPPORTED)


@command(
    "server",
    since="1.0.0",
    flags="loading stale fast",
    acl="admin dangerous",
    tips="nondeterministic_output",
    complexity="O(1)",
)
def lastsave(client: Session) -> int:
    """When the data were last saved, in seconds since the epoch: when the server started."""
    return client.engine.started // 1000
