"""What saving and loading use of the engine whose data they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from emulator.clients.tracking import Tracking
from emulator.keyspace.host import HostOfData
from emulator.scripting.scripts import Scripting

if TYPE_CHECKING:
    from emulator.persistence.persistence import Persistence

InBackground = Callable[[Callable[[], Any], Callable[[Any], None], Callable[[Exception], None]], None]


class Names(Protocol):
    """Who knows the names of engines."""

    def name_of(self, engine: Any) -> bytes: ...


class StreamPosition(NamedTuple):
    """Where the stream to replicas is: the database that it has selected, the id of its history, and its last byte's
    number."""

    db: int
    id: str
    offset: int


class HostOfFiles(HostOfData, Protocol):
    """An engine, as its files know it; see `emulator.core.engine.Engine` for what is meant."""

    started: int
    vector_uids: Iterator[int]
    in_background: InBackground | None
    tracking: Tracking

    @property
    def busy(self) -> object | None: ...

    @property
    def keyspaces(self) -> Names: ...

    @property
    def persistence(self) -> Persistence: ...

    @property
    def scripting(self) -> Scripting: ...

    @property
    def stream_position(self) -> StreamPosition | None: ...

    def resume_stream(self, position: StreamPosition) -> None: ...

    def begin_stream_anew(self) -> None: ...

    def sibling(self) -> HostOfFiles: ...
