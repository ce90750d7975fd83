"""CLUSTER's sub-commands that tell of the nodes, their slots and the state of the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from emulator.cluster.endpoint import endpoint
from emulator.cluster.lines import node_line
from emulator.cluster.state import FAIL, HANDSHAKE, PFAIL, Node, ranges
from emulator.commands.cluster import NODE_WISE, VARIES, cluster_of, node_named
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import Reply, Verbatim
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.cluster.cluster import Cluster

_LOADING: Final = "loading stale"


@command("cluster", container="cluster", since="3.0.0", flags="stale", acl="", complexity="O(1)")
def cluster_myid(client: Session) -> bytes:
    """Returns the id of this node."""
    return cluster_of(client).state.myself.id


@command("cluster", container="cluster", since="7.2.0", flags="stale", acl="", tips=VARIES, complexity="O(1)")
def cluster_myshardid(client: Session) -> bytes:
    """Returns the id of this node's shard."""
    return cluster_of(client).state.myself.shard_id


@command("cluster", container="cluster", since="3.0.0", flags="stale", acl="", tips=VARIES, complexity=NODE_WISE)
def cluster_nodes(client: Session) -> Verbatim:
    """Returns the nodes as this one knows them, one on a line."""
    state = cluster_of(client).state
    return Verbatim(b"".join([node_line(node, state) + b"\n" for node in state.nodes.values()]))


@command("cluster", container="cluster", since="5.0.0", flags="admin stale", acl="", tips=VARIES, complexity=NODE_WISE)
def cluster_replicas(client: Session, node_id: bytes) -> list[bytes]:
    """Returns the replicas of a master."""
    return _replicas(client, node_id)


@command("cluster", container="cluster", since="3.0.0", flags="admin stale", acl="", tips=VARIES, complexity=NODE_WISE)
def cluster_slaves(client: Session, node_id: bytes) -> list[bytes]:
    """Returns the replicas of a master (old name of REPLICAS)."""
    return _replicas(client, node_id)


def _replicas(client: Session, node_id: bytes) -> list[bytes]:
    cluster = cluster_of(client)
    node = node_named(cluster, node_id)
    if node.is_replica:
        raise CommandError("ERR The specified node is not a master")
    return [node_line(replica, cluster.state) for replica in node.replicas]


@command(
    "cluster",
    container="cluster",
    since="3.0.0",
    flags="admin stale",
    acl="",
    tips=VARIES,
    complexity="O(N) for N reports",
    name="count-failure-reports",
)
def count_failure_reports(client: Session, node_id: bytes) -> int:
    """Returns how many nodes report that a node has failed."""
    return len(node_named(cluster_of(client), node_id).fail_reports)


@command("cluster", container="cluster", since="7.0.0", flags="stale", acl="", tips=VARIES, complexity=NODE_WISE)
def cluster_links(client: Session) -> list[dict[bytes, Reply]]:
    """Returns the connections between this node and the others."""
    nodes = cluster_of(client).state.nodes.values()
    links = ((word, node, link) for node in nodes for word, link in ((b"to", node.link), (b"from", node.inbound)))
    return [
        {
            b"direction": word,
            b"node": node.id,
            b"create-time": link.created,
            b"events": link.events,
            b"send-buffer-allocated": link.send_buffer_allocated,
            b"send-buffer-used": link.send_buffer_used,
        }
        for word, node, link in links
        if link is not None
    ]


# The state


@command(
    "cluster", container="cluster", since="3.0.0", flags="stale", acl="", tips=VARIES, complexity="O(N) for N slots"
)
def cluster_info(client: Session) -> Verbatim:
    """Returns the state of the cluster as this node sees it."""
    figures = _figures(cluster_of(client), client.engine.config.edition.is_valkey)
    if client.engine.config.edition.includes("8.4.0"):
        figures |= dict.fromkeys(_OF_MIGRATION, 0)
    return Verbatim(b"".join([f"{name}:{value}\r\n".encode() for name, value in figures.items()]))


_OF_MIGRATION: Final = (
    "cluster_slot_migration_active_tasks",
    "cluster_slot_migration_active_trim_running",
    "cluster_slot_migration_active_trim_current_job_keys",
    "cluster_slot_migration_active_trim_current_job_trimmed",
    "cluster_slot_migration_stats_active_trim_started",
    "cluster_slot_migration_stats_active_trim_completed",
    "cluster_slot_migration_stats_active_trim_cancelled",
)


def _figures(cluster: Cluster, is_valkey: bool) -> dict[str, object]:
    state = cluster.state
    owners = [owner for owner in state.owners if owner is not None]
    suspected = sum(bool(owner.flags & PFAIL) for owner in owners)
    failed = sum(bool(owner.flags & FAIL) for owner in owners)
    myself = state.myself if state.myself.master is None else state.myself.master
    return {
        "cluster_state": "ok" if state.is_ok else "fail",
        "cluster_slots_assigned": len(owners),
        "cluster_slots_ok": len(owners) - suspected - failed,
        "cluster_slots_pfail": suspected,
        "cluster_slots_fail": failed,
        **(_failures(cluster) if is_valkey else {}),
        "cluster_known_nodes": len(state.nodes),
        "cluster_size": state.size,
        "cluster_current_epoch": state.current_epoch,
        "cluster_my_epoch": myself.config_epoch,
        **cluster.messages(is_valkey),
        "total_cluster_links_buffer_limit_exceeded": 0,
    }


def _failures(cluster: Cluster) -> dict[str, object]:
    nodes = list(cluster.state.nodes.values())
    voting = [node for node in nodes if node.is_master and node.slots]
    return {
        f"cluster_{kind}_{word}": sum(bool(node.flags & flag) for node in some)
        for kind, some in (("nodes", nodes), ("voting_nodes", voting))
        for word, flag in (("pfail", PFAIL), ("fail", FAIL))
    }


# Slots and shards


@command("cluster", container="cluster", since="3.0.0", flags=_LOADING, acl="", tips=VARIES, complexity=NODE_WISE)
def cluster_slots(client: Session) -> list[Any]:
    """Returns ranges of slots with the nodes that have them."""
    cluster = cluster_of(client)
    state = cluster.state
    found = []
    for node in state.nodes.values():
        for first, last in ranges(node.slots):
            replicas = [one for one in node.replicas if not one.has_failed and _offset(cluster, one)]
            found.append([first, last, *(_contact(cluster, one) for one in (node, *replicas))])
    return sorted(found, key=lambda entry: entry[0])


def _contact(cluster: Cluster, node: Node) -> list[Any]:
    """How a node is reached: the preferred address, the port, the id, and the other addresses."""
    config = cluster.engine.config
    preferred = config.cluster_preferred_endpoint_type
    others: dict[bytes, bytes] = {}
    if preferred != "ip":
        others[b"ip"] = node.ip
    if preferred != "hostname" and node.hostname:
        others[b"hostname"] = node.hostname
    if node.availability_zone:
        others[b"availability-zone"] = node.availability_zone
    place = None if preferred == "unknown-endpoint" else endpoint(node, preferred)
    return [place, node.port, node.id, others]


@command("cluster", container="cluster", since="7.0.0", flags=_LOADING, acl="", tips=VARIES, complexity=NODE_WISE)
def cluster_shards(client: Session) -> list[dict[bytes, Reply]]:
    """Returns the shards with their slots and nodes."""
    cluster = cluster_of(client)
    shards: dict[bytes, list[Node]] = {}
    for node in cluster.state.nodes.values():
        if not node.flags & HANDSHAKE:
            shards.setdefault(node.shard_id, []).append(node)
    return [_shard(cluster, shard_id, nodes) for shard_id, nodes in shards.items()]


def _shard(cluster: Cluster, shard_id: bytes, nodes: list[Node]) -> dict[bytes, Reply]:
    slots = next((node.slots for node in nodes if node.slots), 0)
    shard: dict[bytes, Reply] = {
        b"slots": [number for pair in ranges(slots) for number in pair],
        b"nodes": [dict(_described(cluster, node)) for node in nodes],
    }
    return shard | {b"id": shard_id} if cluster.engine.config.edition.is_valkey else shard


def _described(cluster: Cluster, node: Node) -> Iterator[tuple[bytes, Reply]]:
    config = cluster.engine.config
    plain, secure = (node.other_port, node.port) if config.tls_cluster else (node.port, node.other_port)
    yield b"id", node.id
    if plain:
        yield b"port", plain
    if secure:
        yield b"tls-port", secure
    yield b"ip", node.ip
    yield b"endpoint", endpoint(node, config.cluster_preferred_endpoint_type)
    if node.hostname:
        yield b"hostname", node.hostname
    yield b"role", b"replica" if node.is_replica else b"master"
    offset = _offset(cluster, node)
    yield b"replication-offset", offset
    yield b"health", b"fail" if node.has_failed else b"loading" if node.is_replica and not offset else b"online"
    if node.availability_zone:
        yield b"availability-zone", node.availability_zone


def _offset(cluster: Cluster, node: Node) -> int:
    """How much of the stream a node has; a replica without any has no data yet."""
    return cluster.replication_offset if node.is_myself else node.replication_offset
