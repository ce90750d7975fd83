"""What a sentinel uses of the engine that it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from emulator.acl.users import Users
from emulator.clients.pubsub import PubSub
from emulator.replication.host import HostOfReplication

if TYPE_CHECKING:
    from emulator.sentinel.sentinel import Sentinel


class HostOfSentinel(HostOfReplication, Protocol):
    """An engine, as a sentinel knows it; see `emulator.core.engine.Engine` for what is meant."""

    acl: Users
    pubsub: PubSub
    sentinel: Sentinel | None
