"""The service's quotas, for those who want to see their program meet them: ``--upstash-limits yes``.

They are counted for each database: the size of a request and of a key, of what one key holds, of all data, of an answer, and
how many commands are sent in a day.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from emulator.keyspace.weight import weigh
from emulator.protocol.errors import CommandError
from emulator.rest.encoding import json_error
from emulator.rest.requests import BadRequest, Words
from emulator.rest.texts import request_too_large
from emulator.table.lookup import find
from emulator.table.registry import DENYOOM

if TYPE_CHECKING:
    from emulator.core.engine import Engine

MOST_REQUEST: Final = 10 * 1024 * 1024
_MOST_KEY: Final = 32 * 1024
_MOST_RECORD: Final = 100 * 1024 * 1024
_MOST_DATA: Final = 256 * 1024 * 1024
_MOST_A_DAY: Final = 10_000
_DAY: Final = 86_400_000


class RequestLimits:
    """The quotas of a database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._day = self._sent = 0

    def check(self, command: Words) -> CommandError | None:
        """The quota that a command exceeds; it counts as sent in any case."""
        return self._check_day() or self._check_keys(command)

    def _check_day(self) -> CommandError | None:
        day = self._engine.clock.now // _DAY
        if day != self._day:
            self._day, self._sent = day, 0
        if self._sent >= _MOST_A_DAY:
            return CommandError(f"ERR max daily request limit exceeded. Limit: {_MOST_A_DAY}, Usage: {self._sent}")
        self._sent += 1
        return None

    def _check_keys(self, command: Words) -> CommandError | None:
        try:
            entry = find(self._engine.commands, command)
        except CommandError:
            return None
        keys = [key for key, _ in entry.find_keys(command)]
        longest = max(map(len, keys), default=0)
        if longest > _MOST_KEY:
            return CommandError(f"ERR max key size exceeded. Limit: {_MOST_KEY} bytes, Actual: {longest} bytes")
        if not entry.flags & DENYOOM:
            return None
        used = self._engine.used_memory
        if used > _MOST_DATA:
            return CommandError(f"ERR DB capacity quota exceeded. Threshold: {_MOST_DATA} bytes, Usage: {used} bytes")
        added = sum(map(len, command))
        if any(self._weight(key) + added > _MOST_RECORD for key in keys):
            return CommandError("ERR max single record size exceeded")
        return None

    def _weight(self, key: bytes) -> int:
        entry = self._engine.databases[0].peek_entry(key)
        return 0 if entry is None else weigh(key, entry.value, entry.deadline is not None)


def check_sizes(commands: Sequence[Words]) -> None:
    """Raise BadRequest where one command's words are more than may be sent; those of a pipeline are not added up."""
    for command in commands:
        size = sum(map(len, command))
        if size > MOST_REQUEST:
            raise BadRequest(request_too_large(MOST_REQUEST, size), 413)


class Oversized(bytes):
    """The error in place of an answer that is more than may be received, which has the status of an answer."""


def cut(answer: bytes) -> bytes:
    """An answer, or what stands for it where it is too large."""
    if len(answer) <= MOST_REQUEST:
        return answer
    return Oversized(json_error(CommandError(request_too_large(MOST_REQUEST, len(answer)))))
