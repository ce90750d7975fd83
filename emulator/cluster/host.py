"""What cluster mode uses of the engine that it belongs to."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Protocol

from emulator.clients.pause import Pause
from emulator.clients.pubsub import PubSub
from emulator.replication.host import Dial, HostOfReplication
from emulator.table.registry import Command


class HostOfCluster(HostOfReplication, Protocol):
    """An engine, as the cluster's node in it knows it; see `emulator.core.engine.Engine` for what is meant."""

    dial_node: Dial | None
    original_commands: Mapping[bytes, Command]
    pause: Pause
    pubsub: PubSub
    random: random.Random
