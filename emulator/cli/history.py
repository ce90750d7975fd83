"""The lines that were typed before, in a file that is shared with Redis's own program."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

_LENGTH = 1000


class History:
    """Lines in the order of their coming; a file that cannot be read or written is done without."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.lines: list[str] = []
        if path:
            try:
                with open(path, encoding="utf-8", errors="surrogateescape") as file:
                    self.lines = file.read().splitlines()[-_LENGTH:]
            except OSError:
                pass

    def add(self, line: str) -> None:
        """Keep a line, unless it is the same as the last one."""
        if self.lines[-1:] == [line]:
            return
        self.lines = [*self.lines, line][-_LENGTH:]
        if self._path:
            try:
                descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
                    file.writelines(f"{line}\n" for line in self.lines)
            except OSError:
                pass


def path_of(name: str, variable: str, environ: Mapping[str, str]) -> str:
    """The place of a file in the user's home, or where the environment says; empty for none."""
    if variable in environ:
        return "" if environ[variable] == os.devnull else environ[variable]
    home = os.path.expanduser("~")
    return "" if home == "~" else os.path.join(home, name)


def is_secret(words: Sequence[bytes]) -> bool:
    """Whether a command may hold a password, so that nobody should find it in a file."""
    lowered = [word.lower() for word in words]
    name, first = lowered[0], lowered[1:2]
    if name == b"auth":
        return True
    if name == b"acl":
        return first in ([b"setuser"], [b"deluser"], [b"getuser"])
    if name == b"config":
        names = (b"masterauth", b"masteruser", b"tls-key-file-pass", b"tls-client-key-file-pass", b"requirepass")
        return first == [b"set"] and any(word in names for word in lowered[2::2])
    if name == b"hello":
        return b"auth" in lowered[1:]
    return name == b"migrate" and any(word in (b"auth", b"auth2") for word in lowered[1:])
