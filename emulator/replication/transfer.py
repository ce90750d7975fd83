"""All data from the master: they are received into a file, and loaded from it in slices.

With ``repl-diskless-load swapdb`` the old data stay, and are read, until the new ones are complete.
"""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, Final

from emulator.datatypes.glob import matcher
from emulator.persistence.append_log import OFF
from emulator.persistence.folder import Written
from emulator.persistence.loading import Loading
from emulator.persistence.stage import take_over
from emulator.persistence.work import Job
from emulator.protocol.text import to_bytes
from emulator.rdb.errors import BadFile
from emulator.rdb.file import HEADER_SIZE, MAGIC, VALKEY_MAGIC
from emulator.rdb.file_reader import NEWEST_VERSION, FileReader
from emulator.stats.log import NOTICE
from emulator.wall import internal_error

if TYPE_CHECKING:
    from emulator.persistence.host import HostOfFiles
    from emulator.replication.host import HostOfReplication

logger = logging.getLogger("emulator")

_MARK: Final = b"$EOF:"
_MARK_SIZE: Final = 40
_LONGEST_HEAD: Final = 128
_MOST_DIGITS: Final = 19


class Transfer:
    """A full synchronization that is under way: ``id`` and ``offset`` are where the stream goes on after it.

    `done` is called at last, with a line for the log where it has failed.  ``size`` is what is announced, -1 where only a
    mark tells the end; ``taken`` counts bytes.
    """

    def __init__(self, engine: HostOfReplication, id: str, offset: int, done: Callable[[str], None]) -> None:
        self._engine = engine
        self._done = done
        self.id = id
        self.offset = offset
        self.size = -1
        self.taken = 0
        self.is_loading = False
        self._head = b""
        self._mark = b""
        self._last = b""
        self._memory: io.BytesIO | None = None
        self._file: Written | None = None
        self._name = f"temp-{engine.clock.now // 1000}.{os.getpid()}.rdb"
        self._job_engaged = False

    # Receiving

    def take(self, data: bytes) -> bytes:
        """Take bytes of the master; returns those that come after the data."""
        if self.is_loading:
            return data
        if self._memory is None and self._file is None:
            self._head += data
            self._head = self._head.lstrip(b"\r\n")
            line, end, rest = self._head.partition(b"\n")
            if len(line) > _LONGEST_HEAD:
                self._fail("Bad protocol from MASTER, the first byte is not '$'")
                return b""
            if not end:
                return b""
            self._head = b""
            if not self._open(line.rstrip(b"\r")):
                return b""
            data = rest
        return self._to_the_mark(data) if self._mark else self._to_the_end(data)

    def _open(self, line: bytes) -> bool:
        """Begin to receive, as the first line announces it."""
        if line.startswith(_MARK) and len(line) == len(_MARK) + _MARK_SIZE:
            self._mark = line[len(_MARK) :]
        elif line[:1] == b"$" and line[1:].isdigit() and len(line) <= _MOST_DIGITS:
            self.size = int(line[1:])
        else:
            told = line.decode("utf-8", "replace")
            self._fail(f"Bad protocol from MASTER, the first byte is not '$' (we received '{told}')")
            return False
        logger.log(NOTICE, "MASTER <-> REPLICA sync: receiving the data from master")
        if self._stays_in_memory:
            self._memory = io.BytesIO()
            return True
        try:
            self._file = self._engine.persistence.folder.create(self._name)
        except OSError as error:
            self._fail(f"Opening the temp file needed for MASTER <-> REPLICA synchronization: {error.strerror}")
            return False
        return True

    @property
    def _stays_in_memory(self) -> bool:
        way = self._engine.config.repl_diskless_load
        empty = not any(len(db) for db in self._engine.databases)
        return way == "swapdb" or (way == "on-empty-db" and empty)

    def _to_the_mark(self, data: bytes) -> bytes:
        """Everything up to the mark, which ends what the master sends until we have answered."""
        held = self._last + data
        if held.endswith(self._mark):
            self._write(held[:-_MARK_SIZE])
            self._received()
        else:
            self._write(held[:-_MARK_SIZE])
            self._last = held[-_MARK_SIZE:]
        return b""

    def _to_the_end(self, data: bytes) -> bytes:
        missing = self.size - self.taken
        self._write(data[:missing])
        if self.taken == self.size:
            self._received()
        return data[missing:]

    def _write(self, data: bytes) -> None:
        if self.taken < HEADER_SIZE and data and not self._may_begin(data):
            self._fail("Failed trying to load the MASTER synchronization DB: wrong signature")
            return
        self.taken += len(data)
        if self._memory is not None:
            self._memory.write(data)
        elif self._file is not None:
            try:
                self._file.write(data)
            except OSError as error:
                self._fail(
                    f"Write error or short write writing to the DB dump file needed for MASTER <-> REPLICA "
                    f"synchronization: {error.strerror}"
                )

    def _may_begin(self, data: bytes) -> bool:
        """Whether these bytes may be the next ones of the first ones of a file: what is none is not received to its end."""
        return any(
            magic[self.taken :].startswith(data[: max(len(magic) - self.taken, 0)]) for magic in (MAGIC, VALKEY_MAGIC)
        )

    def _fail(self, reason: str) -> None:
        self.abandon()
        self._done(reason)

    def abandon(self) -> None:
        """Give up: what has come is of no use."""
        if self._file is not None:
            self._file.close()
            self._file = None
            with suppress(OSError):
                self._engine.persistence.folder.remove(self._name)
        self._memory = None
        if self._job_engaged:
            self._job_engaged = False
            self._engine.persistence.work.stop()

    # Loading

    def _received(self) -> None:
        self.is_loading = True
        logger.log(NOTICE, "MASTER <-> REPLICA sync: Loading DB in memory")
        persistence = self._engine.persistence
        if persistence.dumps.image is not None:
            persistence.dumps.stop()
        persistence.work.when_idle(self._start)

    def _start(self) -> None:
        if self._engine.replication.link is not None and self._engine.replication.link.transfer is self:
            self._job_engaged = True
            self._engine.persistence.work.start(self._job())

    def _job(self) -> Job:
        engine = self._engine
        engine.replication.drop_replicas()
        logged = engine.persistence.log.state != OFF
        if logged:
            engine.persistence.log.switch_off()
        failure = ""
        try:
            source, total = self._opened()
            yield from self._load(source, total)
        except (BadFile, OSError) as error:
            for line in error.args if isinstance(error, BadFile) else ():
                logger.warning("%s", line)
            failure = "Failed trying to load the MASTER synchronization DB from disk, check server logs."
        except Exception as error:
            internal_error(error, "loading a master's data")
            failure = "Internal error while loading the master's data"
        self._job_engaged = False
        if logged:
            with suppress(OSError):
                engine.persistence.work.when_idle(engine.persistence.log.switch_on)
        self._done(failure)

    def _opened(self) -> tuple[BinaryIO, int]:
        if self._memory is not None:
            self._memory.seek(0)
            return self._memory, self.taken
        assert self._file is not None
        folder, config = self._engine.persistence.folder, self._engine.config
        self._file.close()
        self._file = None
        folder.rename(self._name, config.dbfilename)
        return folder.read(config.dbfilename), folder.size(config.dbfilename)

    def _load(self, source: BinaryIO, total: int) -> Job:
        engine = self._engine
        reader = FileReader(source.read, engine.persistence.checks_files, NEWEST_VERSION)
        if engine.config.repl_diskless_load != "swapdb" or engine.config.emulator_detach:
            logger.log(NOTICE, "MASTER <-> REPLICA sync: Flushing old data")
            engine.persistence.empty()
            detaches = engine.config.emulator_detach  # then what has expired concerns no master
            loading = Loading(engine, reader, source, total, keeps_expired=not detaches, wanted=self._wanted())
            yield from engine.persistence.through(loading)
            return
        serves = engine.replication.stream.id == self.id

        def beside(other: HostOfFiles) -> Job:
            loading = Loading(other, reader, source, total, keeps_expired=True)
            yield from engine.persistence.through(loading, serves=serves)
            logger.log(NOTICE, "MASTER <-> REPLICA sync: Swapping active DB with loaded DB")

        yield from take_over(engine, beside)
        engine.persistence.dumps.loaded()

    def _wanted(self) -> Callable[[bytes], bool] | None:
        """Which keys are copied: those that match a pattern, where there are any."""
        config = self._engine.config
        if not config.emulator_detach or not config.emulator_match:
            return None
        matchers = [matcher(to_bytes(pattern)) for pattern in config.emulator_match.split()]
        return lambda key: any(matches(key) for matches in matchers)
