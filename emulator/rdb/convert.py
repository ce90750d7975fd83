"""RDB files for another version: what a file holds, written as another server would write it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from emulator.config.directives import Config
from emulator.config.edition import Edition
from emulator.datatypes.hash import Hash
from emulator.datatypes.stream import Stream
from emulator.datatypes.types import TYPES, type_name
from emulator.protocol.errors import as_text
from emulator.rdb import file, kinds
from emulator.rdb.crc64 import crc64
from emulator.rdb.file_reader import FileReader, records
from emulator.rdb.payload import string
from emulator.rdb.save import save
from emulator.rdb.slices import sliced

_VERSIONS: Final = (b"redis-ver", b"valkey-ver")


class Unfit(Exception):
    """A key whose value the other version cannot hold; the text names it."""


def hindrance(value: Any, edition: Edition) -> str:
    """Why an edition cannot hold a value, "" where it can."""
    payload = None if isinstance(value, bytes | bytearray) else TYPES[value.__class__].payload
    if payload is not None and not edition.has(payload.module):
        return f"there is no type {as_text(type_name(value))}"
    version = edition.rdb_version
    if isinstance(value, Hash) and value.next_deadline is not None and version < kinds.WITH_DEADLINES:
        return "fields of hashes do not expire"
    if isinstance(value, Stream) and value.idempotence is not None and value.idempotence.messages:
        return "" if version == kinds.WITH_MESSAGES else "streams know no messages of producers"
    return ""


class Conversion:
    """The bytes of a file for an edition.

    Raises `Unfit` for a key that it cannot hold or, if told to `drop` such keys, counts them by reason in ``dropped``.
    """

    def __init__(self, reader: FileReader, edition: Edition, drop: bool) -> None:
        self._reader = reader
        self._edition = edition
        self._drop = drop
        self._db = 0
        self.keys = 0
        self.dropped = Counter[str]()

    def pieces(self) -> Iterator[bytes]:
        """The bytes, a record at a time; raises `BadFile` and `Unfit`."""
        head = file.header(self._edition.rdb_version)
        checksum = crc64(head)
        yield head
        for record in records(self._reader, Config()):
            piece = self._piece(record)
            if piece:
                checksum = crc64(piece, checksum)
                yield piece
        end = bytes((file.END,))
        yield end + file.end(crc64(end, checksum))

    def _piece(self, record: file.Record) -> bytes:
        if isinstance(record, file.Key):
            return self._key(record)
        if isinstance(record, file.Aux):
            if record.name in _VERSIONS:
                return file.aux(file.version_name(self._edition), self._edition.version.encode(), string)
            return file.aux(record.name, record.value, string)
        if isinstance(record, file.Library):
            return file.library(record.code, string)
        if isinstance(record, file.DatabaseBegins):
            self._db = record.number
            return file.select(record.number)
        return file.sizes(record.keys, record.expiring) if isinstance(record, file.Sizes) else b""

    def _key(self, record: file.Key) -> bytes:
        value = record.value
        if value is None:
            return b""
        reason = hindrance(value, self._edition)
        if reason:
            if not self._drop:
                raise Unfit(f"key '{as_text(record.key)}' of database {self._db}: {reason} in {self._edition.compat}")
            self.dropped[reason] += 1
            return b""
        self.keys += 1
        kind, body = _saved(value, self._edition.rdb_version)
        return file.key(record.key, kind, body, string, record.deadline, record.idle, record.frequency)


def _saved(value: Any, version: int) -> tuple[int, bytes]:
    """A value as a file has it, with what payloads leave out."""
    slices = (
        None
        if isinstance(value, bytes | bytearray) or TYPES[value.__class__].payload is None
        else sliced(value, 0, string, version)
    )
    return save(value, string, version) if slices is None else (slices.kind, b"".join(slices.pieces()))
