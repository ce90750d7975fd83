"""The forms that an image can take: an RDB file, or commands that make the data set anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from emulator.keyspace.frequency import idle
from emulator.persistence.moments import AUX, Annotations
from emulator.protocol.client_side import encoded
from emulator.rdb import file
from emulator.rdb.payload import plain_string, string
from emulator.rdb.save import save, serialized
from emulator.rdb.slices import Slices, is_large, sliced

if TYPE_CHECKING:
    from emulator.keyspace.database import Database
    from emulator.keyspace.entry import Entry
    from emulator.persistence.host import HostOfFiles


class Form(Protocol):
    """How data become bytes; ``checks`` where a checksum of them all is written at the end."""

    checks: bool

    def head(self) -> bytes:
        """What comes before all keys."""

    def database(self, db: Database) -> bytes:
        """What comes before the keys of a database."""

    def key(self, db: Database, entry: Entry) -> bytes | Slices:
        """A key; if its value is large, in slices, whose first piece has the rest."""

    def end(self) -> bytes:
        """What comes behind all keys."""


class Dump:
    """An RDB file, which may be the base of an append-only file, tell its moment in milliseconds, or be without functions."""

    def __init__(
        self, engine: HostOfFiles, base_of_log: bool, tells_moment: bool = False, functions: bool = True
    ) -> None:
        self._engine = engine
        self._base_of_log = base_of_log
        self._tells_moment = tells_moment
        self._functions = functions
        self._text = string if engine.config.rdbcompression else plain_string
        self._tells_idle_time = engine.config.maxmemory_policy.endswith("lru")
        self.checks = True

    def head(self) -> bytes:
        """The header, what the file says of itself, and the functions."""
        engine, text = self._engine, self._text
        position = engine.stream_position
        auxes = {
            file.version_name(engine.config.edition): engine.config.edition.version.encode(),
            b"redis-bits": b"64",
            b"ctime": b"%d" % (engine.clock.now // 1000),
            b"used-mem": b"%d" % engine.used_memory,
        }
        if position is not None:
            auxes[b"repl-stream-db"] = b"%d" % position.db
            auxes[b"repl-id"] = position.id.encode()
            auxes[b"repl-offset"] = b"%d" % position.offset
        auxes[b"aof-base"] = b"%d" % self._base_of_log
        if self._tells_moment:
            auxes[AUX] = b"%d" % engine.clock.now
        return (
            file.header(engine.config.edition.rdb_version)
            + b"".join(file.aux(name, value, text) for name, value in auxes.items())
            + b"".join(file.library(code, text) for code in _libraries(engine) if self._functions)
        )

    def database(self, db: Database) -> bytes:
        """A database's number, and how many keys it has."""
        return file.database(db.index, len(db.entries), db.expiring)

    def key(self, db: Database, entry: Entry) -> bytes | Slices:
        """A key with its value, its deadline and how it has been used, where the policy goes by that."""
        version, value, weight = self._engine.config.edition.rdb_version, entry.value, entry.weight[0]
        unused = idle(entry.access, self._engine.clock.now) // 1000 if self._tells_idle_time else None
        frequency = None if db.frequency is None else db.frequency.counter(entry.access)
        slices = sliced(value, weight, self._text, version) if is_large(value, weight) else None
        kind, body = save(value, self._text, version) if slices is None else (slices.kind, b"")
        whole = file.key(entry.key, kind, body, self._text, entry.deadline, unused, frequency)
        if slices is None:
            return whole
        slices.head = whole
        return slices

    def end(self) -> bytes:
        """The mark of the end."""
        return bytes((file.END,))


class Commands:
    """Commands: SET for strings, RESTORE for what has parts, so that no detail of it is lost."""

    checks = False

    def __init__(self, engine: HostOfFiles) -> None:
        self._engine = engine

    def head(self) -> bytes:
        """The moment, where the log has such, and the functions."""
        config = self._engine.config
        moment = Annotations().before(self._engine.clock.now, exactly=bool(config.backup_dir))
        return (moment if config.aof_timestamp_enabled else b"") + b"".join(
            encoded([b"FUNCTION", b"LOAD", code]) for code in _libraries(self._engine)
        )

    def database(self, db: Database) -> bytes:
        """A database's number."""
        return encoded([b"SELECT", b"%d" % db.index])

    def key(self, db: Database, entry: Entry) -> bytes:
        """A key."""
        key, value, deadline = entry.key, entry.value, entry.deadline
        if isinstance(value, bytes | bytearray):
            words = [b"SET", key, bytes(value)]
            return encoded(words if deadline is None else [*words, b"PXAT", b"%d" % deadline])
        payload = serialized(value, self._engine.config.rdbcompression, self._engine.config.edition.rdb_version)
        return encoded([b"RESTORE", key, b"%d" % (deadline or 0), payload, b"ABSTTL"])

    def end(self) -> bytes:
        """Nothing."""
        return b""


def base_of_log(engine: HostOfFiles) -> Form:
    """The form that the base of an append-only file has."""
    config = engine.config
    if not config.aof_use_rdb_preamble:
        return Commands(engine)
    return Dump(engine, base_of_log=True, tells_moment=config.aof_timestamp_enabled and bool(config.backup_dir))


def _libraries(engine: HostOfFiles) -> Iterator[bytes]:
    return (library.code for library in engine.scripting.libraries.libraries.values())
