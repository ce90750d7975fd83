"""SAVE and related commands: they are refused, since there are no files yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.protocol.errors import SYNTAX, CommandError
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_UNSUPPORTED = "ERR persistence is not supported by redis-emulator: what it holds ends with the process"


@command("server", since="1.0.0", flags="admin noscript no_async_loading no_multi", complexity="O(N) for N keys")
def save(client: Session) -> None:
    """Refuses to save the data to disk: this server keeps them in memory only."""
    raise CommandError(_UNSUPPORTED)


@command("server", since="1.0.0", flags="admin noscript no_async_loading", complexity="O(1)")
def bgsave(client: Session, *schedule: bytes) -> None:
    """Refuses to save the data to disk in the background: this server keeps them in memory only."""
    if [word.upper() for word in schedule] not in ([], [b"SCHEDULE"]):
        raise CommandError(SYNTAX)
    raise CommandError(_UNSUPPORTED)


@command("server", since="1.0.0", flags="admin noscript no_async_loading", complexity="O(1)")
def bgrewriteaof(client: Session) -> None:
    """Refuses to rewrite the append-only file: there is none."""
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
    """Returns the time of the last save in seconds since the epoch, which is the start of the server."""
    return client.engine.started // 1000
