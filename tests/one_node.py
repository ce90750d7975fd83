"""A node of a cluster without sockets, and packets that it is to bear."""

from dataclasses import replace

from emulator.clock import ManualClock
from emulator.cluster.packet import (
    AUTH_ACK,
    AUTH_REQUEST,
    FAIL,
    MFSTART,
    MODULE,
    PING,
    PONG,
    PUBLISH,
    SIGNATURE,
    UPDATE,
    Claim,
    Failure,
    Gossip,
    Greeting,
    Header,
    Message,
    ModuleMessage,
    Packet,
    decode,
    encode,
)
from emulator.cluster.state import ALL_SLOTS, MASTER, REPLICA, Node
from emulator.core.engine import Engine
from emulator.testing.settings import configured

OF_SLOT_0 = "{06S}"
LESSER, GREATER, THIRD = b"0" * 40, b"f" * 40, b"e" * 40


class FakeWire:
    """A connection that keeps the packets that are sent; what is said to a master is none."""

    address, local_address, unsent = b"127.0.0.1:50000", b"127.0.0.1:17000", 0

    def __init__(self):
        self.sent = []
        self.closed = False

    def write(self, data):
        if data.startswith(SIGNATURE):
            self.sent.append(decode(data))

    def close(self):
        self.closed = True

    def soon(self, work):
        work()

    def pause(self, paused):
        pass


class OneNode:
    """A node without sockets; ``wires`` are the connections that it has opened, by port."""

    def __init__(self, slots=range(0), **settings):
        self.engine = Engine(configured({"cluster_enabled": "yes", **settings}, port=7000, save=""), ManualClock())
        self.engine.dial = self.engine.dial_node = self.dial
        self.cluster = self.engine.cluster
        self.state, self.bus = self.cluster.state, self.cluster.bus
        self.me = self.state.myself
        self.wires = {}
        self.state.assign(self.me, slots)
        self.inbound = self.bus.accept()
        self.inbound.connected(FakeWire())

    def dial(self, host, port, receiver):
        wire = self.wires[port] = FakeWire()
        receiver.connected(wire)
        return lambda: None

    def know(self, id, slots=range(0), port=7001, master=None, epoch=0):
        """Enter a node, with a connection to it."""
        node = Node(id, id, b"127.0.0.1", port, port + 10000, config_epoch=epoch, pong_received=self.engine.clock.now)
        self.state.add(node)
        self.state.assign(node, slots)
        if master is not None:
            self.state.set_master(node, master)
        self.state.changed()
        self.bus.fire()
        return node

    def hear(self, header, body=None):
        """Let a packet come by the connection that others have made."""
        self.inbound.received(encode(Packet(header, body)))

    def told(self, node, kind):
        """The packets of a type that were sent to a node."""
        return [packet for packet in self.wires[node.cport].sent if packet.header.type == kind]


def header_of(node, kind=PING, **others):
    master = node.master or node
    told = {"sender": node.id, "port": node.port, "cport": node.cport, "flags": node.flags, "slots": master.slots}
    told |= {"config_epoch": master.config_epoch, "master": node.master.id if node.master else b""}
    return Header(**{"type": kind, **told, **others})


MODULE_ID = int.from_bytes(b"emulator", "big")
ID = b"7" * 40
MIGRATION_WORDS = [
    [b"SYNC", ID],
    [b"SYNC", ID, b"\xff" * 4096],
    [b"OFFER", ID, b"\xff" * 2048],
    [b"KEYS", ID, b"0", b"{06S}", b"0", b"payload"],
    [b"ACK", ID],
    [b"HANDOVER", ID],
    [b"TAKEN", ID],
    [b"FAIL", ID, b"\xff"],
    [b"NONSENSE", ID],
    [b"SYNC"],
]


def strange_packets():
    known = Header(PING, GREATER, 7001, 17001, flags=MASTER)
    gossip = tuple(Gossip(b"%040x" % number, 0, 0, b"10.0.0.1", 1, 1, MASTER) for number in range(10_000))
    yield "gossip of ten thousand nodes", encode(Packet(known, Greeting(gossip)))
    yield "a failure of ourselves", encode(Packet(replace(known, type=FAIL), Failure(b"1" * 40)))
    yield (
        "a claim of an unknown node",
        encode(Packet(replace(known, type=UPDATE), Claim(1 << 63, b"9" * 40, ALL_SLOTS))),
    )
    yield "a replica of itself", encode(Packet(replace(known, master=GREATER, flags=REPLICA), Greeting()))
    yield "a replica of nobody", encode(Packet(replace(known, master=b"9" * 40, flags=REPLICA), Greeting()))
    for kind in (AUTH_REQUEST, AUTH_ACK, MFSTART):
        yield f"type {kind} of a stranger", encode(Packet(Header(kind, b"8" * 40)))
        yield f"type {kind} of a master", encode(Packet(replace(known, type=kind)))
    yield "a message of a stranger", encode(Packet(Header(PUBLISH, b"8" * 40), Message(b"c", b"m")))
    yield "a greeting of a stranger", encode(Packet(Header(PING, b"8" * 40), Greeting()))
    for words in MIGRATION_WORDS:
        data = b"".join(len(word).to_bytes(4, "big") + word for word in words)
        message = ModuleMessage(MODULE_ID, 0, data)
        yield f"a module's {words[0].decode()}", encode(Packet(replace(known, type=MODULE), message))
    yield (
        "a module's half word",
        encode(Packet(replace(known, type=MODULE), ModuleMessage(MODULE_ID, 0, b"\0\0\0\x7fKE"))),
    )
    yield "another module's message", encode(Packet(replace(known, type=MODULE), ModuleMessage(1, 2, b"data")))
    yield "an answer to nothing", encode(Packet(replace(known, type=PONG), Greeting()))
