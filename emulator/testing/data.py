"""RDB files for programs and tests: the data set of an engine is written to one, or becomes what is in one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from emulator.persistence.disk import OnDisk
from emulator.rdb.errors import BadFile

if TYPE_CHECKING:
    from emulator.core.engine import Engine

Path = str | os.PathLike[str]


def save(engine: Engine, path: Path) -> None:
    """Write the data set to an RDB file of Redis 8.2; one of that name is replaced when the new one is whole.

    Raises OSError.
    """
    temporary = f"{os.fspath(path)}.{os.getpid()}.temp"
    try:
        target = OnDisk(temporary, os.O_TRUNC)
        try:
            engine.persistence.save_to(target)
        finally:
            target.close()
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def load(engine: Engine, path: Path) -> None:
    """Let the data set become that of an RDB file: one of Redis up to 8.6, or of Valkey up to 9.1.

    What has expired is left out.  Raises OSError, and ValueError for a file that is damaged; then the data are as they were.
    """
    with open(path, "rb") as source:
        try:
            engine.persistence.take_over(source, os.path.getsize(path))
        except BadFile as error:
            raise ValueError(f"{os.fspath(path)}: {error.args[0]}") from None
