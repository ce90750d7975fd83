"""Bytes that no client should send, small (``conformance torn`` and ``tests.torn`` do so at length); and odd connections."""

import asyncio
import gc
import logging
import socket
import struct
from random import Random

import pytest

from conformance import torn
from conformance.torn.generate import stream
from conformance.torn.outside import Outside
from tests.torn import inside


@pytest.fixture
def what_others_left_aside():
    """Keep from the collector what other tests have left: to walk through it would count as the time of an input.

    It stays aside: with it all tests of the run would come back, and each collection take a sixth of a second.
    """
    gc.collect()
    gc.freeze()


@pytest.mark.parametrize("seed", range(3))
def test_however_a_stream_is_torn_it_is_answered_alike(what_others_left_aside, seed):
    figures = inside(Random(seed), 4000)
    assert figures["commands"] > 4000
    assert figures["errors"] > 400


def test_streams_are_answered_as_the_oracle_answers_them(addresses):
    emulator, oracle = map(Outside, addresses)
    assert torn.compare(Random(11), 400, emulator, oracle) == []


async def ask(server, request):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request)
    line = await reader.readline()
    writer.close()
    return line


@pytest.mark.parametrize("seed", range(3))
def test_who_is_reset_in_the_middle_leaves_nothing_behind(serve, caplog, seed):
    random = Random(seed)

    async def scenario(server):
        for _ in range(50):
            client = socket.create_connection(("127.0.0.1", server.port))
            data = stream(random)
            client.sendall(data[: random.randrange(len(data) + 1)])
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            assert await ask(server, b"PING\r\n") == b"+PONG\r\n"
        while server.connections or server.engine.sessions:
            await asyncio.sleep(0)

    serve(scenario)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_who_reads_slowly_gets_everything_and_holds_up_nobody(serve):
    async def scenario(server):
        client = socket.create_connection(("127.0.0.1", server.port))
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        values = [b"%d" % number + b"x" * 10_000 for number in range(500)]
        requests = b"".join(b"*2\r\n$4\r\nECHO\r\n$%d\r\n%b\r\n" % (len(value), value) for value in values)
        sending = asyncio.create_task(loop.sock_sendall(client, requests))
        expected = b"".join(b"$%d\r\n%b\r\n" % (len(value), value) for value in values)
        received = b""
        while len(received) < len(expected):
            received += await loop.sock_recv(client, 100_000)
            assert await ask(server, b"PING\r\n") == b"+PONG\r\n"
        await sending
        assert received == expected
        client.close()

    serve(scenario)
