"""`reset`: whatever a client has changed, the next test finds a server as new."""

import threading

import pytest
import redis

import emulator
from emulator.testing.local import Local

_NOT_OF_THE_SERVER = (
    "connected_clients",
    "total_connections_received",
    "total_net_",
    "instantaneous_",
    "reply_buffer_",
    "run_id",
    "uptime",
)

CHANGES = {
    "keys": [["SET", "k", "v"], ["SELECT", 3], ["HSET", "h", "f", "v"], ["SELECT", 0]],
    "expiring keys": [["SET", "k", "v", "PX", 1]],
    "databases exchanged": [["SET", "k", "v"], ["SWAPDB", 0, 1]],
    "a setting": [["CONFIG", "SET", "maxmemory-policy", "allkeys-lfu"]],
    "settings": [["CONFIG", "SET", "maxmemory", "1gb", "notify-keyspace-events", "KEA", "hz", "100"]],
    "a setting, twice": [["CONFIG", "SET", "maxclients", 5000], ["CONFIG", "SET", "maxclients", 6000]],
    "a password": [["CONFIG", "SET", "requirepass", "secret"]],
    "no memory": [["CONFIG", "SET", "maxmemory", 1]],
    "a user": [["ACL", "SETUSER", "bob", "on", ">pw", "+@all"]],
    "the default user": [["ACL", "SETUSER", "default", "-debug", "resetkeys", "~a*", ">pw"]],
    "a user, and then none": [["ACL", "SETUSER", "bob"], ["ACL", "DELUSER", "bob"]],
    "refusals": [["AUTH", "nobody", "nothing"]],
    "functions": [["FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)"]],
    "scripts": [["SCRIPT", "LOAD", "return 1"]],
    "the libraries of scripts": [["EVAL", "cjson.encode_sparse_array(true) return 1", 0]],
    "the chance of scripts": [["EVAL", "return tostring(math.random())", 0]],
    "debug in scripts": [["DEBUG", "SET-DISABLE-DENY-SCRIPTS", 1]],
    "a pause": [["CLIENT", "PAUSE", 100000, "ALL"]],
    "a pause of writers": [["CLIENT", "PAUSE", 100000, "WRITE"]],
    "no expiry by itself": [["DEBUG", "SET-ACTIVE-EXPIRE", 0]],
    "errors": [["NOSUCH"], ["GET"], ["INCR", "k", "k"]],
    "hits and misses": [["GET", "k"], ["SET", "k", 1], ["GET", "k"]],
    "latency": [["CONFIG", "SET", "latency-monitor-threshold", 1], ["DEBUG", "SLEEP", 0.002]],
    "the slow log": [["CONFIG", "SET", "slowlog-log-slower-than", 0], ["GET", "k"]],
    "the clock": [["EMULATOR", "CLOCK", "ADVANCE", 1000000]],
    "the clock, frozen": [["EMULATOR", "CLOCK", "FREEZE"]],
    "a fault": [["EMULATOR", "FAULT", "ADD", "ERROR", "ERR no", "COMMAND", "get"]],
    "a fault, and then none": [["EMULATOR", "FAULT", "ADD", "ERROR", "ERR no"], ["EMULATOR", "FAULT", "CLEAR"]],
    "a recording": [["EMULATOR", "RECORD", "START"], ["GET", "k"]],
    "unsaved changes": [["DEBUG", "POPULATE", 3], ["SAVE"], ["SET", "k", "v"]],
}


def ask(handle, *words):
    """The answer of the server, its error as text."""
    try:
        return handle.command(*words)
    except Exception as error:
        return str(error)


def on_engine(handle, look):
    return handle.run(look) if isinstance(handle, emulator.Server) else look(handle.engine)


def figures(handle):
    """What INFO tells, without what no command of a client changes."""
    lines = bytes(handle.command("INFO", "everything")).decode().splitlines()
    wanted = ("Stats", "Errorstats", "Persistence", "Keyspace", "Commandstats", "Latencystats")
    section, kept = "", []
    for line in lines:
        if line.startswith("# "):
            section = line[2:]
        if section in wanted and not line.startswith(_NOT_OF_THE_SERVER) and "time" not in line:
            kept.append(line)
    return kept


def seen(handle):
    """All that clients can see of the server and could have changed."""
    found = {
        "statistics": figures(handle),
        "clock": on_engine(handle, lambda engine: (engine.clock.turned, engine.clock.frozen)),
        "settings": handle.command("CONFIG", "GET", "*"),
        "users": handle.command("ACL", "LIST"),
        "refusals": len(handle.command("ACL", "LOG")),
        "functions": handle.command("FUNCTION", "LIST"),
        "scripts": handle.command("SCRIPT", "EXISTS", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"),
        "slow": handle.command("SLOWLOG", "LEN"),
        "latency": handle.command("LATENCY", "LATEST"),
        "faults": handle.command("EMULATOR", "FAULT", "LIST"),
        "recorded": handle.command("EMULATOR", "RECORD", "GET"),
        "paused": on_engine(
            handle, lambda engine: (engine.pause.active, engine.expiration.active, engine.out_of_memory)
        ),
        "scripts may": on_engine(handle, lambda engine: engine.scripting.may_call_all),
        "next fault": handle.command("EMULATOR", "FAULT", "ADD", "ERROR", "ERR no", "COMMAND", "echo"),
        "lua": ask(handle, "EVAL", "return {tostring(math.random()), pcall(cjson.encode, {[1]=1, [100]=1})}", 0),
    }
    handle.command("EMULATOR", "FAULT", "CLEAR")
    handle.command("SCRIPT", "FLUSH")
    return found


@pytest.fixture(scope="module", params=["in a thread", "in process"])
def place(request):
    """A server, and what it shows while it is new."""
    settings = {"enable_debug_command": "yes", "seed": 7}
    if request.param == "in a thread":
        with emulator.Server(**settings) as server:
            yield server, seen(server)
    else:
        local = Local(**settings)
        yield local, seen(local)


@pytest.fixture
def handle(place):
    handle, _ = place
    handle.reset()
    yield handle
    handle.reset()


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_what_a_client_changes_is_back(place, handle, changes):
    _, fresh = place
    with handle.connect(max_connections=1) as client:
        for words in changes:
            try:
                client.execute_command(*words)
            except redis.RedisError:
                continue
    assert seen(handle) != fresh
    handle.reset()
    assert seen(handle) == fresh


def test_connections_that_do_no_harm_stay(handle):
    with handle.connect(max_connections=1, db=3) as client:
        number = client.client_id()
        handle.reset()
        assert client.client_id() == number
        client.set("k", "v")
        assert handle.command("INFO", "keyspace").startswith(b"# Keyspace\r\ndb3:keys=1")


def test_a_client_that_waits_takes_nothing_from_the_next_test(handle):
    def wait():
        with handle.connect(retry=None) as other, pytest.raises(redis.ConnectionError):
            other.blpop("q")

    with handle.connect() as client:
        waiting = threading.Thread(target=wait)
        waiting.start()
        while not client.info("clients")["blocked_clients"]:
            pass
        handle.reset()
        waiting.join()
        client.rpush("q", "job")
        assert client.llen("q") == 1


@pytest.mark.parametrize("words", [["SUBSCRIBE", "c"], ["PSUBSCRIBE", "c*"], ["SSUBSCRIBE", "c"], ["MONITOR"]], ids=str)
def test_a_client_that_listens_hears_nothing_of_the_next_test(handle, words):
    with handle.connect() as client, handle.connect(protocol=2) as other:
        connection = other.connection_pool.get_connection()
        connection.send_command(*words)
        connection.read_response()
        handle.reset()
        assert client.publish("c", "news") == 0
        with pytest.raises(redis.ConnectionError):
            connection.read_response()


def test_a_transaction_begun_before_is_aborted(handle):
    with handle.connect() as client, client.pipeline() as transaction:
        client.set("k", "v")
        transaction.watch("k")
        transaction.multi()
        transaction.set("k", "w")
        handle.reset()
        with pytest.raises(redis.WatchError):
            transaction.execute()


def test_the_users_at_the_start_are_those_that_come_back(tmp_path):
    with emulator.Server(requirepass="secret") as server:
        with server.connect(password="secret") as client:
            client.config_set("requirepass", "other")
            client.acl_setuser("bob", enabled=True)
            server.reset()
            assert client.acl_users() == ["default"]
        with server.connect(password="secret") as client:
            assert client.ping()


def test_a_snapshot_stays_to_come_back_to(handle):
    handle.command("SET", "k", "v")
    with handle.snapshot():
        handle.reset()
        assert handle.command("DBSIZE") == 0
    assert handle.command("GET", "k") == b"v"


def test_a_keyspace_is_renewed_alone():
    with emulator.Server() as server, server.connect() as client:
        client.set("k", "v")
        first, second = server.keyspace("a"), server.keyspace("b")
        for keyspace in (first, second):
            keyspace.command("SET", "k", "v")
        first.reset()
        assert (first.command("DBSIZE"), second.command("DBSIZE"), client.dbsize()) == (0, 1, 1)
        server.reset()
        assert (second.command("DBSIZE"), client.dbsize()) == (1, 0)


def test_who_may_not_administer_may_not_reset(handle):
    with handle.connect() as client:
        client.acl_setuser("bob", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-@admin"])
        client.auth("", "bob")
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.execute_command("EMULATOR RESET")


def test_it_is_refused_while_a_script_runs_that_does_not_end():
    def run(server):
        with server.connect(retry=None) as client, pytest.raises(redis.ResponseError, match="SCRIPT KILL"):
            client.eval("while true do end", 0)

    with emulator.Server(busy_reply_threshold=1) as server, server.connect() as client:
        running = threading.Thread(target=run, args=[server])
        running.start()
        with pytest.raises(redis.ResponseError, match=r"^BUSY"):
            while True:
                client.execute_command("EMULATOR", "RESET")
        client.script_kill()
        running.join()
