"""The packets of the cluster bus: those of real nodes are read and written again, and others do no harm.

``bus_packets.txt`` has packets that two nodes of a server sent to a third one that answered them: server, and the packet,
packed and in base64, in each line.
"""

import random
import zlib
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import pytest

from emulator.cluster.packet import (
    AUTH_ACK,
    FAIL,
    HEADER_SIZE,
    MEET,
    MODULE,
    PING,
    PONG,
    PUBLISH,
    UPDATE,
    BadPacket,
    Claim,
    Extensions,
    Failure,
    Gossip,
    Greeting,
    Header,
    Message,
    ModuleMessage,
    Packet,
    decode,
    encode,
    length_of,
)

CAPTURED = [
    (server, zlib.decompress(b64decode(packed)))
    for server, packed in map(str.split, (Path(__file__).parent / "bus_packets.txt").read_text().splitlines())
]
ME, OTHER = b"0" * 39 + b"1", b"0" * 39 + b"2"
SECRET = b"\0\0\0\x30\0\4\0\0"
"""How the extension begins that real nodes of Redis 8 tell their secret in, which is for Redis's own connections."""


def without_secret(data):
    """A packet as it is without that extension, which is always the last."""
    place = data.find(SECRET, HEADER_SIZE)
    if place < 0:
        return data
    count = int.from_bytes(data[2214:2216], "big") - 1
    shorter = data[:2214] + count.to_bytes(2, "big") + data[2216:place]
    return shorter[:4] + len(shorter).to_bytes(4, "big") + shorter[8:]


@pytest.mark.parametrize("server", sorted({server for server, _ in CAPTURED}))
def test_packets_of_real_nodes_are_written_as_they_were_read(server):
    packets = [data for name, data in CAPTURED if name == server]
    assert {decode(data).header.type for data in packets} >= {PING, PONG, MEET, FAIL, PUBLISH, UPDATE, AUTH_ACK}
    for data in packets:
        assert length_of(data[:8]) == len(data)
        assert encode(decode(data)) == without_secret(data)


def test_what_a_real_node_tells_is_understood():
    greeting = next(
        packet
        for packet in map(decode, (data for server, data in CAPTURED if server == "redis-8.2.3"))
        if packet.header.type == PING and packet.body.gossip and packet.body.extensions.hostname
    )
    assert greeting.header.slots == (1 << 8001) - 1
    assert greeting.body.extensions.hostname == b"host17101.example"
    assert greeting.body.extensions.human_name == b"node-17101"
    assert (greeting.body.gossip[0].ip, greeting.body.gossip[0].port, greeting.body.gossip[0].cport) == (
        b"127.0.0.1",
        17102,
        27102,
    )


GREETING = Packet(
    Header(PING, ME, 7000, 17000, slots=1 << 16383, message_flags=4),
    Greeting(
        (Gossip(OTHER, 1, 2, b"10.0.0.1", 7001, 17001, 1),),
        Extensions(b"a.example", b"one", b"e" * 40, ((OTHER, 60),)),
    ),
)
OTHERS = [
    Packet(Header(FAIL, ME), Failure(OTHER)),
    Packet(Header(PUBLISH, ME), Message(b"channel", b"message")),
    Packet(Header(UPDATE, ME), Claim(7, OTHER, 0b1010)),
    Packet(Header(AUTH_ACK, ME)),
    Packet(Header(MODULE, ME), ModuleMessage(1 << 63, 2, b"data")),
]


@pytest.mark.parametrize("packet", [GREETING, *OTHERS], ids=lambda packet: str(packet.header.type))
def test_what_is_written_is_read_again(packet):
    assert decode(encode(packet)) == packet


@pytest.mark.parametrize("packet", [GREETING, *OTHERS], ids=lambda packet: str(packet.header.type))
def test_a_packet_cut_or_lengthened_is_refused(packet):
    data = encode(packet)
    for length in [*range(HEADER_SIZE, len(data)), len(data) + 8]:
        other = data[:length].ljust(length, b"\0")
        with pytest.raises(BadPacket):
            decode(other[:4] + length.to_bytes(4, "big") + other[8:])
        if length != len(data):
            with pytest.raises(BadPacket):
                decode(other)


@pytest.mark.parametrize(
    ("place", "number"),
    [(14, 2), (14, 0xFFFF), (14, 0), (2214, 99), (2214, 0xFFFF), (2214, 0)],
    ids=["one too many", "most gossip", "no gossip", "extensions", "most extensions", "no extensions"],
)
def test_counts_that_do_not_fit_are_refused(place, number):
    data = encode(GREETING)
    with pytest.raises(BadPacket):
        decode(data[:place] + number.to_bytes(2, "big") + data[place + 2 :])


@pytest.mark.parametrize("length", [0, 7, 9, 0x7FFFFFFF, 0xFFFFFFF8])
def test_an_extension_of_another_length_is_refused(length):
    data = encode(GREETING)
    place = HEADER_SIZE + 104
    with pytest.raises(BadPacket):
        decode(data[:place] + length.to_bytes(4, "big") + data[place + 4 :])


@pytest.mark.parametrize("lengths", [(0xFFFFFFFF, 0xFFFFFFFF), (8, 7), (0, 0)])
def test_a_message_of_another_length_is_refused(lengths):
    data = encode(OTHERS[1])
    with pytest.raises(BadPacket):
        decode(data[:HEADER_SIZE] + b"".join(size.to_bytes(4, "big") for size in lengths) + data[HEADER_SIZE + 8 :])


@pytest.mark.parametrize(
    "packet",
    [
        replace(GREETING, header=replace(GREETING.header, sender=b"a b\n".ljust(40, b"x"))),
        replace(GREETING, header=replace(GREETING.header, ip=b"1.2.3.4 x")),
        replace(GREETING, header=replace(GREETING.header, master=b"\n" * 40)),
        replace(GREETING, body=Greeting((Gossip(b"G" * 40, 0, 0, b"", 1, 1, 1),), Extensions())),
        replace(GREETING, body=Greeting((Gossip(OTHER, 0, 0, b"1\n2", 1, 1, 1),), Extensions())),
        replace(GREETING, body=Greeting((), Extensions(hostname=b"a,b"))),
        replace(GREETING, body=Greeting((), Extensions(human_name=b"a b"))),
        Packet(Header(FAIL, ME), Failure(b"\xff" * 40)),
        Packet(Header(UPDATE, ME), Claim(1, b" " * 40, 0)),
    ],
    ids=lambda packet: None,
)
def test_what_would_be_something_else_in_the_list_of_nodes_is_refused(packet):
    with pytest.raises(BadPacket):
        decode(encode(packet))


def test_other_versions_and_types_are_passed_over():
    data = encode(OTHERS[3])
    assert decode(data[:8] + (2).to_bytes(2, "big") + data[10:]) is None
    for kind in (11, 0x8004, 0xFFFF):
        assert decode(data[:12] + kind.to_bytes(2, "big") + data[14:]) is None


def test_any_bytes_are_a_packet_or_refused():
    chance = random.Random(1)
    for packet in [GREETING, *OTHERS] * 200:
        data = bytearray(encode(packet))
        for _ in range(chance.randrange(1, 8)):
            data[chance.randrange(8, len(data))] = chance.randrange(256)
        try:
            decoded = decode(bytes(data))
        except BadPacket:
            continue
        assert decoded is None or decoded.header.type < 11
