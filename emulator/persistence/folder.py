"""The seam to the disk: what an engine needs of a folder.  At first it has one in memory, its owner may give it another.

Names are relative to ``dir``.  Everything raises OSError where the system does.
"""

from __future__ import annotations

import errno
import io
import itertools
import os
from typing import BinaryIO, Final, Protocol

_NUMBERS: Final = itertools.count(1)


def temporary(beginning: str, end: str) -> str:
    """A name that no other file of this process has.

    What was given up may still be renamed by a thread when the next one is written, and must not take that one along.
    """
    return f"{beginning}-{os.getpid()}-{next(_NUMBERS)}.{end}"


class Written(Protocol):
    """A file that is being written; ``may_wait`` where writing may take long, and be done in any thread."""

    may_wait: bool

    def write(self, data: bytes) -> None:
        """Add data at the end, all of it."""

    def sync(self) -> None:
        """Wait until everything written is on the disk.  It may take long, and be called from any thread."""

    def close(self) -> None:
        """Let go of the file."""


class Folder(Protocol):
    """A folder; ``lasting`` where its files are still there when the process has ended."""

    lasting: bool

    def read(self, name: str) -> BinaryIO:
        """Open a file for reading."""

    def size(self, name: str) -> int:
        """Bytes of a file."""

    def lock(self, name: str) -> BinaryIO:
        """Keep others from locking a file, which is made where there is none, until what is returned is closed.

        Raises BlockingIOError where somebody else has locked it.
        """

    def create(self, name: str) -> Written:
        """Open a new file for writing; one of that name is gone."""

    def append(self, name: str) -> Written:
        """Open a file for writing at its end; it may be a new one."""

    def truncate(self, name: str, size: int) -> None:
        """Cut a file off."""

    def make(self, name: str) -> None:
        """Make a folder within, unless there is one."""

    def rename(self, name: str, new: str) -> None:
        """Give a file another name, for good: it has it also after the machine has failed."""

    def remove(self, name: str) -> None:
        """Delete a file."""

    def move(self, name: str, new: str) -> None:
        """Rename a file, perhaps to another disk, which takes long; from any thread."""

    def names(self, name: str) -> list[str]:
        """What is in a folder within, files and folders; nothing where there is no such folder."""

    def remove_folder(self, name: str) -> None:
        """Delete a folder within, with its files."""


class Memory:
    """A folder that ends with the process."""

    lasting = False

    def __init__(self) -> None:
        self.files: dict[str, bytearray] = {}

    def _file(self, name: str) -> bytearray:
        if name not in self.files:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return self.files[name]

    def read(self, name: str) -> BinaryIO:
        return io.BytesIO(self._file(name))

    def size(self, name: str) -> int:
        return len(self._file(name))

    def lock(self, name: str) -> BinaryIO:
        return io.BytesIO(self.files.setdefault(name, bytearray()))

    def create(self, name: str) -> Written:
        self.files[name] = bytearray()
        return _InMemory(self.files[name])

    def append(self, name: str) -> Written:
        return _InMemory(self.files.setdefault(name, bytearray()))

    def truncate(self, name: str, size: int) -> None:
        del self._file(name)[size:]

    def make(self, name: str) -> None:
        pass

    def rename(self, name: str, new: str) -> None:
        self.files[new] = self._file(name)
        del self.files[name]

    move = rename

    def remove(self, name: str) -> None:
        self._file(name)
        del self.files[name]

    def names(self, name: str) -> list[str]:
        start = os.path.join(name, "")
        return list({file[len(start) :].split(os.sep)[0]: None for file in self.files if file.startswith(start)})

    def remove_folder(self, name: str) -> None:
        for file in [file for file in self.files if file.startswith(os.path.join(name, ""))]:
            del self.files[file]


class _InMemory:
    may_wait = False

    def __init__(self, content: bytearray) -> None:
        self._content = content

    def write(self, data: bytes) -> None:
        self._content += data

    def sync(self) -> None:
        pass

    def close(self) -> None:
        pass
