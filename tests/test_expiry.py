"""The timing wheel against a sorted list of deadlines."""

import random

import pytest

from emulator.datatypes import wheel as wheels
from emulator.datatypes.wheel import Timer, Wheel


@pytest.fixture(params=[wheels.MANY, 3], ids=["whole", "divided"])
def slots(request, monkeypatch):
    """Slots as they are, and those that have very many timers."""
    monkeypatch.setattr(wheels, "MANY", request.param)


class Recorder(Timer):
    __slots__ = ("fired", "name", "wheel_log")

    def __init__(self, name, log):
        super().__init__()
        self.name = name
        self.wheel_log = log

    def fire(self):
        self.wheel_log.append(self.name)


@pytest.mark.parametrize("seed", range(20))
def test_random_steps_fire_in_the_order_of_deadlines(slots, seed):
    rng = random.Random(seed)
    now = rng.randrange(1 << 41)
    wheel, log, model, serial = Wheel(now), [], {}, 0
    timers = []
    for _ in range(3000):
        step = rng.random()
        if step < 0.6:
            span = rng.choice([0, 5, 300, 70_000, 20_000_000, 1 << 36, 1 << 50])
            if timers and rng.random() < 0.2:
                timer = rng.choice(timers)
            else:
                timer = Recorder(len(timers), log)
                timers.append(timer)
            deadline = now + rng.randint(-10, span)
            wheel.set(timer, deadline)
            serial += 1
            model[timer.name] = (max(deadline, now), serial)
        elif step < 0.75 and timers:
            timer = rng.choice(timers)
            wheel.cancel(timer)
            model.pop(timer.name, None)
        else:
            now += rng.randint(0, rng.choice([1, 300, 70_000, 20_000_000, 1 << 37, 1 << 49]))
            while wheel.advance(now, rng.randint(1, 50)):
                pass
            due = sorted((when, name) for name, (when, _) in model.items() if when <= now)
            assert [model[name][0] for name in log] == [when for when, _ in due]
            assert sorted(log) == sorted(name for _, name in due)
            for name in log:
                del model[name]
            log.clear()
        assert wheel.count == len(model)
        upcoming = wheel.next_moment()
        assert (upcoming is None) == (not model)
        if model:
            assert upcoming <= min(when for when, _ in model.values())


def test_timers_of_one_millisecond_fire_in_the_order_set(slots):
    wheel, log = Wheel(1000), []
    for name in range(100):
        wheel.set(Recorder(name, log), 1500)
    assert not wheel.advance(1499, 10_000)
    assert log == []
    while wheel.advance(1500, 7):
        pass
    assert log == list(range(100))


def test_an_earlier_timer_is_announced():
    announced = []
    wheel = Wheel(0)
    wheel.on_earlier = lambda: announced.append(wheel.alarm)
    for deadline in (500, 700, 300, 400):
        wheel.set(Recorder(deadline, []), deadline)
    assert announced == [500, 300]


def test_a_slot_of_many_timers_is_worked_off_in_portions_and_in_order():
    wheel, log = Wheel(0), []
    timers = [Recorder(name, log) for name in range(25_000)]
    for timer in timers:
        wheel.set(timer, 100_000)
    cancelled = set(timers[5_000:24_000:2])
    for timer in cancelled:
        wheel.cancel(timer)
    while wheel.advance(100_000, 999):
        assert wheel.next_moment() <= 100_000
    assert log == [timer.name for timer in timers if timer not in cancelled]
    assert wheel.count == 0
    assert wheel.next_moment() is None


def test_a_timer_that_takes_long_counts_for_more_steps():
    class Slow(Recorder):
        def fire(self):
            super().fire()
            return 20

    wheel, log = Wheel(0), []
    for name in range(10):
        wheel.set(Slow(name, log), 1)
    assert wheel.advance(1, 50)
    assert log == [0, 1, 2]
    while wheel.advance(1, 50):
        pass
    assert log == list(range(10))
