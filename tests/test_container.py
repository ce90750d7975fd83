"""The container without a container engine: what its Dockerfile does is done step by step, in an empty directory."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from conformance.servers import free_port
from tests.test_main import ROOT
from tests.waiting import until

DOCKER = Path(ROOT) / "docker"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the entrypoint is a shell script")


@pytest.fixture
def image(tmp_path):
    """What the image has in /usr/local/bin: what the Dockerfile copies, and a python that knows the package."""
    for name in copied():
        shutil.copy(DOCKER / name, tmp_path)
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

    def answers():
        try:
            return redis.Redis(port=port, retry=None).ping()
        except redis.AuthenticationError:
            return True
        except redis.ConnectionError:
            assert server.poll() is None
            return False

    until(answers)
    return server


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


def healthy(image, server, **more):
    check = [str(image / "healthcheck"), str(server.pid)]
    done = subprocess.run(
        check, cwd=image, env=environment(image, **more), capture_output=True, timeout=120, check=False
    )
    return done.returncode == 0


@pytest.mark.parametrize("way", ["arguments", "environment", "file", "REDIS_ARGS", "user", "socket"])
def test_the_health_check_knows_where_the_server_is(image, way):
    """Whatever says port and password, and after that has ended there is nobody to answer."""
    port = free_port()
    arguments, variables = ["redis-server"], {}
    if way == "arguments":
        arguments = ["--port", str(port), "--requirepass", "secret"]
    elif way == "environment":
        variables = {"REDIS_PORT": str(port), "REDIS_PASSWORD": "secret"}
    elif way == "file":
        (image / "redis.conf").write_text(f"port {port}\nrequirepass secret\n")
        arguments = ["redis.conf", "--hz", "20"]
    elif way == "REDIS_ARGS":
        variables = {"REDIS_ARGS": f"--port {port}"}
    elif way == "user":
        arguments = ["redis-server", "--port", str(port), "--user", "default", "off"]
    else:
        arguments = ["--port", str(port), "--unixsocket", str(image / "socket")]
    server = started(image, port, *arguments, **variables)
    assert healthy(image, server, **variables)
    end(server)
    assert not healthy(image, server, **variables)


def test_a_server_that_does_not_answer_is_not_healthy(image):
    port = free_port()
    server = started(image, port, "--port", str(port))
    server.send_signal(signal.SIGSTOP)
    assert not healthy(image, server)
    server.send_signal(signal.SIGCONT)
    end(server)


def test_the_programs_have_their_usual_names(image):
    port = free_port()
    server = subprocess.Popen(
        [str(image / "redis-server"), "--port", str(port)], cwd=image, env=environment(image), stdout=subprocess.PIPE
    )
    while b"Ready to accept connections" not in server.stdout.readline():
        assert server.poll() is None
    client = [str(image / "redis-cli"), "-p", str(port), "ping"]
    assert subprocess.run(client, env=environment(image), capture_output=True, check=True).stdout == b"PONG\n"
    end(server)
    assert subprocess.run(client, env=environment(image), capture_output=True, check=False).returncode == 1
    version = subprocess.run([str(image / "redis-server"), "--version"], env=environment(image), capture_output=True)
    assert version.stdout.startswith(b"Redis server v=8.2.3")


def copied():
    """The programs that the Dockerfile puts into the image."""
    text = (Path(ROOT) / "Dockerfile").read_text()
    names = re.findall(r"^COPY (docker/.+) /usr/local/bin/$", text, re.MULTILINE)
    return [name.removeprefix("docker/") for line in names for name in line.split()]


def test_what_the_dockerfile_needs_is_there():
    for name in copied():
        assert (DOCKER / name).is_file() and os.access(DOCKER / name, os.X_OK)
    text = (Path(ROOT) / "Dockerfile").read_text()
    commands = re.findall(r'(?:CMD|ENTRYPOINT) \["([^"]+)"', text)
    assert set(commands) <= set(copied())


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
    subprocess.run(command, cwd=ROOT, timeout=120, check=True)
    client = redis.Redis(port=port, retry=None)
    assert client.ping()
    assert client.info("server")["process_id"] == int((tmp_path / "pid").read_text())
    client.shutdown(nosave=True)


def test_a_daemon_that_cannot_start_says_so():
    command = [sys.executable, "-m", "emulator", "--port", "1", "--bind", "192.0.2.1", "--daemonize", "yes"]
    assert subprocess.run(command, cwd=ROOT, timeout=120, check=False).returncode == 1


def test_the_environment_chooses_the_version(image):
    port = free_port()
    server = started(image, port, "redis-server", REDIS_PORT=str(port), REDIS_COMPAT="8.6")
    assert redis.Redis(port=port).info("server")["redis_version"] == "8.6.2"
    end(server)
