"""How long one client's pipeline goes on before the others have their turn."""

import pytest

from emulator.core import dispatch

COMMANDS = [[b"SET", b"k", b"v"]] * 100


class Times:
    """Clocks on which each look at them finds so many seconds gone by, of which the processor worked some."""

    def __init__(self, passes, works):
        self.passes, self.works, self.looks = passes, works, 0

    def perf_counter(self):
        self.looks += 1
        return self.looks * self.passes

    def thread_time(self):
        return self.looks * self.works


@pytest.fixture
def run(client, monkeypatch):
    """Runs commands while time goes by as told, and returns how many were run."""

    def run(commands, passes, works):
        times = Times(passes, works)
        monkeypatch.setattr(dispatch, "perf_counter", times.perf_counter)
        monkeypatch.setattr(dispatch, "thread_time", times.thread_time)
        return dispatch.run(client.session, commands, 0, len(commands))

    return run


def test_quick_commands_are_run_at_once(run):
    assert run(COMMANDS, 0.00001, 0.00001) == 100


def test_who_has_taken_long_makes_room_for_the_others(run):
    assert 10 < run(COMMANDS, 0.001, 0.001) < 30
    assert run(COMMANDS, 0.1, 0.1) == 2


def test_what_other_programs_take_does_not_count(run):
    assert run(COMMANDS, 0.1, 0.00001) == 100


def test_a_large_reply_ends_a_turn_that_was_not_short(client, run):
    client.play("SET large " + 2_000_000 * "x")
    gets = [[b"GET", b"large"]] * 3
    assert run(gets, 0.01, 0.00001) == 1
    assert run(gets, 0.00001, 0.00001) == 3


def test_within_a_transaction_there_are_no_turns(client, run):
    client.play("MULTI")
    for _ in range(50):
        client.play("INCR n")
    assert run([[b"EXEC"]], 0.1, 0.1) == 1
    assert client.received().endswith(b":50\r\n")
