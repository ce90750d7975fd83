"""MEMORY USAGE under 8.6, as Redis 8.6.2 answered with an allocator whose steps are 16 bytes where those of its own are 8."""

import pytest

import emulator
from emulator.datatypes import footprint, stream_footprint
from emulator.datatypes.stream import Stream

ENTRY = ("XADD", "k", "1-1", "f", "v")
FIRST = ("XGROUP", "CREATE", "k", "g", "0")
SECOND = ("XGROUP", "CREATE", "k", "gh", "0")
READ = ("XREADGROUP", "GROUP", "g", "c", "STREAMS", "k", ">")


def allocated(size: int) -> int:
    if size > 128:
        return footprint._class_of(size)
    return 8 if size <= 8 else -(-size // 16) * 16


@pytest.fixture
def usage(monkeypatch):
    """The figure after some commands, without the 32 bytes of the key ``k``."""
    monkeypatch.setattr(stream_footprint, "allocated", allocated)
    monkeypatch.setattr(stream_footprint, "_GROUP", allocated(stream_footprint._GROUP))
    client = emulator.connect(emulator.Local(compat="8.6"))

    def figure(*commands):
        for words in commands:
            client.execute_command(*words)
        return client.memory_usage("k") - footprint.allocated(20)

    return figure


@pytest.mark.parametrize(
    ("commands", "figure"),
    [
        ([ENTRY], 301),
        ([("XADD", "k", "1-1", "f", "v" * 100)], 401),
        ([("XADD", "k", f"{i + 1}-1", "f", "v") for i in range(100)], 1390),
        ([("XADD", "k", f"{i + 1}-1", "f", "v") for i in range(300)], 3786),
        ([ENTRY, FIRST], 509),
        ([ENTRY, ("XGROUP", "CREATE", "k", "g" * 5, "0")], 525),
        ([ENTRY, FIRST, ("XGROUP", "CREATECONSUMER", "k", "g", "c")], 608),
        ([ENTRY, FIRST, ("XGROUP", "CREATECONSUMER", "k", "g", "c" * 19)], 642),
        ([ENTRY, FIRST, READ], 832),
        ([ENTRY, FIRST, SECOND, READ, ("XREADGROUP", "GROUP", "gh", "c", "STREAMS", "k", ">")], 1251),
    ],
)
def test_streams(usage, commands, figure):
    assert usage(*commands) == figure - 32


@pytest.mark.parametrize(("groups", "consumers", "pending"), [(100, 1, 20), (1, 100, 20), (20, 20, 5), (2, 1, 1200)])
def test_of_many_groups_and_consumers_some_stand_for_all(monkeypatch, groups, consumers, pending):
    stream = Stream()
    for name in range(groups):
        stream.create_group(b"group:%d" % name, 0, 0)
    for group in stream.groups.values():
        for name in range(consumers):
            ids = [(1_700_000_000_000 + 13 * (number * consumers + name)) << 64 for number in range(pending)]
            group.deliver(ids, group.create(b"consumer:%d" % name, 0), 0)
    stream.weights.total()
    looked_at, plain = [], stream_footprint._tree_size

    def tree_size(keys, count):
        looked_at.extend(keys)
        return plain(keys, count)

    monkeypatch.setattr(stream_footprint, "_tree_size", tree_size)
    figure = stream_footprint.exact_footprint(stream)
    assert len(looked_at) <= 5000
    for limit in ("_MOST_SAMPLED", "_SOME", "_SAMPLE"):
        monkeypatch.setattr(stream_footprint, limit, 1 << 30)
    assert figure == pytest.approx(stream_footprint.exact_footprint(stream), rel=0.03)
    assert len(looked_at) > groups * consumers * pending * 2


@pytest.mark.parametrize(
    ("command", "figure"),
    [
        (("SETRANGE", "k", "10", "y"), 45),
        (("HSET", "k", "f", "v" * 100), 251),
        (("HSET", "k", "f", "v" * 121), 272),
        (("HSET", "k", "f", "v" * 122), 285),
        (("SADD", "k", "v" * 70), 224),
    ],
)
def test_other_values(usage, command, figure):
    assert usage(command) == figure - 32


@pytest.mark.parametrize("size", [10_000, 100_000])
def test_a_large_value_of_a_list_counts_to_the_byte(usage, size):
    """The head of the list and that of its node are of the sizes of the allocator."""
    assert usage(("RPUSH", "k", "v" * size)) == pytest.approx(size + 96, abs=16)


def test_a_short_string_that_is_not_beside_its_key():
    client = emulator.connect(emulator.Local(compat="8.6"))
    client.set("k" * 60, "x" * 20)
    assert client.memory_usage("k" * 60) == footprint.allocated(17 + 60 + 4) + 22
