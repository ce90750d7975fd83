"""An edition decides which commands, sub-commands and directives there are, and what the server calls itself."""

import pytest

import emulator
from conformance.pages import written
from emulator.clients.session import Session
from emulator.clock import ManualClock
from emulator.config.directives import Config
from emulator.config.edition import EDITIONS, REDIS_8_2, Edition
from emulator.core.engine import Engine
from tests import versions_page
from tests.conftest import Client

OLD = Edition("redis", "7.0.15")


@pytest.fixture
def old():
    return Client(Engine(Config(OLD), ManualClock()))


def test_an_edition_has_what_came_up_to_its_version():
    assert OLD.includes("7.0.0")
    assert OLD.includes("7.0.15")
    assert not OLD.includes("7.2.0")
    assert REDIS_8_2.includes("8.2.3")
    assert not REDIS_8_2.includes("8.10.0")


def test_an_older_edition_has_the_commands_that_redis_7_0_15_lists(old):
    names = old.play("COMMAND LIST").split(b"\r\n")[2::2]
    assert len(names) == 366
    assert {b"getex", b"client|no-evict"} <= set(names)
    assert not {b"hsetex", b"vadd", b"waitaof", b"client|setinfo", b"cluster|slot-stats"} & set(names)


def test_what_an_edition_lacks_is_unknown_to_it(old):
    assert old.play("HSETEX h FIELDS 1 f v").startswith(b"-ERR unknown command 'HSETEX'")
    assert old.play("CLIENT SETINFO lib-name x").startswith(b"-ERR unknown subcommand 'SETINFO'")
    assert old.play("CONFIG GET locale-collate") == b"*0\r\n"
    assert old.play("CONFIG SET set-max-listpack-entries 5").startswith(b"-ERR Unknown option")


def test_what_it_lacks_is_not_missing_beside_it(old, client):
    assert old.play("HSETEX h FIELDS 1 f v").startswith(b"-ERR")
    assert client.play("HSETEX h FIELDS 1 f v") == b":1\r\n"
    assert client.play("CONFIG GET locale-collate") == b"*2\r\n$14\r\nlocale-collate\r\n$0\r\n\r\n"


def test_the_server_calls_itself_by_its_edition(old):
    assert b"redis_version:7.0.15\r\n" in old.play("INFO server")
    assert b"7.0.15" in old.play("HELLO")
    assert old.play("EVAL 'return redis.REDIS_VERSION_NUM' 0") == b":%d\r\n" % 0x07000F


def test_a_keyspace_beside_it_is_of_the_same_edition(old):
    other = Session(old.engine.sibling())
    assert other.engine.config.edition is OLD
    assert b"hsetex" not in other.engine.commands.known


def test_an_older_edition_has_what_no_redis_has(old):
    assert old.play("EMULATOR SEED 7") == b"+OK\r\n"


@pytest.mark.parametrize("compat", EDITIONS)
def test_everything_that_names_a_version_goes_by_the_edition(compat):
    edition = EDITIONS[compat]
    client = Client(Engine(Config(edition), ManualClock()))
    version, name = edition.version.encode(), edition.name.encode()
    hello = client.play("HELLO")
    assert b"$%d\r\n%b\r\n" % (len(name), name) in hello
    assert b"$%d\r\n%b\r\n" % (len(version), version) in hello or edition.is_valkey
    for field in (b"valkey_version", b"server_name") if edition.is_valkey else (b"redis_version",):
        assert b"\r\n%b:%b\r\n" % (field, version if b"version" in field else name) in client.play("INFO server")
    modules = client.play("MODULE LIST")
    assert [module.name.encode() in modules for module in edition.modules] == [True] * len(edition.modules)
    assert (b"vectorset" in modules) == edition.includes("8.0.0")
    in_lua = b"7.2.4" if edition.is_valkey else version
    assert in_lua in client.play("EVAL 'return redis.REDIS_VERSION' 0")
    client.play("SET k v")
    assert client.play("DUMP k").rstrip(b"\r\n")[-10:-8] == edition.rdb_version.to_bytes(2, "little")
    assert version in client.play("LOLWUT")


@pytest.mark.parametrize("compat", EDITIONS)
def test_an_edition_is_a_setting_in_python(compat):
    version = EDITIONS[compat].version
    with emulator.Local(compat=compat).connect() as client:
        assert version in (client.info("server")["redis_version"], client.info("server").get("valkey_version"))


def test_the_documentation_has_the_table_of_editions():
    page = versions_page.PAGE.read_text()
    assert page == written(page, "tests.versions_page", versions_page.render()), "python -m tests.versions_page"


def test_what_valkey_logs_of_sizes_leaves_the_short_way_open():
    engine = Engine(Config(EDITIONS["valkey-9.1"]))
    session = Session(engine)
    assert session.fast_path
    engine.config.set([b"commandlog-request-larger-than", b"100"])
    assert not session.fast_path
    engine.config.set([b"commandlog-request-larger-than", b"-1", b"commandlog-reply-larger-than", b"0"])
    assert session.fast_path


def test_valkey_in_process_logs_large_requests_and_replies():
    with emulator.Local(compat="valkey-9.1").connect() as client:
        client.set("large", "x" * (1 << 20))
        client.rpush("list", "x" * (1 << 19), "y" * (1 << 19))
        client.get("large")
        client.get("none")
        client.lrange("list", 0, -1)
        for kind, commands in (("large-request", [b"RPUSH", b"SET"]), ("large-reply", [b"LRANGE", b"GET"])):
            assert [entry[3][0] for entry in client.execute_command("COMMANDLOG", "GET", "-1", kind)] == commands
