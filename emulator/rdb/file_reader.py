"""RDB files, read: those of Redis up to 8.6 and of Valkey, of whatever size, with a window of them in memory.

What is wrong with a file is told by `BadFile` in the real server's words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NoReturn

from emulator.protocol.errors import as_text
from emulator.rdb import file, kinds, module
from emulator.rdb.crc64 import crc64
from emulator.rdb.errors import BadData, BadFile
from emulator.rdb.load import EncodingLimits, NoElements, load
from emulator.rdb.payload import RDB_VERSION, Reader

NEWEST_VERSION: Final = 13
NEWEST_OF_VALKEY: Final = 80
_WINDOW: Final = 128 << 10
_FIRST_WITH_CHECKSUM: Final = 5
_OLDEST_OF_VALKEY: Final = 80
_FOREIGN: Final = {(True, 22): kinds.HASH_OF_VALKEY, (False, 26): kinds.STREAM_4}
"""Kinds that a file of Valkey (or not) has for something else than files of our version."""

_SHORT: Final = "Short read or OOM loading DB. Unrecoverable error, aborting now."
_INTERNAL: Final = "Internal error in RDB reading offset {} -> {}"
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class _EndOfFile(BadData):
    """There is no more of the file."""


class FileReader(Reader):
    """Reads a file by `read`, which returns at most so many bytes, none at the end; keeps their checksum if it `checks`.

    ``newest`` is the version of Redis's format up to which files are read; beyond our own, those of Valkey are as well.
    ``offset`` tells how many bytes have been read so far.
    """

    def __init__(self, read: Callable[[int], bytes], checks: bool = True, newest: int = RDB_VERSION) -> None:
        super().__init__(b"")
        self._read = read
        self.newest = newest
        self.checks = checks
        self._before = 0
        self._sum = 0
        self.version = 0
        self.of_valkey = False

    @property
    def offset(self) -> int:
        return self._before + self._place

    def take(self, count: int) -> bytes:
        if self._place + count > len(self._data):
            self._move_window(count)
        return super().take(count)

    def _move_window(self, count: int) -> None:
        """Let the window begin here and have at least so many bytes."""
        unread = self._data[self._place :]
        self._sum = self.checksum()
        self._before += self._place
        self._place = 0
        pieces, missing = [unread], count - len(unread)
        while missing > 0:
            piece = self._read(_WINDOW)
            if not piece:
                self._data = b"".join(pieces)
                raise _EndOfFile
            pieces.append(piece)
            missing -= len(piece)
        self._data = b"".join(pieces)

    def checksum(self) -> int:
        """That of what has been read so far."""
        return crc64(self._data[: self._place], self._sum) if self.checks else 0

    def unread(self) -> bytes:
        """What has come of the file and was not read: where something else follows its end, that begins with it."""
        return self._data[self._place :]


def records(reader: FileReader, limits: EncodingLimits) -> Iterator[file.Record]:
    """Everything in a file, one after another; raises `BadFile`."""
    try:
        _read_header(reader)
        yield from _records(reader, limits)
    except _EndOfFile:
        raise BadFile(_SHORT, _INTERNAL.format(reader.offset, "Unexpected EOF reading RDB file")) from None
    except BadData as error:
        reason = _INTERNAL.format(reader.offset, str(error) or "Bad data format")
        raise BadFile(reason, "Terminating server after rdb file reading failure.") from None


def _read_header(reader: FileReader) -> None:
    head = reader.take(file.HEADER_SIZE)
    reader.of_valkey = reader.newest > RDB_VERSION and head.startswith(file.VALKEY_MAGIC)
    magic = file.VALKEY_MAGIC if reader.of_valkey else file.MAGIC
    if not head.startswith(magic):
        raise BadFile("Wrong signature trying to load DB from file")
    digits = head[len(magic) :]
    reader.version = int(digits) if digits.isdigit() else 0
    oldest, most = (_OLDEST_OF_VALKEY, NEWEST_OF_VALKEY) if reader.of_valkey else (1, reader.newest)
    if not oldest <= reader.version <= most:
        raise BadFile(f"Can't handle RDB format version {reader.version}")


def _records(reader: FileReader, limits: EncodingLimits) -> Iterator[file.Record]:
    deadline: int | None = None
    idle: int | None = None
    frequency: int | None = None
    while True:
        kind = reader.byte()
        if kind < file.SLOT:
            kind = _FOREIGN.get((reader.of_valkey, kind), kind) if reader.version > RDB_VERSION else kind
            yield _key(reader, limits, kind, deadline, idle, frequency)
            deadline = idle = frequency = None
        elif kind == file.DEADLINE:
            deadline = int.from_bytes(reader.take(8), "little", signed=True)
        elif kind == file.DEADLINE_IN_SECONDS:
            deadline = 1000 * int.from_bytes(reader.take(4), "little", signed=True)
        elif kind == file.IDLE:
            idle = reader.length()
        elif kind == file.FREQUENCY:
            frequency = reader.byte()
        elif kind == file.END:
            _check_end(reader)
            return
        else:
            yield _READERS[kind](reader)


def _key(
    reader: FileReader, limits: EncodingLimits, kind: int, deadline: int | None, idle: int | None, frequency: int | None
) -> file.Key:
    name = reader.string()
    try:
        value = load(kind, reader, limits)
    except NoElements:
        value = None
    except _EndOfFile:
        raise
    except BadData as error:
        raise BadData(str(error) or f"The value of '{as_text(name)}' is damaged") from None
    return file.Key(name, kind, value, deadline, idle, frequency)


def _aux(reader: FileReader) -> file.Aux:
    return file.Aux(reader.string(), reader.string())


def _library(reader: FileReader) -> file.Library:
    return file.Library(reader.string())


def _database(reader: FileReader) -> file.DatabaseBegins:
    return file.DatabaseBegins(reader.length())


def _sizes(reader: FileReader) -> file.Sizes:
    return file.Sizes(reader.length(), reader.length())


def _slot(reader: FileReader) -> file.Slot:
    return file.Slot(reader.length(), reader.length(), reader.length())


def _draft_library(reader: FileReader) -> NoReturn:
    raise BadData("Pre-release function format not supported.")


def _module_data(reader: FileReader) -> file.ModuleData:
    """What a module keeps beside keys: a server without the module refuses it, whoever reads any file goes past it."""
    name = _module_name(reader.length())
    if reader.newest > RDB_VERSION:
        module.skip(reader)
        return file.ModuleData(name)
    raise BadFile(f"The RDB file contains AUX module data I can't load: no matching module '{name}'")


def _module_name(id: int) -> str:
    """The name in a module's id: nine letters of six bits each, above ten bits of a version."""
    return "".join(_LETTERS[id >> shift & 63] for shift in range(58, 9, -6))


_READERS: Final[dict[int, Callable[[FileReader], file.Record]]] = {
    file.AUX: _aux,
    file.LIBRARY: _library,
    file.DRAFT_LIBRARY: _draft_library,
    file.MODULE_DATA: _module_data,
    file.DATABASE: _database,
    file.SIZES: _sizes,
    file.SLOT: _slot,
}


def _check_end(reader: FileReader) -> None:
    if reader.version < _FIRST_WITH_CHECKSUM:
        return
    found = reader.checksum()
    told = reader.integer(file.CHECKSUM_SIZE)
    if told and reader.checks and told != found:
        raise BadFile(
            f"Wrong RDB checksum expected: ({found:x}) but got ({told:x}). Aborting now.",
            _INTERNAL.format(reader.offset, "RDB CRC error"),
        )
