"""The model of the real server's reply buffer: that it grows and shrinks as clients are sent more or less."""

import pytest

from emulator.clients.reply_buffer import NEVER, ReplyBuffer, ReplyBuffers


@pytest.fixture
def buffer():
    return ReplyBuffer(ReplyBuffers(100), 0)


def states(buffer, *moments):
    """Size and peak at some moments."""
    found = []
    for moment in moments:
        buffer.settle(moment)
        found.append((buffer.size, buffer.peak))
    return found


def test_a_new_one_shrinks_soon(buffer):
    assert states(buffer, 99, 100, 200, 10_000) == [(16384, 16384), (16384, 0), (1024, 0), (1024, 0)]


def test_it_doubles_where_it_was_full_and_shrinks_when_the_peak_is_forgotten(buffer):
    buffer.settle(1000)
    for moment in (1000, 1200, 1400, 1600, 1800):
        buffer.note(20_000, moment)
    assert states(buffer, 1900, 20_000) == [(16384, 16384), (1024, 0)]


def test_only_what_is_larger_than_the_peak_or_comes_later_need_be_told(buffer):
    buffer.note(700, 1000)
    assert states(buffer, 1000) == [(1024, 700)]
    assert buffer.forgets_at < 10_000
    buffer.note(5, 10_000)
    assert states(buffer, 10_000) == [(1024, 5)]


def test_an_age_takes_no_time(buffer):
    buffer._all.patience = NEVER
    buffer.note(700, 300)
    buffer.forgets_at = NEVER
    assert states(buffer, 10**15) == [(1024, 700)]


def test_what_is_beyond_it_goes_to_blocks(buffer):
    assert buffer.beyond(16384) == (16384, 0, 0)
    assert buffer.beyond(16385) == (16384, 1, 20504)
    assert buffer.beyond(16384 + 20464 * 3 + 1) == (16384, 4, 4 * 20504)
