"""What an engine keeps beyond the process's end: its folder, the files in it, and what is being done with them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING

from emulator.persistence.dumps import Dumps
from emulator.persistence.folder import Folder, Memory
from emulator.persistence.work import Job, Work, run_through
from emulator.protocol.errors import MISCONF, CommandError
from emulator.stats.log import NOTICE

if TYPE_CHECKING:
    from emulator.persistence.host import HostOfFiles
    from emulator.persistence.loading import Loading
    from emulator.rdb.file_reader import BadFile

logger = logging.getLogger("emulator")


class Persistence:
    """The files of an engine.

    ``folder`` is where they are, at first one in memory, in which nothing is written by itself.  ``loading`` is what is
    being loaded; ``loaded_keys`` and ``expired_keys`` are of the last file.
    """

    def __init__(self, engine: HostOfFiles) -> None:
        self._engine = engine
        self.folder: Folder = Memory()
        self.work = Work(engine)
        self.dumps = Dumps(engine)
        self.loading: Loading | None = None
        self.loaded_keys = self.expired_keys = 0
        engine.config.on_change("save", engine.refresh_sessions)
        engine.config.on_change("stop-writes-on-bgsave-error", engine.refresh_sessions)

    @property
    def attentive(self) -> bool:
        """Whether some commands are refused."""
        return self.loading is not None or self.dumps.refuses_writes

    def refusal_of_writes(self) -> str | None:
        """The error that whoever wants to change something gets, if any."""
        return MISCONF if self.dumps.refuses_writes else None

    def forget(self) -> None:
        """Begin anew: nothing is saved any more, nor was."""
        self.work.stop()
        self.dumps = Dumps(self._engine)
        self.loaded_keys = self.expired_keys = 0

    def check(self) -> None:
        """Do what is due by itself; to be called each second."""
        if self.folder.lasting and self.loading is None and self.dumps.image is None:
            self.dumps.check_points()

    # Loading

    def open(self) -> None:
        """Find out what there is to load: if there is anything clients hear so until `load` has done it; raises `BadFile`."""
        from emulator.rdb.file_reader import BadFile

        if self.folder.lasting:
            try:
                self._set_loading(self._found(merge=False))
            except FileNotFoundError:
                return
            except OSError as error:
                name = self._engine.config.dbfilename
                raise BadFile(f"Fatal error: can't open the RDB file {name} for reading: {error.strerror}") from None

    def load(self, ended: Callable[[BadFile | None], None]) -> None:
        """Load in slices what `open` has found; tell at last what was wrong with it, if anything."""
        if self.loading is None:
            ended(None)
        else:
            self.work.start(self._load(self.loading, ended))

    def _load(self, loading: Loading, ended: Callable[[BadFile | None], None]) -> Job:
        from emulator.rdb.file_reader import BadFile

        started = perf_counter()
        failure: BadFile | None = None
        try:
            yield from self._through(loading)
            logger.log(NOTICE, "DB loaded from disk: %.3f seconds", perf_counter() - started)
        except BadFile as error:
            failure = error
        ended(failure)

    def _found(self, merge: bool) -> Loading:
        """The RDB file, which is about to be loaded; raises OSError."""
        from emulator.persistence.loading import Loading
        from emulator.rdb.file_reader import FileReader

        name = self._engine.config.dbfilename
        source = self.folder.read(name)
        reader = FileReader(source.read, self._engine.config.rdbchecksum)
        return Loading(self._engine, reader, source, self.folder.size(name), merge)

    def _through(self, loading: Loading) -> Job:
        self._set_loading(loading)
        try:
            yield from loading.job()
        finally:
            self._set_loading(None)
            self.loaded_keys, self.expired_keys = loading.keys, loading.expired
        self.dumps.loaded()

    def _set_loading(self, loading: Loading | None) -> None:
        self.loading = loading
        self._engine.refresh_sessions()

    def reload(self, save: bool, flush: bool, merge: bool) -> None:
        """DEBUG RELOAD: save everything and load it again; raises `CommandError`."""
        from emulator.rdb.file_reader import BadFile

        if save and not self.dumps.save():
            raise CommandError("ERR")
        engine = self._engine
        if flush:
            for db in engine.databases:
                db.clear()
            engine.scripting.libraries.flush()
            engine.tracking.flushed()
        try:
            run_through(self._through(self._found(merge)))
        except (BadFile, OSError) as error:
            for line in error.args if isinstance(error, BadFile) else ():
                logger.warning("%s", line)
            raise CommandError("ERR Error trying to load the RDB dump, check server logs.") from None
        logger.log(NOTICE, "DB reloaded by DEBUG RELOAD")

    # The end

    def prepare_to_end(self, save: bool | None, force: bool) -> bool:
        """Save before the server ends: always, never or, with None, where there are save points; whether it may end."""
        if self.loading is not None or not self.folder.lasting:
            return True
        logger.log(NOTICE, "User requested shutdown...")
        if self.dumps.image is not None:
            logger.warning("There is a child saving an .rdb. Killing it!")
            self.dumps.stop()
        if save is False or (save is None and not self._engine.config.save):
            return True
        logger.log(NOTICE, "Saving the final RDB snapshot before exiting.")
        if self.dumps.save():
            return True
        if force:
            logger.warning("Error trying to save the DB. Exit anyway.")
        else:
            logger.warning("Error trying to save the DB, can't exit.")
            logger.warning("Errors trying to shut down the server. Check the logs for more information.")
        return force
