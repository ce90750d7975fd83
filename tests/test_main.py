"""``python -m emulator`` as a process: its log, its end, its exit status; and the format of log lines."""

import io
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from emulator.config.directives import Config
from emulator.stats.log import NOTICE, Log

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LINE = re.compile(r"\d+:[CM] \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3} [.\-*#] .+")


def process(*argv: str, **environ: str) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REDIS_")}
    folder = tempfile.TemporaryDirectory(prefix="emulator-", ignore_cleanup_errors=True)
    server = subprocess.Popen(
        [sys.executable, "-m", "emulator", *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder.name,
        env={"PYTHONPATH": ROOT} | environment | environ,
    )
    server.folder = folder  # type: ignore[attr-defined]  # which goes with it
    return server


@contextmanager
def running(*argv: str, **environ: str) -> Iterator[tuple["subprocess.Popen[str]", list[str]]]:
    server = process(*argv, **environ)
    lines: list[str] = []
    try:
        assert server.stdout is not None
        for line in server.stdout:
            lines.append(line.rstrip("\n"))
            if "Ready to accept connections" in line:
                break
        yield server, lines
    finally:
        if server.poll() is None:
            server.kill()
        server.communicate(timeout=60)


def port_of(lines: list[str]) -> int:
    return next(int(found[1]) for line in lines if (found := re.search(r"port=(\d+)\.", line)))


def ask(port: int, command: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(command + b"\r\n")
        return connection.recv(1000)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_starts_answers_and_ends_on_a_signal(number: signal.Signals) -> None:
    with running("--port", "auto", "--save", "") as (server, lines):
        assert all(LINE.fullmatch(line) for line in lines)
        assert lines[0].endswith("* oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo")
        assert lines[-2].endswith("* Server initialized")
        assert lines[-1].endswith("* Ready to accept connections tcp")
        assert ask(port_of(lines), b"PING") == b"+PONG\r\n"
        server.send_signal(number)
        rest = server.communicate(timeout=60)[0].splitlines()
    assert rest[0].endswith(f") Received {number.name} scheduling shutdown...")
    assert rest[-2].endswith("* User requested shutdown...")
    assert rest[-1].endswith("# Redis is now ready to exit, bye bye...")
    assert server.returncode == 0


def test_what_an_application_needs_for_the_rest_api_is_printed() -> None:
    pytest.importorskip("h11")
    with running("--port", "auto", "--rest-port", "auto") as (_, lines):
        told = dict(line.partition("=")[::2] for line in lines if not LINE.fullmatch(line))
    assert list(told) == [
        "UPSTASH_REDIS_REST_URL",
        "UPSTASH_REDIS_REST_TOKEN",
        "KV_REST_API_URL",
        "KV_REST_API_TOKEN",
    ]
    assert told["KV_REST_API_URL"] == told["UPSTASH_REDIS_REST_URL"] and len(told["UPSTASH_REDIS_REST_TOKEN"]) > 20
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", told["UPSTASH_REDIS_REST_URL"])
    with running("--port", "auto", "--rest-port", "auto", UPSTASH_REDIS_REST_TOKEN="mine") as (_, lines):
        assert "UPSTASH_REDIS_REST_TOKEN=mine" in lines


def test_without_h11_it_is_told_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "h11.py").write_text("raise ModuleNotFoundError(\"No module named 'h11'\", name='h11')\n")
    server = process("--port", "auto", "--rest-port", "auto", PYTHONPATH=str(tmp_path))
    output, _ = server.communicate(timeout=60)
    assert server.returncode == 1 and "pip install h11" in output


def test_the_environment_is_named_in_the_log() -> None:
    with running("--port", "auto", REDIS_PASSWORD="secret", REDIS_PASWORD="x") as (_, lines):
        assert any("* Configuration from the environment: REDIS_PASSWORD" in line for line in lines)
        assert any("# Environment variable REDIS_PASWORD is not used." in line for line in lines)
        assert not any("secret" in line for line in lines)
        assert ask(port_of(lines), b"GET a").startswith(b"-NOAUTH")


def test_a_port_that_is_taken_ends_the_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = process("--bind", "127.0.0.1", "--port", str(taken.getsockname()[1]))
        out = server.communicate(timeout=60)[0]
    assert "Failed listening on port" in out
    assert server.returncode == 1


def test_a_port_of_the_rest_api_that_is_taken_is_told() -> None:
    pytest.importorskip("h11")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = process("--port", "auto", "--rest-port", str(port))
        last = server.communicate(timeout=60)[0].splitlines()[-1]
    assert last.endswith(f"# REST API: cannot listen on 127.0.0.1:{port}: Address already in use")
    assert server.returncode == 1


def test_nothing_to_listen_on() -> None:
    server = process("--port", "0")
    assert server.communicate(timeout=60)[0].splitlines()[-1].endswith("# Configured to not listen anywhere, exiting.")
    assert server.returncode == 1


def test_a_fatal_error_goes_to_standard_error() -> None:
    server = process("--port", "x")
    out, err = server.communicate(timeout=60)
    assert (out, server.returncode) == ("", 1)
    assert err.startswith("\n*** FATAL CONFIG FILE ERROR (Redis 8.2.3) ***\n")


@pytest.mark.parametrize(("word", "status"), [("--version", 0), ("--help", 1)])
def test_questions(word: str, status: int) -> None:
    server = process(word)
    out, err = server.communicate(timeout=60)
    assert ("Redis server v=8.2.3" in out, "Usage:" in err) == (status == 0, status == 1)
    assert server.returncode == status


def test_pid_file_and_unix_socket_are_removed(tmp_path: object) -> None:
    pidfile, path = os.path.join(str(tmp_path), "pid"), os.path.join(str(tmp_path), "s")
    with running("--port", "0", "--pidfile", pidfile, "--unixsocket", path) as (server, lines):
        assert lines[-1].endswith("* Ready to accept connections unix")
        with open(pidfile) as file:
            assert int(file.read()) == server.pid
        server.terminate()
        server.communicate(timeout=60)
    assert os.listdir(str(tmp_path)) == []


def test_a_pid_file_that_cannot_be_written_is_told() -> None:
    with running("--port", "auto", "--save", "", "--pidfile", "/nowhere/pid") as (_, lines):
        assert any(line.endswith("# Failed to write PID file: No such file or directory") for line in lines)
        assert ask(port_of(lines), b"PING") == b"+PONG\r\n"


def test_a_user_who_is_off_is_told() -> None:
    with running("--port", "auto", "--user", "bob", "--user", "ann", "on") as (_, lines):
        (line,) = [line for line in lines if "is disabled" in line]
    assert "* The user 'bob' is disabled (there is no 'on' modifier in the user description)." in line


def test_a_sentinel_looks_at_no_data(tmp_path: Path) -> None:
    (tmp_path / "dump.rdb").write_text("damaged")
    (tmp_path / "sentinel.conf").write_text(f"dir {tmp_path}\n")
    with running(str(tmp_path / "sentinel.conf"), "--sentinel", "--port", "auto") as (server, lines):
        assert not any("dump.rdb" in line for line in lines)
        server.terminate()
        rest = server.communicate(timeout=60)[0].splitlines()
    assert rest[-1].endswith("# Sentinel is now ready to exit, bye bye...")
    assert (tmp_path / "dump.rdb").read_text() == "damaged"


def written(config: Config, level: int, text: str) -> str:
    stream = io.StringIO()
    log = Log(config, stream, lambda: time.mktime((2026, 2, 3, 4, 5, 6, 0, 0, -1)) + 0.007)
    log.attach("emulator")
    try:
        log.line(level, text)
    finally:
        log.detach()
    return stream.getvalue()


@pytest.mark.parametrize(("level", "mark"), [(10, "."), (20, "-"), (NOTICE, "*"), (30, "#"), (40, "#")])
def test_a_line_of_the_log(level: int, mark: str) -> None:
    config = Config()
    config.set([b"loglevel", b"debug"])
    assert written(config, level, "100% x") == f"{os.getpid()}:C 03 Feb 2026 04:05:06.007 {mark} 100% x\n"


def test_loglevel_takes_effect_at_once() -> None:
    config = Config()
    assert written(config, 20, "x") == ""
    config.set([b"loglevel", b"verbose"])
    assert written(config, 20, "x")
    config.set([b"loglevel", b"nothing"])
    assert written(config, 40, "x") == ""


def test_logfile_is_below_dir(tmp_path: object) -> None:
    config = Config()
    config.assign("dir", [str(tmp_path)])
    config.assign("logfile", ["redis.log"])
    assert written(config, NOTICE, "hello") == ""
    with open(os.path.join(str(tmp_path), "redis.log")) as file:
        assert file.read().endswith("* hello\n")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--save", "", "--io-threads", "4"), "'io-threads' has no effect"),
        (("--save", "", "--activedefrag", "yes"), "'activedefrag' has no effect"),
        (("--save", "", "--syslog-enabled", "yes"), "'syslog-enabled' has no effect"),
        (("--save", "", "--supervised", "systemd"), "'supervised' has no effect"),
        (("--save", "", "--rest-token", "dev"), "'rest-token' has no effect without 'rest-port'"),
        (("--save", "", "--cloud-dir", "d"), "'cloud-dir' has no effect without 'cloud-port'"),
        (("--save", "", "--backup-daily", "yes"), "'backup-daily' has no effect without 'backup-dir'"),
    ],
)
def test_what_a_directive_cannot_do_is_said_once(options, told):
    with running("--port", "auto", *options) as (_, lines):
        assert sum(told in line for line in lines) == 1
        assert sum("has no effect" in line for line in lines) == 1


def test_who_asks_for_nothing_to_be_saved_hears_nothing_of_it():
    with running("--port", "auto", "--save", "") as (_, lines):
        assert not any("has no effect" in line for line in lines)


@pytest.mark.parametrize(
    ("points", "told"),
    [
        ("60 1 5 100", "dump.rdb: saved at the end and after 1 changes in 60 seconds, 100 changes in 5 seconds"),
        ("", "Data are gone when the server ends"),
    ],
)
def test_where_data_go_is_said(points, told, tmp_path):
    with running("--port", "auto", "--save", points, "--dir", str(tmp_path)) as (_, lines):
        assert sum(told in line for line in lines) == 1


def test_what_is_asked_for_while_it_runs_is_said_as_well():
    with running("--port", "auto", "--save", "") as (server, lines):
        assert ask(port_of(lines), b"CONFIG SET activedefrag yes") == b"+OK\r\n"
        assert ask(port_of(lines), b"SHUTDOWN NOSAVE") == b""
        assert "'activedefrag' has no effect" in server.stdout.read()


def test_a_node_whose_file_is_broken_does_not_start(tmp_path):
    (tmp_path / "nodes.conf").write_text("hello\n")
    server = process("--port", "7001", "--cluster-enabled", "yes", "--dir", str(tmp_path))
    out, _ = server.communicate(timeout=60)
    assert server.returncode == 1 and "Unrecoverable error: corrupted cluster config file 'hello'." in out
    assert (tmp_path / "nodes.conf").read_text() == "hello\n"
