"""The configuration as a library: values and their types, all-or-nothing changes, hooks, CONFIG REWRITE."""

import os

import pytest

from emulator.config.directives import Config, ConfigError
from emulator.config.notifications import ALL, KEY_MISS, KEYEVENT, KEYSPACE, NEW, format_flags, parse_flags
from emulator.protocol.errors import CommandError


@pytest.fixture
def config() -> Config:
    return Config()


def failure(config: Config, *words: bytes) -> str:
    with pytest.raises(CommandError) as caught:
        config.set(words)
    return str(caught.value)


def test_values_are_plain_attributes_of_native_types(config: Config) -> None:
    assert config.maxclients == 10000
    assert config.appendonly is False
    assert config.maxmemory_policy == "noeviction"
    assert config.save == ((3600, 1), (300, 100), (60, 10000))
    assert config.client_output_buffer_limit["pubsub"] == (32 << 20, 8 << 20, 60)
    assert config.replicaof is None
    assert config.dir == os.getcwd()
    assert not hasattr(Config, "maxclients")


def test_configs_do_not_share_values(config: Config) -> None:
    config.set([b"maxclients", b"5", b"client-output-buffer-limit", b"normal 1 2 3"])
    other = Config()
    assert (other.maxclients, other.client_output_buffer_limit["normal"]) == (10000, (0, 0, 0))


def test_every_default_survives_a_round_trip(config: Config) -> None:
    for name, directive in Config().directives.items():
        value = getattr(config, directive.attribute)
        if value in ("", None):
            continue
        config.assign(name, [directive.format(value)])
        assert getattr(config, directive.attribute) == value, name


def test_get_matches_globs_without_case_and_gives_exact_names_back_as_spelt(config: Config) -> None:
    assert config.get([b"MaxClients"]) == {b"MaxClients": b"10000"}
    assert set(config.get([b"*-ZIPLIST-value"])) == {b"hash-max-ziplist-value", b"zset-max-ziplist-value"}
    assert config.get([b"nothing", b"save*"]) == {b"save": b"3600 1 300 100 60 10000"}


def test_hidden_directives_answer_only_to_their_name(config: Config) -> None:
    assert config.get([b"use-exit-on-pani?"]) == {}
    assert config.get([b"use-exit-on-panic"]) == {b"use-exit-on-panic": b"no"}


def test_an_alias_is_the_same_directive(config: Config) -> None:
    config.set([b"slave-priority", b"7"])
    assert config.replica_priority == 7
    assert config.get([b"replica-priority"]) == {b"replica-priority": b"7"}


@pytest.mark.parametrize(
    ("text", "value"), [(b"1k", 1000), (b"1KB", 1024), (b"3gb", 3 << 30), (b"7b", 7), (b"", 0), (b"mb", 0), (b"007", 7)]
)
def test_memory_units(config: Config, text: bytes, value: int) -> None:
    config.set([b"maxmemory", text])
    assert config.maxmemory == value


@pytest.mark.parametrize("text", [b"-1", b"1.5gb", b"1 gb", b"5kib", b"0x10", b"50%", b"x"])
def test_what_is_no_memory_is_refused(config: Config, text: bytes) -> None:
    assert failure(config, b"maxmemory", text).endswith("argument must be a memory value")


def test_a_failure_changes_nothing(config: Config) -> None:
    message = failure(config, b"maxclients", b"7", b"maxmemory", b"x")
    assert message.startswith("ERR CONFIG SET failed (possibly related to argument 'maxmemory') - ")
    assert config.maxclients == 10000


def test_hooks_are_called_once_and_only_for_a_change(config: Config) -> None:
    seen: list[int] = []

    def hook() -> None:
        seen.append(config.maxmemory)

    config.on_change("maxmemory", hook)
    config.on_change("maxmemory-policy", hook)
    config.set([b"maxmemory", b"5", b"maxmemory-policy", b"allkeys-lru"])
    config.set([b"maxmemory", b"5"])
    assert seen == [5]


def test_a_hook_that_refuses_rolls_everything_back(config: Config) -> None:
    seen: list[int] = []

    def refuse() -> None:
        raise ConfigError("not today")

    config.on_change("hz", lambda: seen.append(config.hz))
    config.on_change("port", refuse)
    message = failure(config, b"hz", b"50", b"port", b"1")
    assert message == "ERR CONFIG SET failed (possibly related to argument 'port') - not today"
    assert (config.hz, config.port, seen) == (10, 6379, [50, 10])


def test_protected_directives_need_permission(config: Config, tmp_path: object) -> None:
    pair = [b"dir", str(tmp_path).encode()]
    assert failure(config, *pair).endswith("can't set protected config")
    config.assign("enable-protected-configs", ["local"])
    assert failure(config, *pair).endswith("can't set protected config")
    before = os.getcwd()
    config.set(pair, local=True)
    assert (config.dir, os.getcwd()) == (str(tmp_path), before)


@pytest.mark.parametrize(
    ("given", "shown"),
    [("KEA", "AKE"), ("AKEm", "AKEm"), ("AKEnoc", "AKE"), ("Kmnocg", "gnocKm"), ("g$lshzxetdK", "AK"), ("", "")],
)
def test_notification_flags_print_in_order(given: str, shown: str) -> None:
    flags = parse_flags(given)
    assert flags is not None
    assert format_flags(flags) == shown


def test_all_leaves_out_the_costly_classes() -> None:
    assert parse_flags("AKE") == ALL | KEYSPACE | KEYEVENT
    assert not ALL & (KEY_MISS | NEW)
    assert parse_flags("Kq") is None


def test_rewrite_needs_a_file(config: Config) -> None:
    with pytest.raises(CommandError, match=r"^ERR The server is running without a config file$"):
        config.rewrite()


OLD = """\
# a comment stays

   slave-read-only   yes
maxmemory 1gb
save 60 1
save 20 2
no-such-thing 5
include other.conf
Timeout 5



# last"""

NEW_FILE = """\
# a comment stays

replica-read-only yes
maxmemory 5mb
save 5 5

# ??? no-such-thing 5
include other.conf
timeout 5

# last
# Generated by CONFIG REWRITE
dir "{dir}"
hz 20
latency-tracking-info-percentiles 50 99 99.9
masterauth "a \\"b\\x01\\n"
"""


def test_rewrite_keeps_comments_and_order_and_appends_the_rest(config: Config, tmp_path: object) -> None:
    path = os.path.join(str(tmp_path), "redis.conf")
    with open(path, "w") as file:
        file.write(OLD)
    config.file = path
    config.assign("dir", [str(tmp_path)])
    config.assign("timeout", ["5"])
    config.set([b"maxmemory", b"5mb", b"save", b"5 5", b"hz", b"20", b"masterauth", b'a "b\x01\n'])
    config.rewrite()
    with open(path) as file:
        assert file.read() == NEW_FILE.format(dir=tmp_path)
    assert os.listdir(str(tmp_path)) == ["redis.conf"]


def test_rewriting_a_directory_fails_and_leaves_nothing_behind(config: Config, tmp_path: object) -> None:
    config.file = os.path.join(str(tmp_path), "redis.conf")
    os.mkdir(config.file)
    with pytest.raises(CommandError, match=r"^ERR Rewriting config file: "):
        config.rewrite()
    assert os.listdir(str(tmp_path)) == ["redis.conf"]
