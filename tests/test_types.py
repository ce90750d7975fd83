"""A type that nobody knew of works everywhere, once it is registered: and so does an ACL category of its commands."""

import pytest

from emulator.acl.users import Users
from emulator.config.notifications import GENERIC
from emulator.datatypes import types
from emulator.datatypes.types import Payload, Type, register
from emulator.rdb import module
from emulator.table.registry import Command, categories_of


class Toy:
    """Numbers that somebody has put in, in order."""

    encoding = b"blocks"

    def __init__(self, numbers=()):
        self.numbers = list(numbers)

    def __len__(self):
        return len(self.numbers)

    @property
    def footprint(self):
        return 1000 * len(self.numbers)

    def copy(self):
        return Toy(self.numbers)


def save(value, text):
    yield module.unsigned(len(value))
    for number in value.numbers:
        yield module.signed(number)
        yield module.double(number / 2)
        yield module.single(number / 2)
        yield module.string(b"%d" % number, text)


def load(reader, version):
    assert version == 3
    value = Toy()
    for _ in range(module.read_unsigned(reader)):
        number = module.read_signed(reader)
        assert module.read_double(reader) == module.read_single(reader) == number / 2
        assert module.read_string(reader) == b"%d" % number
        value.numbers.append(number)
    return value


def digest(value, seen):
    for number in value.numbers:
        seen.mix(b"%d" % number)


@pytest.fixture(autouse=True)
def registered():
    before = dict(types.TYPES), dict(types._PAYLOADS)
    register(Type(b"toybricks", (Toy,), digest, parts=len, payload=Payload(module.type_id("toybricks", 3), save, load)))
    yield
    for registry, entries in zip((types.TYPES, types._PAYLOADS), before, strict=True):
        registry.clear()
        registry.update(entries)


@pytest.fixture
def toy(client):
    """The value at the key ``toy``."""
    client.engine.config.enable_debug_command = "yes"
    value = Toy([1, -2, 3])
    client.engine.databases[0].put(b"toy", value, GENERIC, b"toy")
    return value


def test_it_is_told_what_it_is(client, toy):
    assert client.play("TYPE toy") == b"+toybricks\r\n"
    assert client.play("OBJECT ENCODING toy") == b"$6\r\nblocks\r\n"
    assert 3000 < int(client.play("MEMORY USAGE toy")[1:]) < 3100
    assert client.play("GET toy").startswith(b"-WRONGTYPE")


def test_scan_finds_it_by_its_type(client, toy):
    client.play("SET other v")
    assert client.play("SCAN 0 TYPE toybricks") == b"*2\r\n$1\r\n0\r\n*1\r\n$3\r\ntoy\r\n"
    assert b"toy" not in client.play("SCAN 0 TYPE string")


def test_a_copy_is_its_own(client, toy):
    assert client.play("COPY toy twin") == b":1\r\n"
    assert client.play("DEBUG DIGEST-VALUE toy") == client.play("DEBUG DIGEST-VALUE twin")
    toy.numbers.append(4)
    assert client.play("DEBUG DIGEST-VALUE toy") != client.play("DEBUG DIGEST-VALUE twin")


def test_what_is_dumped_is_restored(client, toy):
    payload = client.play("DUMP toy").partition(b"\r\n")[2][:-2]
    words = b"".join(b"\\x%02x" % byte for byte in payload)
    assert client.play(b'RESTORE again 0 "%b"' % words) == b"+OK\r\n"
    assert client.engine.databases[0].peek(b"again").numbers == [1, -2, 3]
    before = client.play("DEBUG DIGEST")
    assert client.play("DEBUG RELOAD") == b"+OK\r\n"
    assert client.play("DEBUG DIGEST") == before


def test_a_type_that_is_not_there_is_not_restored(client, toy):
    payload = client.play("DUMP toy").partition(b"\r\n")[2][:-2]
    types._PAYLOADS.clear()
    words = b"".join(b"\\x%02x" % byte for byte in payload)
    assert client.play(b'RESTORE again 0 "%b"' % words) == b"-ERR Bad data format\r\n"


def test_snapshots_keep_it(client, toy):
    client.play("EMULATOR SNAPSHOT SAVE s")
    before = client.play("DEBUG DIGEST")
    toy.numbers.append(4)
    client.engine.databases[0].changed(b"toy", GENERIC, b"toy")
    assert client.play("DEBUG DIGEST") != before
    client.play("EMULATOR SNAPSHOT RESTORE s")
    assert client.play("DEBUG DIGEST") == before


def test_sizes_of_keys_are_told_of_redis_own_types_only(client, toy):
    client.play("RPUSH list a b c")
    assert b"db0_distrib_lists_items:2=1\r\n" in client.play("INFO keysizes")
    assert b"toy" not in client.play("INFO keysizes")


def test_it_is_freed_lazily_from_many_parts_on(client, toy):
    client.play("UNLINK toy")
    assert client.engine.stats.lazily_freed == 0
    client.engine.databases[0].put(b"toy", Toy(range(65)), GENERIC, b"toy")
    client.play("UNLINK toy")
    assert client.engine.stats.lazily_freed == 1


def test_the_id_of_a_type_is_its_name_and_version():
    assert module.type_id("vectorset", 0) == 0xBDE72DA2BB1EB400


# Categories


@pytest.fixture
def with_commands(engine):
    """A command of a module whose category nobody knew, in the table of one engine."""
    entry = Command(
        "toy.get", lambda client: None, "module", "8.2.0", "readonly", (), "toys read", "", "", "", None, None, "t"
    )
    engine.original_commands = {**engine.original_commands, b"toy.get": entry}
    engine.acl = Users(engine)
    return entry


def test_the_commands_of_a_module_bring_categories(client, with_commands):
    assert categories_of(client.engine.original_commands)[-1] == "toys"
    assert client.play("ACL CAT").endswith(b"$4\r\ntoys\r\n")
    assert client.play("ACL CAT toys") == b"*1\r\n$7\r\ntoy.get\r\n"
    assert client.play("ACL SETUSER bob on nopass +@toys") == b"+OK\r\n"
    assert b"+@toys" in client.play("ACL GETUSER bob")
    assert with_commands.categories == ["read", "toys"]


def test_a_server_without_the_module_does_not_know_them(another):
    assert another.play("ACL CAT toys").startswith(b"-ERR Unknown category")
    assert another.play("ACL SETUSER bob +@toys").startswith(b"-ERR Error in ACL SETUSER modifier '+@toys'")
