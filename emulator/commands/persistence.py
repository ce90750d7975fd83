"""SAVE, BGSAVE, BGREWRITEAOF and LASTSAVE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emulator.protocol.errors import SYNTAX, CommandError
from emulator.protocol.replies import OK, Status
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_IN_PROGRESS: Final = "ERR Background save already in progress"


@command("server", since="1.0.0", flags="admin noscript no_async_loading no_multi", complexity="O(N) for N keys")
def save(client: Session) -> Status:
    """Saves the data to disk while everybody waits."""
    dumps = client.engine.persistence.dumps
    if dumps.image is not None:
        raise CommandError(_IN_PROGRESS)
    dumps.count += 1
    if not dumps.save():
        raise CommandError("ERR")
    return OK


@command("server", since="1.0.0", flags="admin noscript no_async_loading", complexity="O(1)")
def bgsave(client: Session, *schedule: bytes) -> Status:
    """Saves the data as they are now to disk, in the background."""
    if [word.upper() for word in schedule] not in ([], [b"SCHEDULE"]):
        raise CommandError(SYNTAX)
    dumps, busy = client.engine.persistence.dumps, client.engine.persistence.work.busy
    if dumps.image is not None:
        raise CommandError(_IN_PROGRESS)
    if busy and not schedule:
        raise CommandError(
            "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a "
            "BGSAVE whenever possible."
        )
    if client.deny_blocking or busy:
        dumps.schedule()
        return Status(b"Background saving scheduled")
    dumps.begin()
    return Status(b"Background saving started")


@command("server", since="1.0.0", flags="admin noscript no_async_loading", complexity="O(1)")
def bgrewriteaof(client: Session) -> Status:
    """Writes the append-only file anew, in the background."""
    persistence = client.engine.persistence
    rewrite = persistence.log.rewrite
    if rewrite.image is not None:
        raise CommandError("ERR Background append only file rewriting already in progress")
    if client.deny_blocking or persistence.backs_up_online or not rewrite.begin_soon():
        rewrite.scheduled = True
        return Status(b"Background append only file rewriting scheduled")
    return Status(b"Background append only file rewriting started")


@command(
    "server",
    since="1.0.0",
    flags="loading stale fast",
    acl="admin dangerous",
    tips="nondeterministic_output",
    complexity="O(1)",
)
def lastsave(client: Session) -> int:
    """Returns the time of the last save in seconds since the epoch; before that, when the server started."""
    return client.engine.persistence.dumps.last_save
