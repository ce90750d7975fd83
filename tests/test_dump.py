"""DUMP and RESTORE: every value comes back as it was, what is damaged is refused; and MIGRATE between two servers.

That the bytes are Redis's own is for conformance/cases/dump.case.
"""

import asyncio
import random

import pytest

from emulator.commands.dump import serialized
from emulator.datatypes.listpack import HEADER_SIZE, entry_size
from emulator.datatypes.types import type_name
from emulator.rdb import intset, listpack, payload, ziplist
from emulator.rdb.crc64 import crc64
from emulator.rdb.errors import BadData
from emulator.rdb.lzf import compress, decompress
from emulator.rdb.payload import sealed

from .test_funnel import freeze

COMMANDS = """\
SET string hello
SET number 12345
SET long {long}
RPUSH list a b 1 -5 {long}
RPUSH quick {quick}
SADD intset 1 -2 300000
SADD listpack a 1 {text}
SADD table {long}
HSET hash a 1 b {text}
HSET hashtable a {long}
HSET expiring a 1 b 2 c 3
HPEXPIREAT expiring 9000000000000 FIELDS 2 a b
HSET tableexpiring a {long} b 2 c 3
HPEXPIREAT tableexpiring 9000000000000 FIELDS 2 a b
ZADD zset 1 a 2.5 b inf c
ZADD skiplist 1 {long} -inf b
XADD stream 1-1 a b
XADD stream 2-2 a {text}
XADD stream 3-0 x y z w
XDEL stream 2-2
XGROUP CREATE stream group 0
XREADGROUP GROUP group alice COUNT 1 STREAMS stream >
XREADGROUP GROUP group bob COUNT 1 STREAMS stream >
VADD vectors VALUES 3 1 0 0 a SETATTR x
VADD vectors VALUES 3 0 1 0 b
VADD singles VALUES 3 1 2 3 a NOQUANT
VADD signs VALUES 3 1 -2 3 a BIN
VADD projected REDUCE 2 VALUES 3 1 2 3 a
"""


@pytest.fixture
def values(client):
    """A key of each type and encoding."""
    long, text = "abc" * 40, "t" * 30
    for line in COMMANDS.format(long=long, text=text, quick=" ".join(["x" * 100] * 200)).splitlines():
        assert not client.play(line).startswith(b"-"), line
    return client.engine.databases[0]


def quoted(data):
    return b'"' + b"".join(b"\\x%02x" % byte for byte in data) + b'"'


def restore(client, payload, key=b"copy"):
    return client.play(b"RESTORE " + key + b" 0 " + quoted(payload) + b" REPLACE")


def test_every_value_comes_back(client, values, some_lua):
    for entry in list(values.live()):
        payload = serialized(client.engine, entry.value)
        assert restore(client, payload) == b"+OK\r\n", entry.key
        again = values.entries[b"copy"].value
        assert type_name(again) == type_name(entry.value)
        assert freeze(again) == freeze(entry.value), entry.key
        if hasattr(again, "_check"):
            again._check()
            assert again.encoding == entry.value.encoding, entry.key
        assert serialized(client.engine, again) == payload, entry.key


def test_compression_is_an_option(client):
    client.play("SET k " + "x" * 1000)
    short = len(client.play("DUMP k"))
    client.play("CONFIG SET rdbcompression no")
    assert short < 100 < 1000 < len(client.play("DUMP k"))


def test_what_is_pending_comes_back(client, values):
    restore(client, serialized(client.engine, values.entries[b"stream"].value))
    assert client.play("XPENDING copy group") == client.play("XPENDING stream group")
    assert client.play("XINFO STREAM copy FULL") == client.play("XINFO STREAM stream FULL")


def mutated(body, rnd):
    body = bytearray(body)
    for _ in range(rnd.choice((1, 1, 2, 5))):
        place = rnd.randrange(len(body) + 1)
        kind = rnd.random()
        if kind < 0.5 and place < len(body):
            body[place] = rnd.choice((rnd.randrange(256), 0, 0x7F, 0x80, 0x81, 0xC3, 0xFF))
        elif kind < 0.7:
            del body[place : place + rnd.randrange(1, 4)]
        elif kind < 0.9:
            body[place:place] = rnd.randbytes(rnd.randrange(1, 4))
        else:
            body[:1] = bytes((rnd.randrange(27),))
    return bytes(body)


def test_a_payload_in_which_any_one_byte_is_another_is_refused_or_read(client, values):
    for entry in list(values.live()):
        body = serialized(client.engine, entry.value)[:-10]
        for place, byte in enumerate(body[:50] if len(body) < 500 else b""):
            for other in (byte ^ 1, byte ^ 0x80, 0xFF):
                damaged = body[:place] + bytes((other,)) + body[place + 1 :]
                assert restore(client, sealed(damaged)) in (b"+OK\r\n", b"-ERR Bad data format\r\n"), damaged


@pytest.mark.parametrize("seed", range(4))
def test_damaged_payloads_are_refused_or_make_sound_values(client, values, seed):
    rnd = random.Random(seed)
    bodies = [serialized(client.engine, entry.value)[:-10] for entry in values.live()]
    refused = 0
    for _ in range(1500):
        body = mutated(rnd.choice(bodies), rnd)
        reply = restore(client, sealed(body))
        if reply == b"+OK\r\n":
            value = values.entries[b"copy"].value
            if hasattr(value, "_check"):
                value._check()
            assert restore(client, serialized(client.engine, value)) == b"+OK\r\n", body
        else:
            assert reply == b"-ERR Bad data format\r\n", body
            refused += 1
    assert 500 < refused < 1500


@pytest.mark.parametrize(
    "body",
    [
        b"\2\x81" + b"\xff" * 8,
        b"\0\x81" + b"\xff" * 8,
        b"\x12\x80\x7f\xff\xff\xff",
        b"\0\xc3\2\x81" + b"\xff" * 8 + b"\0a",
        b"\0\xc3\2\x80\x7f\xff\xff\xff\0a",
    ],
)
def test_a_huge_length_takes_no_memory(client, some_lua, body):
    assert restore(client, sealed(body)) == b"-ERR Bad data format\r\n"


def test_a_newer_version_is_refused(client):
    whole = b"\0\1a" + (13).to_bytes(2, "little")
    payload = whole + crc64(whole).to_bytes(8, "little")
    assert restore(client, payload) == b"-ERR DUMP payload version or checksum are wrong\r\n"


def test_crc64(some_lua):
    assert crc64(b"123456789") == 0xE9C6D914C4B8D9CA
    rnd = random.Random(1)
    for size in (0, 1, 1003, 3515, 3516, 7031, 7032, 50_000):
        data = rnd.randbytes(size)
        assert crc64(data) == _by_definition(data)


def _by_definition(data):
    number = 0
    for byte in data:
        number ^= byte
        for _ in range(8):
            number = number >> 1 ^ (0x95AC9329AC4BC9B5 if number & 1 else 0)
    return number


def test_both_luas_make_the_same_bytes(client, values, request):
    payloads = [serialized(client.engine, entry.value) for entry in values.live()]
    request.getfixturevalue("plain_lua")
    assert payloads == [serialized(client.engine, entry.value) for entry in values.live()]


def test_lzf(some_lua):
    rnd = random.Random(1)
    for _ in range(500):
        data = bytes(rnd.choice(b"abc") for _ in range(rnd.randrange(5, 600)))
        packed = compress(data, len(data) - 4)
        if packed is not None:
            assert len(packed) <= len(data) - 4
            assert decompress(packed, len(data)) == data
            with pytest.raises(BadData):
                decompress(packed, len(data) + 1)
            with pytest.raises(BadData):
                decompress(packed[:-1], len(data))
    assert compress(rnd.randbytes(300), 296) is None


def test_listpacks_and_intsets(some_lua):
    rnd = random.Random(1)
    for _ in range(300):
        texts = [rnd.randbytes(rnd.choice((0, 3, 63, 64, 125, 126, 5000))) for _ in range(rnd.randrange(10))]
        numbers = sorted({rnd.randrange(-(2**exponent), 2**exponent) for exponent in rnd.sample(range(1, 64), 9)})
        elements = texts + [b"%d" % number for number in numbers]
        assert listpack.unpack(listpack.pack(elements)) == elements
        assert listpack.unpack_measured(listpack.pack(elements))[1] == HEADER_SIZE + sum(map(entry_size, elements))
        assert intset.unpack(intset.pack(numbers)) == numbers


@pytest.mark.parametrize("unpack", [listpack.unpack, intset.unpack, ziplist.unpack, ziplist.unpack_map])
def test_noise_is_no_data(unpack):
    rnd = random.Random(1)
    for size in range(40):
        with pytest.raises(BadData):
            unpack(rnd.randbytes(size) + b"\0")


def test_migrate(serve):
    async def scenario(source):
        from conformance.servers import free_port
        from emulator.config.directives import Config
        from emulator.core.engine import Engine
        from emulator.server.server import NetworkServer

        config = Config()
        config.bind = "127.0.0.1"
        config.port = free_port()
        async with NetworkServer(Engine(config)) as target:
            reader, writer = await asyncio.open_connection("127.0.0.1", source.port)

            async def ask(*words):
                writer.write(b" ".join(str(word).encode() for word in words) + b"\r\n")
                return await reader.readline()

            assert await ask("SET", "a", "1") == b"+OK\r\n"
            assert await ask("RPUSH", "b", "x", "y") == b":2\r\n"
            where = "MIGRATE", "127.0.0.1", target.port
            assert await ask(*where, "a", 0, 5000) == b"+OK\r\n"
            assert await ask(*where, "a", 0, 5000) == b"+NOKEY\r\n"
            assert await ask(*where, "b", 3, 5000, "COPY") == b"+OK\r\n"
            assert await ask(*where, "b", 3, 5000) == (
                b"-ERR Target instance replied with error: BUSYKEY Target key name already exists.\r\n"
            )
            assert await ask(*where, '""', 3, 5000, "REPLACE", "KEYS", "a", "b") == b"+OK\r\n"
            assert await ask("DBSIZE") == b":0\r\n"
            assert [len(db) for db in target.engine.databases[:4]] == [1, 0, 0, 1]
            writer.close()

    serve(scenario)


def test_a_key_that_is_written_to_while_it_is_migrated_stays(serve):
    async def scenario(source):
        asked = asyncio.Event()
        go_on = asyncio.Event()

        async def accept(reader, writer):
            await reader.readuntil(b"RESTORE")
            asked.set()
            await go_on.wait()
            writer.write(b"+OK\r\n+OK\r\n")
            writer.close()

        target = await asyncio.start_server(accept, "127.0.0.1", 0)
        port = target.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", source.port)
        other_reader, other = await asyncio.open_connection("127.0.0.1", source.port)
        writer.write(b"SET k 1\r\nMIGRATE 127.0.0.1 %d k 0 30000\r\nGET k\r\n" % port)
        assert await reader.readline() == b"+OK\r\n"
        await asked.wait()
        other.write(b"SET k 2\r\n")
        assert await other_reader.readline() == b"+OK\r\n"
        go_on.set()
        assert (await reader.readline()).startswith(b"-ERR A key was written to while it was migrated")
        assert await reader.readuntil(b"2\r\n") == b"$1\r\n2\r\n"
        for each in (writer, other):
            each.close()
        target.close()

    serve(scenario)


@pytest.mark.parametrize("width", [0, 8])
def test_strings_are_written_and_read_many_at_a_time(some_lua, width):
    rng = random.Random(7)
    peculiar = [
        b"",
        b"-",
        b"-0",
        b"0",
        b"00",
        b"+5",
        b"1\n2",
        b"2147483647",
        b"2147483648",
        b"-2147483648",
        b"12345678901",
    ]
    words = [
        rng.choice([*peculiar, b"%d" % rng.randrange(-70000, 70000), b"m\n%d" % number]) for number in range(20_000)
    ]
    words += [rng.randbytes(size) for size in (20, 63, 64, 100, 16383, 16384)]
    tails = rng.randbytes(width * len(words))
    for text in (payload.plain_string, payload.string):
        whole = payload.strings(words, text, tails)
        each = [text(word) + tails[place * width :][:width] for place, word in enumerate(words)]
        assert whole == b"".join(each)
        assert payload.Reader(whole).strings(len(words), width) == (words, tails)
        with pytest.raises(BadData):
            payload.Reader(whole[:-1]).strings(len(words), width)
