"""The command line, configuration files and the environment, with redis-server's own errors."""

import io
import os
import sys
from pathlib import Path

import pytest

from emulator.commands.table import table
from emulator.core.engine import Engine
from emulator.server.config_file import FatalConfigError, StartRefused
from emulator.server.options import Information, ServerOptions, read_options
from tests.conftest import Client


@pytest.fixture(autouse=True)
def in_a_directory_of_its_own(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(str(tmp_path))


def write(name: str, text: str) -> str:
    with open(name, "w", newline="") as file:
        file.write(text)
    return name


def fatal(*argv: str, **environ: str) -> list[str]:
    with pytest.raises(FatalConfigError) as caught:
        read_options(argv, environ)
    return str(caught.value).split("\n")


def refused(*argv: str) -> tuple[object, ...]:
    with pytest.raises(StartRefused) as caught:
        read_options(argv, {})
    return caught.value.args


def save_points(*argv: str) -> str:
    return read_options(argv, {}).config.get([b"save"])[b"save"].decode()


def test_the_error_block_is_redis_servers() -> None:
    assert fatal("--port", "1", "2") == [
        "",
        "*** FATAL CONFIG FILE ERROR (Redis 8.2.3) ***",
        "Reading the configuration file, at line 2",
        '>>> \'port "1" "2"\'',
        "wrong number of arguments",
        "",
    ]


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["--port"], "wrong number of arguments"),
        (["--port", "x"], "argument couldn't be parsed into an integer"),
        (["--port", "70000"], "argument must be between 0 and 65535 inclusive"),
        (["--check-rdb"], "Bad directive or wrong number of arguments"),
        (["--port", "7922", "--version"], "Bad directive or wrong number of arguments"),
        (["--", "5"], "Bad directive or wrong number of arguments"),
        (["--unixsocketperm", "1777"], "argument must be between 0 and 777 inclusive"),
        (["--unixsocketperm", "-1"], "argument must be greater or equal to 0"),
        (["--replicaof", "host", "x"], "Invalid master port"),
        (["--dir", "/nonexistent"], "No such file or directory"),
        (["--appendfilename", "a/b"], "appendfilename can't be a path, just a filename"),
        (["--rename-command", "get", "set"], "Target command name already exists"),
        (["--rename-command", "nosuch", "x"], "No such command in rename-command"),
    ],
)
def test_bad_options(argv: list[str], reason: str) -> None:
    assert fatal(*argv)[4] == reason


def test_unknown_directives_are_told_as_unresolved() -> None:
    assert refused("--nope", "1", "-p", "5")[:2] == ("Unresolved Configuration(s) Detected:", ">>> 'nope 1 -p 5'")


def test_a_file_that_is_not_there() -> None:
    path = os.path.abspath("no.conf")
    assert refused("no.conf") == (f"Fatal error, can't open config file '{path}': No such file or directory",)


def test_sentinel_mode(tmp_path: Path) -> None:
    file = tmp_path / "sentinel.conf"
    file.write_text("port 7\nsentinel monitor m 127.0.0.1 6379 1\nsentinel down-after-milliseconds m 5\n")
    options = read_options([str(file), "--sentinel"], {})
    assert options.is_sentinel
    assert options.config.port == 7
    assert options.sentinel == [["monitor", "m", "127.0.0.1", "6379", "1"], ["down-after-milliseconds", "m", "5"]]
    with pytest.raises(FatalConfigError, match="while not in sentinel mode"):
        read_options([str(file)], {})


def test_a_master_is_named_by_two_words_or_one() -> None:
    assert read_options(["--replicaof", "host 7"], {}).config.replicaof == ("host", 7)
    assert read_options(["--replicaof", "host", "7"], {}).config.replicaof == ("host", 7)
    assert read_options(["--replicaof", "host:7"], {}).config.replicaof == ("host", 7)


@pytest.mark.parametrize("word", ["-v", "--version", "-h", "--help", "--test-memory"])
def test_questions_start_no_server(word: str) -> None:
    with pytest.raises(Information):
        read_options([word], {})


def test_values_may_look_like_options() -> None:
    config = read_options(["--requirepass", "--port", "--port", "7"], {}).config
    assert (config.requirepass, config.port) == ("--port", 7)


def test_name_and_value_in_one_word() -> None:
    assert read_options(["--port 7", "--HZ", "20"], {}).config.port == 7


@pytest.mark.parametrize(
    ("argv", "points"),
    [
        (["--save"], ""),
        (["--save", "--port", "7"], ""),
        (["--save", ""], ""),
        (["--save", "60", "1", "20", "2"], "60 1 20 2"),
        (["--save", "60  1", "--save", "20 2"], "60 1 20 2"),
    ],
)
def test_save_on_the_command_line(argv: list[str], points: str) -> None:
    assert save_points(*argv) == points


def test_save_points_add_up_until_an_empty_one() -> None:
    write("a.conf", "save 5 5\nsave 6 6\nport 1")
    assert save_points("a.conf") == "5 5 6 6"
    assert save_points("a.conf", "--save", "7 7") == "5 5 6 6 7 7"
    assert save_points("a.conf", "--save", "") == ""
    write("b.conf", 'save ""\nsave 6 6')
    assert save_points("b.conf") == "6 6"


def test_after_an_include_save_points_replace() -> None:
    write("inc.conf", "save 1 2\n")
    write("a.conf", "save 5 5\ninclude inc.conf\nsave 7 7\n")
    assert save_points("a.conf") == "7 7"


def test_file_then_standard_input_then_options(monkeypatch: pytest.MonkeyPatch) -> None:
    write("a.conf", "port 1\nhz 11\ntimeout 1\n")
    monkeypatch.setattr(sys, "stdin", io.StringIO("hz 12\ntimeout 2\n"))
    options = read_options(["a.conf", "--timeout", "3", "-"], {})
    assert (options.config.port, options.config.hz, options.config.timeout) == (1, 12, 3)
    assert options.config.file == os.path.abspath("a.conf")
    assert "Reading config from stdin" in options.notes


def test_quoting_in_files() -> None:
    write("q.conf", "requirepass 'a b'\r\n  # comment\nMASTERAUTH \"x\\x41\\n\"\n")
    config = read_options(["q.conf"], {}).config
    assert (config.requirepass, config.masterauth) == ("a b", "xA\n")


def test_unbalanced_quotes_name_the_line() -> None:
    write("q.conf", '\n# c\nfoo "bar\n')
    assert fatal("q.conf")[2:5] == [
        "Reading the configuration file, at line 3",
        ">>> 'foo \"bar'",
        "Unbalanced quotes in configuration line",
    ]


def test_include_takes_globs_whose_files_are_numbered_as_one() -> None:
    write("sub1.conf", "timeout 5\n")
    write("a.conf", "include sub*.conf\ninclude none*.conf\nport 7")
    assert read_options(["a.conf"], {}).config.timeout == 5
    write("sub2.conf", "\ntimeout x\n")
    assert fatal("a.conf")[2:4] == ["Reading the configuration file, at line 3", ">>> 'timeout x'"]


def test_a_file_cannot_include_itself() -> None:
    write("a.conf", "include a.conf\n")
    assert fatal("a.conf")[4] == "A file cannot include itself"


def test_old_directives_are_ignored() -> None:
    assert read_options(["--list-max-ziplist-entries", "5", "--port", "7"], {}).config.port == 7


def test_rename_command_changes_the_table() -> None:
    options = read_options(["--rename-command", "GET", "fetch", "--rename-command", "SET", ""], {})
    commands = table()
    get = commands[b"GET"]
    options.rename(commands)
    assert commands[b"fetch"] is commands[b"FETCH"] and commands[b"fetch"].fn is get.fn
    assert all(commands.own(name) is None for name in (b"get", b"set")) and not commands.keys() & {b"GET", b"SET"}


def test_users_are_kept_and_may_not_be_declared_twice() -> None:
    assert read_options(["--user", "bob", "on", ">x"], {}).users == [["bob", "on", ">x"]]
    assert "Duplicate user found" in fatal("--user", "bob", "on", "--user", "bob", "off")[4]


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        (["onn"], "'user': Syntax error"),
        (["on", "onn"], "'bob': Syntax error"),
        (["on", "(~a", "+get)", "onn"], "'on': Syntax error"),
        (["on", "(~a", "+get"], "'bob': Wrong format"),
        (["on", "+nosuch", "#12"], "'on': The password hash must be exactly 64 characters and contain only lowercase"),
    ],
)
def test_a_user_s_rules_are_looked_at(rules: list[str], reason: str) -> None:
    assert fatal("--user", "bob", *rules)[4].startswith(f"Error in user declaration {reason}")


def test_commands_that_a_user_s_rules_name_may_be_unknown() -> None:
    assert read_options(["--user", "bob", "+nosuch"], {}).users == [["bob", "+nosuch"]]


def test_a_sentinel_needs_a_file_to_write_to(tmp_path: Path) -> None:
    assert refused("--sentinel") == ("Sentinel needs config file on disk to save state. Exiting...",)
    write("s1.conf", "port 1\n")
    assert read_options(["s1.conf", "--sentinel"], {}).is_sentinel
    pattern = str(tmp_path / "s*.conf")
    expected = f"Sentinel config file {pattern} is not writable: No such file or directory. Exiting..."
    assert refused(pattern, "--sentinel") == (expected,)


def test_port_auto_is_a_port_that_is_free() -> None:
    assert 1024 <= read_options(["--port", "auto"], {}).config.port <= 65535


def test_a_log_file_that_cannot_be_opened() -> None:
    assert fatal("--logfile", "/nonexistent/x")[2] == "Can't open the log file: No such file or directory"


def environment(**environ: str) -> ServerOptions:
    return read_options(["--hz", "20"], environ)


def test_the_environment_comes_before_file_and_options() -> None:
    options = environment(REDIS_ARGS='--hz 11 --save 5 5 --masterauth "a b"', REDIS_PORT="7", REDIS_PASSWORD="p w")
    config = options.config
    assert (config.hz, config.port, config.requirepass, config.masterauth) == (20, 7, "p w", "a b")
    assert config.save == ((5, 5),)
    assert options.notes == ["Configuration from the environment: REDIS_ARGS, REDIS_PORT, REDIS_PASSWORD"]


def test_save_points_of_the_environment_are_replaced() -> None:
    config = read_options(["--save", "7 7"], {"REDIS_ARGS": "--save 5 5"}).config
    assert config.save == ((7, 7),)


def test_a_bad_value_in_the_environment() -> None:
    assert fatal(REDIS_PORT="x")[2:5] == [
        "Reading the environment, at line 1",
        ">>> 'port \"x\"'",
        "argument couldn't be parsed into an integer",
    ]


def test_the_port_of_a_container_link_is_no_port() -> None:
    options = environment(REDIS_PORT="tcp://10.0.0.5:6379")
    assert options.config.port == 6379
    assert "REDIS_PORT" in options.notes[0]


def test_mistyped_variables_are_named() -> None:
    assert environment(REDIS_PASWORD="x").warnings == [
        "Environment variable REDIS_PASWORD is not used. Did you mean REDIS_PASSWORD?"
    ]
    assert environment(REDIS_URL="x", REDIS_HOST="y", REDIS_PORT_6379_TCP="z").warnings == []


def test_renamed_commands_are_counted_and_keep_their_names_in_acl_rules(client: Client, engine: Engine) -> None:
    count = int(client.play("COMMAND COUNT")[1:])
    read_options(["--rename-command", "GET", "fetch", "--rename-command", "SET", ""], {}).rename(engine.commands)
    assert client.play("COMMAND COUNT") == b":%d\r\n" % (count - 1)
    assert client.play("ACL SETUSER u +get +set") == b"+OK\r\n"
    assert b"Unknown command" in client.play("ACL SETUSER u +fetch")
