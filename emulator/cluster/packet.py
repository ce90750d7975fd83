"""The packets of the cluster bus to bytes and back: pure functions, all numbers big endian.

A packet is a header of 2256 bytes, which tells what its sender knows of itself, and a body by its type.  `decode` raises
`BadPacket` where the lengths that a packet tells disagree with one another; it never makes more than the bytes it is given.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from struct import Struct
from typing import Final

from emulator.cluster.state import ID_LENGTH, SLOTS

SIGNATURE: Final = b"RCmb"
HEADER_SIZE: Final = 2256
PREFIX_SIZE: Final = 16
"""Bytes from the beginning that tell signature, length, version, type and count."""
VERSION: Final = 1
NO_NODE: Final = b""

PING, PONG, MEET, FAIL, PUBLISH, AUTH_REQUEST, AUTH_ACK, UPDATE, MFSTART, MODULE, PUBLISHSHARD = range(11)
NAMES: Final = (
    *("ping", "pong", "meet", "fail", "publish", "auth-req", "auth-ack"),
    *("update", "mfstart", "module", "publishshard"),
)
"""The types as CLUSTER INFO names them."""
GREETINGS: Final = (PING, PONG, MEET)
"""The packets that carry gossip."""

PAUSED: Final = 1
"""Message flag: the sender lets its clients wait for a manual failover."""
FORCE_ACK: Final = 2
"""Message flag: vote even though the master is not down."""
HAS_EXTENSIONS: Final = 4
"""Message flag: the sender reads extensions, and sends them if its packet tells of some."""

_HOSTNAME, _HUMAN_NAME, _FORGOTTEN, _SHARD_ID = range(4)

_IS_ID: Final = re.compile(rb"[0-9a-f]{%d}" % ID_LENGTH).fullmatch
_IS_ADDRESS: Final = re.compile(rb"[0-9A-Za-z.:%_-]*").fullmatch
_IS_NAME: Final = re.compile(rb"[^\x00-\x20,=\x7f]*").fullmatch
"""What would be read as something else in CLUSTER NODES and in the file of nodes is in none of these."""

_PREFIX: Final = Struct("!4sI4H")
_HEADER: Final = Struct("!4sI4H3Q40s2048s40s46sH30s3HB3s")
_GOSSIP: Final = Struct("!40sII46s4H2x")
_EXTENSION: Final = Struct("!IHxx")
_FORGOTTEN_NODE: Final = Struct("!40sQ")
_PUBLISH: Final = Struct("!II")
_UPDATE: Final = Struct("!Q40s2048s")
_MODULE: Final = Struct("!QIB")


class BadPacket(ValueError):
    """What has come is no packet of the bus."""


@dataclass(frozen=True, slots=True)
class Gossip:
    """What a node tells of another one: moments are seconds since the epoch, ``ping_sent`` 0 if no answer is owed."""

    node: bytes
    ping_sent: int
    pong_received: int
    ip: bytes
    port: int
    cport: int
    flags: int
    tls_port: int = 0


@dataclass(frozen=True, slots=True)
class Extensions:
    """What greetings tell besides; ``forgotten`` are ids of nodes to be forgotten, with the seconds that this holds."""

    hostname: bytes | None = None
    human_name: bytes | None = None
    shard_id: bytes | None = None
    forgotten: tuple[tuple[bytes, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Greeting:
    """The body of PING, PONG and MEET; ``extensions`` is None where the sender tells none."""

    gossip: tuple[Gossip, ...] = ()
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """The body of FAIL: a node that most masters hold for dead."""

    node: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """The body of PUBLISH and PUBLISHSHARD."""

    channel: bytes
    message: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """The body of UPDATE: which slots a node has, by a newer configuration than the receiver's."""

    epoch: int
    node: bytes
    slots: int


@dataclass(frozen=True, slots=True)
class ModuleMessage:
    """The body of MODULE: what a module says to itself at another node; whoever does not have it passes it over."""

    module: int
    kind: int
    data: bytes


Body = Greeting | Failure | Message | Claim | ModuleMessage | None


@dataclass(frozen=True, slots=True)
class Header:
    """What each packet tells of its sender.

    Bit n of ``slots`` stands for slot n; a replica tells its master's.  ``master`` is `NO_NODE` for a master, ``ip`` is empty
    where the receiver is to take the address that the connection comes from.
    """

    type: int
    sender: bytes
    port: int = 0
    cport: int = 0
    tls_port: int = 0
    current_epoch: int = 0
    config_epoch: int = 0
    offset: int = 0
    slots: int = 0
    master: bytes = NO_NODE
    ip: bytes = b""
    flags: int = 0
    is_down: bool = False
    message_flags: int = 0


@dataclass(frozen=True, slots=True)
class Packet:
    """A header and its body."""

    header: Header
    body: Body = field(default=None)


def _slots_to_bytes(slots: int) -> bytes:
    return slots.to_bytes(SLOTS // 8, "little")


def _slots_from_bytes(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _text(data: bytes) -> bytes:
    """What stands before the first zero byte."""
    return data.partition(b"\0")[0]


def _id(data: bytes) -> bytes:
    if not _IS_ID(data):
        raise BadPacket("an id that is none")
    return data


def _address(data: bytes) -> bytes:
    text = _text(data)
    if not _IS_ADDRESS(text):
        raise BadPacket("an address that is none")
    return text


def _name(data: bytes) -> bytes:
    text = _text(data)
    if not _IS_NAME(text):
        raise BadPacket("a name that is none")
    return text


def length_of(prefix: bytes | bytearray) -> int:
    """How long the packet is that begins with these bytes, at least eight.  Raises `BadPacket`."""
    length = int.from_bytes(prefix[4:8], "big")
    if prefix[:4] != SIGNATURE or length < HEADER_SIZE:
        raise BadPacket("Bad message length or signature received from the Cluster bus.")
    return length


def type_of(prefix: bytes | bytearray) -> int:
    """The type of a packet whose first sixteen bytes are given."""
    number: int = _PREFIX.unpack_from(prefix)[4]
    return number


def sender_of(header: bytes | bytearray) -> bytes:
    """The id of a packet's sender, by its first eighty bytes."""
    return bytes(header[40:80])


# Writing


def encode(packet: Packet) -> bytes:
    """The bytes of a packet."""
    header = packet.header
    body, count, extensions = _encode_body(packet.body)
    flags = bytes((header.message_flags, 0, 0))
    return (
        _HEADER.pack(
            SIGNATURE,
            HEADER_SIZE + len(body),
            VERSION,
            header.port,
            header.type,
            count,
            header.current_epoch,
            header.config_epoch,
            header.offset,
            header.sender,
            _slots_to_bytes(header.slots),
            header.master,
            header.ip,
            extensions,
            b"",
            header.tls_port,
            header.cport,
            header.flags,
            header.is_down,
            flags,
        )
        + body
    )


def _encode_body(body: Body) -> tuple[bytes, int, int]:
    """The bytes of a body, how many entries of gossip it has, and how many extensions."""
    if isinstance(body, Greeting):
        entries = b"".join(map(_encode_gossip, body.gossip))
        extensions = _encode_extensions(body.extensions) if body.extensions is not None else []
        return entries + b"".join(extensions), len(body.gossip), len(extensions)
    if isinstance(body, Failure):
        return body.node.ljust(ID_LENGTH, b"\0"), 0, 0
    if isinstance(body, Message):
        return _PUBLISH.pack(len(body.channel), len(body.message)) + body.channel + body.message, 0, 0
    if isinstance(body, ModuleMessage):
        return _MODULE.pack(body.module, len(body.data), body.kind) + body.data, 1, 0
    if isinstance(body, Claim):
        return _UPDATE.pack(body.epoch, body.node, _slots_to_bytes(body.slots)), 0, 0
    return b"", 0, 0


def _encode_gossip(entry: Gossip) -> bytes:
    return _GOSSIP.pack(
        entry.node,
        entry.ping_sent,
        entry.pong_received,
        entry.ip,
        entry.port,
        entry.cport,
        entry.flags,
        entry.tls_port,
    )


def _encode_extensions(extensions: Extensions) -> list[bytes]:
    encoded = []
    for kind, name in ((_HOSTNAME, extensions.hostname), (_HUMAN_NAME, extensions.human_name)):
        if name:
            encoded.append(_extension(kind, name + b"\0"))
    for node, seconds in extensions.forgotten:
        encoded.append(_extension(_FORGOTTEN, _FORGOTTEN_NODE.pack(node, seconds)))
    if extensions.shard_id:
        encoded.append(_extension(_SHARD_ID, extensions.shard_id))
    return encoded


def _extension(kind: int, data: bytes) -> bytes:
    """An extension: its length is a multiple of eight."""
    padded = data.ljust(-(-len(data) // 8) * 8, b"\0")
    return _EXTENSION.pack(_EXTENSION.size + len(padded), kind) + padded


# Reading


def decode(data: bytes) -> Packet | None:
    """The packet that these bytes are, None for one of another version or type.  Raises `BadPacket`."""
    if len(data) < HEADER_SIZE or length_of(data) != len(data):
        raise BadPacket("a packet is as long as it says")
    _, _, version, _, kind, count = _PREFIX.unpack_from(data)
    if version != VERSION:
        return None
    header, extensions = _decode_header(data)
    body = data[HEADER_SIZE:]
    if kind in GREETINGS:
        return Packet(header, _decode_greeting(header, body, count, extensions))
    decode_body = _BODIES.get(kind)
    return None if decode_body is None else Packet(header, decode_body(body))


def _decode_header(data: bytes) -> tuple[Header, int]:
    """The header of a packet, and how many extensions it tells of."""
    (
        _,
        _,
        _,
        port,
        kind,
        _,
        current_epoch,
        config_epoch,
        offset,
        sender,
        slots,
        master,
        ip,
        extensions,
        _,
        tls_port,
        cport,
        flags,
        is_down,
        message_flags,
    ) = _HEADER.unpack_from(data)
    header = Header(
        type=kind,
        sender=_id(sender),
        port=port,
        cport=cport,
        tls_port=tls_port,
        current_epoch=current_epoch,
        config_epoch=config_epoch,
        offset=offset,
        slots=_slots_from_bytes(slots),
        master=_id(master) if any(master) else NO_NODE,
        ip=_address(ip),
        flags=flags,
        is_down=bool(is_down),
        message_flags=message_flags[0],
    )
    return header, extensions


def _check_size(body: bytes, size: int) -> None:
    if len(body) != size:
        raise BadPacket(f"a body of {size} bytes was to come, not one of {len(body)}")


def _decode_greeting(header: Header, body: bytes, count: int, extensions: int) -> Greeting:
    size = count * _GOSSIP.size
    if size > len(body):
        raise BadPacket("less gossip than a packet tells of")
    gossip = []
    for place in range(0, size, _GOSSIP.size):
        node, ping_sent, pong_received, ip, port, cport, flags, tls_port = _GOSSIP.unpack_from(body, place)
        gossip.append(Gossip(_id(node), ping_sent, pong_received, _address(ip), port, cport, flags, tls_port))
    if not header.message_flags & HAS_EXTENSIONS:
        _check_size(body, size)
        return Greeting(tuple(gossip))
    return Greeting(tuple(gossip), _decode_extensions(body[size:], extensions))


def _decode_extensions(data: bytes, count: int) -> Extensions:
    hostname = human_name = b""
    shard_id = None
    forgotten: list[tuple[bytes, int]] = []
    place = 0
    for _ in range(count):
        if place + _EXTENSION.size > len(data):
            raise BadPacket("fewer extensions than a packet tells of")
        length, kind = _EXTENSION.unpack_from(data, place)
        if length < _EXTENSION.size or length % 8 or place + length > len(data):
            raise BadPacket("an extension that is longer than its packet")
        content = data[place + _EXTENSION.size : place + length]
        place += length
        if kind == _HOSTNAME:
            hostname = _name(content)
        elif kind == _HUMAN_NAME:
            human_name = _name(content)
        elif kind == _SHARD_ID and len(content) >= ID_LENGTH:
            shard_id = _id(content[:ID_LENGTH])
        elif kind == _FORGOTTEN and len(content) == _FORGOTTEN_NODE.size:
            node, seconds = _FORGOTTEN_NODE.unpack(content)
            forgotten.append((_id(node), seconds))
    _check_size(data, place)
    return Extensions(hostname, human_name, shard_id, tuple(forgotten))


def _decode_failure(body: bytes) -> Failure:
    _check_size(body, ID_LENGTH)
    return Failure(_id(body))


def _decode_claim(body: bytes) -> Claim:
    _check_size(body, _UPDATE.size)
    epoch, node, slots = _UPDATE.unpack(body)
    return Claim(epoch, _id(node), _slots_from_bytes(slots))


def _decode_nothing(body: bytes) -> None:
    _check_size(body, 0)


def _decode_module_message(body: bytes) -> ModuleMessage:
    if len(body) < _MODULE.size:
        raise BadPacket("a module's message without a length")
    module, size, kind = _MODULE.unpack_from(body)
    _check_size(body, _MODULE.size + size)
    return ModuleMessage(module, kind, body[_MODULE.size :])


def _decode_message(body: bytes) -> Message:
    if len(body) < _PUBLISH.size:
        raise BadPacket("a message without lengths")
    channel_size, message_size = _PUBLISH.unpack_from(body)
    _check_size(body, _PUBLISH.size + channel_size + message_size)
    middle = _PUBLISH.size + channel_size
    return Message(body[_PUBLISH.size : middle], body[middle:])


_BODIES: Final[dict[int, Callable[[bytes], Body]]] = {
    **dict.fromkeys((PUBLISH, PUBLISHSHARD), _decode_message),
    FAIL: _decode_failure,
    UPDATE: _decode_claim,
    MODULE: _decode_module_message,
    **dict.fromkeys((AUTH_REQUEST, AUTH_ACK, MFSTART), _decode_nothing),
}
"""How bodies are read by the types of packets, but for those with gossip, which takes the header as well."""
