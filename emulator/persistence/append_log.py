"""The append-only file: every change as a command, in a file that is written before replies leave.

The log is a base, which has the data set of a moment, and increments, which have what came after it.  Which files these are
`log_files` knows; `log_rewrite` makes a new base.
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
from emulator.persistence.log_files import LogFiles
from emulator.persistence.log_rewrite import LogRewrite, image_for_base
from emulator.persistence.manifest import Manifest, Part
from emulator.persistence.moments import Annotations
from emulator.persistence.work import run_through
from emulator.protocol.client_side import encoded
from emulator.stats.log import NOTICE

if TYPE_CHECKING:
    from emulator.persistence.host import HostOfFiles

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

    ``unwritten`` is what is to be written; the list is the same for ever.  ``name`` is the file that it is written to.
    ``size`` counts the bytes of base and increments, ``base_size`` is what `size` was after the last rewriting.  ``error``
    tells why it cannot be written.  ``on_synced`` is told when more of it is on the disk, ``on_lost`` ends the process where
    what was answered for could not be kept.
    """

    def __init__(self, engine: HostOfFiles, files: LogFiles) -> None:
        self._engine = engine
        self.files = files
        self.rewrite = LogRewrite(engine, self)
        self.unwritten: list[bytes] = []
        self.state = OFF
        self.size = self.base_size = 0
        self.error = ""
        self.delayed_syncs = 0
        self.on_lost: Callable[[], None] | None = None
        self.on_synced: Callable[[], None] | None = None
        self.name = ""
        self._file: Written | None = None
        self._file_size = 0
        self._db: int | None = None
        self._annotations = Annotations()
        self._put_off_since: float | None = None
        self._commands = self._written_commands = self._synced_commands = 0
        self._syncing = False

    # On and off

    def start(self) -> None:
        """Go on with the log there is, or begin one with an empty base; raises OSError."""
        files, folder = self.files, self._engine.persistence.folder
        files.make_place()
        manifest = files.manifest
        fresh = not manifest.parts
        if fresh:
            manifest = self._with_empty_base()
        if manifest.increments:
            part = manifest.increments[-1]
            logger.log(NOTICE, "Opening AOF incr file %s on server start", part.name)
        else:
            part = self.next_increment()
            manifest = manifest.with_increment(part)
            logger.log(NOTICE, "Creating AOF incr file %s on server start", part.name)
        self._open(files.path(part.name))
        files.save(manifest.ended(None))
        if manifest.history:
            run_through(files.clear_history())
        self._commands = self._written_commands = self._synced_commands = part.end or part.start or 0
        loaded = [folder.size(files.path(part.name)) for part in manifest.parts]
        if fresh:
            loaded = [0]  # Redis leaves the base that it makes itself out of count
        self.size, self.base_size = sum(loaded), loaded[0]
        self._listen(ON)

    def _with_empty_base(self) -> Manifest:
        from emulator.persistence.writing import written

        engine, base = self._engine, self.files.next_base()
        logger.log(NOTICE, "Creating AOF base file %s on server start", base.name)
        with closing(engine.persistence.folder.create(self.files.path(base.name))) as target:
            run_through(written(engine.config, image_for_base(engine, changes=False), target))
        return Manifest(base, last_base=base.number)

    def _listen(self, state: int) -> None:
        self.state = state
        self._engine.propagation.listen(self)

    def switch_on(self) -> None:
        """CONFIG SET appendonly yes: begin a log beside the old one, whose base is now being made; raises OSError."""
        self.files.make_place()
        self._open(self.files.path(f"temp-{self._engine.config.appendfilename}.incr"), new=True)
        self._listen(WAITING)
        self.rewrite.begin_soon()

    def switch_off(self) -> None:
        """CONFIG SET appendonly no: all that was logged is kept."""
        if self.state == OFF:
            return
        if self.rewrite.image is not None:
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
            with suppress(OSError):
                self.files.save(self.files.manifest.ended(self._commands))
        self.state = OFF
        self.unwritten.clear()
        self.error = ""

    def _open(self, name: str, new: bool = False) -> None:
        folder = self._engine.persistence.folder
        opened = folder.create(name) if new else folder.append(name)
        self._go_on_in(opened, name, folder.size(name))

    def _go_on_in(self, opened: Written, name: str, size: int) -> None:
        self._close_in_background()
        self._file, self.name, self._file_size, self._db = opened, name, size, None
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
        """Whether to write later: while a thread brings the file to the disk, the system would let us wait."""
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
                self._engine.persistence.folder.truncate(self.name, self._file_size)
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
        """How many commands were logged in all."""
        return self._commands

    @property
    def is_synced(self) -> bool:
        """Whether all that has changed is on the disk."""
        return self._synced_commands == self._commands

    def wait(self) -> None:
        """Bring all that has changed so far to the disk; `on_synced` tells when it is there."""
        self.flush()
        if self._engine.config.appendfsync != "no":
            self.sync_soon()

    def check(self) -> None:
        """What is due each second: what could not be written, the disk, and writing it anew where that is to be."""
        if self.state == OFF:
            return
        self.flush()
        config = self._engine.config
        spares_disk = config.no_appendfsync_on_rewrite and self._engine.persistence.work.busy
        if config.appendfsync == "everysec" and not spares_disk:
            self.sync_soon()
        self.rewrite.check()

    # A new base

    @property
    def is_on(self) -> bool:
        """Whether there is a log that would be loaded."""
        return self.state == ON

    @property
    def waits_for_base(self) -> bool:
        """Whether what is logged has no base yet."""
        return self.state == WAITING

    def next_increment(self) -> Part:
        """The increment that would begin here."""
        return self.files.next_increment(self._commands)

    def begin_after_base(self) -> tuple[Part, ...]:
        """Let what is logged from now on come after a base that has the data as they are; raises OSError.

        Returns the increment that has it; as long as the first base is waited for there is none.
        """
        if self.state == ON:
            part = self.next_increment()
            logger.log(NOTICE, "Creating AOF incr file %s on background rewrite", part.name)
            self.flush_to_the_end(sync=self.always)
            self.go_over_to(self.files.manifest.with_increment(part))
            return (part,)
        if self.state == WAITING:  # what was logged before this moment the base will have
            self.unwritten.clear()
            self._open(self.name, new=True)
        return ()

    def flush_to_the_end(self, sync: bool = True) -> None:
        """Write everything that was added; raises OSError where that cannot be."""
        self._write_out(sync)
        if self.error:  # what is not written yet would come to stand behind a base that has it already
            raise OSError(errno.EIO, self.error)

    def go_over_to(self, manifest: Manifest) -> None:
        """Let the log be made of these files, the last of which is a new one; raises OSError, and then all is as it was."""
        name = self.files.path(manifest.increments[-1].name)
        opened = self._engine.persistence.folder.create(name)
        self.files.save(manifest)
        self._go_on_in(opened, name, 0)

    def name_first_increment(self) -> Part:
        """Let what was logged beside the first base be its increment; raises OSError."""
        part = self.next_increment()
        new = self.files.path(part.name)
        self._engine.persistence.folder.rename(self.name, new)
        logger.log(
            NOTICE,
            "Successfully renamed the temporary AOF incr file %s into %s",
            os.path.basename(self.name),
            part.name,
        )
        self.name = new
        return part

    def has_base(self, size: int) -> None:
        """There is a new base of so many bytes."""
        if self.state == WAITING:
            self.state = ON
        self.size = self.base_size = size + (self._file_size if self.state == ON else 0)


def _sync_and_close(written: Written) -> None:
    try:
        written.sync()
    finally:
        written.close()
