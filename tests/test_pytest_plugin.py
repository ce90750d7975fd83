"""The pytest plugin, used as somebody uses it who has just installed it: pytest is run on a folder of tests."""

import os
import re
import tempfile
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from conformance import servers
from tests import nursery

ROOT = Path(__file__).parent.parent
INSTALLED = any(entry.name == "redis-emulator" for entry in entry_points(group="pytest11"))

SUITE = """
import asyncio
import pytest
import redis


def test_it_is_there_and_empty(redis_client):
    assert isinstance(redis_client, redis.Redis)
    assert redis_client.dbsize() == 0
    redis_client.set("k", "v", ex=100)


def test_it_is_empty_again(redis_client, redis_url, redis_server):
    assert redis_client.dbsize() == 0
    assert redis.Redis.from_url(redis_url).ping()
    assert f":{redis_server.port}" in redis_url


@pytest.mark.redis(config={"maxmemory-policy": "allkeys-lru"})
def test_with_settings(redis_client):
    assert redis_client.config_get("maxmemory-policy")["maxmemory-policy"] == "allkeys-lru"


def test_settings_are_gone_after_the_test(redis_client):
    assert redis_client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
"""

OF_THE_EMULATOR = """
def test_the_clock(redis_client, redis_clock):
    redis_client.set("k", "v", ex=100)
    redis_clock.freeze()
    redis_clock.advance(100)
    assert redis_client.get("k") is None


def test_the_clock_is_right_again(redis_client):
    import time
    assert abs(redis_client.time()[0] - time.time()) < 60


def test_faults(redis_client, redis_faults):
    import redis, pytest
    fault = redis_faults.add("error", error="OOM no memory", command="get", times=1)
    with pytest.raises(redis.exceptions.OutOfMemoryError):
        redis_client.get("k")
    assert redis_client.get("k") is None and (fault.met, fault.fired) == (2, 1)
    redis_faults.add("error")


def test_there_are_no_faults_any_more(redis_client):
    assert redis_client.get("k") is None


def test_more_servers(redis_server_factory, redis_server):
    one, other = redis_server_factory(databases=1), redis_server_factory(requirepass="x")
    assert len({one.port, other.port, redis_server.port}) == 3
    assert other.connect(password="x").ping()


def test_a_server_of_another_version(redis_server_factory):
    assert redis_server_factory(compat="8.4").connect().execute_command("DIGEST", "k") is None


@pytest.mark.redis(compat="8.6")
def test_on_a_server_of_another_version(redis_client, redis_url):
    assert redis_client.info("server")["redis_version"].startswith("8.6.")
    redis_client.set("k", "v")
    assert redis.Redis.from_url(redis_url).execute_command("DELEX", "k", "IFEQ", "v") == 1


def test_afterwards_the_version_is_the_usual_one(redis_client):
    assert redis_client.info("server")["redis_version"].startswith("8.2.")
    assert redis_client.dbsize() == 0
"""


OTHERS = ("anyio", "asyncio", "pytest_redis", "time_machine", "xdist", "xdist.looponfail")


def pytest_on(folder, *arguments, beside=()):
    """The output of pytest on a folder, and its exit status, with our plugin and, of `OTHERS`, those that are named."""
    plugin = [] if INSTALLED else ["-p", "redis_emulator_pytest"]
    left_out = [f"-pno:{other}" for other in ("cacheprovider", *OTHERS) if other not in beside]
    command = ["pytest", "-q", *left_out, *plugin, *arguments]
    with tempfile.TemporaryDirectory() as beside_it:
        log = Path(beside_it, "log")
        run = nursery.begin_module(command, str(folder), str(log), os.environ | {"PYTHONPATH": str(ROOT)})
        status = run.wait(120)
        return log.read_text(), status


def test_a_suite_passes_with_nothing_but_the_fixtures_names(tmp_path):
    (tmp_path / "test_it.py").write_text(SUITE + OF_THE_EMULATOR)
    output, status = pytest_on(tmp_path)
    assert status == 0 and "12 passed" in output, output


def test_the_same_suite_against_a_real_server(tmp_path):
    (tmp_path / "test_it.py").write_text(SUITE)
    try:
        with servers.oracle() as (host, port):
            output, status = pytest_on(tmp_path, f"--redis-emulator-url=redis://{host}:{port}/0")
    except servers.NoOracle as error:
        pytest.skip(str(error))
    assert status == 0 and "4 passed" in output, output


CHANGES = """
import pytest

CHANGES = {
    "data": "SET k v",
    "settings": "CONFIG SET maxmemory 1",
    "users": "ACL SETUSER default -@all",
    "functions": "FUNCTION LOAD #!lua\\tname=lib\\nredis.register_function('f',function()return\\t1\\tend)",
    "scripts": "EVAL cjson.encode_sparse_array(true) 0",
    "a pause": "CLIENT PAUSE 1000000",
    "expiry": "DEBUG SET-ACTIVE-EXPIRE 0",
    "time": "EMULATOR CLOCK FREEZE",
    "faults": "EMULATOR FAULT ADD STALL",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_it_changes_no_other_test_sees(redis_client, change):
    assert redis_client.config_get("maxmemory")["maxmemory"] == "0"
    assert redis_client.acl_list() == ["user default on nopass sanitize-payload ~* &* +@all"]
    assert redis_client.function_list() == []
    assert "cmdstat_eval" not in redis_client.info("commandstats")
    assert redis_client.dbsize() == 0
    assert redis_client.set("k", "v")
    assert redis_client.delete("k") == 1
    redis_client.execute_command(*[word.replace("\\t", " ") for word in change.split(" ")])
"""


@pytest.mark.parametrize("options", [(), ("-p", "no:randomly", "--redis-emulator-keyspaces=worker")], ids=str)
def test_each_test_starts_on_a_server_as_new(tmp_path, options):
    (tmp_path / "test_it.py").write_text(CHANGES)
    output, status = pytest_on(tmp_path, *options)
    assert status == 0 and "9 passed" in output, output


CLIENTS = """
import asyncio
import pytest
import redis

pytestmark = pytest.mark.redis(db=2)


def kind(client):
    given = client.connection_pool.connection_kwargs
    return given.get("db"), given.get("decode_responses", False), given.get("protocol")


def test_of_the_module(redis_client):
    assert kind(redis_client) == (2, {decodes}, None)


@pytest.mark.redis(decode_responses=True, protocol=3, config={{"maxmemory-policy": "allkeys-lru"}})
def test_of_the_test(redis_client, async_redis_client, redis_url):
    assert kind(redis_client) == kind(async_redis_client) == (2, True, 3)
    redis_client.hset("h", "f", "v")
    assert redis_client.hgetall("h") == {{"f": "v"}} and redis_client.client_info()["db"] == 2
    assert asyncio.run(async_redis_client.hgetall("h")) == {{"f": "v"}}
    assert redis_url.endswith("/2") and redis.Redis.from_url(redis_url).exists("h")
    assert redis_client.config_get("maxmemory-policy") == {{"maxmemory-policy": "allkeys-lru"}}


@pytest.mark.redis(db=0, decode_responses=False)
def test_the_nearest_marker_counts(redis_client, redis_url):
    assert kind(redis_client)[:2] == (0, False) and redis_url.endswith("/0")
"""


@pytest.mark.parametrize(("ini", "decodes"), [("", False), ("redis-emulator-decode-responses = true\n", True)])
def test_what_clients_are_like(tmp_path, ini, decodes):
    (tmp_path / "pytest.ini").write_text(f"[pytest]\n{ini}")
    (tmp_path / "test_it.py").write_text(CLIENTS.format(decodes=decodes))
    output, status = pytest_on(tmp_path)
    assert status == 0 and "3 passed" in output, output


def test_what_clients_are_like_by_ini_options_and_on_a_server_elsewhere(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\nredis-emulator-db = 3\nredis-emulator-protocol = 3\n")
    (tmp_path / "test_it.py").write_text(
        "def test_it(redis_client, redis_url):\n"
        "    assert redis_client.client_info()['db'] == 3 and redis_client.client_info()['resp'] == '3'\n"
        "    assert redis_url.endswith('/3')\n"
    )
    with servers.emulator() as (_, port):
        for more in ([], [f"--redis-emulator-url=redis://127.0.0.1:{port}/0"]):
            output, status = pytest_on(tmp_path, *more)
            assert status == 0 and "1 passed" in output, output


MISTAKES = {
    "conifg={}": "there is no argument of the marker redis named 'conifg'. Did you mean 'config'?",
    "config={'maxmemroy': 1}": "there is no setting 'maxmemroy'. Did you mean 'maxmemory'?",
    "config='x'": "config='x': a dict of directives of redis.conf is wanted",
    "config={'maxmemory': 'much'}": "config={'maxmemory': 'much'}: argument must be a memory value",
    "config={'databases': 5}": "config={'databases': '5'}: can't set immutable config",
    "compat='8.5'": "compat='8.5': argument must be one of the following: 7.2, 7.4",
    "{'maxmemory': 1}": "the marker redis takes arguments by name only, not {'maxmemory': 1}",
}


def test_mistakes_in_the_marker(tmp_path):
    for number, marker in enumerate(MISTAKES):
        (tmp_path / f"test_{number}.py").write_text(
            f"import pytest\n@pytest.mark.redis({marker})\ndef test_{number}(redis_client):\n    pass\n"
        )
    output, status = pytest_on(tmp_path)
    assert status == 1 and "Traceback" not in output, output
    told = re.split(r"^_+ ERROR at setup of test_\d+ _+$", output, flags=re.MULTILINE)[1:]
    assert len(told) == len(MISTAKES), output
    for text, part in zip(MISTAKES.values(), told, strict=True):
        assert text in part, part


def test_the_marker_takes_python_s_values(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.mark.redis(config={'lazyfree-lazy-expire': True, 'save': (60, 1), 'hz': 20})\n"
        "def test_it(redis_client):\n"
        "    assert redis_client.config_get('lazyfree-lazy-expire', 'save', 'hz') == {\n"
        "        'lazyfree-lazy-expire': 'yes', 'save': '60 1', 'hz': '20'\n"
        "    }\n"
    )
    output, status = pytest_on(tmp_path)
    assert status == 0 and "1 passed" in output, output


def test_data_of_a_module(tmp_path):
    for name in ("test_one.py", "test_two.py"):
        (tmp_path / name).write_text(
            "import pytest, redis\n"
            "pytestmark = pytest.mark.redis(decode_responses=True)\n"
            "def test_first(redis_module_client, redis_client):\n"
            "    assert redis_module_client.dbsize() == 0\n"
            "    redis_module_client.set('k', 'v')\n"
            "    redis_client.set('gone', 'v')\n"
            "def test_second(redis_module_client, redis_module, redis_client):\n"
            "    assert redis_client.dbsize() == 0\n"
            "    with redis_module.snapshot():\n"
            "        redis_module_client.delete('k')\n"
            "    assert redis_module_client.get('k') == 'v'\n"
            "    assert redis.Redis.from_url(redis_module.url).keys() == [b'k']\n"
        )
    with servers.emulator() as (_, port):
        url = f"--redis-emulator-url=redis://127.0.0.1:{port}"
        for more in ([], [url], ["--redis-emulator-keyspaces=test"]):
            output, status = pytest_on(tmp_path, *more)
            assert status == 0 and "4 passed" in output, output


def test_a_module_has_what_its_marker_asks_for(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import freezegun, pytest\n"
        "pytestmark = pytest.mark.redis(patched_time=True, config={'maxmemory': '2mb'}, db=4)\n"
        "@freezegun.freeze_time('2001-02-03')\n"
        "def test_it(redis_module_client):\n"
        "    assert redis_module_client.time()[0] == 981158400\n"
        "    assert redis_module_client.config_get('maxmemory') == {'maxmemory': '2097152'}\n"
        "    assert redis_module_client.client_info()['db'] == 4\n"
    )
    output, status = pytest_on(tmp_path)
    assert status == 0 and "1 passed" in output, output


TRAVELS = """
import datetime
import freezegun
import pytest
import time_machine


{marker}
@freezegun.freeze_time("2001-02-03")
def test_freezegun(redis_client):
    assert (redis_client.time()[0] == 981158400) is {follows}


{marker}
def test_a_key_expires(redis_client):
    with time_machine.travel(981158400, tick=False) as traveller:
        redis_client.set("k", "v", ex=100)
        traveller.shift(100)
        assert (redis_client.get("k") is None) is {follows}
        assert redis_client.blpop("nothing", 0.01) is None


def test_afterwards(redis_client):
    assert redis_client.blpop("nothing", 0.01) is None
    with time_machine.travel(0):
        assert (redis_client.time()[0] < 60) is {always}
"""
ASKED = "@pytest.mark.redis(patched_time=True)"
BY_INI = "[pytest]\nredis-emulator-patched-time = true\n"


@pytest.mark.parametrize(
    ("marker", "ini", "follows", "always"), [("", "", False, False), (ASKED, "", True, False), ("", BY_INI, True, True)]
)
@pytest.mark.parametrize("more", [[], ["--redis-emulator-keyspaces=test"]])
def test_python_s_patched_time(tmp_path, marker, ini, follows, always, more):
    (tmp_path / "pytest.ini").write_text(ini)
    (tmp_path / "test_it.py").write_text(TRAVELS.format(marker=marker, follows=follows, always=always))
    output, status = pytest_on(tmp_path, *more)
    assert status == 0 and "3 passed" in output, output


def test_patched_time_is_unknown_elsewhere(tmp_path):
    (tmp_path / "test_it.py").write_text(f"import pytest\n{ASKED}\ndef test_it(redis_client):\n    pass\n")
    with servers.emulator() as (_, port):
        output, status = pytest_on(tmp_path, "-rs", f"--redis-emulator-url=redis://127.0.0.1:{port}")
    assert status == 0 and "does not know the time of this process" in output, output


def test_a_failing_test_tells_what_it_did(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "def test_it(redis_client):\n"
        "    redis_client.hset('user:1', 'name', 'Ann Other')\n"
        "    assert redis_client.dbsize() == 2\n"
    )
    output, status = pytest_on(tmp_path)
    assert status == 1 and "- redis-emulator -" in output, output
    assert 'HSET user:1 name "Ann Other"' in output and "b'user:1' in database 0" in output


def test_strict_mode_tells_what_is_left_behind(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import redis\n"
        "def test_tidy(redis_client):\n    redis_client.set('k', 'v', ex=10)\n"
        "def test_keys(redis_client):\n    redis_client.set('k', 'v')\n"
        "kept = []\n"
        "def test_connections(redis_url):\n    kept.append(redis.Redis.from_url(redis_url)); kept[0].ping()\n"
    )
    output, status = pytest_on(tmp_path, "--redis-emulator-strict")
    assert status == 1 and "1 keys without an expiry, such as b'k'" in output and "1 open connections" in output, output
    assert "test_tidy" not in output
    assert pytest_on(tmp_path)[1] == 0


def test_workers_of_xdist_have_servers_of_their_own(tmp_path):
    pytest.importorskip("xdist")
    (tmp_path / "test_it.py").write_text(SUITE + OF_THE_EMULATOR)
    (tmp_path / "test_more.py").write_text(SUITE + OF_THE_EMULATOR)
    output, status = pytest_on(tmp_path, "-n", "2", beside=("xdist",))
    assert status == 0 and "24 passed" in output, output


def test_a_real_clock_is_not_turned(tmp_path):
    (tmp_path / "test_it.py").write_text("def test_it(redis_clock):\n    pass\n")
    try:
        with servers.oracle() as (_, port):
            (tmp_path / "pytest.ini").write_text(f"[pytest]\nredis-emulator-url = redis://127.0.0.1:{port}\n")
            output, status = pytest_on(tmp_path, "-rs")
    except servers.NoOracle as error:
        pytest.skip(str(error))
    assert status == 0 and "a real server's clock cannot be turned" in output, output


def test_an_emulator_elsewhere_does_what_one_here_does(tmp_path):
    (tmp_path / "test_it.py").write_text(SUITE + OF_THE_EMULATOR)
    with servers.emulator() as (_, port):
        output, status = pytest_on(tmp_path, f"--redis-emulator-url=redis://127.0.0.1:{port}")
    assert status == 0 and "12 passed" in output, output


SHARED = """
import os
import redis


def test_who_else_is_there(redis_client, redis_url, redis_server):
    name = redis_client.execute_command("EMULATOR", "KEYSPACE", "GET")
    redis_client.set("k", "v")
    assert redis.Redis.from_url(redis_url).get("k") == b"v"
    assert name.decode().partition(".")[0] == os.environ["PYTEST_XDIST_WORKER"]
    with open("names", "a") as file:
        file.write(f"{redis_server.port} {name.decode()}\\n")
"""


@pytest.mark.parametrize(("mode", "names"), [("worker", {1, 2}), ("test", {6})])
def test_workers_share_a_server_with_keyspaces_of_their_own(tmp_path, mode, names):
    pytest.importorskip("xdist")
    for number in range(6):
        (tmp_path / f"test_{number}.py").write_text(SHARED.replace("who_else", f"who_else_{number}"))
    (tmp_path / "test_suite.py").write_text(SUITE + OF_THE_EMULATOR)
    options = "-n", "2", "--dist", "loadscope", f"--redis-emulator-keyspaces={mode}"
    output, status = pytest_on(tmp_path, *options, beside=("xdist",))
    assert status == 0 and "18 passed" in output, output
    lines = (tmp_path / "names").read_text().splitlines()
    assert len(lines) == 6 and len({line.split()[0] for line in lines}) == 1
    assert len(set(lines)) in names, lines


def test_a_keyspace_dies_with_its_test(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "def test_one(redis_client):\n    redis_client.set('k', 'v')\n"
        "def test_two(redis_client, redis_server):\n"
        "    assert redis_client.dbsize() == 0\n"
        "    assert redis_server.command('EMULATOR', 'KEYSPACE', 'LIST') == [b'main.test_two']\n"
    )
    output, status = pytest_on(tmp_path, "--redis-emulator-keyspaces=test")
    assert status == 0 and "2 passed" in output, output


def test_strict_mode_and_reports_on_a_server_elsewhere(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "def test_keys(redis_client):\n    redis_client.select(3)\n    redis_client.set('k', 'v')\n"
        "def test_failing(redis_client):\n    redis_client.set('user:1', 'Ann')\n    assert False\n"
    )
    with servers.emulator() as (_, port):
        url = f"--redis-emulator-url=redis://127.0.0.1:{port}"
        output, status = pytest_on(tmp_path, url, "--redis-emulator-strict", "-k", "keys")
        assert status == 1 and "1 keys without an expiry, such as b'k'" in output, output
        output, status = pytest_on(tmp_path, url, "-k", "failing")
    assert status == 1 and "SET user:1 Ann" in output and "b'user:1' in database 0" in output


def test_it_costs_nothing_where_it_is_not_used(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_it():\n"
        "    assert not {'redis', 'emulator.core.engine', 'emulator.testing.embedded'} & set(sys.modules)\n"
    )
    output, status = pytest_on(tmp_path)
    assert status == 0, output


@pytest.mark.parametrize("own", ["emulator/__init__.py", "emulator.py", "src/emulator/__init__.py"])
def test_a_project_with_a_package_of_that_name(tmp_path, own):
    (tmp_path / own).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / own).write_text("mine = True\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = . src\n")
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "already_there = 'emulator' in sys.modules\n"
        "def test_it():\n    import emulator\n    assert emulator.mine and not already_there\n"
    )
    output, status = pytest_on(tmp_path, "-p", "no:redis-emulator", "-p", "redis_emulator_pytest")
    assert status == 0 and "1 passed" in output and "Traceback" not in output, output
    (line,) = [line for line in output.splitlines() if line.startswith("redis-emulator: ")]
    assert f"since {tmp_path / own} hides the package 'emulator'" in line
    assert "redis-emulator: " not in pytest_on(tmp_path, "-p", "no:redis-emulator")[0]


def test_pytest_finds_the_plugin_by_a_name_of_its_own():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"redis-emulator": "redis_emulator_pytest"}


@pytest.mark.parametrize("option", [True, False])
def test_the_version_of_all_tests(tmp_path, option):
    (tmp_path / "test_it.py").write_text(
        "def test_it(redis_client):\n    assert redis_client.info('server')['redis_version'].startswith('8.4.')\n"
    )
    if not option:
        (tmp_path / "pytest.ini").write_text("[pytest]\nredis-emulator-compat = 8.4\n")
    output, status = pytest_on(tmp_path, *["--redis-emulator-compat=8.4"] * option)
    assert status == 0 and "1 passed" in output, output
