"""What replication uses of the engine that it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from emulator.keyspace.database import Database
from emulator.persistence.host import HostOfFiles
from emulator.table.registry import Commands

if TYPE_CHECKING:
    from emulator.replication.replication import Replication


class Wire(Protocol):
    """A connection to another server."""

    address: bytes
    local_address: bytes

    @property
    def unsent(self) -> int:
        """Bytes that are still to be sent."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def close(self) -> None:
        """End the connection; the one who opened it hears nothing more of it."""

    def soon(self, work: Callable[[], object]) -> None:
        """Do something in the next round of the loop."""

    def pause(self, paused: bool) -> None:
        """Read no more for the time being, or go on reading."""


class Receiver(Protocol):
    """Who has asked for a connection."""

    def connected(self, wire: Wire) -> None:
        """It is there."""

    def received(self, data: bytes) -> None:
        """Bytes have come."""

    def lost(self, reason: str) -> None:
        """It could not be had, or has ended."""


Dial = Callable[[str, int, Receiver], Callable[[], None]]
"""Opens a connection to a host and port; what it returns gives that up while it is being opened."""


class HostOfReplication(HostOfFiles, Protocol):
    """An engine, as replication knows it; see `emulator.core.engine.Engine` for what is meant."""

    databases: list[Database]
    commands: Commands
    dial: Dial | None
    lacks_replicas: bool
    soon: Callable[[Callable[[], object]], object]
    unwritten: list[bytes]

    @property
    def busy(self) -> object | None: ...

    @property
    def replication(self) -> Replication: ...

    def work(self) -> None: ...
