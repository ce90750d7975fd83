"""HOTKEYS: a measurement ends by itself, costs others nothing afterwards, and keeps no more keys than it has room for."""

import pytest

from emulator.clients.hotkeys import Costs
from emulator.clock import ManualClock
from emulator.config.directives import Config
from emulator.config.edition import EDITIONS
from emulator.core.engine import Engine
from tests.conftest import Client


@pytest.fixture
def client():
    return Client(Engine(Config(EDITIONS["8.6"]), ManualClock()))


def active(client):
    return client.play("HOTKEYS GET").split(b"\r\n")[4]


def test_it_ends_after_its_duration(client):
    client.play("HOTKEYS START METRICS 1 NET DURATION 5")
    assert not client.session.fast_path
    client.engine.clock.advance(4)
    client.engine.timers.advance()
    assert active(client) == b":1"
    client.engine.clock.advance(1)
    client.engine.timers.advance()
    assert active(client) == b":0"
    assert client.session.fast_path
    assert b":5000\r\n" in client.play("HOTKEYS GET")


def test_one_that_is_stopped_does_not_end_the_next(client):
    client.play("HOTKEYS START METRICS 1 NET DURATION 5")
    client.play("HOTKEYS STOP")
    client.play("HOTKEYS START METRICS 1 NET")
    client.engine.clock.advance(10)
    client.engine.timers.advance()
    assert active(client) == b":1"


def test_only_some_commands_are_charged_with_a_sample(client):
    client.play("HOTKEYS START METRICS 1 NET SAMPLE 10")
    for _ in range(200):
        client.play("GET k")
    charged = client.engine.hotkeys.costs[b"NET"].total
    assert 0 < charged < client.engine.hotkeys.all.bytes == 200 * 25


def test_the_dearest_keys_are_kept():
    costs = Costs(kept=3)
    for number in range(5000):
        costs.add(b"k%d" % number, 1)
        costs.add(b"dear%d" % (number % 3), 9)
    assert {key for key, _ in costs.dearest()} == {b"dear0", b"dear1", b"dear2"}
    assert len(costs._of) <= 1024


def test_long_keys_do_not_fill_the_memory():
    costs = Costs(kept=2)
    for number in range(20):
        costs.add(b"%d" % number * 400_000, number + 1)
    assert sum(map(len, costs._of)) <= (1 << 20) + 3 * 800_000
    assert len(costs._of) <= 3
