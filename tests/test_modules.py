"""Which modules a server has: what their commands and types are known by, and that each is imported when it is needed."""

import subprocess
import sys

import pytest

import emulator
from conformance.servers import ROOT
from emulator.clock import ManualClock
from emulator.config.directives import Config, ConfigError
from emulator.core.engine import Engine
from tests.conftest import Client


@pytest.fixture
def without():
    """A client of a server without modules."""
    config = Config()
    config.assign("modules", ["none"])
    return Client(Engine(config, ManualClock()))


def test_a_server_has_the_modules_of_the_official_image(client):
    assert b"ReJSON" in client.play("MODULE LIST")
    assert b"module:name=ReJSON,ver=80200," in client.play("INFO modules")
    assert b"ReJSON" in client.play("HELLO")
    assert client.play("COMMAND DOCS json.set").endswith(b"$6\r\nmodule\r\n$6\r\nReJSON\r\n")
    assert b"json.set" in client.play("COMMAND LIST FILTERBY MODULE ReJSON")
    assert b"json.set" in client.play("ACL CAT json")


def test_without_a_module_nothing_is_known_of_it(without):
    assert b"ReJSON" not in without.play("MODULE LIST") + without.play("INFO modules") + without.play("HELLO")
    assert without.play("JSON.SET a $ 1").startswith(b"-ERR unknown command 'JSON.SET'")
    assert without.play("ACL CAT json").startswith(b"-ERR Unknown category")
    assert without.play("COMMAND LIST FILTERBY MODULE ReJSON") == b"*0\r\n"
    assert b"vectorset" in without.play("MODULE LIST")


def test_a_value_of_a_module_is_not_restored_without_it(client, without):
    assert client.play("JSON.SET a $ [1]") == b"+OK\r\n"
    payload = client.play("DUMP a").partition(b"\r\n")[2][:-2]
    words = b'"' + b"".join(b"\\x%02x" % byte for byte in payload) + b'"'
    assert without.play(b"RESTORE a 0 " + words) == b"-ERR Bad data format\r\n"
    assert client.play(b"RESTORE b 0 " + words) == b"+OK\r\n"
    assert client.play("JSON.GET b $") == b"$5\r\n[[1]]\r\n"


def test_a_keyspace_beside_it_has_the_same_modules(without):
    assert b"json.set" not in without.engine.sibling().commands.known


@pytest.mark.parametrize(
    ("given", "shown"), [("none", "none"), ("json", "json"), ("JSON,json", "json"), ("json ", "json")]
)
def test_modules_are_chosen_by_their_names(given, shown):
    config = Config()
    config.assign("modules", [given])
    assert config.get([b"modules"]) == {b"modules": shown.encode()}


@pytest.mark.parametrize("given", ["", "nosuch", "json,none"])
def test_what_is_no_module_is_refused(given):
    with pytest.raises(ConfigError):
        Config().assign("modules", [given])


def test_an_engine_in_process_has_those_that_it_is_made_with():
    assert emulator.Local(modules="none").connect().module_list()[0][b"name"] == b"vectorset"
    assert len(emulator.Local().connect().module_list()) > 1
    with pytest.raises(ValueError, match="nosuch"):
        emulator.Local(modules="nosuch")


def test_a_module_is_imported_by_its_first_command_or_value():
    program = (
        "import sys; from emulator import Local; client = Local().connect(); client.set('a', 1)\n"
        "client.execute_command('COMMAND'); print([name for name in sys.modules if 'emulator.modules.' in name])\n"
        "client.execute_command('JSON.SET', 'b', '$', '1'); print('emulator.modules.json.commands' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "True"]


def test_a_module_judges_the_number_of_words_itself(client):
    client.play("MULTI")
    assert client.play("JSON.SET a") == b"+QUEUED\r\n"
    assert client.play("EXEC") == b"*1\r\n-ERR wrong number of arguments for 'json.set' command\r\n"
