"""Time series: what Redis 8.2 says otherwise than the oracle's older module, what is logged, bounded, and kept."""

from random import Random

import pytest

import emulator
from emulator.modules.timeseries.number import printed
from emulator.modules.timeseries.series import Series
from tests.heard import Heard


def info(client, key, name):
    told = client.play(f"TS.INFO {key}")
    return told.partition(b"+%b\r\n" % name)[2].partition(b"\r\n")[0]


# What 8.2 answers


def test_info_tells_the_policy_that_counts(client):
    client.play("TS.CREATE t")
    assert info(client, "t", b"duplicatePolicy") == b"+block"
    client.play("CONFIG SET ts-duplicate-policy last")
    assert info(client, "t", b"duplicatePolicy") == b"+last"
    client.play("TS.ADD t 1 1")
    assert client.play("TS.ADD t 1 2") == b":1\r\n"
    assert client.play("TS.GET t") == b"*2\r\n:1\r\n+2\r\n"


def test_samples_are_told_to_those_who_may_read_every_series_found(client, another):
    client.play("TS.CREATE open LABELS a b")
    client.play("TS.CREATE closed LABELS a b")
    client.play("ACL SETUSER bob on nopass +@all ~open %W~closed (+get ~closed)")
    another.play("AUTH bob x")
    found = b"*2\r\n$6\r\nclosed\r\n$4\r\nopen\r\n"
    assert another.play("TS.QUERYINDEX a=b") == found
    assert b"NOPERM" not in another.play("TS.MGET FILTER a=b"), "a selector lets the key be read"
    client.play("ACL SETUSER bob clearselectors")
    refused = (
        b"-NOPERM TSDB: current user doesn't have read permission to one or more keys that match the specified filter"
    )
    for command in ("TS.MGET FILTER a=b", "TS.MRANGE - + FILTER a=b", "TS.MREVRANGE - + FILTER a=b"):
        assert another.play(command) == refused + b"\r\n"
    assert another.play("TS.QUERYINDEX a=b") == found
    client.play("ACL SETUSER bob %R~closed")
    assert another.play("TS.MRANGE - + FILTER a=b GROUPBY a REDUCE sum").startswith(b"*1")


def test_new_series_are_made_as_the_settings_say(client):
    client.play("CONFIG SET ts-retention-policy 1000 ts-chunk-size-bytes 128 ts-encoding uncompressed")
    client.play("CONFIG SET ts-ignore-max-time-diff 5 ts-ignore-max-val-diff 2.5")
    client.play("TS.CREATE t")
    assert info(client, "t", b"retentionTime") == b":1000"
    assert info(client, "t", b"chunkSize") == b":128"
    assert info(client, "t", b"chunkType") == b"+uncompressed"
    assert info(client, "t", b"ignoreMaxTimeDiff") == b":5"
    assert client.play("CONFIG GET ts-ignore-max-val-diff").endswith(b"$8\r\n2.500000\r\n")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ts-chunk-size-bytes", "47"),
        ("ts-retention-policy", "-1"),
        ("ts-encoding", "zip"),
        ("ts-duplicate-policy", "x"),
        ("ts-ignore-max-val-diff", "-1"),
        ("ts-num-threads", "5"),
    ],
)
def test_settings_out_of_range_are_refused(client, name, value):
    assert client.play(f"CONFIG SET {name} {value}").startswith(b"-ERR CONFIG SET failed")


def test_the_family_is_a_category(client):
    assert b"\r\ntimeseries\r\n" in client.play("ACL CAT")
    assert b"ts.add" in client.play("ACL CAT timeseries")


def test_a_policy_lets_others_follow_what_a_sample_creates(client):
    client.play("CONFIG SET ts-compaction-policy avg:10s:1h;max:1M:0m:30m")
    client.play("TS.ADD t 1000 2 LABELS x y")
    assert client.play("KEYS *") == b"*3\r\n$1\r\nt\r\n$11\r\nt_AVG_10000\r\n$14\r\nt_MAX_60000_30\r\n"
    assert info(client, "t_AVG_10000", b"retentionTime") == b":3600000"
    assert client.play("TS.QUERYINDEX x=y aggregation=AVG time_bucket=10000") == b"*1\r\n$11\r\nt_AVG_10000\r\n"
    client.play("TS.ADD t 2000 4")
    client.play("TS.ADD t 10000 9")
    assert client.play("TS.RANGE t_AVG_10000 - +") == b"*1\r\n*2\r\n:0\r\n+3\r\n"
    client.play("TS.CREATE u")
    assert client.play("DBSIZE") == b":4\r\n"


@pytest.mark.parametrize("value", ["avg", "avg:10s", "foo:10s:1h", "avg:0s:1h", "avg:10:1h", "avg:10s:1h:2m:3"])
def test_what_is_no_policy_is_refused(client, value):
    assert client.play(f"CONFIG SET ts-compaction-policy {value}").startswith(b"-ERR CONFIG SET failed")


# Numbers


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, b"0"),
        (-0.0, b"-0"),
        (35.5, b"35.5"),
        (0.25, b"2.5E-1"),
        (1e15, b"1000000000000000"),
        (9e15, b"9E15"),
        (1.23456e16, b"1.23456E16"),
        (33333333333333332.0, b"33333333333333332"),
        (-5e-324, b"-5E-324"),
        (float("nan"), b"NaN"),
        (float("-inf"), b"-Infinity"),
    ],
)
def test_numbers_are_printed(number, text):
    assert printed(number) == text


# What is logged


@pytest.mark.parametrize(
    ("words", "logged"),
    [
        ("TS.ADD t * 5", [b"TS.ADD", b"t", b"1000", b"5"]),
        ("TS.MADD u * 5 none * 1 u x 1", [b"TS.MADD", b"u", b"1000", b"5"]),
        ("TS.INCRBY t 5", [b"ts.incrby", b"t", b"5", b"TIMESTAMP", b"1000"]),
        ("TS.DECRBY t 5 TIMESTAMP * LABELS a b", b"ts.decrby t 5 TIMESTAMP 1000 LABELS a b".split()),
    ],
)
def test_moments_are_logged_as_they_were(client, words, logged):
    client.engine.clock.set(1.0)
    client.play("TS.CREATE u")
    heard = Heard()
    client.engine.propagation.listen(heard)
    client.play(words)
    assert heard.units[-1][-1].words == logged


# What is kept


def test_snapshots_keep_samples_and_rules(client):
    client.play("TS.CREATE a LABELS x y")
    client.play("TS.CREATE b")
    client.play("TS.CREATERULE a b AGGREGATION sum 10")
    client.play("TS.ADD a 1 1")
    client.play("EMULATOR SNAPSHOT SAVE s")
    client.play("TS.ADD a 15 1")
    client.play("TS.ALTER a LABELS x z")
    client.play("EMULATOR SNAPSHOT RESTORE s")
    assert client.play("TS.QUERYINDEX x=y") == b"*1\r\n$1\r\na\r\n"
    assert client.play("TS.RANGE b - +") == b"*0\r\n"
    client.play("TS.ADD a 15 1")
    assert client.play("TS.RANGE b - +") == b"*1\r\n*2\r\n:0\r\n+1\r\n"


def test_series_that_were_there_before_anybody_asked_are_found(client):
    client.play("TS.CREATE a LABELS x y")
    other = client.engine.databases[0].peek(b"a").copy()
    client.engine.databases[1].put(b"a", other, 0, b"")
    client.play("SELECT 1")
    assert client.play("TS.QUERYINDEX x=y") == b"*1\r\n$1\r\na\r\n"


def test_a_flush_forgets_the_labels(client):
    client.play("TS.CREATE a LABELS x y")
    client.play("FLUSHALL")
    assert client.play("TS.QUERYINDEX x=y") == b"*0\r\n"
    client.play("TS.CREATE b LABELS x y")
    assert client.play("TS.QUERYINDEX x=y") == b"*1\r\n$1\r\nb\r\n"


# What is bounded


def test_empty_buckets_without_number_are_refused(client):
    client.play("TS.ADD t 0 1")
    client.play("TS.ADD t 9223372036854775807 1")
    assert client.play("TS.RANGE t - + AGGREGATION avg 1 EMPTY") == b"-ERR TSDB: too many empty buckets\r\n"


def test_many_samples_are_kept_in_few_bytes(client):
    series = client.play("TS.CREATE t") and client.engine.databases[0].peek(b"t")
    for moment in range(100_000):
        series.add(moment, float(moment % 7), b"block")
    assert series.times.itemsize + series.values.itemsize == 16
    assert (
        client.play("TS.RANGE t - + AGGREGATION count 50000")
        == b"*2\r\n*2\r\n:0\r\n+50000\r\n*2\r\n:50000\r\n+50000\r\n"
    )
    assert client.play("TS.RANGE t 10 13 AGGREGATION sum 100") == b"*1\r\n*2\r\n:0\r\n+18\r\n"


# With redis-py


def test_redis_py_works():
    series = emulator.Redis(host="series", decode_responses=True).ts()
    assert series.create("a", labels={"x": "y"}, retention_msecs=0)
    assert series.add("a", 1, 1.5) == 1
    assert series.madd([("a", 2, 2.5), ("a", 3, 3.5)]) == [2, 3]
    assert series.get("a") == (3, 3.5)
    assert series.range("a", "-", "+") == [(1, 1.5), (2, 2.5), (3, 3.5)]
    assert series.range("a", "-", "+", aggregation_type="avg", bucket_size_msec=10) == [(0, 2.5)]
    assert series.queryindex(["x=y"]) == ["a"]
    assert series.mrange("-", "+", ["x=y"]) == [{"a": [{}, [(1, 1.5), (2, 2.5), (3, 3.5)]]}]
    assert series.info("a").total_samples == 3
    assert series.create("b")
    assert series.createrule("a", "b", "sum", 10)
    assert series.delete("a", 1, 2) == 2


# Chunks


@pytest.mark.parametrize("seed", range(4))
def test_chunks_are_what_they_would_be_from_the_beginning(seed):
    random = Random(seed)
    series = Series(b"t", 48, compressed=True)
    for _ in range(400):
        if random.random() < 0.9:
            series.add(random.choice((random.randrange(3000), 2000 + len(series.times))), random.random(), b"last")
        else:
            start = random.randrange(3000)
            series.delete(start, start + random.randrange(40))
        if random.random() < 0.5:
            series.layout.settle(series.times, series.values)
        if random.random() < 0.3:
            found = series.layout.settle(series.times, series.values)
            assert found == series.layout.copy().settle(series.times, series.values)
    assert len(series.layout.starts) > 20


def test_a_late_sample_disturbs_no_earlier_chunk():
    series = Series(b"t", 48, compressed=True)
    for moment in range(1000):
        series.add(2 * moment, moment / 7, b"last")
    starts = [*series.layout.settle(series.times, series.values)]
    late = (starts[-3] + starts[-2]) // 2
    series.add(2 * late - 1, 1.0, b"last")
    assert series.layout.starts == starts[:-2]
