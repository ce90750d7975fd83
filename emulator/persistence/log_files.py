"""The files of the append-only file: how they are named, the manifest that says which count, and the end of the others."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING

from emulator.persistence.folder import Folder
from emulator.persistence.manifest import BASE, INCREMENT, BadManifest, Manifest, Part, parse
from emulator.rdb.errors import BadFile
from emulator.stats.log import NOTICE

if TYPE_CHECKING:
    from emulator.persistence.host import HostOfFiles
    from emulator.persistence.work import Job

logger = logging.getLogger("emulator")


def read_manifest(folder: Folder, name: str) -> Manifest:
    """Read a manifest; raises `BadManifest` and OSError."""
    with folder.read(name) as source:
        return parse(source.read().decode("utf-8", "surrogateescape"))


def write_manifest(folder: Folder, name: str, manifest: Manifest) -> None:
    """Write a manifest, to the disk; raises OSError."""
    with closing(folder.create(name)) as target:
        target.write(manifest.text().encode("utf-8", "surrogateescape"))
        target.sync()


class LogFiles:
    """The files of a log; ``manifest`` says of which it is made."""

    def __init__(self, engine: HostOfFiles) -> None:
        self._engine = engine
        self.manifest = Manifest()

    @property
    def place(self) -> str:
        """Their folder, within ``dir``."""
        return self._engine.config.appenddirname

    def make_place(self) -> None:
        """Make their folder, unless there is one; raises OSError."""
        self._engine.persistence.folder.make(self.place)

    def path(self, name: str) -> str:
        """A file of the log, relative to ``dir``."""
        return os.path.join(self.place, name)

    @property
    def manifest_path(self) -> str:
        """The file of the manifest, relative to ``dir``."""
        return self.path(f"{self._engine.config.appendfilename}.manifest")

    def next_base(self) -> Part:
        """The file of a base that is about to be written."""
        number = self.manifest.last_base + 1
        ending = "rdb" if self._engine.config.aof_use_rdb_preamble else "aof"
        return Part(f"{self._engine.config.appendfilename}.{number}.base.{ending}", number, BASE)

    def next_increment(self, start: int) -> Part:
        """The file of an increment that begins after `start` commands in all."""
        number = self.manifest.last_increment + 1
        return Part(f"{self._engine.config.appendfilename}.{number}.incr.aof", number, INCREMENT, start)

    def read(self) -> bool:
        """Find out of which files the log is made; whether there is one.  Raises `BadFile` and OSError."""
        try:
            self.manifest = read_manifest(self._engine.persistence.folder, self.manifest_path)
        except FileNotFoundError:
            return False
        except BadManifest as error:
            raise BadFile("*** FATAL AOF MANIFEST FILE ERROR ***", *error.args) from None
        return True

    def adopt_old_style(self) -> bool:
        """Take a log over that is one file in ``dir``, as before Redis 7; whether there is one.  Raises OSError."""
        folder, name = self._engine.persistence.folder, self._engine.config.appendfilename
        try:
            folder.size(name)
        except FileNotFoundError:
            return False
        self.make_place()
        self.save(Manifest(Part(name, 1, BASE), last_base=1))
        folder.rename(name, self.path(name))
        logger.log(
            NOTICE, "Successfully migrated an old-style AOF file (%s) into the AOF directory (%s).", name, self.place
        )
        return True

    def save(self, manifest: Manifest) -> None:
        """Let the log be made of these files, for good; raises OSError, and then it is made of those that it was."""
        folder = self._engine.persistence.folder
        temporary = self.path(f"temp-{self._engine.config.appendfilename}.manifest")
        write_manifest(folder, temporary, manifest)
        folder.rename(temporary, self.manifest_path)
        self.manifest = manifest

    def clear_history(self) -> Job:
        """Delete the files that no longer count, or keep them for backups that go back to a moment."""
        yield partial(self._remove, self.manifest.history)
        yield partial(self.save, self.manifest.without_history())

    def _remove(self, parts: Sequence[Part]) -> None:
        persistence, config = self._engine.persistence, self._engine.config
        if persistence.backups is not None and config.aof_timestamp_enabled:
            persistence.backups.keep_log(self.path, parts, self._engine.clock.now, config.backup_retention)
        for part in parts:
            logger.log(NOTICE, "Removing the history file %s in the background", part.name)
            with suppress(OSError):
                persistence.folder.remove(self.path(part.name))
