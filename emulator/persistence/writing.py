"""Writing an image to a file, in chunks and slices."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from emulator.persistence.folder import Written
from emulator.persistence.image import Image
from emulator.rdb import file
from emulator.rdb.crc64 import crc64
from emulator.wall import internal_error

if TYPE_CHECKING:
    from emulator.config.directives import Config
    from emulator.persistence.work import Job

_CHUNK: Final = 64 << 10


def written(config: Config, image: Image, target: Written) -> Job:
    """Write an image, with a checksum where its form has one, and wait after each key as ``rdb-key-save-delay`` has it.

    Raises OSError, also for what has no place in memory: a file that is not whole has failed, whatever the reason.
    """
    try:
        yield from _written(config, image, target)
    except OSError:
        raise
    except Exception as error:
        internal_error(error, "saving")
        raise OSError(errno.EIO, f"internal error: {type(error).__name__}") from None


def _written(config: Config, image: Image, target: Written) -> Job:
    checks = image.form.checks and config.rdbchecksum
    checksum = saved = 0
    for chunk in _chunks(image.pieces()):
        if chunk is not None:
            checksum = crc64(chunk, checksum) if checks else 0
            yield from _put(target, chunk)
        delay = config.rdb_key_save_delay
        yield delay * (image.saved - saved) if delay > 0 else None
        saved = image.saved
    if image.form.checks:
        yield from _put(target, file.end(checksum))
    yield target.sync


def _put(target: Written, data: bytes) -> Job:
    if target.may_wait:
        yield partial(target.write, data)
    else:
        target.write(data)


def _chunks(pieces: Iterator[bytes]) -> Iterator[bytes | None]:
    """The pieces put together, and None for each that is kept for the next chunk."""
    gathered: list[bytes] = []
    size = 0
    for piece in pieces:
        gathered.append(piece)
        size += len(piece)
        if size >= _CHUNK:
            yield b"".join(gathered)
            gathered, size = [], 0
        else:
            yield None
    yield b"".join(gathered)
