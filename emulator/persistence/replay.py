"""Loading the append-only file: its base, and then commands, which are played one after another.

Meanwhile the engine's time stands at its beginning, so that nothing that is loaded expires before what comes after it in
the log is known.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, Final

from emulator.clients.session import Session
from emulator.keyspace.frequency import bits
from emulator.keyspace.parted import dicts_of
from emulator.persistence.folder import Folder
from emulator.persistence.host import StreamPosition
from emulator.persistence.loading import Loading
from emulator.persistence.manifest import Manifest, Part
from emulator.persistence.moments import told_by
from emulator.protocol.errors import CommandError, as_text
from emulator.protocol.numbers import parse_integer
from emulator.rdb import file
from emulator.rdb.errors import BadFile
from emulator.rdb.file_reader import FileReader
from emulator.stats.log import NOTICE
from emulator.table.lookup import find

if TYPE_CHECKING:
    from emulator.core.engine import Engine
    from emulator.persistence.work import Job

logger = logging.getLogger("emulator")

_BEGINNING: Final = 0
"""The moment, in milliseconds, at which all is loaded."""
_FIRST_MINUTE: Final = 0xFF
"""What is kept of how often a key was used by then is no more than this."""
_PORTION: Final = 64
_LONGEST_HEAD: Final = 128


class _CutOff(Exception):
    """A file ends in the midst of a command."""


class _BadFormat(Exception):
    """Something that is no command."""


class _Reached(Exception):
    """What follows has happened after the moment that is asked for."""


class Log:
    """Where the commands come from; like a master, it is obeyed."""

    kind = b"master"
    flag = b"M"

    def gone(self) -> None:
        """All is loaded."""


class Replay:
    """An append-only file that an engine loads; the figures are those of `Loading`.

    Its files are in a `place` of a folder.  With `until`, in milliseconds, only what has happened by then is loaded, and
    the files stay as they are.
    """

    def __init__(
        self, engine: Engine, manifest: Manifest, folder: Folder, place: str, until: int | None = None
    ) -> None:
        self._engine = engine
        self._manifest = manifest
        self._folder = folder
        self._place = place
        self._until = until
        self._has_moments = False
        self._last = 0
        self._session = Session(engine)
        self._session.peer = Log()
        self._before = 0
        self._base: Loading | None = None
        self.began = engine.clock.now // 1000
        self.sizes = [self._size(part) for part in manifest.parts]
        self.total = sum(self.sizes)

    def _size(self, part: Part) -> int:
        try:
            return self._folder.size(os.path.join(self._place, part.name))
        except OSError as error:
            raise BadFile(f"Unable to obtain the AOF file {part.name} length. stat: {error.strerror}") from None

    @property
    def offset(self) -> int:
        """Bytes read so far."""
        return self._before

    @property
    def keys(self) -> int:
        """Keys of the base."""
        return 0 if self._base is None else self._base.keys

    @property
    def expired(self) -> int:
        """Keys of the base that had expired."""
        return 0 if self._base is None else self._base.expired

    @property
    def position(self) -> StreamPosition | None:
        """Where the stream to replicas was when the base was written: what followed is not told."""
        return None

    @property
    def used_memory(self) -> int:
        """What the data of the base took where it was written."""
        return 0 if self._base is None else self._base.used_memory

    def job(self) -> Job:
        """Load everything; raises `BadFile`."""
        parts = self._manifest.parts
        with suppress(_Reached):
            for part in parts:
                what = "base" if part is self._manifest.base else "incr"
                yield from self._load(part, part is parts[-1])
                logger.log(NOTICE, "DB loaded from %s file %s", what, part.name)
            self._check_end()
        yield from self._set_use()
        self._session.forget()

    def _load(self, part: Part, is_last: bool) -> Job:
        path = os.path.join(self._place, part.name)
        try:
            source = self._folder.read(path)
        except OSError as error:
            raise BadFile(
                f"Fatal error: can't open the append log file {part.name} for reading: {error.strerror}"
            ) from None
        with source:
            place = 0
            if source.read(file.HEADER_SIZE).startswith((file.MAGIC, file.VALKEY_MAGIC)):
                logger.log(NOTICE, "Reading RDB base file on AOF loading...")
                source.seek(0)
                reader = FileReader(
                    source.read, self._engine.persistence.checks_files, self._engine.config.edition.rdb_version
                )
                self._base = Loading(self._engine, reader, source, self._folder.size(path), as_log=True)
                yield from self._base.job()
                place = reader.offset
            source.seek(place)
            yield from self._play(part, source, place, is_last)

    def _play(self, part: Part, source: BinaryIO, place: int, is_last: bool) -> Job:
        """Play the commands of a file from a place on."""
        before = self._before
        queued: list[Sequence[bytes]] | None = None
        sound = place
        goes_by_moments = self._until is not None and (part is not self._manifest.base or place > 0)
        reading = _commands(source, place, self.total, self._note if goes_by_moments else _ignore)
        try:
            for number, (words, behind) in enumerate(reading):
                if goes_by_moments and not self._has_moments:
                    raise BadFile("the append-only file has no moments: set aof-timestamp-enabled yes beforehand")
                name = words[0].lower()
                if queued is None and name == b"multi":
                    queued = []
                elif queued is None:
                    self._run(part, [words])
                elif name == b"exec":
                    self._run(part, queued)
                    queued = None
                else:
                    queued.append(words)
                if queued is None:
                    sound = behind
                if not number % _PORTION:
                    self._before = before + behind
                    yield None
            if queued is not None:
                logger.warning("Revert incomplete MULTI/EXEC transaction in AOF file %s", part.name)
                raise _CutOff
        except _CutOff:
            self._cut(part, sound, is_last)
        except _BadFormat:
            raise BadFile(
                f"Bad file format reading the append only file {part.name}: make a backup of your AOF file, then use "
                "./redis-check-aof --fix <filename.manifest>"
            ) from None
        self._before = before + sound

    def _check_end(self) -> None:
        """A log that was switched off does not tell what came afterwards."""
        ends = self._manifest.increments[-1].end if self._manifest.increments else None
        if self._until is not None and ends is not None and self._last < self._until:
            raise BadFile(
                f"the append-only file was switched off at {self._last}: it does not tell what came afterwards"
            )

    def _note(self, line: bytes) -> None:
        """A line that is no command."""
        moment = told_by(line)
        if moment is not None:
            self._has_moments = True
            self._last = moment
            if self._until is not None and moment > self._until:
                raise _Reached

    def _run(self, part: Part, commands: Sequence[Sequence[bytes]]) -> None:
        """Play commands at the beginning of time."""
        engine, session = self._engine, self._session
        now, engine.clock.now = engine.clock.now, _BEGINNING
        try:
            for words in commands:
                try:
                    command = find(engine.commands, words)
                except CommandError:
                    name = as_text(words[0])
                    raise BadFile(f"Unknown command '{name}' reading the append only file {part.name}") from None
                if not command.least <= len(words) <= command.most:
                    raise _BadFormat
                reply = engine.dispatch.nested(session, command, words)
                if isinstance(reply, CommandError):
                    logger.warning(
                        "== CRITICAL == This server is sending an error to its AOF-loading-client: '-%s' after processing "
                        "the command '%s'",
                        reply,
                        command.full_name.decode(),
                    )
        finally:
            engine.clock.now = now

    def _cut(self, part: Part, size: int, is_last: bool) -> None:
        """The end of a file is missing: go on without it, where that is allowed."""
        if not self._engine.config.aof_load_truncated or self._until is not None:
            raise BadFile(
                f"Unexpected end of file reading the append only file {part.name}. You can: 1) Make a backup of your AOF "
                "file, then use ./redis-check-aof --fix <filename.manifest>. 2) Alternatively you can set the "
                "'aof-load-truncated' configuration option to yes and restart the server."
            )
        logger.warning("!!! Warning: short read while loading the AOF file %s!!!", part.name)
        if not is_last:
            raise BadFile("Fatal error: the truncated file is not the last file")
        logger.warning("!!! Truncating the AOF %s at offset %d !!!", part.name, size)
        try:
            self._folder.truncate(os.path.join(self._place, part.name), size)
        except OSError as error:
            raise BadFile(f"Error truncating the AOF file {part.name}: {error.strerror}") from None
        logger.warning("AOF %s loaded anyway because aof-load-truncated is enabled", part.name)

    def _set_use(self) -> Job:
        """Keys count as used now."""
        for db in self._engine.databases:
            parts = (list(part.values()) for part in dicts_of(db.entries))
            for number, entry in enumerate(chain.from_iterable(parts)):
                if db.frequency is None:
                    if entry.access <= _BEGINNING:
                        entry.access = self._engine.clock.now
                elif (counter := bits(entry.access)) <= _FIRST_MINUTE:
                    entry.access = db.frequency.starting_at(counter)
                if not number % _PORTION:
                    yield None


def _ignore(line: bytes) -> None:
    pass


def _commands(
    source: BinaryIO, place: int, most: int, note: Callable[[bytes], None]
) -> Iterator[tuple[list[bytes], int]]:
    """Each command, of `most` bytes at most, with the place behind it; raises `_CutOff` and `_BadFormat`.

    Lines between commands go to `note`.
    """
    while head := source.readline(_LONGEST_HEAD):
        place += len(head)
        if head[:1] == b"#":
            note(head)
            continue
        words = []
        for _ in range(_count(head, b"*", 1)):
            size_line = source.readline(_LONGEST_HEAD)
            size = _count(size_line, b"$", 0)
            word = source.read(min(size, most) + 2)
            if len(word) < size + 2:
                raise _CutOff
            words.append(word[:-2])
            place += len(size_line) + size + 2
        yield words, place


def _count(line: bytes, mark: bytes, least: int) -> int:
    """The number in the line before an array or a word."""
    if line and line[:1] != mark:
        raise _BadFormat
    if not line.endswith(b"\n"):
        raise _CutOff if len(line) < _LONGEST_HEAD else _BadFormat
    number = parse_integer(line[1:].rstrip(b"\r\n"))
    if number is None or number < least:
        raise _BadFormat
    return number
