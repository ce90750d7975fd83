"""The folder on the disk in which a server keeps its files: ``dir``, wherever that is at the moment."""

from __future__ import annotations

import errno
import os
from contextlib import closing, suppress
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO, Final

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from emulator.config.directives import Config
    from emulator.persistence.folder import Written


_CHUNK: Final = 1 << 20


class Disk:
    """A `Folder` of the real kind."""

    lasting = True

    def __init__(self, config: Config) -> None:
        self._config = config

    def _path(self, name: str) -> str:
        """The path of a file; as in Redis an empty name (``dbfilename ''``) is that of a file that cannot be there."""
        return os.path.join(self._config.dir, name) if name else ""

    def read(self, name: str) -> BinaryIO:
        """Open a file for reading."""
        return open(self._path(name), "rb")

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return os.path.getsize(self._path(name))

    def lock(self, name: str) -> BinaryIO:
        """Keep other processes from locking a file; a system without such locks has none."""
        file = open(self._path(name), "ab")  # noqa: SIM115 (it is locked as long as it is open)
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                raise
        return file

    def create(self, name: str) -> Written:
        """Open a new file for writing."""
        return OnDisk(self._path(name), os.O_TRUNC)

    def append(self, name: str) -> Written:
        """Open a file for writing at its end."""
        return OnDisk(self._path(name), os.O_APPEND)

    def truncate(self, name: str, size: int) -> None:
        """Cut a file off."""
        os.truncate(self._path(name), size)

    def make(self, name: str) -> None:
        """Make a folder within."""
        os.makedirs(self._path(name), exist_ok=True)

    def rename(self, name: str, new: str) -> None:
        """Give a file another name, for good."""
        os.replace(self._path(name), self._path(new))
        self._sync_folder(os.path.dirname(self._path(new)))

    def remove(self, name: str) -> None:
        """Delete a file."""
        os.unlink(self._path(name))

    def move(self, name: str, new: str) -> None:
        """Rename a file, perhaps to another disk."""
        try:
            self.rename(name, new)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            with closing(self.create(f"{new}.temp")) as target, self.read(name) as source:
                while chunk := source.read(_CHUNK):
                    target.write(chunk)
                target.sync()
            self.rename(f"{new}.temp", new)
            self.remove(name)

    def names(self, name: str) -> list[str]:
        """What is in a folder within."""
        try:
            return os.listdir(self._path(name))
        except FileNotFoundError:
            return []

    def remove_folder(self, name: str) -> None:
        """Delete a folder within, with its files."""
        for file in self.names(name):
            self.remove(os.path.join(name, file))
        os.rmdir(self._path(name))

    @staticmethod
    def _sync_folder(path: str) -> None:
        """Let a change of names in a folder outlast the machine; where the system cannot do that for folders, it need not."""
        with suppress(OSError):
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


class OnDisk:
    """A file that is written without a buffer of ours."""

    may_wait = True

    def __init__(self, path: str, mode: int) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | mode | getattr(os, "O_BINARY", 0), 0o644)
        self._syncing, self._writing = Lock(), Lock()  # a thread may still wait for the disk when it is closed
        self._closed = False

    def write(self, data: bytes) -> None:
        """Add data, all of it; OSError is raised where there is no room, and a part of it may be there."""
        with self._writing:
            if self._closed:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            view = memoryview(data)
            while view:
                view = view[os.write(self._handle, view) :]

    def sync(self) -> None:
        """Wait until it is on the disk."""
        with self._syncing:
            if not self._closed:
                os.fsync(self._handle)

    def close(self) -> None:
        """Let go of it."""
        with self._syncing, self._writing:
            self._closed = True
            os.close(self._handle)
