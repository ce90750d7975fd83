"""SLOWLOG: the last commands that took longer than ``slowlog-log-slower-than`` microseconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

_MOST_ARGUMENTS = 32
_LONGEST_ARGUMENT = 128


class SlowCommand(NamedTuple):
    """An entry: `when` in seconds since the epoch, `micros` the time it took."""

    id: int
    when: int
    micros: int
    arguments: list[bytes]
    address: bytes
    name: bytes


class SlowLog:
    """Entries, the newest first."""

    def __init__(self) -> None:
        self.entries: deque[SlowCommand] = deque()
        self._next_id = 0

    def reset(self) -> None:
        """Forget every entry, and number the next ones from 0."""
        self.entries.clear()
        self._next_id = 0

    def add(self, when: int, micros: int, arguments: Sequence[bytes], address: bytes, name: bytes, most: int) -> None:
        """Log a command; of the entries `most` are kept, of the arguments an excerpt."""
        entry = SlowCommand(self._next_id, when, micros, _excerpt(arguments), address, name)
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
