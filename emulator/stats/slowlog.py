"""SLOWLOG and COMMANDLOG: the last commands that took long, and those with large requests or replies."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

_MOST_ARGUMENTS = 32
_LONGEST_ARGUMENT = 128


class LoggedCommand(NamedTuple):
    """An entry: `when` in seconds since the epoch, `measure` the microseconds that it took, or its bytes.

    ``argc`` is how many arguments there were, the name among them; ``arguments`` an excerpt.
    """

    id: int
    when: int
    measure: int
    arguments: list[bytes]
    address: bytes
    name: bytes
    argc: int


class CommandLog:
    """Entries, the newest first."""

    def __init__(self) -> None:
        self.entries: deque[LoggedCommand] = deque()
        self._next_id = 0

    def reset(self) -> None:
        """Forget every entry, and number the next ones from 0."""
        self.entries.clear()
        self._next_id = 0

    def add(self, when: int, measure: int, arguments: Sequence[bytes], address: bytes, name: bytes, most: int) -> None:
        """Log a command; of the entries `most` are kept, of the arguments an excerpt."""
        entry = LoggedCommand(self._next_id, when, measure, _excerpt(arguments), address, name, len(arguments))
        self._next_id += 1
        self.entries.appendleft(entry)
        while len(self.entries) > most:
            self.entries.pop()


def _excerpt(arguments: Sequence[bytes]) -> list[bytes]:
    kept = arguments
    if len(arguments) > _MOST_ARGUMENTS:
        kept = arguments[: _MOST_ARGUMENTS - 1]
    excerpt = [
        argument
        if len(argument) <= _LONGEST_ARGUMENT
        else argument[:_LONGEST_ARGUMENT] + b"... (%d more bytes)" % (len(argument) - _LONGEST_ARGUMENT)
        for argument in kept
    ]
    if kept is not arguments:
        excerpt.append(b"... (%d more arguments)" % (len(arguments) - len(kept)))
    return excerpt


def request_size(words: Sequence[bytes]) -> int:
    """How many bytes a command is that is sent as an array of bulk strings."""
    return len(b"*%d\r\n" % len(words)) + sum(len(b"$%d\r\n\r\n" % len(word)) + len(word) for word in words)
