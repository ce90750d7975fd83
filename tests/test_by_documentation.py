"""What Redis 8.8 and 8.10 have, by their documentation: no such server was there to be asked.

https://redis.io/docs/latest/commands/
"""

import os

import pytest

from emulator.clients.session import Session
from emulator.clock import ManualClock
from emulator.commands.command import grammar
from emulator.commands.table import table
from emulator.config.directives import Config
from emulator.config.edition import EDITIONS
from emulator.core.dispatch import run
from emulator.core.engine import Engine
from emulator.modules.array.array import Array
from emulator.persistence.disk import Disk
from emulator.persistence.manifest import parse
from emulator.protocol.inline import split_inline
from emulator.table.registry import every_command
from tests.conftest import Client


class Talk:
    """Commands to one engine of an edition; replies as RESP2, without the line ends."""

    def __init__(self, compat):
        self.client = Client(Engine(Config(EDITIONS[compat]), ManualClock()))
        self.engine = self.client.engine

    def __call__(self, line):
        return self.client.play(line).decode("latin-1").split("\r\n")[:-1]

    def items(self, line):
        """The strings and integers of an array, null as None."""
        head, *rest = self(line)
        assert head.startswith("*"), head
        found, lines = [], iter(rest)
        for each in lines:
            if each.startswith("$"):
                found.append(None if each == "$-1" else next(lines))
            elif not each.startswith("*"):
                found.append(int(each[1:]))
        return found


@pytest.fixture
def ask():
    return Talk("8.10")


@pytest.mark.parametrize("compat", ["8.6", "8.8", "8.10"])
@pytest.mark.parametrize(
    ("line", "since"),
    [
        ("ARLEN a", "8.8"),
        ("INCREX k", "8.8"),
        ("XNACK s g FAIL IDS 1 1-1", "8.8"),
        ("LMOVEM a b LEFT LEFT", "8.10"),
        ("SUNIONCARD 1 a", "8.10"),
        ("SDIFFCARD 1 a", "8.10"),
        ("HIMPORT DISCARDALL", "8.10"),
    ],
)
def test_a_command_is_there_from_its_version_on(compat, line, since):
    known = tuple(map(int, compat.split("."))) >= tuple(map(int, since.split(".")))
    assert Talk(compat)(line)[0].startswith("-ERR unknown command") != known


@pytest.mark.parametrize("compat", ["8.8", "8.10"])
def test_the_documentation_of_commands_tells_of_their_arguments(compat):
    edition = EDITIONS[compat]
    before = {entry.full_name for entry in every_command(table(EDITIONS["8.6"], hidden=False).known)}
    known = every_command(table(edition, hidden=False).known)
    new = [entry for entry in known if entry.full_name not in before]
    told = {entry.full_name: grammar(edition)[entry.full_name.decode()] for entry in new}
    assert len(new) >= 20 and all(told[entry.full_name]["since"] == entry.since for entry in new)
    assert all(
        "arguments" in told[entry.full_name] for entry in new if entry.arity not in (1, 2) and not entry.subcommands
    )


def test_commands_that_run_scripts_say_so(ask):
    assert "+script_runner" in ask("COMMAND INFO fcall")
    assert "+script_runner" not in Talk("8.8")("COMMAND INFO fcall")


# Arrays


def test_values_at_indexes(ask):
    assert ask("ARSET a 0 hello") == [":1"]
    assert ask("ARSET a 2 a b c") == [":3"]
    assert ask("ARSET a 2 x") == [":0"]
    assert ask.items("ARMGET a 0 1 2 4") == ["hello", None, "x", "c"]
    assert ask("ARMSET a 0 1 5 2 100 3") == [":2"]
    assert (ask("ARLEN a"), ask("ARCOUNT a")) == ([":101"], [":6"])
    assert ask("ARGET a 1") == ask("ARGET none 0") == ["$-1"]
    assert ask("TYPE a") == ["+array"]


def test_ranges_of_an_array(ask):
    ask("ARMSET a 0 a 1 b 3 d")
    assert ask.items("ARGETRANGE a 0 3") == ["a", "b", None, "d"]
    assert ask.items("ARGETRANGE a 3 0") == ["d", None, "b", "a"]
    assert ask.items("ARSCAN a 0 10") == [0, "a", 1, "b", 3, "d"]
    assert ask("ARSCAN a 10 0 LIMIT 2") == ["*2", *("*2", ":3", "$1", "d"), *("*2", ":1", "$1", "b")]
    assert ask("ARGETRANGE a 0 1000000")[0].startswith("-ERR range exceeds")
    assert ask.items("ARGETRANGE none 3 2") == [None, None]


def test_an_array_goes_with_its_last_value(ask):
    ask("ARMSET a 0 a 1 b 2 c 3 d 4 e")
    assert ask("ARDELRANGE a 3 1 2 2") == [":3"]
    assert ask("ARDEL a 0 1 4") == [":2"]
    assert ask("EXISTS a") == [":0"]


def test_the_cursor(ask):
    assert ask("ARNEXT log") == [":0"]
    assert ask("ARSEEK log 1") == [":0"]
    assert (ask("ARINSERT log e1 e2"), ask("ARNEXT log")) == ([":1"], [":2"])
    assert (ask("ARSEEK log 10"), ask("ARINSERT log e3"), ask("ARNEXT log")) == ([":1"], [":10"], [":11"])
    assert ask("ARSEEK log 18446744073709551615") == [":1"]
    assert ask("ARNEXT log") == ["$-1"]
    assert ask("ARINSERT log e4")[0].startswith("-ERR")
    assert ask("ARSET log 18446744073709551615 x")[0].startswith("-ERR")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("ARGET a -1", "ERR invalid array index"),
        ("ARGET a 18446744073709551615", "ERR invalid array index"),
        ("ARSET a 18446744073709551614 x y", "ERR array index overflow"),
        ("ARMSET a 0 x 1", "ERR wrong number of arguments for 'armset' command"),
        ("ARSCAN a 0 1 LIMIT", "ERR wrong number of arguments for 'arscan' command"),
        ("ARSCAN a 0 1 LIMIT x", "ERR value is not an integer or out of range"),
        ("ARSCAN a 0 1 LIMIT 0", "ERR LIMIT must be positive"),
        ("ARRING a x v", "ERR invalid size"),
        ("ARRING a 0 v", "ERR size must be positive"),
        ("ARLASTITEMS a x", "ERR invalid COUNT"),
        ("ARLASTITEMS a 1 FOO", "ERR syntax error"),
        ("ARINFO none", "ERR no such key"),
        ("ARINFO a FOO", "ERR syntax error"),
        ("AROP a 0 1 FOO", "ERR unknown operation"),
        ("AROP a 0 1 MATCH", "ERR MATCH requires a value argument"),
        ("AROP a 0 1 SUM x", "ERR wrong number of arguments for 'arop' command"),
        ("ARGREP a - x MATCH x", "ERR invalid array index"),
        ("ARGREP a - + MATCH x GLOB", "ERR syntax error"),
        ("ARGREP a - + RE ''", "ERR regular expression is empty"),
        (f"ARGREP a - + RE {'x' * 2049}", "ERR regular expression is too long, maximum is 2048 bytes"),
        (f"ARGREP a - +{' MATCH x' * 251}", "ERR too many predicates, maximum is 250"),
        ("ARGET string -1", "WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("ARSET string -1 x", "ERR invalid array index"),
    ],
)
def test_errors_of_arrays(ask, line, error):
    ask("SET string x")
    ask("ARSET a 0 x")
    assert ask(line) == [f"-{error}"]


def test_a_ring(ask):
    assert [ask(f"ARRING r 3 v{number}") for number in range(4)] == [[":0"], [":1"], [":2"], [":0"]]
    assert (ask("ARGET r 0")[1], ask("ARCOUNT r")) == ("v3", [":3"])
    assert ask.items("ARLASTITEMS r 3") == ["v1", "v2", "v3"]
    assert ask.items("ARLASTITEMS r 9 REV") == ["v3", "v2", "v1"]
    assert ask("ARRING r 2 v4") == [":0"]
    assert ask.items("ARGETRANGE r 0 2") == ["v4", "v3", None]


@pytest.mark.parametrize(
    ("prepared", "size", "place", "values"),
    [
        ("ARRING r 4 a b c d", 3, 0, ["x", "c", "d"]),
        ("ARRING r 3 a b c d", 5, 3, ["b", "c", "d", "x"]),
        ("ARRING r 5 a b c", 9, 3, ["a", "b", "c", "x"]),
        ("ARMSET r 0 a 2 c 3 d", 3, 2, ["c", "d", "x"]),
    ],
)
def test_a_ring_of_another_size_keeps_the_latest_values(ask, prepared, size, place, values):
    ask(prepared)
    assert ask(f"ARRING r {size} x") == [f":{place}"]
    assert ask.items(f"ARGETRANGE r 0 {len(values) - 1}") == values
    ask.engine.databases[0].entries[b"r"].value._check()


def test_the_latest_insertions(ask):
    ask("ARINSERT log first second third")
    assert ask.items("ARLASTITEMS log 2") == ["second", "third"]
    assert ask.items("ARLASTITEMS log 2 REV") == ["third", "second"]
    assert ask.items("ARLASTITEMS log 9") == ["first", "second", "third"]
    assert ask("ARLASTITEMS log 0") == ask("ARLASTITEMS none 5") == ["*0"]
    ask("ARSET log 4 last")
    assert ask.items("ARLASTITEMS log 9") == [None, "last", "first", "second", "third"]
    ask("ARSET log 2000000 far")
    assert ask("ARLASTITEMS log 1000001") == ["-ERR count exceeds maximum of 1000000 items"]


def test_calculating_with_a_range(ask):
    ask("ARMSET s 0 10 1 20 2 30 3 x")
    assert [ask(f"AROP s 0 3 {name}") for name in ("SUM", "MIN", "MAX")] == [
        ["$2", text] for text in ("60", "10", "30")
    ]
    assert ask("AROP s 3 0 MATCH 10") == [":1"]
    assert ask("AROP s 0 9 USED") == [":4"]
    ask("ARMSET f 0 255 1 15 2 240.9")
    assert [ask(f"AROP f 0 2 {name}") for name in ("AND", "OR", "XOR")] == [[":0"], [":255"], [":0"]]
    assert ask("AROP s 3 3 SUM") == ask("AROP none 0 1 OR") == ["$-1"]
    assert ask("AROP none 0 1 USED") == [":0"]
    ask("ARMSET d 0 0.1 1 0.2 2 1e30 3 -inf")
    assert [ask(f"AROP d 0 {last} SUM")[1] for last in (1, 2, 3)] == ["0.3", "1e+30", "-inf"]
    assert ask("AROP d 2 3 OR") == ["$-1"]


def test_searching_an_array(ask):
    ask("ARMSET log 0 'boot: ok' 1 'warn: disk' 2 'ERROR: cpu' 3 'info: ready' 4 'error: net'")
    assert ask.items("ARGREP log - + MATCH error NOCASE") == [2, 4]
    assert ask.items("ARGREP log - + MATCH error NOCASE WITHVALUES") == [2, "ERROR: cpu", 4, "error: net"]
    assert ask.items("ARGREP log 0 4 GLOB warn:* OR GLOB error:*") == [1, 4]
    assert ask.items("ARGREP log 4 0 RE '^[A-Za-z]+: (cpu|net)$' NOCASE") == [4, 2]
    assert ask.items("ARGREP log 0 4 EXACT 'info: ready'") == [3]
    assert ask.items("ARGREP log - + MATCH o MATCH k AND LIMIT 1") == [0]
    assert ask.items("ARGREP log - + MATCH o AND MATCH k OR LIMIT 1 LIMIT 2") == [0, 1]
    assert ask.items("ARGREP log - + OR MATCH o MATCH k AND") == [0]
    assert ask("ARGREP log - + RE (")[0].startswith("-ERR")
    assert ask("ARGREP none - + MATCH x") == ["*0"]


def test_what_every_type_can(ask):
    ask("ARRING r 3 a b c d")
    ask("COPY r twin")
    assert ask.items("ARGETRANGE twin 0 2") == ["d", "b", "c"]
    dumped = ask.client.play("DUMP r").partition(b"\r\n")[2][:-2]
    session = ask.client.session
    run(session, [[b"RESTORE", b"back", b"0", dumped]], 0, 1)
    assert session.out.pop() == b"+OK\r\n"
    assert ask("ARRING back 3 e") == [":1"]
    assert ask("DEBUG DIGEST-VALUE twin")[0] == ask("DEBUG DIGEST-VALUE r")[0]
    assert int(ask("MEMORY USAGE r")[0][1:]) > 64
    assert "array" in ask.items("ACL CAT") and "arset" in ask.items("ACL CAT array")
    assert ask("LPUSH r x")[0].startswith("-WRONGTYPE")


def test_an_array_is_counted_as_it_changes(ask):
    ask("ARSET a 5 x yy zzz")
    ask("ARDEL a 6")
    ask("ARRING a 6 longer")
    array = ask.engine.databases[0].entries[b"a"].value
    assert isinstance(array, Array)
    array._check()


# Counters


def test_a_counter_within_bounds(ask):
    assert ask.items("INCREX k") == [1, 1]
    assert ask.items("INCREX k BYINT 98") == [99, 98]
    assert ask.items("INCREX k BYINT 5 UBOUND 100") == [99, 0]
    assert ask.items("INCREX k BYINT 5 UBOUND 100 SATURATE") == [100, 1]
    assert ask.items("INCREX k BYINT -300 LBOUND 0 SATURATE") == [0, -100]
    assert ask("INCREX k SATURATE BYINT 9223372036854775807") == ["*2", ":9223372036854775807", ":9223372036854775807"]
    assert ask("INCREX new BYINT 5 UBOUND 4") == ["*2", ":0", ":0"]
    assert ask("EXISTS new") == [":0"]


def test_a_counter_of_floats(ask):
    ask("SET k 1.5")
    assert ask.items("INCREX k BYFLOAT 0.25") == ["1.75", "0.25"]
    assert ask.items("INCREX k BYFLOAT 9 UBOUND 2") == ["1.75", "0"]
    assert ask.items("INCREX k BYFLOAT 9 UBOUND 2 SATURATE") == ["2", "0.25"]
    assert ask("INCREX k BYFLOAT 0.5 BYINT 1")[0] == "-ERR syntax error"
    ask("INCREX k BYFLOAT 0.5")
    assert ask("INCREX k")[0].startswith("-ERR value is not an integer")
    ask("HELLO 3")
    assert ask("INCREX k BYFLOAT 0.5") == ["*2", ",3", ",0.5"]


def test_a_window_that_is_not_extended(ask):
    ask("INCREX k UBOUND 2 EX 60 ENX")
    ask.engine.clock.advance(20)
    ask.engine.timers.advance()
    assert (ask.items("INCREX k UBOUND 2 EX 60 ENX"), ask("TTL k")) == ([2, 1], [":40"])
    assert ask.items("INCREX k UBOUND 2 EX 60 ENX") == [2, 0]
    ask.engine.clock.advance(40)
    ask.engine.timers.advance()
    assert ask.items("INCREX k UBOUND 2 EX 60 ENX") == [1, 1]
    assert (ask.items("INCREX k PERSIST"), ask("TTL k")) == ([2, 1], [":-1"])
    assert ask("INCREX k BYINT 5 PXAT 1") == ["*2", ":7", ":5"]
    assert ask("EXISTS k") == [":0"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("ENX", "ENX flag requires an expiration"),
        ("PERSIST ENX", "syntax error"),
        ("ENX PERSIST", "syntax error"),
        ("BYINT 1 BYFLOAT 1", "syntax error"),
        ("SATURATE SATURATE", "syntax error"),
        ("BYINT x", "Increment is not an integer or out of range"),
        ("BYFLOAT x", "Increment is not a valid float"),
        ("BYFLOAT inf", "BYFLOAT increment cannot be Infinity"),
        ("LBOUND 1.5", "LBOUND is not an integer or out of range"),
        ("BYFLOAT 1 UBOUND x", "UBOUND is not a valid float"),
        ("LBOUND 2 UBOUND 1", "LBOUND can't be greater than UBOUND"),
        ("EX 0", "invalid expire time in 'increx' command"),
        ("LBOUND 9223372036854775807 SATURATE", "applied increment would overflow"),
    ],
)
def test_errors_of_a_counter(ask, options, error):
    ask("SET k -5")
    assert ask(f"INCREX k {options}") == [f"-ERR {error}"]
    assert ask("GET k")[1] == "-5"


# Lists, sets, sorted sets


@pytest.mark.parametrize(
    ("words", "moved", "left", "target"),
    [
        ("LEFT LEFT", "1", "2 3 4", "1 x"),
        ("LEFT LEFT COUNT 2 OBO", "2 1", "3 4", "2 1 x"),
        ("LEFT LEFT COUNT 2 BULK", "1 2", "3 4", "1 2 x"),
        ("LEFT RIGHT COUNT 2 OBO", "1 2", "3 4", "x 1 2"),
        ("RIGHT LEFT COUNT 2 OBO", "3 4", "1 2", "3 4 x"),
        ("RIGHT LEFT COUNT 2 BULK", "3 4", "1 2", "3 4 x"),
        ("RIGHT RIGHT COUNT 2 OBO", "4 3", "1 2", "x 4 3"),
        ("RIGHT RIGHT EXACTLY 2 BULK", "3 4", "1 2", "x 3 4"),
        ("LEFT RIGHT COUNT 9 BULK", "1 2 3 4", "", "x 1 2 3 4"),
    ],
)
def test_moving_several_elements(ask, words, moved, left, target):
    ask("RPUSH a 1 2 3 4")
    ask("RPUSH b x")
    found = [" ".join(map(str, ask.items(line))) for line in (f"LMOVEM a b {words}", "LRANGE a 0 -1", "LRANGE b 0 -1")]
    assert found == [moved, left, target]


def test_moving_exactly_so_many_or_none(ask):
    ask("RPUSH a 1 2")
    assert ask("LMOVEM a b LEFT LEFT EXACTLY 3 BULK") == ["*-1"]
    assert ask("LMOVEM none b LEFT LEFT") == ["*0"]
    assert ask("LMOVEM a b LEFT LEFT COUNT 3") == ["-ERR syntax error"]
    assert ask.items("LMOVEM a a LEFT LEFT EXACTLY 2 OBO") == ["2", "1"]


def test_waiting_until_there_are_enough(ask):
    assert ask("BLMOVEM a b LEFT RIGHT 0 EXACTLY 2 BULK") == []
    other = Session(ask.engine)
    for line in ("RPUSH a 1", "RPUSH a 2"):
        assert ask.client.session.out == []
        run(other, [split_inline(line.encode())], 0, 1)
    assert ask.client.session.out == [b"*2\r\n$1\r\n1\r\n$1\r\n2\r\n"]


def test_counting_members(ask):
    ask("SADD a 1 2 3")
    ask("SADD b 3 4 5")
    assert (ask("SUNIONCARD 2 a b"), ask("SUNIONCARD 2 a b LIMIT 3 APPROX")) == ([":5"], [":3"])
    assert (ask("SDIFFCARD 2 a b"), ask("SDIFFCARD 2 a b LIMIT 1"), ask("SDIFFCARD 1 none")) == ([":2"], [":1"], [":0"])
    assert ask("SUNIONCARD 0 a")[0].startswith("-ERR numkeys")


def test_in_how_many_keys_a_member_is(ask):
    ask("ZADD a 5 x 6 y")
    ask("ZADD b 7 x")
    assert ask.items("ZUNION 2 a b AGGREGATE COUNT WITHSCORES") == ["y", "1", "x", "2"]
    assert Talk("8.6")("ZUNION 1 a AGGREGATE COUNT") == ["-ERR syntax error"]


# Streams


def test_entries_given_back(ask):
    for number in (1, 2, 3):
        ask(f"XADD s {number}-1 f v")
    ask("XGROUP CREATE s g 0")
    ask("XREADGROUP GROUP g c COUNT 2 STREAMS s >")
    assert ask("XNACK s g FAIL IDS 3 1-1 2-1 9-9") == [":2"]
    assert ask.items("XPENDING s g - + 10") == ["1-1", "", -1, 1, "2-1", "", -1, 1]
    assert ask("XNACK s g SILENT IDS 1 1-1") == [":1"]
    assert ask("XNACK s g FATAL IDS 1 2-1") == [":1"]
    assert ask("XNACK s g FAIL IDS 1 3-1 FORCE") == [":1"]
    assert ask.items("XPENDING s g - + 10")[3::4] == [0, 2**63 - 1, 0]
    assert ask("XNACK s g FAIL IDS 1 3-1 RETRYCOUNT 5") == [":1"]
    ask("XREADGROUP GROUP g d COUNT 1 CLAIM 100000 STREAMS s >")
    assert ask.items("XPENDING s g - + 10")[1] == "d"
    ask.engine.databases[0].entries[b"s"].value.groups[b"g"]._check()
    ask("COPY s t")
    assert ask.items("XPENDING t g - + 10") == ask.items("XPENDING s g - + 10")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("s none FAIL IDS 1 1-1", "NOGROUP No such key 's' or consumer group 'none'"),
        ("s g FOO IDS 1 1-1", "ERR mode must be SILENT, FAIL, or FATAL"),
        ("s g FAIL IDS x 1-1", "ERR numids must be a positive integer"),
        ("s g FAIL IDS 2 1-1", "ERR number of IDs doesn't match numids"),
        ("s g FAIL FORCE RETRYCOUNT 1", "ERR syntax error, expected IDS keyword"),
        ("s g FAIL IDS 1 1-1 FOO", "ERR Unrecognized XNACK option 'FOO'"),
        ("s g FAIL IDS 1 1-1 RETRYCOUNT -1", "ERR Invalid RETRYCOUNT value, must be >= 0"),
        ("s g FAIL IDS 1 x", "ERR Invalid stream ID specified as stream command argument"),
    ],
)
def test_errors_of_giving_back(ask, words, error):
    ask("XGROUP CREATE s g 0 MKSTREAM")
    assert ask(f"XNACK {words}") == [f"-{error}"]


def test_what_the_slow_log_tells_of_arguments(ask):
    ask("CONFIG SET slowlog-log-slower-than 0")
    ask(f"SADD s{' x' * 40}")
    assert ask("SLOWLOG GET 1")[-1] == ":42"
    older = Talk("8.8")
    older("CONFIG SET slowlog-log-slower-than 0")
    older("PING")
    assert older("SLOWLOG GET 1")[1] == "*6"


def test_conditions_exclude_each_other_in_any_order(ask):
    ask("SET k v")
    assert ask("SET k w IFEQ v NX") == ["-ERR syntax error"]
    older = Talk("8.8")
    older("SET k v")
    assert older("SET k w IFEQ v NX") == ["$-1"]


def test_a_cap_of_the_whole_reply(ask):
    for key in "st":
        for number in (1, 2, 3):
            ask(f"XADD {key} {number}-1 f 12345")
    assert len(ask.items("XREAD MAXCOUNT 4 STREAMS s t 0 0")) == 2 + 4 * 3
    assert len(ask.items("XREAD MAXCOUNT 2 STREAMS s t 0 0")) == 1 + 2 * 3
    head, entry = len("*2\r\n$1\r\ns\r\n"), len("*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$5\r\n12345\r\n")
    assert len(ask.items(f"XREAD MAXSIZE {head + entry + 1} STREAMS s t 0 0")) == 1 + 2 * 3
    assert len(ask.items(f"XREAD MAXSIZE {head + entry} STREAMS s t 0 0")) == 1 + 3
    assert len(ask.items("XREAD MAXSIZE 1 STREAMS s t 0 0")) == 1 + 3
    assert ask("XREAD MAXSIZE 0 STREAMS s 0") == ["-ERR MAXSIZE must be a positive integer"]
    assert ask("XREAD COUNT 2 MAXCOUNT 1 STREAMS s 0") == ["-ERR MAXCOUNT must be greater than or equal to COUNT"]
    ask("XGROUP CREATE s g 0")
    assert len(ask.items("XREADGROUP GROUP g c MAXCOUNT 2 STREAMS s >")) == 1 + 2 * 3
    assert ask("XPENDING s g")[1] == ":2"
    assert Talk("8.8")("XREAD MAXCOUNT 2 STREAMS s 0") == ["-ERR syntax error"]


# Hashes


def test_hashes_of_the_same_fields(ask):
    assert ask("HIMPORT PREPARE u name email age") == ["+OK"]
    assert ask("HIMPORT SET user:1 u alice a@example.com 30") == ["+OK"]
    assert ask.items("HGETALL user:1") == ["age", "30", "name", "alice", "email", "a@example.com"]
    ask("EXPIRE user:1 100")
    assert (ask("HIMPORT SET user:1 u bob b 25"), ask("TTL user:1")) == (["+OK"], [":-1"])
    assert ask("HIMPORT SET user:1 u bob") == ["-ERR value count does not match fieldset field count"]
    assert ask("HIMPORT SET user:1 v bob") == ["-ERR no such fieldset"]
    assert ask("HIMPORT PREPARE u a a") == ["-ERR duplicate field name in fieldset"]
    ask("SET user:2 x")
    assert ask("HIMPORT SET user:2 v bob")[0].startswith("-WRONGTYPE")
    assert (ask("HIMPORT DISCARD u"), ask("HIMPORT DISCARD u")) == ([":1"], [":0"])
    ask("HIMPORT PREPARE v a")
    ask("HIMPORT PREPARE w a")
    assert ask("HIMPORT DISCARDALL") == [":2"]
    ask("HIMPORT PREPARE v a")
    ask("RESET")
    assert ask("HIMPORT DISCARDALL") == [":0"]


def test_a_fieldset_is_the_connections_own(ask):
    ask("HIMPORT PREPARE u a")
    other = Session(ask.engine)
    run(other, [[b"HIMPORT", b"SET", b"k", b"u", b"1"]], 0, 1)
    assert other.out[0].startswith(b"-ERR no such fieldset")


def test_notifications_of_fields(ask):
    ask("CONFIG SET notify-keyspace-events STIV")
    heard = []
    ask.engine.pubsub.publish = lambda channel, message: heard.append((channel.decode(), message.decode()))
    ask("HSET myhash field1 val1 field2 val2")
    assert heard == [
        ("__subkeyspace@0__:myhash", "hset|6:field1,6:field2"),
        ("__subkeyevent@0__:hset", "6:myhash|6:field1,6:field2"),
        ("__subkeyspaceitem@0__:myhash\nfield1", "hset"),
        ("__subkeyspaceitem@0__:myhash\nfield2", "hset"),
        ("__subkeyspaceevent@0__:hset|myhash", "6:field1,6:field2"),
    ]
    assert ask.items("CONFIG GET notify-keyspace-events")[1] == "STIV"
    assert Talk("8.6")("CONFIG SET notify-keyspace-events S")[0].startswith("-ERR")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("HSETNX h new 1", ["hset|3:new"]),
        ("HDEL h a none", ["hdel|1:a"]),
        ("HGETDEL h FIELDS 2 a none", ["hdel|1:a"]),
        ("HINCRBY h n 1", ["hincrby|1:n"]),
        ("HINCRBYFLOAT h n 1", ["hincrbyfloat|1:n"]),
        ("HEXPIRE h 10 FIELDS 2 a none", ["hexpire|1:a"]),
        ("HEXPIRE h 0 FIELDS 2 a b", ["hdel|1:a,1:b"]),
        ("HPERSIST h FIELDS 2 a t", ["hpersist|1:t"]),
        ("HGETEX h PERSIST FIELDS 2 a t", ["hpersist|1:t"]),
        ("HGETEX h EX 9 FIELDS 2 a none", ["hexpire|1:a"]),
        ("HSETEX h EX 9 FIELDS 1 a 1", ["hset|1:a", "hexpire|1:a"]),
        ("HGET h a", []),
    ],
)
def test_which_fields_an_event_is_about(ask, line, told):
    ask("HSET h a 1 b 2 n 3")
    ask("HSETEX h EX 100 FIELDS 1 t 1")
    ask("CONFIG SET notify-keyspace-events S")
    heard = []
    ask.engine.pubsub.publish = lambda channel, message: heard.append(message.decode())
    ask(line)
    assert heard == told


def test_fields_that_expire_are_told_together(ask):
    ask("CONFIG SET notify-keyspace-events S")
    ask("HSETEX h EX 9 FIELDS 2 a 1 b 2")
    heard = []
    ask.engine.pubsub.publish = lambda channel, message: heard.append(message.decode())
    ask.engine.clock.advance(10)
    ask.engine.timers.advance()
    assert heard == ["hexpired|1:b,1:a"]  # in the order of the listpack, as the real server lets them go


# Backups


def test_an_online_backup_has_the_data_of_the_moment_at_which_it_is_sealed(ask):
    def state():
        return ask.items("BACKUP STATUS")[1]

    ask("SET a 1")
    assert (state(), ask("BACKUP LIST")) == ("idle", ["*0"])
    assert ask("BACKUP SEAL") == ["-ERR No backup ready to seal (must be in the incrementing state)"]
    assert ask("BACKUP ABORT") == ["-ERR No backup in progress"]
    assert (ask("BACKUP START"), state()) == (["+OK"], "incrementing")
    ask("SET b 2")
    place = os.path.join(ask.engine.config.dir, "backupdir")
    assert ask.items("BACKUP LIST") == [os.path.join(place, "appendonly.aof.1.base.rdb")]
    assert ask("BACKUP START") == ["-ERR A backup is already in progress, ABORT it first"]
    assert ask("BACKUP CLEANUP") == ["-ERR Backup is in progress"]
    assert "backup_in_progress:1" in ask("INFO persistence")
    assert ask("BGREWRITEAOF") == ["+Background append only file rewriting scheduled"]
    assert (ask("BACKUP SEAL"), state()) == (["+OK"], "sealed")
    ask("SET c 3")
    endings = (".1.base.rdb", ".1.incr.aof", ".manifest")
    assert ask.items("BACKUP LIST") == [os.path.join(place, f"appendonly.aof{ending}") for ending in endings]
    files = ask.engine.persistence.folder.files
    assert b"$1\r\nb\r\n" in files["backupdir/appendonly.aof.1.incr.aof"]
    assert b"$1\r\nc\r\n" not in files["backupdir/appendonly.aof.1.incr.aof"]
    assert parse(files["backupdir/appendonly.aof.manifest"].decode()).base.name == "appendonly.aof.1.base.rdb"
    assert ask("BACKUP START") == ["-ERR A sealed backup exists, CLEANUP it first"]
    assert (ask("BACKUP CLEANUP"), state()) == (["+OK"], "idle")
    assert not [name for name in files if name.startswith("backupdir")]


def test_an_online_backup_that_is_given_up_leaves_nothing(ask):
    ask("BACKUP START")
    assert ask("BACKUP ABORT") == ["+OK"]
    assert ask.items("BACKUP STATUS")[:4] == ["state", "failed", "error", "aborted by user"]
    assert not ask.engine.persistence.folder.files
    assert ask("BACKUP START") == ["+OK"]


def test_an_online_backup_begins_behind_a_transaction_and_a_sealed_one_is_kept_for_a_time(ask):
    for line in ("CONFIG SET backup-sealed-ttl 10", "MULTI", "BACKUP START", "EXEC"):
        ask(line)
    assert ask.items("BACKUP STATUS")[1] == "pending"
    ask.engine.persistence.check()
    ask("BACKUP SEAL")
    ask.engine.clock.advance(10)
    ask.engine.persistence.check()
    assert ask.items("BACKUP STATUS")[1] == "idle"


def test_a_folder_for_backups_must_be_empty(ask):
    ask.engine.persistence.folder.create("backupdir/x")
    assert ask("BACKUP START") == ["-ERR Backup directory backupdir is not empty, CLEANUP it first"]


def test_a_server_starts_with_a_sealed_backup(tmp_path, serve):
    backed_up = Talk("8.10")
    backed_up.engine.config.dir = str(tmp_path)
    backed_up.engine.persistence.folder = Disk(backed_up.engine.config)
    for line in ("SET a 1", "BACKUP START", "SET b 2", "BACKUP SEAL", "SET c 3"):
        backed_up(line)

    async def scenario(server):
        server.engine.persistence.folder = Disk(server.config)
        server.engine.persistence.open()
        await server.load()
        assert sorted(server.engine.databases[0].entries) == [b"a", b"b"]

    serve(scenario, edition=EDITIONS["8.10"], dir=str(tmp_path), appendonly=True, appenddirname="backupdir")
