"""Loading: the records of an RDB file become the data set, in slices."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, Final

from emulator.keyspace.database import Database
from emulator.persistence.host import StreamPosition
from emulator.protocol.errors import CommandError, as_text
from emulator.rdb import file
from emulator.rdb.errors import BadFile
from emulator.rdb.file_reader import FileReader, records
from emulator.stats.log import NOTICE

if TYPE_CHECKING:
    from emulator.persistence.host import HostOfFiles
    from emulator.persistence.work import Job

logger = logging.getLogger("emulator")

_ID_SIZE: Final = 40
_PORTION: Final = 64
"""Keys after which others may have their turn."""


class Loading:
    """A file that is being loaded.  With `merge` what is there already is replaced, else it is an error.

    `source` is closed at last, but for a log's.  With `keeps_expired` what has expired is loaded too.  Only keys that are
    `wanted` are loaded.  ``position`` is where the stream to replicas was, if the file says so. ``total`` is its size in
    bytes, ``began`` the moment in seconds, ``used_memory`` what its data took where it was written.
    """

    def __init__(
        self,
        engine: HostOfFiles,
        reader: FileReader,
        source: BinaryIO,
        total: int,
        merge: bool = False,
        as_log: bool = False,
        keeps_expired: bool = False,
        wanted: Callable[[bytes], bool] | None = None,
    ) -> None:
        self._engine = engine
        self._reader = reader
        self._source = source
        self._merge = merge
        self._as_log = as_log
        self._keeps_expired = keeps_expired or as_log
        self._databases = engine.databases
        self._db = self._databases[0]
        self._wanted = wanted
        self._position: dict[bytes, bytes] = {}
        self.total = total
        self.began = engine.clock.now // 1000
        self.keys = 0
        self.expired = 0
        self.used_memory = 0
        self._empty = 0

    @property
    def offset(self) -> int:
        """Bytes read so far."""
        return self._reader.offset

    @property
    def position(self) -> StreamPosition | None:
        """Where the stream to replicas was."""
        told = self._position
        db, offset = told.get(b"repl-stream-db", b"0"), told.get(b"repl-offset", b"")
        id = told.get(b"repl-id", b"").decode("latin-1")
        known = len(id) == _ID_SIZE and offset.isdigit() and db.isdigit() and int(db) < len(self._databases)
        return StreamPosition(int(db), id, int(offset)) if known else None

    def job(self) -> Job:
        """Load everything; raises `BadFile`."""
        engine = self._engine
        for db in self._databases:
            db.has_listeners = False  # nobody hears of what is loaded
        try:
            for number, record in enumerate(records(self._reader, engine.config)):
                if record.__class__ is not file.Key:
                    self._take(record)
                    continue
                self._enter(record)
                if engine.config.key_load_delay > 0:
                    yield engine.config.key_load_delay
                elif not number % _PORTION:
                    self._db.weigh()
                    yield None
        finally:
            if not self._as_log:  # else commands may follow
                self._source.close()
            for db in self._databases:
                db.weigh()
                db.observe()
        skipped = f", empty keys skipped: {self._empty}" if self._empty else ""
        logger.log(NOTICE, "Done loading RDB, keys loaded: %d, keys expired: %d%s.", self.keys, self.expired, skipped)

    def _enter(self, record: file.Key) -> None:
        key, value, db, now = record.key, record.value, self._db, self._engine.clock.now
        deadline = record.deadline
        if self._wanted is not None and not self._wanted(key):
            return
        if deadline is not None and deadline <= now and not self._keeps_expired:
            self.expired += 1
            return
        if value is None:
            logger.log(NOTICE, "rdbLoadObject skipping empty key: %s", as_text(key))
            self._empty += 1
            return
        if key in db.entries:
            if not self._merge:
                raise BadFile(f"RDB has duplicated key '{as_text(key)}' in DB {db.index}")
            db.discard(key)
        entry = db.insert(key, value)
        db.reweigh(key)
        if deadline is not None:
            db.expire_at(entry, deadline)
        if db.frequency is not None and record.frequency is not None:
            entry.access = db.frequency.starting_at(record.frequency)
        elif db.frequency is None and record.idle is not None and self._engine.config.maxmemory_policy.endswith("lru"):
            entry.access = now - 1000 * record.idle
        self.keys += 1

    def _take(self, record: file.Record) -> None:
        if isinstance(record, file.DatabaseBegins):
            self._db = self._database(record.number)
        elif isinstance(record, file.Library):
            try:
                self._engine.scripting.libraries.load(record.code, replace=self._merge)
            except CommandError as error:
                raise BadFile(f"Failed loading library, {str(error).removeprefix('ERR ')}") from None
        elif isinstance(record, file.Aux):
            self._tell(record.name, record.value)

    def _database(self, number: int) -> Database:
        databases = self._databases
        if number >= len(databases):
            raise BadFile(
                f"FATAL: Data file was created with a Redis server configured to handle more than {len(databases)} "
                "databases. Exiting"
            )
        return databases[number]

    def _tell(self, name: bytes, value: bytes) -> None:
        """Tell the log what the file says of itself."""
        if name.startswith(b"%"):
            logger.log(NOTICE, "RDB '%s': %s", as_text(name), as_text(value))
        elif name in (b"redis-ver", b"valkey-ver"):
            logger.log(NOTICE, "Loading RDB produced by version %s", as_text(value))
        elif name == b"ctime" and value.isdigit():
            logger.log(NOTICE, "RDB age %d seconds", max(self._engine.clock.now // 1000 - int(value), 0))
        elif name == b"used-mem" and value.isdigit():
            self.used_memory = int(value)
            logger.log(NOTICE, "RDB memory usage when created %.2f Mb", int(value) / (1 << 20))
        elif name.startswith(b"repl-"):
            self._position[name] = value
        elif name == b"aof-base" and value == b"1":
            logger.log(NOTICE, "RDB is base AOF")
