"""BACKUP (Redis 8.10): online backups; by the documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.protocol.replies import OK, Reply, Status
from emulator.table.registry import command, container

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.persistence.online_backup import OnlineBackup

container("backup", group="server", since="8.10.0", help_since="8.10.0", help_acl="")


def _backup(client: Session) -> OnlineBackup:
    return client.engine.persistence.online_backup


@command("server", container="backup", since="8.10.0", flags="admin noscript", complexity="O(1)")
def backup_start(client: Session) -> Status:
    """Begins a backup in the folder backupdirname: its base is made in the background."""
    _backup(client).start(at_once=not client.deny_blocking)
    return OK


@command("server", container="backup", since="8.10.0", flags="admin noscript", complexity="O(1)")
def backup_seal(client: Session) -> Status:
    """Ends a backup: it has the data of this moment, and nothing changes it any more."""
    _backup(client).seal()
    return OK


@command("server", container="backup", since="8.10.0", flags="admin noscript", complexity="O(1)")
def backup_abort(client: Session) -> Status:
    """Gives a backup up that is not sealed."""
    _backup(client).abort()
    return OK


@command("server", container="backup", since="8.10.0", flags="admin noscript", complexity="O(N) for N files")
def backup_cleanup(client: Session) -> Status:
    """Removes the files of a backup that is sealed or has failed."""
    _backup(client).clean_up()
    return OK


@command("server", container="backup", since="8.10.0", flags="admin stale", complexity="O(1)")
def backup_status(client: Session) -> dict[bytes, Reply]:
    """Returns the state of the backup, what went wrong, and when it was begun and sealed."""
    backup = _backup(client)
    return {
        b"state": backup.state.encode(),
        b"error": backup.error.encode(),
        b"start_time": backup.began,
        b"end_time": backup.ended,
    }


@command("server", container="backup", since="8.10.0", flags="admin stale", complexity="O(1)")
def backup_list(client: Session) -> list[Reply]:
    """Returns the files of the backup that are complete."""
    return [name.encode("utf-8", "surrogateescape") for name in _backup(client).files]
