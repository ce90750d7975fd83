"""An RDB file into a running server, by RESTORE: ``python -m emulator.rdb FILE --load redis://host:port``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from emulator.cli.connection import ServerConnection
from emulator.cli.options import options_of_url
from emulator.config.directives import Config
from emulator.config.edition import EDITIONS, Edition
from emulator.protocol.client_side import encoded
from emulator.protocol.errors import CommandError, as_text
from emulator.rdb import file
from emulator.rdb.convert import hindrance
from emulator.rdb.file_reader import FileReader, records
from emulator.rdb.payload import sealed, string
from emulator.rdb.save import save

_BATCH: Final = 256 << 10
"""Bytes that are sent before the answers to those before are read."""


class Refused(Exception):
    """The server cannot be used; the text says why."""


class Restoration:
    """Loads what a file holds; ``taken`` counts keys and libraries, ``errors`` what was not taken, by reason.

    ``first`` names one for each reason.
    """

    def __init__(self, reader: FileReader, url: str, replace: bool) -> None:
        """Connect; raises `Unreachable` and `Refused`."""
        options = options_of_url(url)
        self._reader = reader
        self._replace = [b"REPLACE"] if replace else []
        self._one_database = options.db != 0
        self._connection = ServerConnection(options)
        self._connection.prepare(options)
        if not self._connection.ready:
            raise Refused("the server refuses the connection")
        self._edition = self._asked_edition()
        self._awaited: list[tuple[str, str]] = []
        self.taken, self.errors = Counter[str](), Counter[str]()
        self.first: dict[str, str] = {}

    def _asked_edition(self) -> Edition:
        told = self._connection.ask([b"INFO", b"server"])
        if not isinstance(told, bytes):
            raise Refused(f"the server does not tell its version: {told}")
        facts = dict(line.partition(":")[::2] for line in told.decode().splitlines())
        name = "valkey" if "valkey_version" in facts else "redis"
        version = _numbers(facts.get("valkey_version") or facts.get("redis_version", "0"))
        older = [
            edition for edition in EDITIONS.values() if edition.name == name and _numbers(edition.version) <= version
        ]
        if name == "valkey" and not older:  # it understands what the Redis did that it comes from
            return EDITIONS["7.2"]
        if not older:
            raise Refused("the server is older than Redis 7.2, whose RESTORE does not know these forms")
        return older[-1]

    def steps(self) -> Iterator[None]:
        """Load, and yield after each record; raises `BadFile` and `Lost`."""
        gathered: list[bytes] = []
        size, before = 0, 0
        for record in records(self._reader, Config()):
            data = self._command(record)
            gathered.append(data)
            size += len(data)
            if size >= _BATCH:
                before = self._send(gathered, before)
                gathered, size = [], 0
            yield
        self._read(self._send(gathered, before))
        self._connection.close()

    def _send(self, gathered: list[bytes], before: int) -> int:
        """Send commands and read the answers to the `before` ones; how many answers are still to come."""
        self._connection.send(b"".join(gathered))
        self._read(before)
        return len(self._awaited)

    def _read(self, count: int) -> None:
        for what, name in self._awaited[:count]:
            answer = self._connection.reply()
            if isinstance(answer, CommandError):
                self._fail(str(answer), f"{what} '{name}'")
            else:
                self.taken[what] += 1
        del self._awaited[:count]

    def _fail(self, reason: str, what: str) -> None:
        self.errors[reason] += 1
        self.first.setdefault(reason, what)

    def _command(self, record: file.Record) -> bytes:
        if isinstance(record, file.Key):
            return self._key(record)
        if isinstance(record, file.Library):
            name = as_text(record.code).partition("\n")[0]
            return self._awaiting("library", name, [b"FUNCTION", b"LOAD", *self._replace, record.code])
        if isinstance(record, file.DatabaseBegins) and not self._one_database:
            return self._awaiting("database", str(record.number), [b"SELECT", b"%d" % record.number])
        return b""

    def _key(self, record: file.Key) -> bytes:
        if record.value is None:
            return b""
        name = as_text(record.key)
        reason = hindrance(record.value, self._edition)
        if reason:
            self._fail(f"{reason} in {self._edition.compat}", f"key '{name}'")
            return b""
        version = self._edition.rdb_version
        kind, body = save(record.value, string, version)
        use = [] if record.idle is None else [b"IDLETIME", b"%d" % record.idle]
        use += [] if record.frequency is None else [b"FREQ", b"%d" % record.frequency]
        payload = sealed(bytes((kind,)), body, version=version)
        words = [b"RESTORE", record.key, b"%d" % (record.deadline or 0), payload, b"ABSTTL"]
        return self._awaiting("key", name, [*words, *self._replace, *use])

    def _awaiting(self, what: str, name: str, words: list[bytes]) -> bytes:
        self._awaited.append((what, name))
        return encoded(words)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
