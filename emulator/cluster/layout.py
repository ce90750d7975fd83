"""A cluster whose nodes know one another from the beginning: each node's table is written, and no gossip waited for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from emulator.cluster.state import SLOTS, Node

if TYPE_CHECKING:
    from emulator.cluster.cluster import Cluster

LOOPBACK = b"127.0.0.1"


def introduce(cluster: Cluster, ip: bytes = LOOPBACK) -> Node:
    """What `lay_out` has to know of a node that knows nobody; others reach it at `ip`, unless it announces another one."""
    me = cluster.state.myself
    me.ip = me.ip or ip
    return Node(
        me.id,
        me.shard_id,
        me.ip,
        me.port,
        me.cport,
        other_port=me.other_port,
        hostname=me.hostname,
        human_name=me.human_name,
    )


def lay_out(cluster: Cluster, nodes: Sequence[Node], masters: int) -> None:
    """Let a node know the cluster that it is of, as all of its nodes have introduced themselves.

    The first `masters` of them divide the slots among themselves as ``redis-cli --cluster create`` does, the others are their
    replicas in turn.
    """
    state = cluster.state
    state.current_epoch = len(nodes)
    known = []
    for epoch, node in enumerate(nodes, 1):
        own = state.nodes.get(node.id)
        own = _copy(node) if own is None else own
        own.config_epoch = epoch
        if own is not state.myself:
            own.pong_received = cluster.engine.clock.now
        known.append(state.add(own))
    bounds = [round(SLOTS * number / masters) for number in range(masters + 1)]
    for master, (first, end) in zip(known, pairwise(bounds), strict=False):
        state.assign(master, range(first, end))
    for number, node in enumerate(known[masters:]):
        state.set_master(node, known[number % masters])
    state.changed()


def _copy(node: Node) -> Node:
    """A node's entry for one more table."""
    return replace(node, replicas=[], fail_reports={})
