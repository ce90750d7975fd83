"""The server over real sockets: fairness, flow control, hostile clients, limits, the end."""

import asyncio
import contextlib
import socket

import pytest

from emulator.clients.memory import usage
from emulator.protocol.client_side import encoded
from emulator.sockets import rounds

pytestmark = pytest.mark.parametrize("serve", [rounds.run, asyncio.run], indirect=True, ids=["rounds", "asyncio"])


def command(*words: bytes) -> bytes:
    return encoded(words)


async def connect(server):
    return await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 26)


async def ask(server, *words: bytes) -> bytes:
    """One command on a connection of its own; the first line of the reply."""
    reader, writer = await connect(server)
    writer.write(command(*words))
    line = await reader.readline()
    writer.close()
    return line


def test_a_hundred_thousand_commands_before_the_first_read(serve):
    async def scenario(server):
        reader, writer = await connect(server)
        count = 200_000
        request = command(b"PING") * count
        sender = asyncio.ensure_future(asyncio.to_thread(_send_all, writer, request))
        await sender
        reply = await reader.readexactly(7 * count)
        assert reply == b"+PONG\r\n" * count
        writer.close()

    serve(scenario)


def _send_all(writer, request):
    sock = socket.socket(fileno=socket.dup(writer.get_extra_info("socket").fileno()))
    sock.setblocking(True)
    sock.sendall(request)
    sock.close()


def test_replies_do_not_wait_until_earlier_ones_are_acknowledged(serve):
    async def scenario(server):
        reader, writer = await connect(server)
        writer.write(command(b"PING"))
        await reader.readline()
        (connection,) = server.connections
        handle = connection.transport.get_extra_info("socket")
        assert handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.close()

    serve(scenario)


@pytest.mark.slow
def test_nobody_starves_beside_endless_pipelines(serve):
    async def scenario(server):
        request = command(b"SET", b"k", b"v") * 500
        greedy = [await connect(server) for _ in range(20)]
        stop = asyncio.Event()

        async def pipeline(reader, writer):
            while not stop.is_set():
                writer.write(request)
                await reader.readexactly(5 * 500)

        tasks = [asyncio.ensure_future(pipeline(*streams)) for streams in greedy]
        for _ in range(20):
            assert await ask(server, b"PING") == b"+PONG\r\n"
        stop.set()
        await asyncio.gather(*tasks)
        for _, writer in greedy:
            writer.close()

    serve(scenario)


def test_a_thousand_clients_all_make_progress(serve):
    async def scenario(server):
        clients = [await connect(server) for _ in range(1000)]
        for number, (_, writer) in enumerate(clients):
            writer.write(command(b"SET", b"k%d" % number, b"%d" % number) + command(b"GET", b"k%d" % number))
        for number, (reader, _) in enumerate(clients):
            text = b"%d" % number
            expected = b"+OK\r\n$%d\r\n%b\r\n" % (len(text), text)
            assert await reader.readexactly(len(expected)) == expected
        for _, writer in clients:
            writer.close()

    serve(scenario)


@pytest.mark.parametrize(
    "garbage",
    [b"\x00\xff\xfe" * 1000 + b"\n", b"*1\r\n$5\r\nhel", b"*-5\r\n*99999999999\r\n", b"GET / HTTP/1.1\r\n\r\n"],
)
def test_garbage_and_half_commands_harm_no_other(serve, garbage):
    async def scenario(server):
        _, writer = await connect(server)
        writer.write(garbage)
        await writer.drain()
        assert await ask(server, b"PING") == b"+PONG\r\n"
        writer.close()
        assert await ask(server, b"PING") == b"+PONG\r\n"

    serve(scenario)


def test_a_protocol_error_is_told_after_the_replies_before_it(serve):
    async def scenario(server):
        reader, writer = await connect(server)
        writer.write(command(b"PING") + b"*1\r\n:1\r\n" + command(b"PING"))
        assert await reader.read() == b"+PONG\r\n-ERR Protocol error: expected '$', got ':'\r\n"
        writer.close()

    serve(scenario)


def test_who_never_reads_is_closed_at_the_hard_limit_and_harms_no_other(serve):
    async def scenario(server):
        server.config.set([b"client-output-buffer-limit", b"normal 1mb 0 0"])
        _, writer = await connect(server)
        writer.write(command(b"SET", b"large", b"x" * 100_000))
        writer.write(command(b"GET", b"large") * 1000)
        while server.engine.stats.output_limit_disconnections == 0:
            assert await ask(server, b"PING") == b"+PONG\r\n"
        writer.transport.abort()

    serve(scenario)


def test_who_is_not_authenticated_and_never_reads_is_closed_soon(serve):
    async def scenario(server):
        server.config.set([b"requirepass", b"secret"])
        _, writer = await connect(server)
        writer.transport.pause_reading()
        while not server.connections:
            await asyncio.sleep(0)
        (connection,) = server.connections
        connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        while server.connections:
            if not connection.session.buffers().waiting:
                writer.write(b"PING\r\n" * 1000)
            await asyncio.sleep(0)
        assert server.engine.stats.output_limit_disconnections == 1
        writer.transport.abort()

    serve(scenario)


def test_the_soft_limit_closes_after_its_seconds(serve):
    from emulator.clock import ManualClock

    clock = ManualClock()

    async def scenario(server):
        server.config.set([b"client-output-buffer-limit", b"normal 0 1mb 10"])
        _, writer = await connect(server)
        writer.write(command(b"SET", b"large", b"x" * 100_000) + command(b"GET", b"large") * 300)
        while not any(c.transport.get_write_buffer_size() > 1 << 20 for c in server.connections):
            await asyncio.sleep(0)
        clock.advance(9.999)
        server.engine.timers.advance()
        assert server.engine.stats.output_limit_disconnections == 0
        clock.advance(0.001)
        server.engine.timers.advance()
        assert server.engine.stats.output_limit_disconnections == 1
        writer.transport.abort()

    serve(scenario, clock)


def test_who_sends_without_end_and_completes_nothing_is_closed(serve):
    async def scenario(server):
        server.config.client_query_buffer_limit = 1 << 20
        _, writer = await connect(server)
        writer.write(b"*1\r\n$400000000\r\n" + b"x" * (3 << 20))
        while server.engine.stats.query_limit_disconnections == 0:
            assert await ask(server, b"PING") == b"+PONG\r\n"
        writer.transport.abort()

    serve(scenario)


def test_who_sends_without_end_while_blocked_is_closed(serve):
    async def scenario(server):
        server.config.client_query_buffer_limit = 1 << 20
        _, writer = await connect(server)
        writer.write(command(b"BLPOP", b"l", b"0") + command(b"PING") * 200_000)
        while server.engine.stats.query_limit_disconnections == 0:
            assert await ask(server, b"PING") == b"+PONG\r\n"
        writer.transport.abort()

    serve(scenario)


def test_maxclients(serve):
    async def scenario(server):
        _, first = await connect(server)
        while not server.connections:
            await asyncio.sleep(0)
        reader, second = await connect(server)
        assert await reader.read() == b"-ERR max number of clients reached\r\n"
        first.close()
        second.close()

    serve(scenario, maxclients=1)


def test_a_half_closed_connection_still_gets_its_answers(serve):
    async def scenario(server):
        reader, writer = await connect(server)
        writer.write(command(b"PING") * 3000)
        writer.write_eof()
        assert await reader.read() == b"+PONG\r\n" * 3000
        writer.close()

    serve(scenario)


def test_an_idle_client_is_closed_after_timeout(serve):
    from emulator.clock import ManualClock

    clock = ManualClock()

    async def scenario(server):
        reader, writer = await connect(server)
        writer.write(command(b"PING"))
        assert await reader.readline() == b"+PONG\r\n"
        for _ in range(11):
            clock.advance(1)
            server.engine.timers.advance()
        assert await reader.read() == b""
        writer.close()

    serve(scenario, clock, timeout=10)


def test_a_closed_connection_leaves_no_trace(serve):
    async def scenario(server):
        _, writer = await connect(server)
        writer.write(command(b"SUBSCRIBE", b"ch") + command(b"PSUBSCRIBE", b"p*"))
        _, blocked = await connect(server)
        blocked.write(command(b"WATCH", b"w") + command(b"BLPOP", b"list", b"0"))
        engine = server.engine
        while not engine.blocking.blocks or not engine.pubsub.patterns:
            await asyncio.sleep(0)
        writer.close()
        blocked.close()
        while engine.sessions:
            await asyncio.sleep(0)
        db = engine.databases[0]
        assert not (db.blocked or db.watchers or engine.blocking.blocks)
        assert not (engine.pubsub.channels or engine.pubsub.patterns)

    serve(scenario)


def test_a_bug_in_a_command_is_answered_and_the_server_lives_on(serve):
    async def scenario(server):
        def broken(client):
            raise ZeroDivisionError("oops")

        server.engine.commands[b"PING"].fn = broken
        assert await ask(server, b"PING") == b"-ERR internal error: ZeroDivisionError: oops\r\n"
        assert await ask(server, b"ECHO", b"x") == b"$1\r\n"

    serve(scenario)


def test_a_password_lifts_the_limits_within_one_pipeline(serve):
    async def scenario(server):
        reader, writer = await connect(server)
        writer.write(command(b"GET", b"k") + command(b"AUTH", b"secret") + command(b"SET", b"k", b"x" * 20_000))
        assert await reader.readline() == b"-NOAUTH Authentication required.\r\n"
        assert await reader.readline() == b"+OK\r\n"
        assert await reader.readline() == b"+OK\r\n"
        writer.close()

    serve(scenario, requirepass="secret")


def test_unix_socket(serve, tmp_path):
    path = str(tmp_path / "redis.sock")

    async def scenario(server):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(command(b"CLIENT", b"LIST"))
        assert b"addr=%b:0" % path.encode() in await reader.readuntil(b"tot-cmds=0\n\r\n")
        writer.close()

    serve(scenario, unixsocket=path)


def test_config_set_port_listens_anew_and_keeps_connections(serve):
    from conformance.servers import free_port

    async def scenario(server):
        reader, writer = await connect(server)
        port = free_port()
        writer.write(command(b"CONFIG", b"SET", b"port", b"%d" % port))
        assert await reader.readline() == b"+OK\r\n"
        while server.port != port:
            await asyncio.sleep(0)
        assert await ask(server, b"PING") == b"+PONG\r\n"
        writer.write(command(b"PING"))
        assert await reader.readline() == b"+PONG\r\n"
        writer.close()

    serve(scenario)


def test_a_port_that_is_taken_is_refused_and_the_old_one_stays(serve):
    import socket

    async def scenario(server):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            old = server.port
            refused = await ask(server, b"CONFIG", b"SET", b"port", b"%d" % taken.getsockname()[1])
            assert refused.endswith(b"Unable to listen on this port. Check server logs.\r\n")
            assert server.config.port == old
            while server.port != old:
                await asyncio.sleep(0)
            assert await ask(server, b"PING") == b"+PONG\r\n"

    serve(scenario)


def test_addresses_that_are_in_the_way_of_one_another_take_turns(serve):
    async def scenario(server):
        for addresses, answer in [
            (b"0.0.0.0", b"+OK\r\n"),
            (b"127.0.0.1 127.0.0.2", b"+OK\r\n"),
            (b"192.0.2.1", b"Failed to bind to specified addresses.\r\n"),
            (b"127.0.0.1 0.0.0.0", b"Failed to bind to specified addresses.\r\n"),
            (b"*", b"+OK\r\n"),
        ]:
            assert (await ask(server, b"CONFIG", b"SET", b"bind", addresses)).endswith(answer)
            assert await ask(server, b"PING") == b"+PONG\r\n"

    serve(scenario, bind="127.0.0.1")


def test_several_addresses_and_one_that_may_be_missing(serve):
    async def scenario(server):
        for host in ("127.0.0.1", "127.0.0.2"):
            reader, writer = await asyncio.open_connection(host, server.port)
            writer.write(command(b"PING"))
            assert await reader.readline() == b"+PONG\r\n"
            writer.close()

    serve(scenario, bind="127.0.0.1 127.0.0.2 -192.0.2.1")


def test_shutdown_ends_the_server(serve):
    async def scenario(server):
        assert await ask(server, b"SHUTDOWN", b"NOSAVE") == b""
        await server.wait_closed()

    serve(scenario)


def test_the_clients_that_take_most_go_first(serve):
    async def scenario(server):
        reader, writer = await connect(server)
        writer.write(command(b"SET", b"k", b"x" * 1_000_000))
        assert await reader.readline() == b"+OK\r\n"
        greedy, spared = await connect(server), await connect(server)
        spared[1].write(command(b"CLIENT", b"NO-EVICT", b"ON"))
        assert await spared[0].readline() == b"+OK\r\n"
        for (_, hungry), count in ((greedy, 10), (spared, 40)):
            hungry.transport.pause_reading()
            hungry.write(command(b"GET", b"k") * count)
            while usages(server)[-1] < (count - 8) * 1_000_000:
                await asyncio.sleep(0)
        writer.write(command(b"CLIENT", b"NO-EVICT", b"ON"))
        assert await reader.readline() == b"+OK\r\n"
        writer.write(command(b"CONFIG", b"SET", b"maxmemory-clients", b"5mb"))
        assert await reader.readline() == b"+OK\r\n"
        while len(server.connections) > 2:
            await asyncio.sleep(0)
        assert server.engine.stats.evicted_clients == 1
        assert await ask(server, b"PING") == b"+PONG\r\n"
        for _, each in (greedy, spared):
            each.close()

    serve(scenario)


def usages(server):
    """What the clients take, the least first."""
    return sorted(usage(connection.session).total for connection in server.connections)


def test_a_share_of_maxmemory_for_clients(serve):
    async def scenario(server):
        server.engine.config.set([b"maxmemory", b"100mb", b"maxmemory-clients", b"10%"])
        assert server.engine.client_eviction.limit == 10 * 1024 * 1024
        reader, writer = await connect(server)
        writer.write(b"*2\r\n$3\r\nGET\r\n$20000000\r\n" + b"x" * 15_000_000)
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        assert server.engine.stats.evicted_clients == 1
        writer.close()

    serve(scenario)


def test_a_client_closed_by_its_output_limit_is_not_evicted_as_well(serve):
    async def scenario(server):
        server.engine.config.set([b"client-output-buffer-limit", b"normal 1mb 0 0", b"maxmemory-clients", b"10mb"])
        reader, writer = await connect(server)
        writer.write(command(b"SET", b"k", b"x" * 500_000) + command(b"MGET", *[b"k"] * 100))
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() in (b"", b"+OK\r\n")
        assert server.engine.stats.output_limit_disconnections == 1
        assert server.engine.stats.evicted_clients == 0
        writer.close()

    serve(scenario)


@pytest.mark.parametrize(
    "words",
    [
        [b"SUBSCRIBE", *(b"channel-%d" % number for number in range(5000))],
        [b"WATCH", *(b"key-%d" % number for number in range(5000))],
        [b"CLIENT", b"TRACKING", b"on", b"BCAST"] + [word for n in range(5000) for word in (b"PREFIX", b"%05d" % n)],
    ],
)
def test_what_a_client_asks_to_be_told_of_counts_in_its_memory(serve, words):
    async def scenario(server):
        server.engine.config.set([b"maxmemory-clients", b"100kb"])
        server.engine.config.set([b"client-output-buffer-limit", b"normal 0 0 0 pubsub 0 0 0"])
        reader, writer = await connect(server)
        writer.write(command(*words))
        with contextlib.suppress(ConnectionResetError):
            await reader.read()
        assert server.engine.stats.evicted_clients == 1
        writer.close()

    serve(scenario)


def test_buffers_of_clients_count_in_maxmemory(serve):
    async def scenario(server):
        before = server.engine.used_memory
        reader, writer = await connect(server)
        writer.write(command(b"MULTI") + command(b"SET", b"k", b"x" * 3_000_000))
        assert await reader.readline() + await reader.readline() == b"+OK\r\n+QUEUED\r\n"
        while server.engine.used_memory < before + 3_000_000:
            assert await ask(server, b"PING") == b"+PONG\r\n"
        writer.close()

    serve(scenario)
