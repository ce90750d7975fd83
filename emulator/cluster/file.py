"""The file of nodes (``cluster-config-file``), which no two nodes may share."""

from __future__ import annotations

from typing import BinaryIO, Final

from emulator.persistence.folder import Folder

_TEMPORARY: Final = ".tmp"


class FileInUse(Exception):
    """Another process has the file."""


class NodesFile:
    """A file of this name in a folder; from `open` on it is locked."""

    def __init__(self, folder: Folder, name: str) -> None:
        self._folder = folder
        self._name = name
        self._lock: BinaryIO | None = None

    def open(self) -> bytes:
        """Lock the file and return its text, empty where there is none.  Raises `FileInUse`, or OSError."""
        self._take_lock(self._name)
        with self._folder.read(self._name) as file:
            return file.read()

    def save(self, text: bytes) -> None:
        """Put a text in the place of the old one: whatever happens, one of them is there.  Raises OSError."""
        temporary = self._name + _TEMPORARY
        written = self._folder.create(temporary)
        try:
            written.write(text)
            written.sync()
        finally:
            written.close()
        self._take_lock(temporary)  # the lock goes with the file, not with its name
        self._folder.rename(temporary, self._name)

    def close(self) -> None:
        """Let others have the file."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _take_lock(self, name: str) -> None:
        try:
            lock = self._folder.lock(name)
        except BlockingIOError:
            raise FileInUse(self._name) from None
        self.close()
        self._lock = lock
