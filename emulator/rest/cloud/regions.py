"""A global database: what its primary region changes comes to its read regions some time later.

A read region is an engine that follows the primary's.  Requests that only read are answered from it; whatever else they do
is done in the primary region.  A request that brings the sync token of an earlier answer is answered with at least what that
one knew.  While there is no lag there are no such engines, since every region would have the same.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from functools import partial
from inspect import isawaitable
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from emulator.clients.session import Session
from emulator.core.dispatch import run
from emulator.core.propagation import Listener, Unit
from emulator.datatypes.wheel import Timer
from emulator.persistence.folder import Memory
from emulator.persistence.forms import Dump
from emulator.persistence.image import Image
from emulator.persistence.loading import Loading
from emulator.persistence.replay import Log
from emulator.persistence.stage import take_over
from emulator.persistence.writing import written
from emulator.protocol.errors import CommandError
from emulator.rdb.file_reader import FileReader
from emulator.rest.database import RestDatabase
from emulator.rest.local import LocalDatabase
from emulator.rest.tokens import base32
from emulator.table.lookup import find
from emulator.table.registry import FLAG

if TYPE_CHECKING:
    from emulator.core.engine import Engine
    from emulator.persistence.work import Job
    from emulator.rest.database import EventStream
    from emulator.rest.encoding import Format
    from emulator.rest.requests import Words

_READS: Final = FLAG["readonly"]
_MOST_WAITING: Final = 64 * 1024 * 1024
"""Bytes that may wait for their time; what is more comes earlier."""
_UNITS_A_SLICE: Final = 200
_COPY: Final = "copy.rdb"
_SYNC_TOKEN: Final = b"zt"


class Waiting(NamedTuple):
    """A unit on its way to a read region: when it arrives, and how many changes there were with it."""

    due: int
    position: int
    size: int
    unit: Unit


class ReadRegion(Timer, Listener):
    """An engine that follows `primary`, `lag` milliseconds behind by the primary's clock; ``position`` is how far it is.

    It is to be used once the jobs `copied` of the primary's engine and `loaded` of its own are done, and `begin` was called.
    """

    __slots__ = ("_copy", "_lag", "_primary", "_ready", "_session", "_size", "_waiting", "engine", "position")

    def __init__(self, primary: Engine, engine: Engine, lag: int) -> None:
        super().__init__()
        self._primary = primary
        self._lag = lag
        self.engine = engine
        self.position = 0
        self._copy = Memory()
        self._waiting: deque[Waiting] = deque()
        self._size = 0
        self._ready = False
        self._session = Session(engine)
        self._session.peer = Log()

    def copied(self) -> Job:
        """Copy the data of the primary region as they are now, and note from now on what changes."""
        self.position = self._primary.dirty
        self._primary.propagation.listen(self)
        image = Image(self._primary, Dump(self._primary, base_of_log=False), changes=True)
        with closing(image):
            yield from written(self._primary.config, image, self._copy.create(_COPY))

    def loaded(self) -> Job:
        """Let the copy be the data here."""
        data, self._copy = bytes(self._copy.files[_COPY]), Memory()
        reader = FileReader(BytesIO(data).read)
        yield from take_over(self.engine, lambda beside: Loading(beside, reader, BytesIO(), len(data)).job())

    def begin(self) -> None:
        """The data are there: let changes come when it is their time."""
        self._ready = True
        self._sleep()

    def end(self) -> None:
        """Follow no more."""
        self._primary.propagation.leave(self)
        self._primary.wheel.cancel(self)
        self._waiting.clear()

    def take(self, unit: Unit) -> None:
        """Something has changed."""
        position = self._primary.dirty
        if self._waiting and position < self._waiting[-1].position:  # the primary has begun to count anew
            self._waiting = deque(waiting._replace(position=0) for waiting in self._waiting)
        size = sum(sum(map(len, effect.words)) for effect in unit)
        self._waiting.append(Waiting(self._primary.clock.now + self._lag, position, size, list(unit)))
        self._size += size
        while self._ready and self._size > _MOST_WAITING:
            self._arrive()
        self._sleep()

    def _sleep(self) -> None:
        if self._ready and self._waiting and self.deadline is None:
            self._primary.wheel.set(self, self._waiting[0].due)

    def fire(self) -> int:
        """The time of some units has come."""
        now, count = self._primary.clock.now, 0
        while count < _UNITS_A_SLICE and self._waiting and self._waiting[0].due <= now:
            self._arrive()
            count += 1
        if self._waiting:
            self._primary.wheel.set(self, self._waiting[0].due)
        return count

    def learn(self, position: int) -> bool:
        """Have more of the changes up to `position`, in a slice; whether there are still some to come."""
        for _ in range(_UNITS_A_SLICE):
            if not self.lacks(position):
                return False
            self._arrive()
        return self.lacks(position)

    def lacks(self, position: int) -> bool:
        """Whether changes up to `position` are still to come."""
        return bool(self._waiting) and self._waiting[0].position <= position

    def _arrive(self) -> None:
        waiting = self._waiting.popleft()
        self._size -= waiting.size
        self.position = waiting.position
        words = [list(effect.words) for effect in waiting.unit]
        position = 0
        while position < len(words):
            position = run(self._session, words, position, len(words))
        self._session.out.clear()

    def keep_time(self) -> None:
        """Show the time of the primary, whose clock may have been turned."""
        if self._primary.clock.turned or self.engine.clock.turned:
            self.engine.timers.turn_clock(self._primary.clock.tick())


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
        call = partial(self._place(commands).run, access, address, commands, format)
        return self._informed(call) if self._must_learn else call()

    def transaction(
        self, access: Any, address: bytes, commands: Sequence[Words], format: Format
    ) -> bytes | Awaitable[bytes]:
        call = partial(self._place(commands).transaction, access, address, commands, format)
        return self._informed(call) if self._must_learn else call()

    @property
    def _must_learn(self) -> bool:
        return not self._wrote and self._region.lacks(self._known)

    async def _informed(self, call: Callable[[], Any]) -> Any:
        """Answer when the region has what the request knows of; others have their turn meanwhile."""
        while self._region.learn(self._known):
            await asyncio.sleep(0)
        found = call()
        return await found if isawaitable(found) else found

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
