"""Durations of commands in buckets, and the events of LATENCY."""

import random
from itertools import count

import pytest

from emulator.clock import ManualClock
from emulator.stats.latency import OFFSET, Durations, Event, Latency, graph

STEP = 2.0**-20


def counted(*durations, tracking=True):
    """Durations of calls, in seconds."""
    found = Durations()
    for duration in durations:
        found.noted.append(duration + OFFSET)
    found.count(tracking)
    return found


def in_steps(*values):
    """Durations in the middle of a step."""
    return counted(*((value + 0.5) * STEP for value in values))


def bucket(steps):
    """The first step of a bucket and the one after its last, where two significant digits are told apart."""
    steps = min(steps, 2**20 - 1)
    width = 1
    while steps // width >= 256:
        width *= 2
    return steps // width * width, (steps // width + 1) * width


def test_buckets_and_percentiles_equal_those_of_a_naive_model():
    rng = random.Random(7)
    for size in (1, 2, 5, 100, 3000):
        values = [int(rng.expovariate(1) ** 3 * rng.choice((1, 30, 3000, 300_000))) for _ in range(size)]
        found = in_steps(*values)
        model = {}
        for value in values:
            first = bucket(value)[0]
            model[first] = model.get(first, 0) + 1
        assert found.buckets == model
        assert found.calls == found.tracked == size
        assert found.seconds == pytest.approx(sum(value + 0.5 for value in values) * STEP)
        ordered = sorted(values)
        for percent in (0.001, 1, 33.3, 50, 99, 99.9, 100):
            rank = max(int(percent / 100 * size + 0.5), 1)
            assert found.percentiles([percent])[0] == bucket(ordered[rank - 1])[1] * STEP * 1e6
        assert found.percentiles([0])[0] == bucket(ordered[0])[0] * STEP * 1e6


def test_counting_in_parts_is_counting_at_once():
    rng = random.Random(8)
    durations = [rng.expovariate(1) ** 4 / 1e5 for _ in range(1000)]
    parts = Durations()
    for duration in durations:
        parts.noted.append(duration + OFFSET)
        if rng.random() < 0.1:
            parts.count(True)
    parts.count(True)
    assert parts.buckets == counted(*durations).buckets


def test_powers_of_two_are_cumulative_and_leave_out_steps_that_add_nothing():
    micros = (0.5, 1.5, 2.5, 10, 13, 43, 9764)
    assert counted(*(value / 1e6 for value in micros)).by_powers() == {1: 1, 2: 2, 4: 3, 16: 5, 66: 6, 16908: 7}
    assert counted(0).by_powers() == {1: 1}
    assert counted(0.6).by_powers() == counted(0.99).by_powers() == counted(5).by_powers() == {1073741: 1}


def test_the_seconds_are_summed_whether_or_not_they_are_tracked():
    found = counted(0.25, 0.5, tracking=False)
    assert (found.calls, found.seconds, found.tracked) == (2, 0.75, 0)
    assert not found.noted


def test_of_the_same_second_only_the_worst_is_kept():
    latency = Latency(ManualClock())
    for second, millis in ((10, 5), (10, 7), (10, 6), (12, 3)):
        latency.add(b"command", second, millis)
    event = latency.events[b"command"]
    assert list(event.samples) == [(10, 7), (12, 3)]
    assert event.worst == 7
    assert latency.forget([b"command", b"nonesuch", b"command"]) == 1
    assert not latency.events


def test_an_event_keeps_its_last_160_samples():
    event = Event()
    for second in range(500):
        event.add(second, 1000 - second)
    assert [second for second, _ in event.samples] == list(range(340, 500))
    assert event.worst == 1000


def test_the_graph_of_an_event():
    event = Event()
    for second, millis in ((0, 100), (3600, 2), (86400, 40), (86460, 21)):
        event.add(second, millis)
    assert list(graph(event, 86465)) == [
        "#   ",
        "|   ",
        "| o ",
        "|_|#",
        "    ",
        "1215",
        "d3ms",
        " h  ",
    ]


@pytest.fixture
def slow(monkeypatch):
    """Whatever is watched takes 7 ms more than what it holds; commands themselves take no time."""
    moments = count(step=0.007)
    monkeypatch.setattr("emulator.stats.latency.perf_counter", lambda: next(moments))
    monkeypatch.setattr("emulator.core.dispatch.perf_counter", lambda: 0.0)


def test_expiry_and_eviction_are_events(client, pass_time, slow):
    client.play("CONFIG SET latency-monitor-threshold 5")
    client.play("SET k v PX 100")
    pass_time(100)
    assert set(client.engine.latency.events) == {b"expire-cycle", b"expire-del"}
    assert client.engine.latency.events[b"expire-del"].worst == 7
    assert client.engine.latency.events[b"expire-cycle"].worst == 21
    assert b"expire-cycle - high 21 ms, low 21 ms (all time high 21 ms)" in client.play("LATENCY GRAPH expire-cycle")
    client.play("LATENCY RESET")
    client.play("SET k v PX 100")
    client.engine.clock.advance(100)
    client.play("GET k")
    assert set(client.engine.latency.events) == {b"expire-del"}
    client.play("LATENCY RESET")
    client.play("SET k v")
    client.play("CONFIG SET maxmemory-policy allkeys-lru")
    client.play("CONFIG SET maxmemory 1")
    assert set(client.engine.latency.events) == {b"eviction-cycle", b"evict-del"}


def test_nothing_is_an_event_without_a_threshold(client, pass_time, slow):
    client.play("SET k v PX 100")
    pass_time(100)
    assert not client.engine.latency.events
