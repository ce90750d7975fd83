"""What cluster mode uses of the engine that it belongs to."""

from __future__ import annotations

import random
from typing import Protocol

from emulator.clients.pause import Pause
from emulator.clients.pubsub import PubSub
from emulator.replication.host import HostOfReplication


class HostOfCluster(HostOfReplication, Protocol):
    """An engine, as the cluster's node in it knows it; see `emulator.core.engine.Engine` for what is meant."""

    pause: Pause
    pubsub: PubSub
    random: random.Random
