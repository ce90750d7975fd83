"""What the data set uses of the engine that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Protocol

from emulator.clients.blocking import Blocking
from emulator.clients.host import HostOfClients, Switched
from emulator.clients.memory import ClientMemory
from emulator.clients.pause import Pause
from emulator.datatypes.wheel import Wheel
from emulator.keyspace.lazyfree import LazyFree
from emulator.stats.latency import Latency

if TYPE_CHECKING:
    from emulator.keyspace.database import Database
    from emulator.keyspace.entry import Entry
    from emulator.keyspace.observed import Listener, Observed


class NotesChanges(Protocol):
    """Who keeps what the data were like."""

    @property
    def snapshots(self) -> Mapping[bytes, object]: ...

    def note(self, index: int, keys: set[bytes] | None) -> None: ...


class Scripts(Protocol):
    """Who keeps scripts and functions."""

    @property
    def scripts_memory(self) -> int: ...

    @property
    def functions_memory(self) -> int: ...


class Expires(Switched, Protocol):
    """Who lets go what has expired."""

    @property
    def active(self) -> bool: ...

    @property
    def keeps(self) -> bool: ...

    @property
    def shows(self) -> bool: ...

    def lets_go(self, db: Observed, entry: Entry) -> bool: ...


class HostOfData(HostOfClients, Protocol):
    """An engine, as its databases know it; see `emulator.core.engine.Engine` for what is meant."""

    random: Random
    wheel: Wheel
    lazyfree: LazyFree
    latency: Latency
    dirty: int
    has_slots: bool
    notify_flags: int
    blocking: Blocking
    pause: Pause
    client_memory: ClientMemory
    of_modules: dict[type, object]
    skips_checksums: bool

    @property
    def databases(self) -> list[Database]: ...

    @property
    def listeners(self) -> Sequence[Listener]: ...

    @property
    def snapshots(self) -> NotesChanges: ...

    @property
    def scripting(self) -> Scripts: ...

    @property
    def expiration(self) -> Expires: ...

    @property
    def ignores_memory_limit(self) -> bool: ...

    @property
    def used_memory(self) -> int: ...

    def listen(self, listener: Listener) -> None: ...

    def publish_subkeys(self, event: bytes, key: bytes, subkeys: Sequence[bytes], index: int) -> None: ...

    def publish_event(self, event_class: int, event: bytes, key: bytes, index: int) -> None: ...
