"""Turning the clock, over the wire and in the process: everything that goes by time follows."""

import random
from datetime import UTC, datetime, timedelta

import pytest
import redis

import emulator
from conformance import servers
from emulator.clock import Clock, ManualClock
from emulator.datatypes.wheel import Timer, Wheel


@pytest.fixture(scope="module")
def address():
    with servers.emulator() as address:
        yield address


@pytest.fixture(params=["over the wire", "in the process"])
def client(request, address):
    if request.param == "in the process":
        client = emulator.connect(decode_responses=True)
    else:
        client = redis.Redis(*address, decode_responses=True)
    with client:
        client.flushall()
        yield client
        client.execute_command("EMULATOR", "CLOCK", "RESUME")


def clock(client, *words):
    """What the clock shows after a word to it."""
    reply = client.execute_command("EMULATOR", "CLOCK", *words)
    return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))


def test_keys_and_fields_expire_when_the_clock_says_so(client):
    client.set("k", "v", ex=100)
    client.hset("h", "f", "v")
    client.hexpire("h", 50, "f")
    clock(client, "FREEZE")
    before = client.ttl("k")
    clock(client, "ADVANCE", 60_000)
    assert client.ttl("k") == before - 60 and not client.exists("h")
    clock(client, "ADVANCE", 40_000)
    assert client.dbsize() == 0


def test_events_come_in_order_however_far_it_is_turned(client):
    client.config_set("notify-keyspace-events", "Ex")
    with client.pubsub() as pubsub:
        pubsub.subscribe("__keyevent@0__:expired")
        assert pubsub.get_message(timeout=60)["type"] == "subscribe"
        for seconds in (30, 10, 20):
            client.set(f"k{seconds}", "v", ex=seconds)
        clock(client, "ADVANCE", 3_600_000)
        assert [pubsub.get_message(timeout=60)["data"] for _ in range(3)] == ["k10", "k20", "k30"]


def test_frozen_time_stands_still(client):
    clock(client, "FREEZE")
    assert client.time() == client.time()
    one, other = client.xadd("s", {"a": "b"}), client.xadd("s", {"a": "b"})
    assert one.split("-")[0] == other.split("-")[0]
    assert client.eval("return redis.call('time')", 0) == client.eval("return redis.call('time')", 0)
    shown = clock(client, "GET")
    assert shown == {"now": shown["now"], "frozen": 1}
    assert clock(client, "ADVANCE", 1234)["now"] == shown["now"] + 1234
    assert clock(client, "RESUME")["frozen"] == 0


def test_it_is_set_forward_and_back(client):
    assert clock(client, "SET", 2_000_000_000_000)["now"] == 2_000_000_000_000
    client.set("k", "v", ex=10)
    assert client.expiretime("k") in (2_000_000_010, 2_000_000_011)
    clock(client, "FREEZE")
    clock(client, "SET", 1_000_000_000_000)
    client.set("early", "v", px=5)
    assert client.exists("k", "early") == 2
    clock(client, "ADVANCE", 5)
    assert client.exists("k", "early") == 1
    clock(client, "SET", 2_000_000_020_000)
    assert client.dbsize() == 0


def test_idle_times_follow(client):
    client.set("k", "v")
    clock(client, "ADVANCE", 5_000_000)
    assert client.object("idletime", "k") == 5000


def test_waits_end_when_the_clock_says_so():
    local = emulator.Local()
    client = local.connect()
    blocked = local.socket()
    blocked.sendall(b"BLPOP nothing 100\r\n")
    clock(client, "FREEZE")
    clock(client, "ADVANCE", 99_000)
    assert client.info("clients")["blocked_clients"] == 1
    clock(client, "ADVANCE", 2_000)
    assert client.info("clients")["blocked_clients"] == 0
    blocked.settimeout(60)
    assert blocked.recv(100) == b"*-1\r\n"


@pytest.mark.parametrize(
    "words", ["CLOCK", "CLOCK FOO", "CLOCK SET", "CLOCK SET x", "CLOCK ADVANCE -1", "CLOCK GET 1", "FOO", ""]
)
def test_what_is_no_order_to_the_clock_is_an_error(client, words):
    with pytest.raises(redis.ResponseError):
        client.execute_command("EMULATOR", *words.split())


def test_it_is_told_of_only_where_somebody_asks(client):
    assert "emulator" not in client.command_list() and "emulator" not in client.command()
    assert "emulator|clock" in client.command_list(pattern="emulator*")
    assert "emulator" not in client.acl_cat() and "emulator|clock" in client.acl_cat("emulator")
    assert any("CLOCK" in line for line in client.execute_command("EMULATOR", "HELP"))


def test_it_can_be_taken_away():
    with pytest.raises(redis.ResponseError, match="unknown command"):
        emulator.Local(emulator_commands="no").connect().execute_command("EMULATOR", "HELP")


def test_users_may_be_kept_from_it():
    local = emulator.Local()
    local.connect().acl_setuser("u", enabled=True, nopass=True, commands=["+@all", "-@emulator"])
    with pytest.raises(redis.exceptions.NoPermissionError):
        local.connect(username="u", password="x").execute_command("EMULATOR", "CLOCK", "GET")


class Fired(Timer):
    def __init__(self, fired):
        super().__init__()
        self.fired = fired

    def fire(self):
        self.fired.append(self.deadline)


@pytest.mark.parametrize("seed", range(5))
def test_a_wheel_that_is_turned_back_forgets_nothing(seed):
    chance = random.Random(seed)
    wheel, fired = Wheel(1_000_000), []
    deadlines = [chance.randrange(1_000_000, 1_000_000 + 10 ** chance.randrange(1, 9)) for _ in range(300)]
    for deadline in deadlines:
        wheel.set(Fired(fired), deadline)
    now = 1_000_000
    for _ in range(40):
        now = max(now + chance.randrange(-500_000, 1_000_000), 0)
        if now < wheel._now:
            wheel.rewind(now)
        while wheel.advance(now, 100):
            pass
    while wheel.advance(2_000_000_000, 100):
        pass
    assert sorted(fired) == sorted(deadlines) and wheel.count == 0


def test_a_clock_by_itself():
    clock = ManualClock(0.005)
    assert (clock.tick(), clock.micros(), clock.frozen) == (5, 5000, True)
    clock.advance(0.01)
    assert clock.now == 15
    running = Clock()
    running.show(1000)
    assert 1000 <= running.tick() < 60_000
    running.freeze()
    assert running.tick() == running.now == running.micros() // 1000


def clocks():
    """Each clock that somebody turns in Python, and how one sees what it shows, in seconds."""
    manual, local = ManualClock(), emulator.Local()
    local.clock.freeze()
    return [(manual, lambda: manual.now / 1000), (local.clock, lambda: local.clock.now)]


@pytest.mark.parametrize(("clock", "now"), clocks(), ids=["ManualClock", "Local.clock"])
def test_one_unit_in_python(clock, now):
    clock.set(datetime(2030, 1, 1, tzinfo=UTC))
    assert now() == 1893456000
    clock.set(1000)
    clock.advance(1.5)
    clock.advance(timedelta(minutes=1))
    assert now() == 1061.5
    for wrong in (-1, timedelta(seconds=-1), float("nan"), float("inf")):
        with pytest.raises(ValueError, match="a time from 0 seconds on is wanted"):
            clock.advance(wrong)
    with pytest.raises(TypeError, match="seconds or a timedelta are wanted, not '1'"):
        clock.advance("1")
    assert now() == 1061.5


def test_calls_are_recorded_in_seconds():
    local = emulator.Local(ManualClock(1000))
    with local.record():
        local.connect(driver_info=None).ping()
    assert {call.moment for call in local.commands} == {1000}


def test_freezegun_is_honoured_only_where_it_is_asked_for():
    freezegun = pytest.importorskip("freezegun")
    asked, other = emulator.Local(Clock(patched=True)).connect(), emulator.connect()
    with freezegun.freeze_time("2001-02-03") as frozen:
        asked.set("k", "v", ex=100)
        assert asked.time()[0] == 981158400
        assert other.time()[0] > 1_700_000_000 and emulator.connect().time()[0] > 1_700_000_000
        frozen.tick(99)
        assert asked.ttl("k") == 1
        frozen.tick(1)
        assert asked.get("k") is None


@pytest.mark.parametrize("patched", [False, True])
def test_waits_end_while_freezegun_holds_the_time(patched):
    freezegun = pytest.importorskip("freezegun")
    with emulator.Server(clock=Clock(patched)) as server, freezegun.freeze_time("2001-02-03") as frozen:
        client = server.connect()
        assert client.blpop("nothing", 0.01) is None
        frozen.move_to("2002-02-03")
        assert client.blpop("nothing", 0.01) is None


def test_time_machine_is_honoured_only_where_it_is_asked_for():
    time_machine = pytest.importorskip("time_machine")
    asked, other = emulator.Local(Clock(patched=True)).connect(), emulator.connect()
    with time_machine.travel(981158400, tick=False) as traveller:
        asked.set("k", "v", ex=100)
        assert asked.time()[0] == 981158400
        assert other.time()[0] > 1_700_000_000 and emulator.connect().time()[0] > 1_700_000_000
        traveller.shift(100)
        assert asked.get("k") is None


class MachineClock(Clock):
    """A clock that follows a machine whose time is set by hand: `wall` and `monotonic` in seconds."""

    def __init__(self):
        super().__init__()
        self.wall, self.monotonic = 1_700_000_000.0, 5_000.0
        self._source, self._monotonic = lambda: int(self.wall * 1e9), lambda: int(self.monotonic * 1e9)
        self.tick()

    def pass_time(self, seconds):
        self.wall += seconds
        self.monotonic += seconds


@pytest.fixture
def machine():
    return MachineClock()


def blocked(local):
    """A connection that waits for a list for ten seconds."""
    connection = local.socket()
    connection.settimeout(0)
    connection.sendall(b"BLPOP q 10\r\n")
    return connection


@pytest.mark.parametrize("step", [-3600, 3600, -1, 0])
def test_a_wait_takes_as_long_as_it_was_meant_to_when_the_machines_clock_is_set(machine, step):
    local = emulator.Local(machine)
    connection = blocked(local)
    machine.wall += step
    machine.pass_time(9.9)
    with local.lock:
        local.advance()
    assert not connection.received
    machine.pass_time(0.1)
    with local.lock:
        local.advance()
    assert list(connection.received) == [b"*-1\r\n"]


@pytest.mark.parametrize("step", [-3600, 3600, -1, 0])
def test_a_pause_takes_as_long_as_it_was_meant_to(machine, step):
    local = emulator.Local(machine)
    local.perform((b"CLIENT", b"PAUSE", b"10000"))
    machine.wall += step
    machine.pass_time(9.9)
    with local.lock:
        local.advance()
    assert local.engine.pause.active
    machine.pass_time(0.1)
    with local.lock:
        local.advance()
    assert not local.engine.pause.active


def test_keys_expire_by_the_wall_clock_when_it_steps_back(machine):
    local = emulator.Local(machine)
    machine.wall += 3600
    local.perform((b"SET", b"early", b"v"))
    with local.lock:
        local.advance()
    machine.wall -= 3600
    local.perform((b"SET", b"k", b"v", b"EX", b"10"))
    assert local.seconds_until_due() <= 10
    machine.pass_time(10)
    with local.lock:
        local.advance()
    assert local.perform((b"DBSIZE",)) == [1]


def test_keys_expire_when_the_wall_clock_steps_forward(machine):
    local = emulator.Local(machine)
    local.perform((b"SET", b"k", b"v", b"EX", b"10"))
    machine.wall += 3600
    with local.lock:
        local.advance()
    assert local.perform((b"DBSIZE",)) == [0]
