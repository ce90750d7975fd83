"""Moments: when a file was begun, and when what stands in an append-only file has happened.

Redis knows seconds: ``ctime`` of an RDB file, and ``#TS:`` in the log.  Where there are backups, to come back to any moment,
milliseconds stand beside them, in places that Redis skips.
"""

from __future__ import annotations

from typing import BinaryIO, Final

from emulator.config.directives import Config
from emulator.persistence.folder import Folder
from emulator.protocol.numbers import parse_integer
from emulator.rdb.errors import BadFile

AUX: Final = b"emulator-moment"
"""The field of an RDB file that tells its moment in milliseconds."""
_SECOND: Final = b"#TS:"
_MILLISECOND: Final = b"#MS:"
_LONGEST_LINE: Final = 64


class Annotations:
    """What was told last."""

    def __init__(self) -> None:
        self._moment = 0

    def begin(self) -> None:
        """A new file begins, in which nothing was told yet."""
        self._moment = 0

    def before(self, now: int, exactly: bool) -> bytes:
        """What stands before something that happens now; with `exactly` milliseconds are told too."""
        before, self._moment = self._moment, now
        if before == now:
            return b""
        second = b"" if before // 1000 == now // 1000 else b"%b%d\r\n" % (_SECOND, now // 1000)
        return second + (b"%b%d\r\n" % (_MILLISECOND, now) if exactly else b"")


def told_by(line: bytes) -> int | None:
    """The first moment that a line of a log may mean, None for one that tells none."""
    if line.startswith(_SECOND):
        second = parse_integer(line[len(_SECOND) :].strip())
        return None if second is None else second * 1000
    return parse_integer(line[len(_MILLISECOND) :].strip()) if line.startswith(_MILLISECOND) else None


def moment_of(folder: Folder, path: str) -> int | None:
    """When the data set of an RDB file, or of the base of a log, was as it is; None where the file does not tell.

    Raises OSError.
    """
    with folder.read(path) as source:
        line = source.readline(_LONGEST_LINE)
        if line.startswith(b"#"):
            return max(told_by(line) or 0, told_by(source.readline(_LONGEST_LINE)) or 0) or None
        source.seek(0)
        return _of_dump(source)


def _of_dump(source: BinaryIO) -> int | None:
    from emulator.rdb import file  # only where there are files
    from emulator.rdb.file_reader import NEWEST_VERSION, FileReader, records

    reader = FileReader(source.read, newest=NEWEST_VERSION)
    seconds = None
    try:
        for record in records(reader, Config()):
            if not isinstance(record, file.Aux):
                break
            if record.name == AUX:
                return parse_integer(record.value)
            if record.name == b"ctime":
                seconds = parse_integer(record.value)
    except BadFile:
        return None
    return None if seconds is None else seconds * 1000
