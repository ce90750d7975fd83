"""PING, PONG and MEET: who greets whom and when, gossip about others, and what the greeted learn thereby."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from emulator.cluster.packet import MEET, PING, PONG, Extensions, Gossip, Greeting, Header
from emulator.cluster.state import (
    EXTENSIONS,
    FAIL,
    HANDSHAKE,
    MASTER,
    MYSELF,
    NOADDR,
    NOFAILOVER,
    PFAIL,
    REPLICA,
    Node,
    members,
    new_id,
)
from emulator.cluster.state import MEET as TO_BE_MET
from emulator.cluster.told import told
from emulator.stats.log import NOTICE

if TYPE_CHECKING:
    from emulator.cluster.bus import Bus
    from emulator.cluster.link import BusLink

logger = logging.getLogger("emulator")

_TICKS_A_PING: Final = 10
_CANDIDATES: Final = 5
_LEAST_GOSSIP: Final = 3
_MOST_NODES: Final = 2000
"""Nodes beyond which nobody is taken up whom an administrator has not named: what others tell is bounded."""
_NEWER_AT_MOST: Final = 500
"""Milliseconds by which others' clocks may be ahead where they tell when somebody last answered."""


class Greetings:
    """The greetings of a bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._ticks = 0

    # Sending

    def tick(self) -> None:
        """Greet who was silent for long, and each second the one of a few who was silent longest."""
        bus = self._bus
        self._ticks += 1
        others = [node for node in bus.state.nodes.values() if not node.flags & (MYSELF | HANDSHAKE | NOADDR)]
        if self._ticks % _TICKS_A_PING == 0:
            chosen = bus.engine.random.sample(others, min(_CANDIDATES, len(others)))
            waiting = [node for node in chosen if node.link is not None and not node.ping_sent]
            if waiting:
                self.greet_node(min(waiting, key=lambda node: node.pong_received))
        for node in others:
            is_silent = not node.ping_sent and bus.now - node.pong_received > bus.node_timeout / 2
            if is_silent or node is bus.manual_failover.candidate:
                self.greet_node(node)

    def greet_node(self, node: Node, kind: int = PING) -> None:
        """Greet a node over the connection to it, if there is one."""
        if node.link is not None:
            self.greet(node.link, kind)

    def greet(self, link: BusLink, kind: int) -> None:
        """Send a greeting."""
        node = link.node
        if kind != PONG and node is not None:
            node.ping_sent = self._bus.now
        self._bus.send(link, kind, self.compose(node))

    def answer_all(self, nodes: list[Node] | None = None) -> None:
        """Tell all nodes, or some, at once what this one is now: a PONG to nobody's PING."""
        for node in list(self._bus.state.nodes.values()) if nodes is None else nodes:
            if not node.flags & (MYSELF | HANDSHAKE):
                self.greet_node(node, PONG)

    def compose(self, receiver: Node | None) -> Greeting:
        """Gossip about a few, and about all that may have failed; extensions for who reads them."""
        nodes = self._bus.state.nodes.values()
        known = [node for node in nodes if node is not receiver and not node.flags & (MYSELF | HANDSHAKE | NOADDR)]
        well = [node for node in known if not node.flags & PFAIL and (node.link is not None or node.slots)]
        wanted = max(_LEAST_GOSSIP, len(nodes) // 10)
        some = self._bus.engine.random.sample(well, min(wanted, len(well)))
        gossip = tuple(map(_entry, [*some, *(node for node in known if node.flags & PFAIL)]))
        reads = receiver is not None and receiver.flags & EXTENSIONS
        return Greeting(gossip, self._extensions() if reads else Extensions())

    def _extensions(self) -> Extensions:
        state, now = self._bus.state, self._bus.now
        me = state.myself
        forgotten = [(node, (until - now) // 1000) for node, until in state.forgotten.items() if until > now]
        return Extensions(me.hostname, me.human_name, me.shard_id, tuple(forgotten))

    # Receiving

    def take(self, link: BusLink, sender: Node | None, header: Header, body: Greeting) -> None:
        """A greeting has come, perhaps from somebody who is not known."""
        bus = self._bus
        if header.type != PONG:
            self._learn_own_ip(link, header.type)
            if sender is None and header.type == MEET:
                self._shake_hands(link, header)
            self.greet(link, PONG)
        if not link.is_inbound and not self._comes_from_whom_it_should(link, sender, header):
            return
        if header.type == PONG and not link.is_inbound and link.node is not None:
            bus.health.has_answered(link.node)
            sender = sender or bus.state.nodes.get(header.sender)
        if sender is None:
            return
        if header.type == PING and link.is_inbound:
            self._note_address(link, sender, header)
        sender.flags = sender.flags & ~NOFAILOVER | header.flags & NOFAILOVER
        self._note_role(sender, header)
        bus.claims.take(sender, header)
        self._take_gossip(sender, body.gossip)
        if body.extensions is not None:
            self._take_extensions(sender, body.extensions)

    def _learn_own_ip(self, link: BusLink, kind: int) -> None:
        """Others reach this node by the address at which they have reached it just now, unless it is to announce one."""
        me = self._bus.state.myself
        if self._bus.engine.config.cluster_announce_ip or (kind != MEET and me.ip):
            return
        ip = link.own_ip
        if ip and ip != me.ip:
            me.ip = ip
            logger.warning("IP address for this node updated to %s", ip.decode())
            self._bus.changed()

    def _shake_hands(self, link: BusLink, header: Header) -> None:
        """Somebody who is not known wants to be: greet him, too, to learn whether he is there."""
        self.meet(header.ip or link.peer_ip, header.port, header.cport, HANDSHAKE)

    def meet(self, ip: bytes, port: int, cport: int, flags: int = HANDSHAKE | TO_BE_MET) -> None:
        """Take up a node by its address, until it is known by its id; nothing happens where that is under way."""
        bus = self._bus
        nodes = bus.state.nodes.values()
        if any(node.flags & HANDSHAKE and (node.ip, node.cport) == (ip, cport) for node in nodes):
            return
        if len(nodes) >= _MOST_NODES and not flags & TO_BE_MET:
            return
        random = bus.engine.random
        node = Node(new_id(random), new_id(random), ip, port, cport, flags=flags, created=bus.now)
        bus.state.add(node)

    def _comes_from_whom_it_should(self, link: BusLink, sender: Node | None, header: Header) -> bool:
        """Whether who answers is the one who was dialled; one whose id was not known yet is known by it from now on."""
        bus, node = self._bus, link.node
        assert node is not None
        if node.flags & HANDSHAKE:
            if sender is not None or header.sender == bus.state.myself.id:
                logger.debug(
                    "Handshake: we already know node %s, updating the address if needed.", header.sender.decode()
                )
                if sender is not None:
                    self._note_address(link, sender, header)
                bus.forget(node)
                return False
            bus.state.rename(node, header.sender)
            node.flags = node.flags & ~(HANDSHAKE | TO_BE_MET | MASTER | REPLICA) | header.flags & (MASTER | REPLICA)
            bus.changed()
            return True
        if node.id != header.sender:
            logger.debug("PONG contains mismatching sender ID")
            node.flags |= NOADDR
            node.ip, node.port, node.cport = b"", 0, 0
            bus.hang_up(node)
            bus.changed()
            return False
        return True

    def _note_address(self, link: BusLink, sender: Node, header: Header) -> None:
        """A node that has moved is dialled where it is now."""
        ip = header.ip or link.peer_ip
        address = (ip, header.port, header.cport, header.tls_port)
        if not ip or address == (sender.ip, sender.port, sender.cport, sender.other_port):
            return
        sender.ip, sender.port, sender.cport, sender.other_port = address
        sender.flags &= ~NOADDR
        bus = self._bus
        if sender.link is not link:
            bus.hang_up(sender)
        logger.warning("Address updated for node %s, now %s:%d", told(sender), ip.decode(), sender.port)
        if bus.state.myself.master is sender:
            bus.follow(sender)
        bus.changed()

    def _note_role(self, sender: Node, header: Header) -> None:
        """Whether a node is a master, or whose replica it is."""
        bus, state = self._bus, self._bus.state
        if not header.master:
            if not sender.is_master:
                state.set_master(sender, None)
                bus.changed()
            return
        master = state.nodes.get(header.master)
        if sender.is_master:
            state.unassign(members(sender.slots))
            sender.flags = sender.flags & ~MASTER | REPLICA
            bus.changed()
        if master is not None and master is not sender and sender.master is not master:
            state.set_master(sender, master)
            bus.changed()
            if state.myself.master is sender and master.is_master and master is not state.myself:
                logger.log(NOTICE, "I'm a sub-replica! Reconfiguring myself from %s to %s", told(sender), told(master))
                bus.become_replica(master)

    def _take_gossip(self, sender: Node, gossip: tuple[Gossip, ...]) -> None:
        bus = self._bus
        for entry in gossip:
            node = bus.state.nodes.get(entry.node)
            if node is None:
                self._take_up(entry)
            elif node is not bus.state.myself:
                self._take_entry(sender, node, entry)

    def _take_entry(self, sender: Node, node: Node, entry: Gossip) -> None:
        bus = self._bus
        fails = bool(entry.flags & (PFAIL | FAIL))
        if sender.is_master:
            bus.health.hear_report(sender, node, fails)
        if fails:
            return
        answered = entry.pong_received * 1000
        is_well = not node.may_have_failed and not node.ping_sent and not node.fail_reports
        if is_well and node.pong_received < answered <= bus.now + _NEWER_AT_MOST:
            node.pong_received = answered
        address = (entry.ip, entry.port, entry.cport)
        if node.may_have_failed and not entry.flags & NOADDR and address != (node.ip, node.port, node.cport):
            bus.hang_up(node)
            node.ip, node.port, node.cport = address
            node.other_port = entry.tls_port
            node.flags &= ~NOADDR

    def _take_up(self, entry: Gossip) -> None:
        """Take up a node that a known one tells of, unless it is to be forgotten."""
        bus, state = self._bus, self._bus.state
        if entry.flags & (NOADDR | HANDSHAKE) or self._is_forgotten(entry.node) or len(state.nodes) >= _MOST_NODES:
            return
        node = Node(entry.node, new_id(bus.engine.random), entry.ip, entry.port, entry.cport, created=bus.now)
        node.other_port = entry.tls_port
        node.flags = entry.flags & (MASTER | REPLICA | NOFAILOVER | EXTENSIONS)
        state.add(node)
        bus.changed()

    def _is_forgotten(self, node: bytes) -> bool:
        forgotten, now = self._bus.state.forgotten, self._bus.now
        for name in [name for name, until in forgotten.items() if until <= now]:
            del forgotten[name]
        return node in forgotten

    def _take_extensions(self, sender: Node, extensions: Extensions) -> None:
        bus = self._bus
        told_of = (extensions.hostname or b"", extensions.human_name or b"", extensions.shard_id or sender.shard_id)
        if told_of != (sender.hostname, sender.human_name, sender.shard_id):
            sender.hostname, sender.human_name, sender.shard_id = told_of
            me = bus.state.myself
            if me.master is sender:
                me.shard_id = sender.shard_id
            bus.changed()
        for name, seconds in extensions.forgotten:
            node = bus.state.nodes.get(name)
            if node is None or node is bus.state.myself or node is bus.state.myself.master:
                continue
            if len(bus.state.forgotten) < _MOST_NODES:
                bus.state.forgotten[name] = bus.now + min(seconds, 1 << 30) * 1000
                logger.log(NOTICE, "Forgetting node %s by the word of %s", told(node), told(sender))
                bus.forget(node)


def _entry(node: Node) -> Gossip:
    return Gossip(
        node=node.id,
        ping_sent=node.ping_sent // 1000 & 0xFFFFFFFF,
        pong_received=node.pong_received // 1000 & 0xFFFFFFFF,
        ip=node.ip,
        port=node.port,
        cport=node.cport,
        flags=node.flags,
        tls_port=node.other_port,
    )
