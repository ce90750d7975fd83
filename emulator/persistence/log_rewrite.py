"""Writing the append-only file anew: BGREWRITEAOF, also by itself, and when other data take the place of those there are.

A new increment is begun, and an image of that moment becomes the new base in the background.  The new base takes the place
of the old one when the manifest says so.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING

from emulator.persistence.folder import temporary
from emulator.protocol.errors import CommandError
from emulator.stats.log import NOTICE

if TYPE_CHECKING:
    from emulator.persistence.append_log import AppendLog
    from emulator.persistence.host import HostOfFiles
    from emulator.persistence.image import Image
    from emulator.persistence.manifest import Part
    from emulator.persistence.work import Job

logger = logging.getLogger("emulator")


class LogRewrite:
    """The rewriting of a log.

    ``image`` is what a new base is being written from, ``count`` how often one was begun, ``failures`` how many have failed
    since one succeeded.  ``scheduled`` says that one is to begin when what is being done has ended.  ``last_duration`` is
    in seconds, -1 where there was none yet.
    """

    def __init__(self, engine: HostOfFiles, log: AppendLog) -> None:
        self._engine = engine
        self._log = log
        self._began = 0
        self.image: Image | None = None
        self.count = self.failures = 0
        self.last_duration = -1
        self.scheduled = False

    @property
    def duration(self) -> int:
        """For how many seconds it has been running, -1 where none is."""
        return self._engine.clock.now // 1000 - self._began if self.image is not None else -1

    def begin_soon(self) -> bool:
        """Begin now, or when what is being done has ended; whether it has begun.  Raises as `begin` does."""
        if self._engine.persistence.work.busy:
            self.scheduled = True
            return False
        self.begin()
        return True

    def check(self) -> None:
        """Begin where it is scheduled, or where the log has grown by as much as the configuration says."""
        if self.scheduled or self._has_grown():
            self.begin_soon()

    def _has_grown(self) -> bool:
        config, log = self._engine.config, self._log
        if (
            not config.auto_aof_rewrite_percentage
            or log.size <= config.auto_aof_rewrite_min_size
            or self.image is not None
        ):
            return False
        growth = log.size * 100 // (log.base_size or 1) - 100
        if growth < config.auto_aof_rewrite_percentage:
            return False
        logger.log(NOTICE, "Starting automatic rewriting of AOF on %d%% growth", growth)
        return True

    def begin(self) -> None:
        """Begin now; raises `CommandError` where that cannot be."""
        engine, log = self._engine, self._log
        self.scheduled = False
        self.count += 1
        self._began = engine.clock.now // 1000
        try:
            log.files.make_place()
            increments = log.begin_after_base()
        except OSError as error:
            self.failures += 1
            name = os.path.basename(error.filename or log.name)
            logger.warning("Can't open the append-only file %s: %s", name, error.strerror)
            raise CommandError(
                "ERR Can't execute an AOF background rewriting. Please check the server logs for more information."
            ) from None
        self.image = image_for_base(engine, changes=True)
        logger.log(NOTICE, "Background append only file rewriting started by pid %d", os.getpid())
        engine.persistence.work.start(self._background(self.image, increments))

    def _background(self, image: Image, increments: tuple[Part, ...]) -> Job:
        from emulator.persistence.writing import written

        folder, name = self._engine.persistence.folder, temporary("temp-rewriteaof-bg", "aof")
        try:
            with closing(folder.create(name)) as target:
                yield from written(self._engine.config, image, target)
            logger.log(NOTICE, "Successfully created the temporary AOF base file %s", name)
            logger.log(NOTICE, "Background AOF rewrite terminated with success")
            yield from self._take_over(name, increments)
            self.failures = 0
            logger.log(NOTICE, "Background AOF rewrite finished successfully")
        except OSError as error:
            self.failures += 1
            logger.warning("Background AOF rewrite terminated with error: %s", error.strerror)
            self.scheduled = self._log.waits_for_base
        finally:
            image.close()
            self.image = None
            self.last_duration = self._engine.clock.now // 1000 - self._began
            with suppress(OSError):
                folder.remove(name)

    def _take_over(self, name: str, increments: tuple[Part, ...]) -> Job:
        """Let the new base take the place of the old one, with the increments since; raises OSError."""
        log, folder = self._log, self._engine.persistence.folder
        files, base, size = log.files, log.files.next_base(), folder.size(name)
        yield partial(folder.rename, name, files.path(base.name))
        logger.log(NOTICE, "Successfully renamed the temporary AOF base file %s into %s", name, base.name)
        if log.waits_for_base:
            increments = (log.name_first_increment(),)
        yield partial(files.save, files.manifest.with_base(base, increments))
        log.has_base(size)
        yield from files.clear_history()

    def begin_anew(self, other: HostOfFiles, exchange: Callable[[], object]) -> Job:
        """Let the log be that of other data from the moment on at which `exchange` puts them in the place of those there are.

        Their base is written before, and one rename of the manifest is what counts.  Raises OSError, and then nothing has
        been exchanged.
        """
        log, folder = self._log, self._engine.persistence.folder
        if not log.is_on:  # when it is written for the first time the new data are there
            exchange()
            return
        from emulator.persistence.writing import written  # only a server with a log needs it

        base = log.files.next_base()
        path = log.files.path(base.name)
        with closing(folder.create(path)) as target:
            yield from written(self._engine.config, image_for_base(other, changes=False), target)
        size = folder.size(path)
        log.flush_to_the_end()
        log.go_over_to(log.files.manifest.with_base(base, (log.next_increment(),)))
        log.has_base(size)
        exchange()
        yield from log.files.clear_history()


def image_for_base(engine: HostOfFiles, changes: bool) -> Image:
    """The data as the base of a log; without `changes` nothing may change while it is written."""
    from emulator.persistence.forms import base_of_log
    from emulator.persistence.image import Image

    return Image(engine, base_of_log(engine), changes)
