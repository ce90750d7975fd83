"""The cluster bus of a node: its connections to all others, what is sent over them, and where a packet goes that comes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from emulator.cluster.claims import Claims
from emulator.cluster.election import Election
from emulator.cluster.greetings import Greetings
from emulator.cluster.health import Health
from emulator.cluster.link import BusLink
from emulator.cluster.manual_failover import ManualFailover
from emulator.cluster.migrations import Migrations
from emulator.cluster.packet import (
    AUTH_ACK,
    AUTH_REQUEST,
    HAS_EXTENSIONS,
    MEET,
    MFSTART,
    PAUSED,
    PING,
    PUBLISH,
    PUBLISHSHARD,
    Body,
    Claim,
    Failure,
    Greeting,
    Header,
    Message,
    ModuleMessage,
    Packet,
    encode,
)
from emulator.cluster.state import EXTENSIONS, HANDSHAKE, MYSELF, NOADDR, Node, members
from emulator.cluster.state import MEET as TO_BE_MET
from emulator.datatypes.wheel import Timer

if TYPE_CHECKING:
    from emulator.cluster.cluster import Cluster
    from emulator.replication.host import Receiver

_TICK: Final = 100
_TYPES: Final = 11
_MOST_DIALLED: Final = 30
"""Connections that are begun in one tick, which take 6 ms."""


class Bus(Timer):
    """As a timer it is the next look at everybody, each 100 ms of the engine's time.

    ``sent`` and ``received`` count packets by type.  What changes the state calls `changed`, and the whole is told once the
    packet or the tick is through.
    """

    __slots__ = (
        "_changed",
        "_cluster",
        "_inbound",
        "claims",
        "election",
        "engine",
        "greetings",
        "health",
        "manual_failover",
        "migrations",
        "received",
        "sent",
        "state",
    )

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self._cluster = cluster
        self.engine = cluster.engine
        self.state = cluster.state
        self._inbound: set[BusLink] = set()
        self._changed = False
        self.sent = [0] * _TYPES
        self.received = [0] * _TYPES
        self.greetings = Greetings(self)
        self.health = Health(self)
        self.claims = Claims(self)
        self.election = Election(self)
        self.manual_failover = ManualFailover(self)
        self.migrations = Migrations(self)

    @property
    def now(self) -> int:
        """Milliseconds since the epoch."""
        return self.engine.clock.now

    @property
    def node_timeout(self) -> int:
        """Milliseconds of silence after which a node may have failed."""
        return self.engine.config.cluster_node_timeout

    # Life

    def begin(self) -> None:
        """Greet the others from now on."""
        self.fire()

    def end(self) -> None:
        """Close all connections."""
        self.engine.waits.cancel(self)
        for node in self.state.nodes.values():
            self.hang_up(node)
        for link in list(self._inbound):
            self.drop(link)

    def fire(self) -> None:
        self._dial_those_without_link()
        self._follow_master()
        self.greetings.tick()
        self.health.tick()
        self.manual_failover.check_timeout()
        self.manual_failover.proceed()
        self.election.proceed()
        self.migrations.tick()
        self.settle()
        self.engine.waits.set(self, self.engine.clock.elapsed + _TICK)

    def changed(self) -> None:
        """Something is new that the file of nodes has to tell, or by which the cluster may be up or down."""
        self._changed = True

    def settle(self) -> None:
        """Let whoever listens know if something has changed."""
        if self._changed:
            self._changed = False
            self.state.changed()

    # Connections

    def _dial_those_without_link(self) -> None:
        patience = max(self.node_timeout, 1000)
        dialled = 0
        for node in list(self.state.nodes.values()):
            if node.flags & (MYSELF | NOADDR) or not node.ip:
                continue
            if node.flags & HANDSHAKE and self.now - node.created > patience:
                self.forget(node)
            elif node.link is None and dialled < _MOST_DIALLED:
                dialled += 1
                self.dial(node)

    def dial(self, node: Node) -> None:
        """Begin a connection to a node."""
        assert self.engine.dial_node is not None
        node.link = link = BusLink(self, node, False, self.now)
        link.give_up = self.engine.dial_node(node.ip.decode("latin-1"), node.cport, link)

    def _follow_master(self) -> None:
        """Follow the master that the file of nodes told, or whose address was not known."""
        master = self.state.myself.master
        if master is not None and master.ip and self.engine.replication.link is None:
            self.follow(master)

    def accept(self) -> Receiver:
        """Who hears of a connection that somebody has made to this node."""
        link = BusLink(self, None, True, self.now)
        self._inbound.add(link)
        return link

    def connected(self, link: BusLink) -> None:
        """A connection is there: whoever was dialled is greeted, without more time to answer than he had."""
        node = link.node
        if link.is_inbound or node is None:
            return
        before = node.ping_sent
        self.greetings.greet(link, MEET if node.flags & TO_BE_MET else PING)
        node.flags &= ~TO_BE_MET
        if before:
            node.ping_sent = before

    def lost(self, link: BusLink) -> None:
        """A connection has ended, or could not be had: from now on an answer is owed."""
        if not link.is_inbound and link.node is not None and not link.node.ping_sent:
            link.node.ping_sent = self.now
        self.drop(link)

    def drop(self, link: BusLink) -> None:
        """End a connection."""
        link.close()
        self._inbound.discard(link)
        node = link.node
        if node is not None and node.link is link:
            node.link = None
        if node is not None and node.inbound is link:
            node.inbound = None

    def hang_up(self, node: Node) -> None:
        """End the connection to a node; the next tick makes another."""
        if node.link is not None:
            self.drop(node.link)

    def forget(self, node: Node) -> None:
        """Let a node go, with its connections."""
        self.hang_up(node)
        if node.inbound is not None:
            self.drop(node.inbound)
        self.state.remove(node)
        self.changed()

    def knows(self, link: BusLink, sender: Node) -> None:
        """A connection that somebody has made turns out to be that of a node, in the place of an older one."""
        if not link.is_inbound or link.node is sender:
            return
        if sender.inbound is not None:
            self.drop(sender.inbound)
        link.node = sender
        sender.inbound = link

    def takes(self, sender: bytes, length: int) -> bool:
        """Whether a message that long is to be gathered."""
        return sender in self.state.nodes and length <= self.engine.config.client_query_buffer_limit

    # Sending

    def header(self, kind: int, flags: int = 0) -> Header:
        """What a packet tells of this node; a replica tells its master's slots."""
        me, config = self.state.myself, self.engine.config
        master = me.master or me
        if self.manual_failover.holds_clients:
            flags |= PAUSED
        return Header(
            type=kind,
            sender=me.id,
            port=me.port,
            cport=me.cport,
            tls_port=me.other_port,
            current_epoch=self.state.current_epoch,
            config_epoch=master.config_epoch,
            offset=self.engine.replication.stream.offset,
            slots=master.slots,
            master=me.master.id if me.master is not None else b"",
            ip=config.cluster_announce_ip.encode("latin-1"),
            flags=me.flags,
            is_down=not self.state.is_ok,
            message_flags=flags | HAS_EXTENSIONS,
        )

    def send(self, link: BusLink | None, kind: int, body: Body = None, flags: int = 0) -> None:
        """Send a packet over a connection, if there is one."""
        if link is not None:
            self.sent[kind] += 1
            link.send(encode(Packet(self.header(kind, flags), body)))

    def broadcast(self, kind: int, body: Body = None, flags: int = 0, nodes: Iterable[Node] | None = None) -> None:
        """Send a packet to all nodes, or to some."""
        data = encode(Packet(self.header(kind, flags), body))
        for node in list(self.state.nodes.values() if nodes is None else nodes):
            if node.link is not None and not node.flags & (MYSELF | HANDSHAKE):
                self.sent[kind] += 1
                node.link.send(data)

    # What follows from what others tell

    def become_replica(self, master: Node) -> None:
        """Be the replica of a master from now on."""
        state = self.state
        self.follow(master)
        state.set_master(state.myself, master)
        state.migrating.clear()
        state.importing.clear()
        self.manual_failover.reset()
        self.changed()

    def follow(self, master: Node) -> None:
        """Have the data of a node."""
        self.engine.replication.follow(master.ip.decode("latin-1"), master.port)

    def delete_keys(self, slots: int) -> None:
        """Delete the keys of slots that are another node's now."""
        for slot in members(slots):
            for db in self.engine.databases:
                for key in list(db.in_slot(slot)):
                    if db.delete(key):
                        self.engine.propagation.add(db.index, [b"DEL", key])

    def publish(self, channel: bytes, message: bytes, shard: bool = False) -> None:
        """Let the subscribers at other nodes have a message: at all of them, or at those of this node's shard."""
        if shard:
            me = self.state.myself
            master = me.master or me
            self.broadcast(PUBLISHSHARD, Message(channel, message), nodes=[master, *master.replicas])
        else:
            self.broadcast(PUBLISH, Message(channel, message))

    # Receiving

    def take(self, link: BusLink, packet: Packet) -> None:
        """A packet has come."""
        header = packet.header
        self.received[header.type] += 1
        sender = self.state.nodes.get(header.sender)
        if sender is self.state.myself:
            sender = None
        if sender is not None:
            self._note(link, sender, header)
        if isinstance(packet.body, Greeting):
            self.greetings.take(link, sender, header, packet.body)
        elif sender is not None:
            self._take_from(sender, header, packet.body)
        self.settle()

    def _note(self, link: BusLink, sender: Node, header: Header) -> None:
        """What each packet tells of its sender."""
        state = self.state
        self.knows(link, sender)
        sender.data_received = self.now
        if header.message_flags & HAS_EXTENSIONS:
            sender.flags |= EXTENSIONS
        if header.current_epoch > state.current_epoch:
            state.current_epoch = header.current_epoch
            self.changed()
        if header.config_epoch > sender.config_epoch:
            sender.config_epoch = header.config_epoch
            self.changed()
        sender.replication_offset = header.offset
        if header.message_flags & PAUSED:
            self.manual_failover.master_has_paused(sender, header.offset)

    def _take_from(self, sender: Node, header: Header, body: Body) -> None:
        pubsub = self.engine.pubsub
        if isinstance(body, Failure):
            self.health.hear_of_failure(sender, body.node)
        elif isinstance(body, Message):
            deliver = pubsub.publish_shard if header.type == PUBLISHSHARD else pubsub.publish
            deliver(body.channel, body.message)
        elif isinstance(body, ModuleMessage):
            self.migrations.hear(sender, body)
        elif isinstance(body, Claim):
            self.claims.hear_of_other(body)
        elif header.type == AUTH_REQUEST:
            self.election.vote(sender, header)
        elif header.type == AUTH_ACK:
            self.election.count_vote(sender, header)
        elif header.type == MFSTART:
            self.manual_failover.requested_by(sender)
