"""What a node knows of its cluster: the nodes, who owns which slot, epochs, and whether the cluster is up.

Pure data without I/O and without a clock of its own; ids, addresses and names are bytes, times are milliseconds.

    state = State(new_id(random), new_id(random))   # ids of this node and of its shard
    state.myself, state.nodes[id], state.owners[slot]
    state.add(node), state.remove(node), state.rename(node, id)
    state.assign(node, slots), state.unassign(slots)  # from whoever had them
    state.set_master(node, master), state.set_master(node, None)
    state.migrating[slot], state.importing[slot]    # the node at the other end
    state.refresh(full_coverage)                    # works `is_ok` out anew
    state.changed()                                 # whoever changed something says so, once it is whole
    state.on_change.append(function)                # is called by that: saves the file, tells the bus

A node's slots are an int with a bit for each (``1 << slot``), which is the bitmap of the bus by
``node.slots.to_bytes(2048, "little")``; `bitmap` and `members` translate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from emulator.cluster.link import BusLink

from emulator.datatypes.slots import SLOTS as SLOTS

NO_SLOTS: Final = 0
ALL_SLOTS: Final = (1 << SLOTS) - 1

MASTER: Final = 1
REPLICA: Final = 2
PFAIL: Final = 4
FAIL: Final = 8
MYSELF: Final = 16
HANDSHAKE: Final = 32
NOADDR: Final = 64
MEET: Final = 128
MIGRATE_TO: Final = 256
NOFAILOVER: Final = 512
EXTENSIONS: Final = 1024
"""Flags of a node, with the bits that they have on the bus."""

ID_LENGTH: Final = 40
PORT_INCREMENT: Final = 10000
"""The bus listens so far above the port for clients, unless ``cluster-port`` says where."""


def new_id(random: Random) -> bytes:
    """A fresh id of a node or a shard: 40 hexadecimal digits."""
    return b"%040x" % random.getrandbits(160)


def bitmap(slots: Iterable[int]) -> int:
    """The int that stands for these slots."""
    bits = bytearray(SLOTS // 8)
    for slot in slots:
        bits[slot >> 3] |= 1 << (slot & 7)
    return int.from_bytes(bits, "little")


def members(slots: int) -> Iterator[int]:
    """The slots of a bitmap, in order."""
    for first, last in ranges(slots):
        yield from range(first, last + 1)


def ranges(slots: int) -> Iterator[tuple[int, int]]:
    """The first and the last slot of each run of slots in a bitmap, in order."""
    position = 0
    while slots:
        gap = (slots & -slots).bit_length() - 1
        slots >>= gap
        run = (~slots & (slots + 1)).bit_length() - 1
        slots >>= run
        position += gap
        yield position, position + run - 1
        position += run


def range_words(slots: int) -> bytes:
    """Slots as ``0-5000 10000-10100``."""
    return b" ".join(b"%d-%d" % each for each in ranges(slots))


@dataclass(slots=True, eq=False)
class Node:
    """A node of the cluster.

    ``ip`` is empty where it is not known (this node's own, before anybody met it).  ``port`` is the one for clients, of TLS
    where ``tls-cluster`` is on; ``other_port`` that of the other kind, 0 for none; ``cport`` is the bus's.  ``slots`` is a
    bitmap.  ``ping_sent`` is 0 while no ping is unanswered.  ``link`` goes to the node, ``inbound`` comes from it.
    ``fail_reports`` has by the node that reports when it last did so.
    """

    id: bytes
    shard_id: bytes
    ip: bytes = b""
    port: int = 0
    cport: int = 0
    other_port: int = 0
    hostname: bytes = b""
    human_name: bytes = b""
    availability_zone: bytes = b""
    flags: int = MASTER
    master: Node | None = None
    replicas: list[Node] = field(default_factory=list)
    slots: int = NO_SLOTS
    config_epoch: int = 0
    replication_offset: int = 0
    ping_sent: int = 0
    pong_received: int = 0
    data_received: int = 0
    fail_time: int = 0
    voted_time: int = 0
    created: int = 0
    link: BusLink | None = None
    inbound: BusLink | None = None
    fail_reports: dict[Node, int] = field(default_factory=dict)

    @property
    def is_myself(self) -> bool:
        return bool(self.flags & MYSELF)

    @property
    def is_master(self) -> bool:
        return bool(self.flags & MASTER)

    @property
    def is_replica(self) -> bool:
        return bool(self.flags & REPLICA)

    @property
    def has_failed(self) -> bool:
        return bool(self.flags & FAIL)

    @property
    def may_have_failed(self) -> bool:
        """Whether this node alone believes so, or all do."""
        return bool(self.flags & (PFAIL | FAIL))

    @property
    def is_connected(self) -> bool:
        return self.link is not None or self.is_myself


class State:
    """The cluster as one node knows it.

    ``owners`` has the node of each slot; ``migrating`` and ``importing`` have by slot the node that it goes to or comes from.
    ``forgotten`` has by id until when (ms) a node is not to be taken up again.  ``is_ok`` is `cluster_state`, and ``size``
    how many masters have slots.  ``revision`` grows with each change of what owners and nodes are.
    """

    def __init__(self, node_id: bytes, shard_id: bytes) -> None:
        self.myself = Node(node_id, shard_id, flags=MYSELF | MASTER)
        self.nodes: dict[bytes, Node] = {node_id: self.myself}
        self.owners: list[Node | None] = [None] * SLOTS
        self.migrating: dict[int, Node] = {}
        self.importing: dict[int, Node] = {}
        self.forgotten: dict[bytes, int] = {}
        self.current_epoch = 0
        self.last_vote_epoch = 0
        self.is_ok = False
        self.size = 0
        self.revision = 0
        self.on_change: list[Callable[[], object]] = []

    def changed(self) -> None:
        """Tell that something has changed that is kept in the file and gossiped about."""
        self.revision += 1
        for tell in self.on_change:
            tell()

    # Nodes

    def add(self, node: Node) -> Node:
        """Take up a node; returns it."""
        self.nodes[node.id] = node
        if node.master is not None:
            self.set_master(node, node.master)
        return node

    def remove(self, node: Node) -> None:
        """Let a node go, with its slots, what is moved from or to it, and what it reports."""
        self.unassign(members(node.slots))
        for moved in (self.migrating, self.importing):
            for slot in [slot for slot, other in moved.items() if other is node]:
                del moved[slot]
        for other in self.nodes.values():
            other.fail_reports.pop(node, None)
        if node.master is not None:
            node.master.replicas.remove(node)
            node.master = None
        for replica in node.replicas:
            replica.master = None
        node.replicas = []
        del self.nodes[node.id]

    def rename(self, node: Node, node_id: bytes) -> None:
        """Enter a node under the id that it turned out to have."""
        del self.nodes[node.id]
        node.id = node_id
        self.nodes[node_id] = node

    def set_master(self, node: Node, master: Node | None) -> None:
        """Make a node the replica of another, or with None a master."""
        if node.master is not None and node in node.master.replicas:
            node.master.replicas.remove(node)
        node.master = master
        if master is None:
            node.flags = node.flags & ~(REPLICA | MIGRATE_TO) | MASTER
            return
        node.flags = node.flags & ~(MASTER | MIGRATE_TO) | REPLICA
        node.shard_id = master.shard_id
        master.replicas.append(node)

    def masters(self) -> list[Node]:
        """The masters that are no longer mere acquaintances, in the order of their ids."""
        known = (node for node in self.nodes.values() if node.is_master and not node.flags & HANDSHAKE)
        return sorted(known, key=lambda node: node.id)

    def max_epoch(self) -> int:
        """The greatest epoch that is known."""
        return max(self.current_epoch, *(node.config_epoch for node in self.nodes.values()))

    def bump_epoch(self) -> bool:
        """Give this node an epoch above all others without anybody's vote, unless it has that one already; whether it has."""
        if self.myself.config_epoch and self.myself.config_epoch == self.max_epoch():
            return False
        self.current_epoch += 1
        self.myself.config_epoch = self.current_epoch
        return True

    # Slots

    def assign(self, node: Node, slots: Iterable[int]) -> None:
        """Give slots to a node, from whoever had them."""
        slots = tuple(slots)
        self.unassign(slots)
        for slot in slots:
            self.owners[slot] = node
        node.slots |= bitmap(slots)

    def unassign(self, slots: Iterable[int]) -> None:
        """Take slots from whoever has them."""
        taken: dict[Node, list[int]] = {}
        for slot in slots:
            if (owner := self.owners[slot]) is not None:
                taken.setdefault(owner, []).append(slot)
                self.owners[slot] = None
        for owner, own in taken.items():
            owner.slots &= ~bitmap(own)

    def refresh(self, full_coverage: bool) -> bool:
        """Work out whether the cluster is up, with `full_coverage` only where each slot has an owner; whether that is new."""
        with_slots = [node for node in self.nodes.values() if node.is_master and node.slots]
        reachable = sum(not node.may_have_failed for node in with_slots)
        self.size = len(with_slots)
        was_ok = self.is_ok
        self.is_ok = reachable >= self.size // 2 + 1 and not (full_coverage and self._has_gaps())
        return self.is_ok is not was_ok

    def _has_gaps(self) -> bool:
        served = NO_SLOTS
        for node in self.nodes.values():
            if not node.has_failed:
                served |= node.slots
        return served != ALL_SLOTS
