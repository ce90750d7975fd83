"""What becomes of those who wait and listen here when their slots are other nodes' from now on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.datatypes.slots import key_slot
from emulator.protocol.replies import Push
from emulator.table.registry import WRITE

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.cluster.cluster import Cluster


def let_go(cluster: Cluster) -> None:
    """Tell clients of slots that are lost: subscriptions of shard channels end, and waits with where to go on."""
    _end_subscriptions(cluster)
    _end_waits(cluster)


def _end_subscriptions(cluster: Cluster) -> None:
    pubsub, state = cluster.engine.pubsub, cluster.state
    served = (state.myself, state.myself.master or state.myself)
    for channel in [channel for channel in pubsub.shards if state.owners[key_slot(channel)] not in served]:
        for session in list(pubsub.shards[channel]):
            pubsub.unsubscribe(pubsub.shards, session.shards, channel, session)
            session.refresh()
            _tell(session, channel)


def _tell(session: Session, channel: bytes) -> None:
    session.send(session.encoders[Push](Push([b"sunsubscribe", channel, len(session.shards)])))


def _end_waits(cluster: Cluster) -> None:
    blocking = cluster.engine.blocking
    for block in list(blocking.blocks):
        if block.keys:
            session = block.session
            reads = session.last_command is None or not session.last_command.flags & WRITE
            error = cluster.requests.refusal(session, block.keys, reads)
            if error is not None:
                blocking.finish(block, error)
