"""A global database: what its primary region changes comes to its read regions some time later.

A read region is an engine that follows the primary's.  Requests that only read are answered from it; whatever else they do
is done in the primary region.  A request that brings the sync token of an earlier answer is answered with at least what that
one knew.  While there is no lag there are no such engines, since every region would have the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from emulator.clients.session import Session
from emulator.core.dispatch import run
from emulator.datatypes.wheel import Timer
from emulator.persistence.folder import Memory
from emulator.protocol.errors import CommandError
from emulator.rest.database import RestDatabase
from emulator.rest.local import LocalDatabase
from emulator.rest.tokens import base32
from emulator.table.lookup import find
from emulator.table.registry import FLAG

if TYPE_CHECKING:
    from emulator.core.engine import Engine
    from emulator.core.propagation import Unit
    from emulator.rest.database import EventStream
    from emulator.rest.encoding import Format
    from emulator.rest.requests import Words

_READS: Final = FLAG["readonly"]
_MOST_WAITING: Final = 64 * 1024 * 1024
"""Bytes that may wait for their time; what is more comes earlier."""
_COPY: Final = "copy.rdb"
_SYNC_TOKEN: Final = b"zt"


class Waiting(NamedTuple):
    """A unit on its way to a read region: when it arrives, and how many changes there were with it."""

    due: int
    position: int
    size: int
    unit: Unit


class ReadRegion(Timer):
    """An engine that follows `primary`, `lag` milliseconds behind by the primary's clock; `position` is how far it is."""

    __slots__ = ("_lag", "_primary", "_session", "_size", "_waiting", "engine", "position")

    def __init__(self, primary: Engine, engine: Engine, lag: int) -> None:
        super().__init__()
        self._primary = primary
        self._lag = lag
        self.engine = engine
        self.position = primary.dirty
        self._waiting: deque[Waiting] = deque()
        self._size = 0
        self._copy()
        self._session = Session(engine)
        primary.propagation.listen(self._take)

    def _copy(self) -> None:
        """Begin with the data of the primary region.  O(keys)."""
        folder = Memory()
        self._primary.persistence.save_to(folder.create(_COPY))
        data = bytes(folder.files[_COPY])
        self.engine.persistence.take_over(BytesIO(data), len(data))

    def end(self) -> None:
        """Follow no more."""
        self._primary.propagation.leave(self._take)
        self._primary.wheel.cancel(self)

    def _take(self, unit: Unit) -> None:
        if self._primary.dirty < self.position:  # the primary has begun anew
            self._arrive(len(self._waiting))
        size = sum(sum(map(len, effect.words)) for effect in unit)
        self._waiting.append(Waiting(self._primary.clock.now + self._lag, self._primary.dirty, size, list(unit)))
        self._size += size
        while self._size > _MOST_WAITING:
            self._arrive(1)
        if self.deadline is None and self._waiting:
            self._primary.wheel.set(self, self._waiting[0].due)

    def fire(self) -> int:
        """The time of some units has come."""
        now = self._primary.clock.now
        count = sum(1 for waiting in self._waiting if waiting.due <= now)
        self._arrive(count)
        if self._waiting:
            self._primary.wheel.set(self, self._waiting[0].due)
        return count

    def know(self, position: int) -> None:
        """Have at least so many of the primary's changes."""
        while self._waiting and self._waiting[0].position <= position:
            self._arrive(1)

    def _arrive(self, count: int) -> None:
        for _ in range(count):
            waiting = self._waiting.popleft()
            self._size -= waiting.size
            self.position = waiting.position
            words = [list(effect.words) for effect in waiting.unit]
            run(self._session, words, 0, len(words))
            self._session.out.clear()

    def keep_time(self) -> None:
        """Show the time of the primary, whose clock may have been turned."""
        if self._primary.clock.turned or self.engine.clock.turned:
            self.engine.turn_clock(self._primary.clock.tick())


class GlobalDatabase(LocalDatabase):
    """A database in its primary region; ``read_regions`` has those that lag behind."""

    read_regions: dict[str, ReadRegion]

    def seen_from(self, region: str, sync_token: bytes) -> RestDatabase:
        there = self.read_regions.get(region)
        return self if there is None else Distant(self, there, sync_token)


class Distant(RestDatabase):
    """A database as one request has it that comes to a read region."""

    def __init__(self, primary: GlobalDatabase, region: ReadRegion, sync_token: bytes) -> None:
        self._primary = primary
        self._region = region
        self._known = min(_position(sync_token), primary.engine.dirty)
        self._wrote = False
        region.keep_time()
        region.know(self._known)

    def access(self, token: str) -> Any:
        return self._primary.access(token)

    def _place(self, commands: Sequence[Words]) -> LocalDatabase:
        """Where commands are run: here where they only read."""
        if all(map(self._only_reads, commands)):
            return LocalDatabase(self._region.engine, self._primary.tokens)
        self._wrote = True
        return self._primary

    def _only_reads(self, command: Words) -> bool:
        try:
            return bool(find(self._region.engine.commands, command).flags & _READS) if command else False
        except CommandError:
            return False

    def run(
        self, access: Any, address: bytes, commands: Sequence[Words], format: Format
    ) -> list[bytes] | Awaitable[list[bytes]]:
        return self._place(commands).run(access, address, commands, format)

    def transaction(
        self, access: Any, address: bytes, commands: Sequence[Words], format: Format
    ) -> bytes | Awaitable[bytes]:
        return self._place(commands).transaction(access, address, commands, format)

    def listen(self, access: Any, address: bytes, command: Words) -> EventStream:
        return self._primary.listen(access, address, command)

    @property
    def sync_token(self) -> bytes:
        """What the answer knows of: never less than the request did, since clients keep the latest token alone."""
        if self._wrote:
            return self._primary.sync_token
        return _SYNC_TOKEN + base32(max(self._known, self._region.position))


def _position(sync_token: bytes) -> int:
    """How many changes an answer with this token knew of; 0 where it is nobody's."""
    try:
        return int(sync_token.removeprefix(_SYNC_TOKEN)[:16], 32)
    except ValueError:
        return 0
