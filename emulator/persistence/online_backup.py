"""BACKUP (Redis 8.10): a base and what came after it, in a folder of their own, until they are sealed.

It is an append-only file beside that of the engine, which ends when it is sealed; by the documentation.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from emulator.persistence.append_log import OFF, ON, AppendLog
from emulator.persistence.log_files import LogFiles
from emulator.protocol.errors import CommandError

if TYPE_CHECKING:
    from emulator.persistence.host import HostOfFiles


class _Files(LogFiles):
    """The files of a backup, in the folder ``backupdirname``."""

    @property
    def place(self) -> str:
        return self._engine.config.backupdirname


class OnlineBackup:
    """The backup of an engine: ``state`` as BACKUP STATUS tells it, and since when; ``error`` is why it failed."""

    def __init__(self, engine: HostOfFiles) -> None:
        self._engine = engine
        self._log = AppendLog(engine, _Files(engine))
        self._state = "idle"
        self.error = ""
        self.began = self.ended = 0

    @property
    def state(self) -> str:
        """``idle``, ``pending``, ``snapshotting``, ``incrementing``, ``sealed`` or ``failed``."""
        log = self._log
        if self._state == "snapshotting" and log.state == ON:
            return "incrementing"
        return self._state

    @property
    def is_in_progress(self) -> bool:
        """Whether one has begun and is not sealed."""
        return self._state in ("pending", "snapshotting")

    @property
    def files(self) -> list[str]:
        """The files that are complete, by their whole names."""
        files, state = self._log.files, self.state
        if state not in ("incrementing", "sealed"):
            return []
        names = [files.path(part.name) for part in files.manifest.parts] + [files.manifest_path]
        return [os.path.join(self._engine.config.dir, name) for name in (names if state == "sealed" else names[:1])]

    def start(self, at_once: bool) -> None:
        """Begin, now or with the next `check`; raises `CommandError`."""
        config, folder = self._engine.config, self._engine.persistence.folder
        if self.is_in_progress:
            raise CommandError("ERR A backup is already in progress, ABORT it first")
        if self._state == "sealed":
            raise CommandError("ERR A sealed backup exists, CLEANUP it first")
        try:
            folder.make(config.backupdirname)
            left = folder.names(config.backupdirname)
        except OSError as error:
            raise CommandError(f"ERR Can't create backup directory {config.backupdirname}: {error.strerror}") from None
        if left:
            raise CommandError(f"ERR Backup directory {config.backupdirname} is not empty, CLEANUP it first")
        self.reset()
        self._state = "pending"
        if at_once:
            self._begin_if_idle()
            if self._state == "failed":
                raise CommandError("ERR Can't start the AOF rewrite for the backup")

    def _begin_if_idle(self) -> None:
        if self._state != "pending":
            return
        if self._engine.persistence.work.busy:
            self._engine.persistence.work.when_idle(self._begin_if_idle)
            return
        self._state = "snapshotting"
        self.began = self._engine.clock.now // 1000
        try:
            self._log.switch_on()
        except (OSError, CommandError):
            self._fail("failed to temporarily enable AOF for backup")
        self._notice_failure()

    def _notice_failure(self) -> None:
        if self._state == "snapshotting" and self._log.rewrite.failures:
            self._fail("snapshot rewrite failed")

    def seal(self) -> None:
        """Let the backup be what there is at this moment; raises `CommandError`."""
        if self.state != "incrementing":
            raise CommandError("ERR No backup ready to seal (must be in the incrementing state)")
        self._log.flush_to_disk()
        if self._log.error:
            self._fail(f"failed to fsync incr file: {self._log.error}")
            raise CommandError("ERR Can't fsync the INCR file for the backup")
        self._log.end()
        self._state = "sealed"
        self.ended = self._engine.clock.now // 1000

    def abort(self) -> None:
        """Give a backup up that is not sealed; raises `CommandError`."""
        if not self.is_in_progress:
            raise CommandError("ERR No backup in progress")
        self._fail("aborted by user")

    def _fail(self, reason: str) -> None:
        self._state, self.error = "failed", reason
        self._log.switch_off()
        self._remove()

    def clean_up(self) -> None:
        """Forget a backup that is sealed or has failed, with its files; raises `CommandError`."""
        if self.is_in_progress:
            raise CommandError("ERR Backup is in progress")
        self._remove()
        self.reset()

    def reset(self) -> None:
        """Be as if there had never been one."""
        self._log = AppendLog(self._engine, _Files(self._engine))
        self._state, self.error = "idle", ""
        self.began = self.ended = 0

    def _remove(self) -> None:
        folder, place = self._engine.persistence.folder, self._engine.config.backupdirname
        for name in folder.names(place):
            with suppress(OSError):  # a folder is not ours
                folder.remove(os.path.join(place, name))

    def check(self) -> None:
        """What is due each second: a beginning, writing, and a sealed one that was kept for long enough."""
        if self._state == "pending" and not self._engine.persistence.work.busy:
            self._begin_if_idle()
        self._notice_failure()
        if self._log.state != OFF and self._log.unwritten:
            self._log.flush()
        kept = self._engine.config.backup_sealed_ttl
        if self._state == "sealed" and kept and self._engine.clock.now // 1000 - self.ended >= kept:
            self.clean_up()
