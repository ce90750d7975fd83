"""What an engine keeps beyond the process's end: its folder, the files in it, and what is being done with them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast
from urllib.parse import quote

from emulator.config.kinds import ConfigError
from emulator.persistence.append_log import OFF, WAITING, AppendLog
from emulator.persistence.dumps import Dumps
from emulator.persistence.folder import Folder, Memory, Written
from emulator.persistence.log_files import LogFiles
from emulator.persistence.work import Job, Work, run_through
from emulator.protocol.errors import MISCONF, CommandError
from emulator.rdb.errors import BadFile
from emulator.stats.log import NOTICE
from emulator.wall import internal_error

if TYPE_CHECKING:
    from emulator.persistence.backups import Backups
    from emulator.persistence.host import HostOfFiles
    from emulator.persistence.loading import Loading
    from emulator.persistence.online_backup import OnlineBackup
    from emulator.persistence.replay import Replay

logger = logging.getLogger("emulator")

_DAY: Final = 86_400_000
_RETRY_MILLISECONDS: Final = 60_000
"""How long after a daily backup has failed it is tried again."""


class Persistence:
    """The files of an engine.

    ``folder`` is where they are, at first one in memory, in which nothing is written by itself.  ``loading`` is what is
    being loaded, ``loading_aside`` what is so while the old data are served; ``loaded_keys`` and ``expired_keys`` are of the
    last file.
    """

    def __init__(self, engine: HostOfFiles) -> None:
        self._engine = engine
        self.folder: Folder = Memory()
        self.work = Work(engine)
        self.dumps = Dumps(engine)
        self.log = AppendLog(engine, LogFiles(engine))
        self.loading: Loading | Replay | None = None
        self.loading_aside: Loading | Replay | None = None
        self.loaded_keys = self.expired_keys = 0
        self._backups: Backups | None = None
        self._online_backup: OnlineBackup | None = None
        self._next_daily = 0
        engine.config.on_change("appendonly", self._switch_log)
        engine.config.on_change("save", engine.refresh_sessions)
        engine.config.on_change("stop-writes-on-bgsave-error", engine.refresh_sessions)

    @property
    def needs_guards(self) -> bool:
        """Whether some commands are refused."""
        return self.loading is not None or self.dumps.refuses_writes or bool(self.log.error)

    def refusal_of_writes(self) -> str | None:
        """The error that whoever wants to change something gets, if any."""
        if self.dumps.refuses_writes:
            return MISCONF
        return f"MISCONF Errors writing to the AOF file: {self.log.error}" if self.log.error else None

    @property
    def backups(self) -> Backups | None:
        """The backups of the engine, a named keyspace's in a folder of their own; None without ``backup-dir``."""
        config = self._engine.config
        if self._backups is None and config.backup_dir:
            from emulator.persistence.backups import Backups
            from emulator.persistence.disk import Disk
            from emulator.persistence.history import History

            place, keyspace = config.backup_dir, self._engine.keyspaces.name_of(self._engine)
            if keyspace:
                place = os.path.join(place, f"keyspace.{quote(keyspace, safe='')}")
            disk = Disk(config)
            self._backups = Backups(
                disk, place, History(disk, os.path.join(place, "log"), f"{config.appendfilename}.manifest")
            )
        return self._backups

    @property
    def online_backup(self) -> OnlineBackup:
        """The backup that BACKUP makes."""
        if self._online_backup is None:
            from emulator.persistence.online_backup import OnlineBackup  # nobody else needs it

            self._online_backup = OnlineBackup(self._engine)
        return self._online_backup

    @property
    def backs_up_online(self) -> bool:
        """Whether a backup of BACKUP is in progress."""
        return self._online_backup is not None and self._online_backup.is_in_progress

    @property
    def needs_checks(self) -> bool:
        """Whether `check` has ever anything to do."""
        return self.folder.lasting or bool(self._engine.config.backup_dir) or self._online_backup is not None

    def forget(self) -> None:
        """Be as if nothing had ever been saved, and save no more of what was begun."""
        self.work.forget()
        self.dumps = Dumps(self._engine)
        self._online_backup = None
        self.loaded_keys = self.expired_keys = self._next_daily = 0

    def check(self) -> None:
        """Do what is due by itself; to be called each second."""
        if self.loading is not None:
            return
        if self.folder.lasting:
            if not self.work.busy:
                self.dumps.check_points()
            self.log.check()
        if self._online_backup is not None:
            self._online_backup.check()
        if self._engine.config.backup_daily and self._engine.clock.now >= self._next_daily:
            self._check_day()

    def _check_day(self) -> None:
        """Make the backup of the day, unless there is one."""
        now = self._engine.clock.now
        self._next_daily = now - now % _DAY + _DAY
        if self.backups is not None:
            self.work.start_later(self.backups.create_daily(self._engine), self._told_of_daily)

    def _told_of_daily(self, failure: Exception | None) -> None:
        if failure is not None:
            logger.warning("Daily backup failed: %s", failure)
            self._next_daily = self._engine.clock.now + _RETRY_MILLISECONDS

    def _switch_log(self) -> None:
        """CONFIG SET appendonly; in a folder that does not last there is no log."""
        if not self.folder.lasting or self.loading is not None:
            return
        if not self._engine.config.appendonly:
            self.log.switch_off()
        elif self.log.state == OFF:
            try:
                self.log.switch_on()
            except OSError as error:
                logger.warning("Can't open the append-only file: %s", error.strerror)
                raise ConfigError("Unable to turn on AOF. Check server logs.") from None

    # Loading

    def open(self) -> None:
        """Find what there is to load: clients are told that it is being loaded until `load` has done so; raises `BadFile`."""
        if not self.folder.lasting:
            return
        try:
            if self._engine.config.appendonly:
                found = self._found_log()
                if found is None:
                    self._warn_of_unread()
                self._set_loading(found)
            else:
                self.log.files.read()
                self._set_loading(self._found(merge=False))
        except FileNotFoundError:
            return
        except OSError as error:
            raise BadFile(f"Fatal error: can't open {error.filename} for reading: {error.strerror}") from None

    def _warn_of_unread(self) -> None:
        """Redis begins with no data as well, and says nothing."""
        name, config = self._engine.config.dbfilename, self._engine.config
        with suppress(OSError):
            size = self.folder.size(name)
            logger.warning(
                "%s (%d bytes) is not loaded, since appendonly is yes and there is no append-only file in %s yet: the server "
                "begins with no data. To keep them start with --appendonly no, then CONFIG SET appendonly yes",
                name,
                size,
                config.appenddirname,
            )

    def load(self, ended: Callable[[BadFile | None], None]) -> None:
        """Load in slices what `open` has found, and begin to log; tell at last what was wrong, if anything."""
        if self.loading is None:
            ended(self._begin_log())
        else:
            self.work.start(self._load(self.loading, ended))

    def _begin_log(self) -> BadFile | None:
        if self.folder.lasting and self._engine.config.appendonly:
            try:
                self.log.start()
            except OSError as error:
                return BadFile(
                    f"Can't open or create append-only dir {self._engine.config.appenddirname}: {error.strerror}"
                )
        return None

    def _found_log(self) -> Replay | None:
        """The append-only file, which is about to be loaded, if there is one; raises `BadFile` or OSError."""
        from emulator.persistence.replay import Replay

        files = self.log.files
        if not files.read() and not files.adopt_old_style():
            return None
        return Replay(cast(Any, self._engine), files.manifest, self.folder, files.place)

    def _load(self, loading: Loading | Replay, ended: Callable[[BadFile | None], None]) -> Job:
        started = perf_counter()
        failure: BadFile | None = None
        try:
            yield from self.through(loading)
            what = "append only file" if self._engine.config.appendonly else "disk"
            logger.log(NOTICE, "DB loaded from %s: %.3f seconds", what, perf_counter() - started)
            if loading.position is not None:
                self._engine.resume_stream(loading.position)
            failure = self._begin_log()
        except BadFile as error:
            failure = error
        except Exception as error:  # what is not whole must not be served, and not be saved over the file
            internal_error(error, "loading")
            failure = BadFile(f"Internal error while loading: {type(error).__name__}")
        ended(failure)

    @property
    def checks_files(self) -> bool:
        """Whether a file that is loaded must have the right checksum."""
        return self._engine.config.rdbchecksum and not self._engine.skips_checksums

    def _found(self, merge: bool) -> Loading:
        """The RDB file, which is about to be loaded; raises OSError."""
        name = self._engine.config.dbfilename
        source = self.folder.read(name)
        from emulator.persistence.loading import Loading  # only where there is a file
        from emulator.rdb.file_reader import FileReader

        reader = FileReader(source.read, self.checks_files, self._engine.config.edition.rdb_version)
        return Loading(self._engine, reader, source, self.folder.size(name), merge)

    def through(self, loading: Loading | Replay, serves: bool = False) -> Job:
        """Load; clients hear of it unless the server `serves` old data meanwhile."""
        self._set_loading(loading, serves)
        try:
            yield from loading.job()
        finally:
            self._set_loading(None)
            self.loaded_keys, self.expired_keys = loading.keys, loading.expired
        self.dumps.loaded()

    def _set_loading(self, loading: Loading | Replay | None, serves: bool = False) -> None:
        self.loading = None if serves else loading
        self.loading_aside = loading if serves else None
        self._engine.expiration.refresh()
        self._engine.refresh_sessions()

    def reload(self, save: bool, flush: bool, merge: bool) -> None:
        """DEBUG RELOAD: save everything and load it again; raises `CommandError`."""
        if save and not self.dumps.save():
            raise CommandError("ERR")
        if flush:
            self.empty()
        try:
            run_through(self.through(self._found(merge)))
        except (BadFile, OSError) as error:
            raise _not_loaded(error, "RDB dump") from None
        logger.log(NOTICE, "DB reloaded by DEBUG RELOAD")

    def reload_log(self) -> None:
        """DEBUG LOADAOF: load the append-only file again; raises `CommandError`."""
        self.log.flush_to_disk()
        self.empty()
        propagation, listens = self._engine.propagation, self.log.state != OFF
        if listens:
            propagation.leave(self.log)
        try:
            found = self._found_log()
            if found is None:
                raise FileNotFoundError
            run_through(self.through(found))
        except (BadFile, OSError) as error:
            raise _not_loaded(error, "AOF files") from None
        finally:
            if listens:
                propagation.listen(self.log)
        logger.log(NOTICE, "Append Only File loaded by DEBUG LOADAOF")

    def save_to(self, target: Written) -> None:
        """Write an RDB file of the data as they are, at once; raises OSError."""
        from emulator.persistence.forms import Dump
        from emulator.persistence.image import Image
        from emulator.persistence.writing import written

        image = Image(self._engine, Dump(self._engine, base_of_log=False), changes=False)
        run_through(written(self._engine.config, image, target))

    def take_over(self, source: BinaryIO, total: int) -> None:
        """Let the data be those of an RDB file of any version; raises `BadFile` or OSError, and then nothing has changed."""
        from emulator.persistence.loading import Loading
        from emulator.persistence.stage import take_over
        from emulator.rdb.file_reader import NEWEST_VERSION, FileReader

        reader = FileReader(source.read, newest=NEWEST_VERSION)
        self.do_at_once(take_over(self._engine, lambda beside: Loading(beside, reader, source, total).job()))
        self.dumps.loaded()

    def do_at_once(self, job: Job) -> None:
        """Do a job that may put other data in the place of those there are, while everybody waits.

        Raises what the job raises, and `CommandError` while a script is at work.
        """
        self._engine.scripting.check_quiet()
        if self.log.rewrite.image is not None:  # it would be of the old data
            self.work.stop()
            self.log.rewrite.scheduled = True
        run_through(job)

    def empty(self) -> None:
        """Let there be no data."""
        engine = self._engine
        for db in engine.databases:
            db.clear()
        engine.scripting.libraries.flush()
        engine.tracking.flushed()

    # The end

    def prepare_to_end(self, save: bool | None, force: bool) -> bool:
        """Save before the server ends: always, never or, with None, where there are save points; whether it may end."""
        if self.loading is not None or not self.folder.lasting:
            return True
        if self.dumps.image is not None:
            logger.warning("There is a child saving an .rdb. Killing it!")
            self.dumps.stop()
        if self.log.rewrite.image is not None:
            # a start with a first log that has no base yet would find no data
            if self.log.state == WAITING and not _ends_anyway("Writing initial AOF", force):
                return False
            logger.warning("There is a child rewriting the AOF. Killing it!")
            self.work.stop()
        if self.log.state != OFF:
            logger.log(NOTICE, "Calling fsync() on the AOF file.")
            self.log.flush_to_disk()
        return not (save or (save is None and self._engine.config.save)) or self._save_at_end(force)

    def _save_at_end(self, force: bool) -> bool:
        logger.log(NOTICE, "Saving the final RDB snapshot before exiting.")
        return self.dumps.save() or _ends_anyway("Error trying to save the DB", force)


def _ends_anyway(trouble: str, force: bool) -> bool:
    """Whether the server ends in spite of a trouble, which is logged: only if it is forced to."""
    if force:
        logger.warning("%s. Exit anyway.", trouble)
    else:
        logger.warning("%s, can't exit.", trouble)
        logger.warning("Errors trying to shut down the server. Check the logs for more information.")
    return force


def _not_loaded(error: BadFile | OSError, what: str) -> CommandError:
    for line in error.args if not isinstance(error, OSError) else ():
        logger.warning("%s", line)
    return CommandError(f"ERR Error trying to load the {what}, check server logs.")
