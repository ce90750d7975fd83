"""Slots move with their keys from one node to another: CLUSTER MIGRATION of Redis 8.4, MIGRATESLOTS of Valkey 9.0."""

import threading

import pytest
from redis.exceptions import ResponseError

import emulator
from emulator.clock import ManualClock
from emulator.cluster.export import Export
from emulator.cluster.state import members
from tests.waiting import until

ALL = (0, 16383)


def words_of(node):
    """What a node tells of all migrations."""
    if node.run(lambda engine: engine.config.edition.is_valkey):
        return node.command("CLUSTER", "GETSLOTMIGRATIONS")
    return node.command("CLUSTER", "MIGRATION", "STATUS", "ALL")


def id_of(node):
    return node.command("CLUSTER", "MYID")


def slots_of(node):
    return list(members(node.run(lambda engine: engine.cluster.state.myself.slots)))


def size(node):
    return node.command("DBSIZE")


@pytest.fixture(scope="module")
def redis_pair():
    """A node of Redis 8.6 with all slots, and one with none."""
    with emulator.Cluster(masters=1, replicas=0, compat="8.6", enable_debug_command="yes") as cluster:
        yield from with_an_empty_node(cluster, "8.6")


@pytest.fixture(scope="module")
def valkey_pair():
    with emulator.Cluster(masters=1, replicas=0, compat="valkey-9.1", enable_debug_command="yes") as cluster:
        yield from with_an_empty_node(cluster, "valkey-9.1")


def with_an_empty_node(cluster, compat):
    source = cluster.nodes[0]
    with emulator.Server(
        compat=compat, cluster_enabled="yes", cluster_node_timeout=5000, enable_debug_command="yes"
    ) as target:
        port = source.run(lambda engine: engine.cluster.state.myself.cport)
        target.command("CLUSTER", "MEET", source.host, source.port, port)
        until(lambda: b"cluster_state:ok" in target.command("CLUSTER", "INFO"))
        until(lambda: len(source.run(lambda engine: engine.cluster.state.nodes)) == 2)
        until(lambda: target.run(lambda engine: all(node.link for node in other_nodes(engine))))
        until(lambda: source.run(lambda engine: all(node.link for node in other_nodes(engine))))
        yield source, target


def other_nodes(engine):
    return [node for node in engine.cluster.state.nodes.values() if not node.is_myself]


def whose_is(pair, slot):
    return next(node for node in pair if slot in slots_of(node))


def move(pair, first, last):
    """Let the slots go over to the other node; the migration's id, None where nobody tells it."""
    source = whose_is(pair, first)
    target = next(node for node in pair if node is not source)
    if target.run(lambda engine: engine.config.edition.is_valkey):
        assert source.command("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", first, last, "NODE", id_of(target)) == b"OK"
        id = words_of(source)[0][b"name"]
    else:
        id = target.command("CLUSTER", "MIGRATION", "IMPORT", first, last)
    until(lambda: set(range(first, last + 1)) <= set(slots_of(target)), "the slots do not arrive")
    until(lambda: not set(range(first, last + 1)) & set(slots_of(source)), "the slots do not leave")
    return source, target, id


@pytest.fixture(params=["redis", "valkey"])
def pair(request):
    return request.getfixturevalue(f"{request.param}_pair")


def test_slots_go_over_with_keys_of_every_type(pair):
    source = whose_is(pair, 12539)
    target = next(node for node in pair if node is not source)
    calls = [
        ("SET", "{t}string", "value", "PX", 100_000_000),
        ("RPUSH", "{t}list", 1, 2, 3),
        ("HSET", "{t}hash", "a", 1, "b", 2),
        ("HPEXPIRE", "{t}hash", 100_000_000, "FIELDS", 1, "a"),
        ("SADD", "{t}set", "a", "b"),
        ("ZADD", "{t}zset", 1, "a", 2, "b"),
        ("XADD", "{t}stream", "1-1", "a", "b"),
    ]
    for call in calls:
        source.command(*call)
    slot = source.command("CLUSTER", "KEYSLOT", "{t}")
    digests = [source.command("DEBUG", "DIGEST-VALUE", call[1]) for call in calls]
    deadline = source.command("PEXPIRETIME", "{t}string")
    _, target, _ = move((source, target), slot, slot)
    assert [target.command("DEBUG", "DIGEST-VALUE", call[1]) for call in calls] == digests
    assert target.command("PEXPIRETIME", "{t}string") == deadline
    assert size(source) == 0
    move((source, target), slot, slot)
    assert size(target) == 0
    source.command("FLUSHALL")


def test_writes_meanwhile_are_not_lost(pair):
    source = whose_is(pair, 0)
    with source.connect() as client:
        for number in range(2000):
            client.set(f"{{06S}}{number}", "before")
        stop, written = threading.Event(), {}

        def write():
            number = 0
            while not stop.is_set():
                key = f"{{06S}}{number % 2000}"
                try:
                    client.set(key, number)
                except ResponseError as error:
                    assert str(error).startswith("0 "), error
                    break
                written[key] = number
                number += 1

        writer = threading.Thread(target=write)
        writer.start()
        until(lambda: len(written) > 50)
        _, target, _ = move(pair, 0, 100)
        stop.set()
        writer.join()
    with target.connect() as client:
        assert {key: int(client.get(key)) for key in written} == written
    assert size(target) == 2000
    assert size(source) == 0
    target.command("FLUSHALL")


def test_writers_that_are_as_quick_as_it_do_not_keep_it_from_its_end(pair, monkeypatch):
    """With each message as many keys change as are sent."""
    source = whose_is(pair, 0)
    keys = [(0, b"{06S}%d" % number) for number in range(200)]
    with source.connect() as client:
        client.mset({key: "value" for _, key in keys})
    send = Export._next

    def send_and_change(export):
        words = send(export)
        if not export.migration.paused:
            export._changed.update(dict.fromkeys(keys))
        return words

    monkeypatch.setattr(Export, "_next", send_and_change)
    _, target, _ = move(pair, 0, 100)
    assert size(target) == 200
    target.command("FLUSHALL")


def test_what_redis_tells_of_a_migration(redis_pair):
    source, target, id = move(redis_pair, 200, 300)
    (told,) = target.command("CLUSTER", "MIGRATION", "STATUS", "ID", id)
    expected = {
        b"id": id,
        b"slots": b"200-300",
        b"source": id_of(source),
        b"dest": id_of(target),
        b"operation": b"import",
        b"state": b"completed",
        b"last_error": b"",
        b"retries": 0,
    }
    assert {name: told[name] for name in expected} == expected
    assert told[b"create_time"] <= told[b"start_time"] <= told[b"end_time"]
    until(lambda: source.command("CLUSTER", "MIGRATION", "STATUS", "ID", id)[0][b"state"] == b"completed")
    assert source.command("CLUSTER", "MIGRATION", "STATUS", "ID", id)[0][b"operation"] == b"migrate"
    assert target.command("CLUSTER", "MIGRATION", "CANCEL", "ID", id) == 0
    assert words_of(target)[0][b"id"] == id
    assert target.run(lambda engine: engine.cluster.state.myself.config_epoch) == target.run(
        lambda engine: engine.cluster.state.current_epoch
    )


def test_what_valkey_tells_of_a_migration(valkey_pair):
    source, target, id = move(valkey_pair, 200, 300)
    until(lambda: words_of(source)[0][b"state"] == b"success")
    (told, *_) = words_of(source)
    expected = {
        b"name": id,
        b"operation": b"EXPORT",
        b"slot_ranges": b"200-300",
        b"target_node": id_of(target),
        b"source_node": id_of(source),
        b"state": b"success",
        b"message": b"",
        b"cow_size": 0,
        b"remaining_repl_size": 0,
    }
    assert {name: told[name] for name in expected} == expected
    assert words_of(target)[0][b"operation"] == b"IMPORT"
    with pytest.raises(ResponseError, match="No migrations ongoing"), source.connect() as client:
        client.execute_command("CLUSTER", "CANCELSLOTMIGRATIONS")


def test_several_migrations_of_valkey_come_one_after_another(valkey_pair):
    source = whose_is(valkey_pair, 1000)
    target = next(node for node in valkey_pair if node is not source)
    first, second = ("SLOTSRANGE", 1000, 1010, "NODE", id_of(target)), ("SLOTSRANGE", 1020, 1030, "NODE", id_of(target))
    source.command("CLUSTER", "MIGRATESLOTS", *first, *second)
    until(lambda: {1000, 1030} <= set(slots_of(target)))
    until(lambda: not {1000, 1030} & set(slots_of(source)))
    assert [each[b"slot_ranges"] for each in words_of(source)[:2]] == [b"1000-1010", b"1020-1030"]


@pytest.fixture
def silent_pair():
    """Two nodes of Redis 8.6 whose clocks stand still, the second of which owns no slots and does not answer."""
    with emulator.Cluster(masters=2, replicas=0, compat="8.6", clock=ManualClock(), node_timeout=5) as cluster:
        source, target = cluster.nodes
        source.run(lambda engine: setattr(engine.cluster.bus.migrations, "_hearers", {}))
        yield source, target, cluster


def test_an_import_is_given_up_by_an_administrator(silent_pair):
    _, target, _ = silent_pair
    id = target.command("CLUSTER", "MIGRATION", "IMPORT", 0, 10)
    with target.connect() as client:
        with pytest.raises(ResponseError, match="overlapping import exists for slot range: 5-20"):
            client.execute_command("CLUSTER", "MIGRATION", "IMPORT", 5, 20)
        with pytest.raises(ResponseError, match="another ASM task is already in progress"):
            client.execute_command("CLUSTER", "MIGRATION", "IMPORT", 50, 60)
    assert target.command("CLUSTER", "MIGRATION", "CANCEL", "ALL") == 1
    (told,) = target.command("CLUSTER", "MIGRATION", "STATUS", "ID", id)
    assert told[b"state"] == b"canceled"
    assert told[b"last_error"] == b"Cancelled due to user request (state: handshake-reply, rdb_channel_state: none)"


def test_an_import_without_an_answer_fails_and_is_tried_again(silent_pair):
    _, target, cluster = silent_pair
    id = target.command("CLUSTER", "MIGRATION", "IMPORT", 0, 10)
    cluster.advance(5.2)
    (told,) = target.command("CLUSTER", "MIGRATION", "STATUS", "ID", id)
    assert (told[b"state"], told[b"retries"]) == (b"failed", 0)
    cluster.advance(6)
    (told,) = target.command("CLUSTER", "MIGRATION", "STATUS", "ID", id)
    assert told[b"retries"] == 1


def test_a_source_whose_target_falls_silent_lets_clients_write_again():
    with emulator.Cluster(masters=2, replicas=0, compat="valkey-9.1", clock=ManualClock(), node_timeout=5) as cluster:
        source, target = cluster.nodes
        target.run(lambda engine: engine.cluster.bus.migrations._hearers.pop(b"HANDOVER"))
        source.command("SET", "{06S}", 1)
        source.command("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", 0, 10, "NODE", id_of(target))
        until(lambda: source.run(lambda engine: engine.pause.active))
        cluster.advance(5.2)
        assert not source.run(lambda engine: engine.pause.active)
        assert words_of(source)[0][b"state"] == b"failed"
        until(lambda: size(target) == 0)
        assert source.command("GET", "{06S}") == b"1"


def test_a_flush_ends_an_export():
    with emulator.Cluster(masters=2, replicas=0, compat="valkey-9.1", clock=ManualClock()) as cluster:
        source, target = cluster.nodes
        target.run(lambda engine: engine.cluster.bus.migrations._hearers.clear())
        source.command("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", 0, 10, "NODE", id_of(target))
        source.command("FLUSHALL")
        assert (words_of(source)[0][b"state"], words_of(source)[0][b"message"]) == (b"failed", b"Data was flushed")


def test_replicas_of_both_nodes_follow():
    with emulator.Cluster(masters=2, replicas=1, compat="8.6") as cluster:
        source, target = cluster.masters
        source.command("SET", "{06S}", 1)
        target.command("CLUSTER", "MIGRATION", "IMPORT", 0, 100)
        until(lambda: 0 in slots_of(target))
        cluster.wait()
        (old,), (new,) = cluster.replicas_of(source), cluster.replicas_of(target)
        until(lambda: size(new) == 1 and size(old) == 0)
        with cluster.connect() as client:
            assert client.get("{06S}") == b"1"


def test_a_key_that_migrate_sends_is_not_written_to_meanwhile(redis_pair):
    """As redis-cli does it: SETSLOT and MIGRATE, while somebody writes."""
    source = whose_is(redis_pair, 15495)
    target = next(node for node in redis_pair if node is not source)
    with source.connect() as client, source.connect() as mover:
        for number in range(200):
            client.set(f"{{a}}{number}", 0)
        target.command("CLUSTER", "SETSLOT", 15495, "IMPORTING", id_of(source))
        source.command("CLUSTER", "SETSLOT", 15495, "MIGRATING", id_of(target))
        stop, written = threading.Event(), {}

        def write():
            number = 0
            while not stop.is_set():
                number += 1
                key = f"{{a}}{number % 200}"
                try:
                    client.set(key, number)
                except ResponseError as error:
                    if not str(error).startswith("15495 "):
                        raise
                else:
                    written[key] = number

        writer = threading.Thread(target=write)
        writer.start()
        until(lambda: len(written) > 50)
        while keys := source.command("CLUSTER", "GETKEYSINSLOT", 15495, 10):
            assert mover.execute_command("MIGRATE", target.host, target.port, "", 0, 5000, "KEYS", *keys) == b"OK"
        stop.set()
        writer.join()
    for node in (target, source):
        node.command("CLUSTER", "SETSLOT", 15495, "NODE", id_of(target))
    with target.connect() as client:
        assert {key: int(client.get(key)) for key in written} == written
    target.command("FLUSHALL")
