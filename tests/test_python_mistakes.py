"""Mistakes in the Python API and on the command line: an error of the right type says in a line what is wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import emulator
from emulator.clock import ManualClock
from emulator.protocol.errors import CommandError
from emulator.server.config_file import FatalConfigError, StartRefused
from emulator.server.options import read_options
from emulator.testing.remote import RemoteServer

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("server", [emulator.Server, emulator.Local])
@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"maxmemroy": "1mb"}, TypeError, "there is no setting 'maxmemroy'. Did you mean 'maxmemory'?"),
        (
            {"maxmemory-polcy": "x"},
            TypeError,
            "there is no setting 'maxmemory_polcy'. Did you mean 'maxmemory_policy'?",
        ),
        ({"qqq": 1}, TypeError, "there is no setting 'qqq'."),
        ({"maxmemory": "much"}, ValueError, "maxmemory='much': argument must be a memory value"),
        ({"databases": 0}, ValueError, "databases=0: argument must be between 1 and 2147483647 inclusive"),
        ({"lazyfree_lazy_expire": 2}, ValueError, "lazyfree_lazy_expire=2: argument must be 'yes' or 'no'"),
        ({"user": 5}, TypeError, "user=5: a line as in redis.conf, or a list of them"),
    ],
)
def test_settings(server, settings, error, text):
    with pytest.raises(error) as caught, server(**settings) as made:
        made.ping()
    assert str(caught.value) == text


def test_python_s_own_values():
    local = emulator.Local(activerehashing=False, user=["ann on >a ~* +@all"], notify_keyspace_events="")
    assert local.command("CONFIG", "GET", "activerehashing") == {b"activerehashing": b"no"}


def test_what_a_server_cannot_be():
    with pytest.raises(ValueError, match="listens nowhere"):
        emulator.Server(port=0)
    with emulator.Server(port="auto") as server:
        assert server.connect().ping()


@pytest.mark.parametrize(
    "use",
    [
        lambda server: server.connect(),
        lambda server: server.url,
        lambda server: server.clock.advance(1),
        lambda server: server.faults.clear(),
        lambda server: server.rest_url,
        lambda server: server.keyspace("one").url,
    ],
)
def test_a_server_that_has_not_started(use):
    with pytest.raises(RuntimeError, match="the server has not started: use it within"):
        use(emulator.Server())


@pytest.mark.parametrize(
    ("effect", "more", "error", "text"),
    [
        ("eror", {}, ValueError, "there is no effect 'eror'. Did you mean 'error'?"),
        ("drop_after", {}, ValueError, "there is no effect 'drop_after'. Did you mean 'drop-after'?"),
        ("delay", {"error": "OOM"}, ValueError, "error='OOM' goes with the effect 'error', not with 'delay'"),
        ("half", {"seconds": 1}, ValueError, "seconds=1 goes with the effect 'delay', not with 'half'"),
        ("delay", {"times": 1}, ValueError, "the effect 'delay' takes seconds"),
        ("delay", {"seconds": -1}, ValueError, "a time from 0 seconds on is wanted, not -1"),
        ("error", {"nth": 0}, ValueError, "nth=0: a number from 1 on is wanted"),
        ("error", {"probability": 2}, ValueError, "probability=2: a number from 0 to 1 is wanted"),
        ("error", {"comand": "get"}, TypeError, "got an unexpected keyword argument 'comand'"),
    ],
)
def test_faults(effect, more, error, text):
    local = emulator.Local()
    with pytest.raises(error) as caught:
        local.faults.add(effect, **more)
    assert text in str(caught.value)
    assert local.command("EMULATOR", "FAULT", "LIST") == []


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("FAULT ADD EROR x", "ERR there is no fault word 'EROR'. Did you mean 'ERROR'?"),
        ("FAULT ADD half NHT 3", "ERR there is no fault word 'NHT'."),
        ("FAULT ADD error", "ERR ERROR of a fault needs a value"),
        ("FAULT ADD half COMMAND sett", "ERR there is no command 'sett'. Did you mean 'set'?"),
        ("FAULT ADD half COMMAND configset", "ERR there is no command 'configset'. Did you mean 'config|set'?"),
        ("FAULT ADD half COMMAND nothing.*", "ERR there is no command 'nothing.*'."),
        ("FAULT AD half", "ERR there is no action 'AD'. Did you mean 'ADD'?"),
        ("CLOCK FREZE", "ERR there is no action 'FREZE'. Did you mean 'FREEZE'?"),
        ("CLOCK ADVANCE", "ERR unknown subcommand or wrong number of arguments for 'CLOCK'. Try EMULATOR HELP."),
        ("SNAPSHOT SAVE", "ERR unknown subcommand or wrong number of arguments for 'SNAPSHOT'. Try EMULATOR HELP."),
        ("FAULT LIST x", "ERR unknown subcommand or wrong number of arguments for 'FAULT'. Try EMULATOR HELP."),
        ("KEYSPACE DORP x", "ERR there is no action 'DORP'. Did you mean 'DROP'?"),
        ("RECORD LINE", "ERR there is no action 'LINE'. Did you mean 'LINES'?"),
    ],
)
def test_the_emulator_command(words, text):
    with pytest.raises(CommandError) as caught:
        emulator.Local().command("EMULATOR", *words.split())
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("mistake", "text"),
    [
        (lambda: emulator.connect(5), "a Local, a name, a URL or None is wanted, not 5"),
        (lambda: emulator.aconnect(emulator.Server()), "what listens has its own connect()"),
        (lambda: emulator.Local("name"), "clock='name': a Clock of emulator.clock is wanted"),
        (lambda: emulator.Server(clock=5).__enter__(), "clock=5: a Clock of emulator.clock is wanted"),
    ],
)
def test_what_is_handed_over(mistake, text):
    with pytest.raises(TypeError) as caught:
        mistake()
    assert text in str(caught.value)


def test_urls():
    for mistake in (lambda: emulator.connect("http://here"), lambda: RemoteServer("here:6379")):
        with pytest.raises(ValueError, match="redis://"):
            mistake()


def test_the_command_line():
    with pytest.raises(StartRefused) as refused:
        read_options(["--maxmemroy", "10mb"], {})
    assert refused.value.args[1] == ">>> 'maxmemroy 10mb' Did you mean 'maxmemory'?"
    with pytest.raises(FatalConfigError, match=r"wrong number of arguments Did you mean 'appendonly'\?"):
        read_options(["--apendonly"], {})


def test_a_missing_redis_py_is_told():
    uses = (
        "emulator.connect()",
        "emulator.Redis",
        "emulator.Local().connect()",
        "emulator.Server().__enter__().connect()",
        "__import__('emulator.testing.remote')",
        "__import__('emulator.testing.any_loop')",
    )
    for use in uses:
        program = f"import sys; sys.modules['redis'] = None; import emulator; {use}"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
        assert done.stderr.splitlines()[-1] == (
            "ModuleNotFoundError: redis-py is needed for a client: pip install redis "
            "(or this package with its extra 'client')"
        ), use


SNIPPET = """
from datetime import timedelta
import redis
import redis.asyncio
import emulator
from emulator.clock import ManualClock

client: redis.Redis = emulator.connect(decode_responses=True)
asynchronous: redis.asyncio.Redis = emulator.aconnect("redis://here")
patched: redis.Redis = emulator.Redis(host="here", port=6379)
local = emulator.Local(ManualClock(0), maxmemory="1mb")
local.connect().set("k", "v")
local.clock.advance(timedelta(seconds=1))
with emulator.Server(port="auto", requirepass="x") as server, server.keyspace("one") as keyspace:
    kept: redis.Redis = server.connect()
    keyspace.connect().ping()
    server.faults.add("delay", seconds=1.5, command="get")
    reveal_type(server.connect())
"""
WRONG = """
server.faults.add("eror")
emulator.Redis(hots="x")
server.clock.advance("1")
"""


def test_a_user_s_code_is_typed(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "right.py").write_text(SNIPPET)
    (tmp_path / "wrong.py").write_text(SNIPPET + WRONG)
    command = [sys.executable, "-m", "mypy", "--strict", f"--cache-dir={ROOT / '.mypy_cache'}", "right.py", "wrong.py"]
    environ = os.environ | {"MYPYPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=300, check=False
    ).stdout
    assert 'right.py:18: note: Revealed type is "redis.client.Redis"' in done, done
    assert [line.partition(":")[0] for line in done.splitlines() if ": error:" in line] == 3 * ["wrong.py"], done


def test_a_clock_s_moment():
    with pytest.raises(TypeError, match="seconds since the epoch or a datetime are wanted"):
        ManualClock("now")
