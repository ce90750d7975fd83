"""Backups: the data sets of moments, as RDB files in a folder, made and restored while clients are served.

A `Backups` stands over a folder, not over an engine: whatever engine it is given is saved, or gets the data, so that what
was saved of one can be restored into another.  What takes long is a `Job` (`emulator.persistence.work`):
``engine.persistence.work.start_later(backups.create(engine, "name"), ended)``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from emulator.persistence.folder import Folder
from emulator.persistence.moments import moment_of
from emulator.persistence.work import Job

if TYPE_CHECKING:
    from emulator.persistence.history import History, Past
    from emulator.persistence.host import HostOfFiles
    from emulator.persistence.manifest import Part

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DAY: Final = 86_400_000
"""Milliseconds."""
_ENDING: Final = ".rdb"
_DAILY: Final = re.compile(r"daily-\d{4}-\d\d-\d\d")


class BackupError(ValueError):
    """What is asked for cannot be; the text says why."""


class Backup(NamedTuple):
    """A backup: its name, its moment in milliseconds since the epoch, and its size in bytes."""

    name: str
    moment: int
    size: int


class Backups:
    """The backups in a `place` of a folder, an RDB file for each; ``history`` has past logs, where there are such."""

    def __init__(self, folder: Folder, place: str, history: History | None = None) -> None:
        self._folder = folder
        self._place = place
        self.history = history

    def _path(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise BackupError(
                "a backup's name has 1 to 100 letters, digits, dots, hyphens and underscores, a letter or digit first"
            )
        return os.path.join(self._place, name + _ENDING)

    def _names(self) -> Sequence[str]:
        names = [name.removesuffix(_ENDING) for name in self._folder.names(self._place) if name.endswith(_ENDING)]
        return [name for name in names if _NAME.fullmatch(name)]

    def list(self) -> Sequence[Backup]:
        """The backups, the oldest first; raises OSError."""
        found = []
        for name in self._names():
            path = self._path(name)
            moment = moment_of(self._folder, path)
            if moment is not None:
                found.append(Backup(name, moment, self._folder.size(path)))
        return sorted(found, key=lambda backup: (backup.moment, backup.name))

    def unused_name(self, now: int) -> str:
        """A name for a backup of a moment, in milliseconds."""
        name, names = f"{_utc(now):%Y-%m-%dT%H-%M-%S}", self._names()
        numbered = (f"{name}.{number}" for number in range(2, len(names) + 3))
        return name if name not in names else next(other for other in numbered if other not in names)

    def create(self, engine: HostOfFiles, name: str, changes: bool = True) -> Job:
        """Write the data as they are when the job begins; where `changes` is false nothing may change until it ends.

        Raises `BackupError` where there is one of that name, and OSError.
        """
        from emulator.persistence.forms import Dump
        from emulator.persistence.image import Image
        from emulator.persistence.writing import written

        path, temporary = self._path(name), os.path.join(self._place, f".{name}.temp")
        if name in self._names():
            raise BackupError(f"there is a backup '{name}' already")
        self._folder.make(self._place)
        image = Image(engine, Dump(engine, base_of_log=False, tells_moment=True), changes)
        try:
            with closing(self._folder.create(temporary)) as target:
                yield from written(engine.config, image, target)
            yield partial(self._folder.rename, temporary, path)
        finally:
            image.close()
            with suppress(OSError):
                self._folder.remove(temporary)

    def restore(self, engine: HostOfFiles, name: str) -> Job:
        """Let all data be those of a backup.  Until it is loaded, clients are served what there was.

        Raises `BackupError` where there is none, `BadFile` where it is damaged, and OSError.
        """
        from emulator.persistence.loading import Loading
        from emulator.persistence.stage import take_over
        from emulator.rdb.file_reader import NEWEST_VERSION, FileReader

        path = self._path(name)
        try:
            source = self._folder.read(path)
        except FileNotFoundError:
            raise BackupError(f"there is no backup '{name}'") from None
        with source:
            reader, size = FileReader(source.read, newest=NEWEST_VERSION), self._folder.size(path)
            yield from take_over(engine, lambda beside: Loading(beside, reader, source, size).job())

    def delete(self, name: str) -> bool:
        """Delete a backup; whether there was one.  Raises `BackupError` for what is no name, and OSError."""
        try:
            self._folder.remove(self._path(name))
        except FileNotFoundError:
            return False
        return True

    # Moments

    def restore_at(self, engine: HostOfFiles, moment: int) -> Job:
        """Let all data be as they were at a moment, in milliseconds, by what is kept of the append-only file.

        That is the newest base which is not later, with what was logged after it.  Where the log has no milliseconds, since
        another server has written it, the rest of the second counts too.  Raises `BackupError` where the log does not
        tell, `BadFile` and OSError.
        """
        from emulator.persistence.replay import Replay
        from emulator.persistence.stage import take_over

        if moment > engine.clock.now:
            raise BackupError("that moment is still to come")
        engine.persistence.log.flush()
        past = self._log_at(engine, moment)
        yield from take_over(
            engine, lambda beside: Replay(beside, past.manifest, self._folder, past.place, until=moment).job()
        )

    def _log_at(self, engine: HostOfFiles, moment: int) -> Past:
        from emulator.persistence.history import Past

        files = engine.persistence.log.files
        manifest = files.manifest
        begin = None if manifest.base is None else moment_of(self._folder, files.path(manifest.base.name))
        past = [] if self.history is None else self.history.moments()
        if begin is None and not past:
            raise BackupError("there is no append-only file to go back in: that takes --appendonly yes")
        if begin is not None and begin <= moment:
            return Past(begin, manifest, files.place)
        earlier = [one for one in past if one <= moment]
        if not earlier or self.history is None:
            raise BackupError(
                f"the append-only file does not reach so far back: it begins at {min([*past, begin or moment])}"
            )
        return self.history.since(earlier[-1])

    def keep_log(self, path: Callable[[str], str], parts: Sequence[Part], now: int, days: int) -> None:
        """Keep what a log was made of until now, and delete what is older than so many days, with 0 nothing."""
        if self.history is not None:
            self.history.take(path, parts)
            if days:
                self.history.forget_before(now - days * _DAY)

    # Days

    def create_daily(self, engine: HostOfFiles) -> Job:
        """Write the backup of the day, unless there is one, and delete what is older than ``backup-retention`` days."""
        now, days = _utc(engine.clock.now), engine.config.backup_retention
        name = _name_of_day(now)
        if name in self._names():
            return
        yield from self.create(engine, name)
        if days:
            yield partial(self._forget_before, _name_of_day(now - timedelta(days=days)))

    def _forget_before(self, daily: str) -> None:
        for name in self._names():
            if _DAILY.fullmatch(name) and name < daily:
                self._folder.remove(self._path(name))


def _utc(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _name_of_day(moment: datetime) -> str:
    return f"daily-{moment:%Y-%m-%d}"
