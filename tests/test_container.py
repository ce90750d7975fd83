"""The container without a container engine: what its Dockerfile does is done step by step, in an empty directory."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from tests.conftest import free_port
from tests.test_main import ROOT

DOCKER = Path(ROOT) / "docker"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the entrypoint is a shell script")


@pytest.fixture
def image(tmp_path):
    """What the image has in /usr/local/bin: the entrypoint, redis-cli, and a python that knows the package."""
    for name in ("docker-entrypoint.sh", "redis-cli"):
        shutil.copy(DOCKER / name, tmp_path / name)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return tmp_path


def environment(image, **more):
    return {"PATH": f"{image}:/usr/bin:/bin", "HOME": str(image)} | more


def started(image, port, *arguments, **more):
    """A server started by the entrypoint, once it answers."""
    command = [str(image / "docker-entrypoint.sh"), *arguments]
    server = subprocess.Popen(command, cwd=image, env=environment(image, **more), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 15
    while True:
        try:
            if redis.Redis(port=port, retry=None).ping():
                return server
        except redis.AuthenticationError:
            return server
        except redis.ConnectionError:
            assert server.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)


def end(server):
    server.send_signal(signal.SIGTERM)
    assert server.wait(10) == 0


@pytest.mark.parametrize("first", [["redis-server"], []])
def test_options_come_with_or_without_the_server_s_name(image, first):
    port = free_port()
    server = started(image, port, *first, "--port", str(port), "--maxmemory", "10mb")
    config = redis.Redis(port=port, decode_responses=True).config_get("maxmemory", "bind", "protected-mode")
    assert config == {"maxmemory": str(10 << 20), "bind": "* -::*", "protected-mode": "no"}
    end(server)


def test_a_configuration_file_may_come_first(image):
    port = free_port()
    (image / "redis.conf").write_text(f"port {port}\ndatabases 3\n")
    server = started(image, port, "redis.conf", "--hz", "20")
    config = redis.Redis(port=port, decode_responses=True).config_get("databases", "hz")
    assert config == {"databases": "3", "hz": "20"}
    end(server)


def test_the_environment_sets_what_nothing_else_can(image):
    port = free_port()
    server = started(image, port, "redis-server", REDIS_PORT=str(port), REDIS_PASSWORD="secret", REDIS_ARGS="--hz 30")
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=port).ping()
    assert redis.Redis(port=port, password="secret", decode_responses=True).config_get("hz") == {"hz": "30"}
    end(server)


def test_other_commands_are_run(image):
    command = [str(image / "docker-entrypoint.sh"), "echo", "hello"]
    done = subprocess.run(command, env=environment(image), capture_output=True, text=True, check=True)
    assert done.stdout == "hello\n"


def test_the_health_check(image):
    port = free_port()
    server = started(image, port, "--port", str(port))
    check = [str(image / "redis-cli"), "-p", str(port), "ping"]
    done = subprocess.run(check, env=environment(image), capture_output=True, text=True, check=True)
    assert done.stdout == "PONG\n"
    end(server)
    assert subprocess.run(check, env=environment(image), capture_output=True, check=False).returncode == 1


def test_what_the_dockerfile_copies_is_there():
    text = (Path(ROOT) / "Dockerfile").read_text()
    for names in re.findall(r"^COPY (docker/.+) ", text, re.MULTILINE):
        for name in names.split():
            path = Path(ROOT) / name
            assert path.is_file() and os.access(path, os.X_OK)


def test_a_daemon_is_there_when_the_command_returns(tmp_path):
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "emulator",
        "--port",
        str(port),
        "--daemonize",
        "yes",
        "--pidfile",
        str(tmp_path / "pid"),
    ]
    subprocess.run(command, cwd=ROOT, timeout=20, check=True)
    client = redis.Redis(port=port, retry=None)
    assert client.ping()
    assert client.info("server")["process_id"] == int((tmp_path / "pid").read_text())
    client.shutdown(nosave=True)


def test_a_daemon_that_cannot_start_says_so():
    command = [sys.executable, "-m", "emulator", "--port", "1", "--bind", "192.0.2.1", "--daemonize", "yes"]
    assert subprocess.run(command, cwd=ROOT, timeout=20, check=False).returncode == 1
