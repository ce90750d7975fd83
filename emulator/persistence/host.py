"""What saving and loading use of the engine whose data they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from emulator.clients.tracking import Tracking
from emulator.keyspace.host import HostOfData
from emulator.scripting.scripts import Scripting

if TYPE_CHECKING:
    from emulator.persistence.persistence import Persistence

InBackground = Callable[[Callable[[], Any], Callable[[Any], None], Callable[[Exception], None]], None]


class StreamPosition(NamedTuple):
    """Where the stream to replicas is: the database that it has selected, the id of its history, and its last byte's
    number."""

    db: int
    id: str
    offset: int


class HostOfFiles(HostOfData, Protocol):
    """An engine, as its files know it; see `emulator.core.engine.Engine` for what is meant."""

    started: int
    in_background: InBackground | None
    tracking: Tracking

    @property
    def persistence(self) -> Persistence: ...

    @property
    def scripting(self) -> Scripting: ...

    @property
    def stream_position(self) -> StreamPosition | None: ...

    def resume_stream(self, position: StreamPosition) -> None: ...
