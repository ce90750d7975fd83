"""The append-only file: every change as a command, in a file that is written before replies leave, and written anew at times.

The log is a base, which has the data set of a moment, and increments, which have what came after it; a manifest names
them.  To write it anew a new increment is begun, and an image of that moment becomes the new base in the background.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from emulator.persistence.folder import Written
from emulator.persistence.manifest import BASE, INCREMENT, Manifest, Part
from emulator.persistence.moments import Annotations
from emulator.persistence.work import run_through
from emulator.protocol.client_side import encoded
from emulator.protocol.errors import CommandError
from emulator.stats.log import NOTICE

if TYPE_CHECKING:
    from emulator.persistence.host import HostOfFiles
    from emulator.persistence.image import Image
    from emulator.persistence.work import Job

logger = logging.getLogger("emulator")

OFF: Final = 0
WAITING: Final = 1
"""It was switched on, and is written beside the old one until it has a base."""
ON: Final = 2
_MOST_UNWRITTEN: Final = 1000
"""What waits to be written, by parts: a client that wants no replies is not to make them more and more."""
_LONGEST_PUT_OFF: Final = 2.0
"""Seconds for which nothing is written while a thread waits for the disk, where writing would wait too."""


class AppendLog:
    """The append-only file of an engine.

    ``unwritten`` is what is to be written; the list is the same for ever.  ``size`` counts the bytes of base and increments,
    ``base_size`` is what `size` was after the last rewriting.  ``error`` tells why it cannot be written.  ``rewriting`` is
    the image of a new base.  ``on_synced`` is told when more of it is on the disk, ``on_lost`` ends the process where what
    was answered for could not be kept.
    """

    def __init__(self, engine: HostOfFiles) -> None:
        self._engine = engine
        self.unwritten: list[bytes] = []
        self.manifest = Manifest()
        self.state = OFF
        self.size = self.base_size = 0
        self.error = ""
        self.rewriting: Image | None = None
        self.rewrites = self.failures = 0
        self.last_rewrite = -1
        self.rewrite_scheduled = False
        self.delayed_syncs = 0
        self.on_lost: Callable[[], None] | None = None
        self.on_synced: Callable[[], None] | None = None
        self._began = 0
        self._file: Written | None = None
        self._name = ""
        self._file_size = 0
        self._db: int | None = None
        self._annotations = Annotations()
        self._put_off_since: float | None = None
        self._commands = self._written_commands = self._synced_commands = 0
        self._syncing = False

    # Names

    def path(self, name: str) -> str:
        """A file of the log, relative to ``dir``."""
        return os.path.join(self._engine.config.appenddirname, name)

    @property
    def manifest_path(self) -> str:
        return self.path(f"{self._engine.config.appendfilename}.manifest")

    def _base(self) -> Part:
        number = self.manifest.last_base + 1
        ending = "rdb" if self._engine.config.aof_use_rdb_preamble else "aof"
        return Part(f"{self._engine.config.appendfilename}.{number}.base.{ending}", number, BASE)

    def _increment(self) -> Part:
        number = self.manifest.last_increment + 1
        return Part(f"{self._engine.config.appendfilename}.{number}.incr.aof", number, INCREMENT, self._commands)

    def save_manifest(self, manifest: Manifest) -> None:
        """Let the files of the log be these, for good; raises OSError."""
        folder = self._engine.persistence.folder
        temporary = self.path(f"temp-{self._engine.config.appendfilename}.manifest")
        with closing(folder.create(temporary)) as target:
            target.write(manifest.text().encode("utf-8", "surrogateescape"))
            target.sync()
        folder.rename(temporary, self.manifest_path)

    # On and off

    def start(self) -> None:
        """Go on with the log there is, or begin one with an empty base; raises OSError."""
        self._engine.persistence.folder.make(self._engine.config.appenddirname)
        manifest = self.manifest
        fresh = not manifest.parts
        if fresh:
            manifest = self._with_empty_base()
        if manifest.increments:
            part = manifest.increments[-1]
            logger.log(NOTICE, "Opening AOF incr file %s on server start", part.name)
        else:
            self.manifest = manifest
            part = self._increment()
            manifest = manifest.with_increment(part)
            logger.log(NOTICE, "Creating AOF incr file %s on server start", part.name)
        self._open(self.path(part.name))
        self.manifest = manifest.ended(None)
        self.save_manifest(self.manifest)
        if self.manifest.history:
            run_through(self._clear_history())
        self._commands = self._written_commands = self._synced_commands = manifest.increments[-1].end or part.start or 0
        loaded = [self._engine.persistence.folder.size(self.path(part.name)) for part in self.manifest.parts]
        if fresh:
            loaded = [0]  # Redis leaves the base that it makes itself out of count
        self.size, self.base_size = sum(loaded), loaded[0]
        self._listen(ON)

    def _with_empty_base(self) -> Manifest:
        from emulator.persistence.writing import written

        engine, base = self._engine, self._base()
        logger.log(NOTICE, "Creating AOF base file %s on server start", base.name)
        with closing(engine.persistence.folder.create(self.path(base.name))) as target:
            run_through(written(engine.config, _image(engine, changes=False), target))
        return Manifest(base, last_base=base.number)

    def _listen(self, state: int) -> None:
        self.state = state
        self._engine.propagation.listen(self)

    def switch_on(self) -> None:
        """CONFIG SET appendonly yes: begin a log beside the old one, whose base is now being made; raises OSError."""
        self._engine.persistence.folder.make(self._engine.config.appenddirname)
        self._open(self.path(f"temp-{self._engine.config.appendfilename}.incr"), new=True)
        self._listen(WAITING)
        self.rewrite_soon()

    def switch_off(self) -> None:
        """CONFIG SET appendonly no: all that was logged is kept."""
        if self.state == OFF:
            return
        if self.rewriting is not None:
            logger.log(NOTICE, "Killing running AOF rewrite child: %d", os.getpid())
            self._engine.persistence.work.stop()
        self.end()

    def end(self) -> None:
        """Write all there is to the disk, and log no more."""
        if self.state == OFF:
            return
        self._engine.propagation.leave(self)
        if self._engine.config.aof_timestamp_enabled:
            self._annotate()  # the log is whole up to here
        self.flush_to_disk()
        if self._file is not None:
            self._file.close()
            self._file = None
        if self.state == ON:
            self.manifest = self.manifest.ended(self._commands)
            with suppress(OSError):
                self.save_manifest(self.manifest)
        self.state = OFF
        self.unwritten.clear()
        self.error = ""

    def _open(self, name: str, new: bool = False) -> None:
        folder = self._engine.persistence.folder
        opened = folder.create(name) if new else folder.append(name)
        self._go_on_in(opened, name, folder.size(name))

    def _go_on_in(self, opened: Written, name: str, size: int) -> None:
        self._close_in_background()
        self._file, self._name, self._file_size, self._db = opened, name, size, None
        self._annotations.begin()

    def _close_in_background(self) -> None:
        before, self._file = self._file, None
        if before is not None:
            self._in_background(partial(_sync_and_close, before), lambda _: None)

    # Writing

    def take(self, unit: list[Any]) -> None:
        """Add what has changed together."""
        commands = list(self._engine.propagation.as_stream(unit, self._db))
        self._add(encoded(*commands), len(unit) if len(unit) == 1 else len(unit) + 2)
        self._db = unit[-1].db

    def take_each(self, db: int, commands: Sequence[Sequence[bytes]], data: bytes) -> None:
        """Add commands, each of which has changed something by itself."""
        if db != self._db:
            data = encoded([b"SELECT", b"%d" % db]) + data
            self._db = db
        self._add(data, len(commands))

    def _add(self, data: bytes, commands: int) -> None:
        if self._engine.config.aof_timestamp_enabled:
            self._annotate()
        self.unwritten.append(data)
        self._commands += commands
        if len(self.unwritten) > _MOST_UNWRITTEN and not self.error:
            self.flush()

    def _annotate(self) -> None:
        config = self._engine.config
        if line := self._annotations.before(self._engine.clock.now, exactly=bool(config.backup_dir)):
            self.unwritten.append(line)

    @property
    def always(self) -> bool:
        """Whether what is answered for has to be on the disk, by ``appendfsync always``."""
        return self.state == ON and self._engine.config.appendfsync == "always"

    @property
    def holds_replies(self) -> bool:
        """Whether replies wait until what they answer for is written, since that can be done at once."""
        return not self.error and (not self._syncing or self.always)

    def flush(self) -> None:
        """Write what was added: before the replies of those who changed it leave, or when the disk is ready.

        What cannot be written is kept and tried again, but for ``appendfsync always``: then the process must end.
        """
        if not self._puts_off():
            self._write_out(self.always)

    def _puts_off(self) -> bool:
        """Whether to write later: the system lets who writes wait for a thread that brings the file to the disk."""
        if not self._syncing or self.always:
            self._put_off_since = None
            return False
        now = monotonic()
        if self._put_off_since is None:
            self._put_off_since = now
        if now < self._put_off_since + _LONGEST_PUT_OFF:
            return True
        self._put_off_since = None
        self.delayed_syncs += 1
        logger.log(
            NOTICE,
            "Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without waiting for fsync to "
            "complete, this may slow down Redis.",
        )
        return False

    def flush_to_disk(self) -> None:
        """Write what was added, and wait until the disk has it."""
        self._write_out(sync=True)

    def _write_out(self, sync: bool) -> None:
        if self._file is None:
            return
        try:
            if self.unwritten:
                self._write(b"".join(self.unwritten))
            if sync:
                self._file.sync()
                self._synced(self._written_commands)
        except OSError as error:
            self._set_error(error.strerror or str(error))
            if self.always:
                logger.warning("Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...")
                if self.on_lost is not None:
                    self.on_lost()

    def _write(self, data: bytes) -> None:
        assert self._file is not None
        try:
            self._file.write(data)
        except OSError:
            with suppress(OSError):  # a part of a command must not stand before what is written next
                self._engine.persistence.folder.truncate(self._name, self._file_size)
            raise
        self.unwritten.clear()
        self._file_size += len(data)
        self.size += len(data)
        self._written_commands = self._commands
        if self.error:
            logger.warning("AOF write error looks solved. The server can write again.")
            self.error = ""
            self._engine.refresh_sessions()

    def _set_error(self, reason: str) -> None:
        if not self.error:
            logger.warning("Error writing to the AOF file: %s", reason)
            self.error = reason
            self._engine.refresh_sessions()

    def sync_soon(self) -> None:
        """Bring what was written to the disk, in a thread."""
        if self._file is None or self._synced_commands == self._written_commands:
            return
        if self._syncing:
            return
        self._syncing = True
        commands = self._written_commands

        def synced(_: object) -> None:
            self._syncing = False
            self._synced(commands)
            self.flush()

        self._in_background(self._file.sync, synced)

    def _in_background(self, call: Callable[[], None], then: Callable[[object], None]) -> None:
        engine = self._engine

        def failed(error: Exception) -> None:
            self._syncing = False
            self._set_error(str(error))

        if engine.in_background is None:
            call()
            then(None)
        else:
            engine.in_background(call, then, failed)

    @property
    def is_syncing(self) -> bool:
        """Whether a thread brings the log to the disk."""
        return self._syncing

    def _synced(self, commands: int) -> None:
        self._synced_commands = max(commands, self._synced_commands)
        if self.on_synced is not None:
            self.on_synced()

    @property
    def synced(self) -> int:
        """How many commands are on the disk."""
        return self._synced_commands

    @property
    def commands(self) -> int:
        """How many commands there were."""
        return self._commands

    @property
    def is_synced(self) -> bool:
        """Whether all that has changed is on the disk."""
        return self._synced_commands == self._commands

    def wait(self) -> None:
        """Somebody waits for all that has changed so far to be on the disk, of which `on_synced` tells."""
        self.flush()
        if self._engine.config.appendfsync != "no":
            self.sync_soon()

    def check(self) -> None:
        """What is due each second: what could not be written, the disk, and writing it anew when it has grown."""
        if self.state == OFF:
            return
        self.flush()
        config = self._engine.config
        spares_disk = config.no_appendfsync_on_rewrite and self._engine.persistence.work.busy
        if config.appendfsync == "everysec" and not spares_disk:
            self.sync_soon()
        if self.rewrite_scheduled or self._has_grown():
            self.rewrite_soon()

    def _has_grown(self) -> bool:
        config = self._engine.config
        if not config.auto_aof_rewrite_percentage or self.size <= config.auto_aof_rewrite_min_size or self.rewriting:
            return False
        growth = self.size * 100 // (self.base_size or 1) - 100
        if growth < config.auto_aof_rewrite_percentage:
            return False
        logger.log(NOTICE, "Starting automatic rewriting of AOF on %d%% growth", growth)
        return True

    # Writing it anew

    def rewrite_soon(self) -> bool:
        """Write the log anew, now or when what is being done has ended; whether it has begun."""
        if self._engine.persistence.work.busy:
            self.rewrite_scheduled = True
            return False
        self.rewrite()
        return True

    def rewrite(self) -> None:
        """BGREWRITEAOF; raises `CommandError` where it cannot begin."""
        engine = self._engine
        self.rewrite_scheduled = False
        self.rewrites += 1
        self._began = engine.clock.now // 1000
        try:
            engine.persistence.folder.make(engine.config.appenddirname)
            if self.state == ON:
                self._begin_increment()
            elif self.state == WAITING:  # what was logged before this moment the base will have
                self.unwritten.clear()
                self._open(self._name, new=True)
        except OSError as error:
            self.failures += 1
            logger.warning("Can't open the append-only file %s: %s", self._name, error.strerror)
            raise CommandError(
                "ERR Can't execute an AOF background rewriting. Please check the server logs for more information."
            ) from None
        self.rewriting = _image(engine, changes=True)
        logger.log(NOTICE, "Background append only file rewriting started by pid %d", os.getpid())
        engine.persistence.work.start(self._rewrite(self.rewriting, self.manifest.increments[-1:]))

    def _begin_increment(self) -> None:
        part = self._increment()
        logger.log(NOTICE, "Creating AOF incr file %s on background rewrite", part.name)
        self._flush_to_the_end(sync=self.always)
        self._open(self.path(part.name), new=True)
        self.manifest = self.manifest.with_increment(part)
        self.save_manifest(self.manifest)

    def _flush_to_the_end(self, sync: bool = True) -> None:
        self._write_out(sync)
        if self.error:  # what is not written yet would come to stand behind a base that has it already
            raise OSError(errno.EIO, self.error)

    def _rewrite(self, image: Image, increments: tuple[Part, ...]) -> Job:
        from emulator.persistence.writing import written

        folder, temporary = self._engine.persistence.folder, f"temp-rewriteaof-bg-{os.getpid()}.aof"
        try:
            with closing(folder.create(temporary)) as target:
                yield from written(self._engine.config, image, target)
            logger.log(NOTICE, "Successfully created the temporary AOF base file %s", temporary)
            logger.log(NOTICE, "Background AOF rewrite terminated with success")
            yield from self._take_over(temporary, increments if self.state == ON else ())
            self.failures = 0
            logger.log(NOTICE, "Background AOF rewrite finished successfully")
        except OSError as error:
            self.failures += 1
            logger.warning("Background AOF rewrite terminated with error: %s", error.strerror)
            self.rewrite_scheduled = self.state == WAITING
        finally:
            image.close()
            self.rewriting = None
            self.last_rewrite = self._engine.clock.now // 1000 - self._began
            with suppress(OSError):
                folder.remove(temporary)

    def _take_over(self, temporary: str, increments: tuple[Part, ...]) -> Job:
        """Let the new base take the place of the old one, with the increments since; raises OSError."""
        folder, base = self._engine.persistence.folder, self._base()
        size = folder.size(temporary)
        yield partial(folder.rename, temporary, self.path(base.name))
        logger.log(NOTICE, "Successfully renamed the temporary AOF base file %s into %s", temporary, base.name)
        if self.state == WAITING:
            increments = (self._increment(),)
            self._rename_first_increment(increments[0])
        manifest = self.manifest.with_base(base, increments)
        yield partial(self.save_manifest, manifest)
        self.manifest = manifest
        if self.state == WAITING:
            self.state = ON
        self.size = self.base_size = size + (self._file_size if self.state == ON else 0)
        yield from self._clear_history()

    def _clear_history(self) -> Job:
        yield partial(self._remove_history, self.manifest.history)
        self.manifest = self.manifest.without_history()
        yield partial(self.save_manifest, self.manifest)

    def _remove_history(self, parts: Sequence[Part]) -> None:
        persistence, config = self._engine.persistence, self._engine.config
        if persistence.backups is not None and config.aof_timestamp_enabled:
            persistence.backups.keep_log(self.path, parts, self._engine.clock.now, config.backup_retention)
        for part in parts:
            logger.log(NOTICE, "Removing the history file %s in the background", part.name)
            with suppress(OSError):
                persistence.folder.remove(self.path(part.name))

    # Other data

    def begin_anew(self, other: HostOfFiles, exchange: Callable[[], object]) -> Job:
        """Let the log be that of other data from the moment on at which `exchange` puts them in the place of those there are.

        Their base is written before, and one rename of the manifest is what counts.  Raises OSError, and then nothing has
        been exchanged.
        """
        if self.state != ON:  # when it is written for the first time the new data are there
            exchange()
            return
        from emulator.persistence.writing import written  # only a server with a log needs it

        folder, base = self._engine.persistence.folder, self._base()
        with closing(folder.create(self.path(base.name))) as target:
            yield from written(self._engine.config, _image(other, changes=False), target)
        self._flush_to_the_end()
        increment = self._increment()
        name, manifest = self.path(increment.name), self.manifest.with_base(base, (increment,))
        opened, size = folder.create(name), folder.size(self.path(base.name))
        self.save_manifest(manifest)
        self.manifest = manifest
        self._go_on_in(opened, name, 0)
        self.size = self.base_size = size
        exchange()
        yield from self._clear_history()

    def _rename_first_increment(self, part: Part) -> None:
        new = self.path(part.name)
        self._engine.persistence.folder.rename(self._name, new)
        logger.log(
            NOTICE,
            "Successfully renamed the temporary AOF incr file %s into %s",
            os.path.basename(self._name),
            part.name,
        )
        self._name = new

    @property
    def rewrite_duration(self) -> int:
        """Seconds for which it has been written anew, -1 where it is not."""
        return self._engine.clock.now // 1000 - self._began if self.rewriting is not None else -1


def _image(engine: HostOfFiles, changes: bool) -> Image:
    """The data as the base of a log."""
    from emulator.persistence.forms import base_of_log
    from emulator.persistence.image import Image

    return Image(engine, base_of_log(engine), changes)


def _sync_and_close(written: Written) -> None:
    try:
        written.sync()
    finally:
        written.close()
