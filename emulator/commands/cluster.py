"""CLUSTER: what its sub-commands share, and what clients say to a node (ASKING, READONLY, READWRITE).

The sub-commands are in the modules ``cluster_*``.  Where cluster mode is off every one exists and is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, cast

from emulator.datatypes.slots import SLOTS
from emulator.protocol.errors import CommandError, as_text
from emulator.protocol.numbers import parse_integer
from emulator.protocol.replies import OK, Reply, Status
from emulator.table.registry import REGISTRY, command, container

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.cluster.cluster import Cluster
    from emulator.cluster.state import Node

container("cluster", group="cluster", since="3.0.0", acl="", help_since="5.0.0", help_acl="")

CHANGES: Final = "admin stale no_async_loading"
"""Flags of the sub-commands that change the node's configuration."""
SLOT_WISE: Final = "O(N) for N slots"
NODE_WISE: Final = "O(N) for N nodes"
VARIES: Final = "nondeterministic_output"

NO_CLUSTER: Final = "ERR This instance has cluster support disabled"


def cluster_of(client: Session) -> Cluster:
    """Return the cluster that the server is a node of; raise where cluster mode is off."""
    cluster = client.engine.cluster
    if cluster is None:
        raise CommandError(NO_CLUSTER)
    return cluster


_explain: Final = REGISTRY["cluster"].subcommands[b"help"].fn


@command("cluster", container="cluster", name="help", since="5.0.0", flags="loading stale", acl="", complexity="O(1)")
def cluster_help(client: Session) -> Reply:
    """What the sub-commands do."""
    cluster_of(client)
    assert _explain is not None
    return cast("Reply", _explain(client))


def slot(text: bytes) -> int:
    """Return the number of a slot."""
    number = parse_integer(text)
    if number is None or not 0 <= number < SLOTS:
        raise CommandError("ERR Invalid or out of range slot")
    return number


def slot_range(
    first: bytes, last: bytes, error: str = "ERR start slot number {} is greater than end slot number {}"
) -> range:
    """Return the slots from one to another."""
    start, end = slot(first), slot(last)
    if start > end:
        raise CommandError(error.format(start, end))
    return range(start, end + 1)


def slots_in(bounds: Sequence[bytes]) -> Iterator[int]:
    """The slots of ranges, of each its first and its last one."""
    for first, last in zip(bounds[::2], bounds[1::2], strict=True):
        yield from slot_range(first, last)


def distinct_slots(bounds: Sequence[bytes]) -> list[int]:
    """Return the slots of ranges that are all well formed and have none twice."""
    for bound in bounds:
        slot(bound)
    for first, last in zip(bounds[::2], bounds[1::2], strict=True):
        slot_range(first, last)
    return [*once(slots_in(bounds))]


def once(slots: Iterable[int]) -> Iterator[int]:
    """Return slots of which none may come twice: raise at the first that does."""
    seen: set[int] = set()
    for number in slots:
        if number in seen:
            raise CommandError(f"ERR Slot {number} specified multiple times")
        seen.add(number)
        yield number


def node_named(cluster: Cluster, node_id: bytes, error: str = "ERR Unknown node {}") -> Node:
    """Return the node of an id."""
    node = cluster.state.nodes.get(node_id)
    if node is None:
        raise CommandError(error.format(as_text(node_id)))
    return node


@command("cluster", since="3.0.0", flags="fast", acl="connection", complexity="O(1)")
def asking(client: Session) -> Status:
    """Allows the next command to use a slot that is being imported (cluster)."""
    cluster_of(client)
    client.asking = True
    return OK


@command("cluster", since="3.0.0", flags="loading stale fast", acl="connection", complexity="O(1)")
def readonly(client: Session) -> Status:
    """Allows the connection to read from a replica."""
    return _read_replicas(client, True)


@command("cluster", since="3.0.0", flags="loading stale fast", acl="connection", complexity="O(1)")
def readwrite(client: Session) -> Status:
    """Ends READONLY: the connection reads from cluster masters only."""
    return _read_replicas(client, False)


def _read_replicas(client: Session, allowed: bool) -> Status:
    """In Valkey replicas outside of clusters are read from in that way too."""
    if not client.engine.config.edition.is_valkey:
        cluster_of(client)
    client.reads_replicas = allowed
    return OK
