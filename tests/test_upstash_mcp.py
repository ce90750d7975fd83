"""The service's own MCP server, unmodified: every tool for databases is called once."""

import json
import os
import subprocess
from contextlib import contextmanager

import pytest

import emulator
from tests import node
from tests.cloud import EMAIL, KEY, READING, SETTINGS

pytest.importorskip("h11")

SERVER = "@upstash/mcp-server/dist/index.js"
GREETING = {"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "tests", "version": "1"}}


class Session:
    """A session over the pipes of a process."""

    def __init__(self, process):
        self._process = process
        self._count = 0
        self.ask("initialize", **GREETING)
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def _send(self, message):
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def ask(self, method, **params):
        self._count += 1
        self._send({"jsonrpc": "2.0", "id": self._count, "method": method, "params": params})
        while line := self._process.stdout.readline():
            answer = json.loads(line)
            if answer.get("id") == self._count:
                return answer["result"]
        raise AssertionError(self._process.stderr.read())

    def call(self, tool, **arguments):
        """The texts that a tool answers."""
        found = self.ask("tools/call", name=f"redis_database_{tool}", arguments=arguments)
        text = "\n".join(part["text"] for part in found["content"])
        assert not found.get("isError"), text
        return text


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return node.install(tmp_path_factory.mktemp("mcp"), "@upstash/mcp-server@0.3.0")


@pytest.fixture(scope="module")
def server():
    with emulator.Server(**SETTINGS) as server:
        yield server


@pytest.fixture
def session(folder, server):
    @contextmanager
    def begin(key=KEY):
        environ = os.environ | dict(line.split("=", 1) for line in server.run(lambda _: server._server.cloud.lines))
        command = [
            "node",
            str(folder / "node_modules" / SERVER),
            "--email",
            EMAIL,
            "--api-key",
            key,
            "--disable-telemetry",
        ]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        with subprocess.Popen(command, cwd=folder, env=environ, text=True, **pipes) as process:
            try:
                yield Session(process)
            finally:
                process.kill()

    return begin


def test_every_tool(session):
    with session() as mcp:
        made = mcp.call("create_new", name="mine", primary_region="us-east-1", read_regions=["us-west-1"])
        assert "mine" in made
        listed = mcp.call("list_databases")
        (database_id,) = [word.strip('",') for word in listed.split() if word.strip('",').count("-") == 4]
        assert "us-west-1" in mcp.call("get_details", database_id=database_id)
        commands = [["SET", "k", "v"], ["GET", "k"]]
        assert '"v"' in mcp.call("run_redis_commands", database_id=database_id, commands=commands)
        for kind in ("throughput", "keyspace", "diskusage", "read_latency_mean", "write_latency_mean"):
            mcp.call("get_statistics", id=database_id, period="1h", stat_type=kind)
        mcp.call("update_regions", id=database_id, read_regions=["eu-west-1"])
        assert "eu-west-1" in mcp.call("get_details", database_id=database_id)
        mcp.call("manage_backup", database_id=database_id, operation="create", backup_name="first")
        words = mcp.call("list_backups", database_id=database_id).replace('"', " ").split()
        backup_id = next(word for word in words if len(word) == 32)
        for operation in ("restore", "delete"):
            mcp.call("manage_backup", database_id=database_id, operation=operation, backup_id=backup_id)
        mcp.call("set_daily_backup", database_id=database_id, enable=True)
        mcp.call("reset_password", id=database_id)
        assert '"v"' in mcp.call("run_redis_commands", database_id=database_id, commands=[["GET", "k"]])
        mcp.call("delete", database_id=database_id)
        assert database_id not in mcp.call("list_databases")
        started = mcp.call("start_free")
        trial = next(word.strip("`") for word in started.split() if word.count("-") == 4)
        assert mcp.call("start_free", database_id=trial) == started


def test_a_read_only_key_is_noticed(session):
    with session(READING) as mcp:
        names = {tool["name"] for tool in mcp.ask("tools/list")["tools"]}
    assert "redis_database_list_databases" in names
    assert "redis_database_delete" not in names
