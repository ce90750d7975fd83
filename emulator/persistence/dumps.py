"""The RDB file of an engine: SAVE, BGSAVE, save points, and what becomes of them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from emulator.persistence.folder import temporary
from emulator.persistence.work import Job, run_through
from emulator.stats.log import NOTICE

if TYPE_CHECKING:
    from emulator.persistence.host import HostOfFiles
    from emulator.persistence.image import Image

logger = logging.getLogger("emulator")

_RETRY_SECONDS: Final = 5
"""How long after a save has failed it is tried again by itself."""


class Dumps:
    """What is saved, and how that went.  Moments are seconds since the epoch, durations seconds.

    ``image`` is what a BGSAVE is writing, ``count`` how often SAVE and BGSAVE began, ``failures`` how many saves have failed
    since one succeeded; ``last_duration`` is -1 where there was none yet.
    """

    def __init__(self, engine: HostOfFiles) -> None:
        self._engine = engine
        self._saved_changes = 0
        self._last_try = 0
        self._began = 0
        self.image: Image | None = None
        self.last_save = engine.started // 1000
        self.last_duration = -1
        self.failures = 0
        self.scheduled = False
        self.count = 0

    @property
    def failed(self) -> bool:
        """Whether the last save has failed."""
        return self.failures > 0

    @property
    def _now(self) -> int:
        return self._engine.clock.now // 1000

    @property
    def changes(self) -> int:
        """Changes since the last save."""
        return self._engine.dirty - self._saved_changes

    @property
    def duration(self) -> int:
        """For how long a BGSAVE has been running, -1 where none is."""
        return self._now - self._began if self.image is not None else -1

    @property
    def refuses_writes(self) -> bool:
        """Whether nothing may be changed since it could not be saved."""
        config = self._engine.config
        return self.failed and bool(config.save) and config.stop_writes_on_bgsave_error

    def save(self) -> bool:
        """Write the file at once; whether that succeeded."""
        image = self._image(changes=False)
        try:
            run_through(self._write(image, temporary("temp", "rdb")))
        except OSError as error:
            logger.warning("%s", error.args[0])
            return False
        self._succeeded(self._engine.dirty)
        return True

    def _image(self, changes: bool) -> Image:
        from emulator.persistence.forms import Dump  # only a server that saves needs these
        from emulator.persistence.image import Image

        return Image(self._engine, Dump(self._engine, base_of_log=False), changes)

    def begin(self, ended: Callable[[bool], object] | None = None) -> None:
        """BGSAVE: write the data set as it is now, in slices; tell at last whether that succeeded."""
        self.count += 1
        self.scheduled = False
        self._last_try = self._began = self._now
        self.image = self._image(changes=True)
        logger.log(NOTICE, "Background saving started by pid %d", os.getpid())
        self._engine.persistence.work.start(self._background(self.image, self._engine.dirty, ended))

    def schedule(self) -> None:
        """Begin a BGSAVE after what is being done."""
        if self._engine.persistence.work.busy:
            self.scheduled = True
        else:
            self._engine.persistence.work.start(self._begin_soon())

    def _begin_soon(self) -> Job:
        yield None
        self.begin()

    def stop(self) -> None:
        """Give up the BGSAVE that is running."""
        self._engine.persistence.work.stop()

    def check_points(self) -> None:
        """Begin a BGSAVE where it is scheduled, or one of the save points asks for it."""
        if self.scheduled:
            self.begin()
            return
        if self.failed and self._now - self._last_try <= _RETRY_SECONDS:
            return
        for seconds, changes in self._engine.config.save:
            if self.changes >= max(changes, 1) and self._now - self.last_save > seconds:
                logger.log(NOTICE, "%d changes in %d seconds. Saving...", changes, seconds)
                self.begin()
                return

    def flushed(self) -> None:
        """Everything was deleted: what is being saved is gone, and where there are save points the file is now empty."""
        if self.image is not None:
            self.stop()
        if self._engine.persistence.folder.lasting and self._engine.config.save:
            self.save()

    def loaded(self) -> None:
        """The data are as they are in the file."""
        self._saved_changes = self._engine.dirty

    def _background(self, image: Image, changes: int, ended: Callable[[bool], object] | None) -> Job:
        succeeded = False
        try:
            yield from self._write(image, temporary("temp-bg", "rdb"))
            logger.log(NOTICE, "Background saving terminated with success")
            self._succeeded(changes)
            succeeded = True
        except OSError as error:
            logger.warning("%s", error.args[0])
            logger.warning("Background saving error")
            self._set_failed(True)
        except GeneratorExit:
            logger.warning("Background saving terminated by signal 10")
            raise
        finally:
            image.close()
            self.image = None
            self.last_duration = self._now - self._began
            if ended is not None:
                ended(succeeded)

    def _succeeded(self, changes: int) -> None:
        self._saved_changes = changes
        self.last_save = self._now
        self._set_failed(False)

    def _set_failed(self, failed: bool) -> None:
        self.failures = self.failures + 1 if failed else 0
        self._engine.refresh_sessions()

    def _write(self, image: Image, name: str) -> Job:
        """Write a file under another name first; raises OSError with a line for the log."""
        from emulator.persistence.writing import written

        engine = self._engine
        folder, config, where = engine.persistence.folder, engine.config, engine.config.dir
        try:
            target = folder.create(name)
        except OSError as error:
            raise OSError(
                f"Failed opening the temp RDB file {name} (in server root dir {where}) for saving: {error.strerror}"
            ) from None
        try:
            with closing(target):
                yield from written(config, image, target)
            yield partial(folder.rename, name, config.dbfilename)
        except BaseException as error:
            with suppress(OSError):
                folder.remove(name)
            if isinstance(error, OSError):
                raise OSError(f"Write error while saving DB to the disk: {error.strerror}") from None
            raise
        logger.log(NOTICE, "DB saved on disk")
