"""The fuzzer: its own parts, and a short run against the real Redis."""

import contextlib
from random import Random

import pytest

from conformance import servers
from conformance.cases import split
from conformance.fuzz import Looseness, main, random_program
from conformance.fuzz.generate import Generator
from conformance.fuzz.grammar import Argument, Syntax
from conformance.fuzz.program import quoted
from conformance.fuzz.shrink import shrink

KEY = Argument("key", "key")
GRAMMAR = [
    Syntax(["GET"], "string", [KEY]),
    Syntax(
        ["ZUNION"],
        "sorted-set",
        [Argument("numkeys", "integer"), Argument("key", "key", flags=frozenset(("multiple",)))],
    ),
    Syntax(
        ["SET"],
        "string",
        [KEY, Argument("value", "string"), Argument("nx", "pure-token", "NX", frozenset(("optional",)))],
    ),
]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_short_run_finds_nothing(seed, oracle_present, capsys):
    assert main(["--seed", str(seed), "--programs", "12"]) == 0, capsys.readouterr().out


def test_a_difference_is_found_and_shrunk(capsys, tmp_path):
    """The emulator against itself, one of the two not knowing a command."""
    with contextlib.ExitStack() as stack:
        ports = [servers.free_port(), servers.free_port()]
        for port, options in zip(ports, [(), ("--rename-command", "STRLEN", "")], strict=True):
            stack.enter_context(servers.running(servers.emulator_command(port, *options), port))
        arguments = ["--subject", f"127.0.0.1:{ports[1]}", "--oracle", f"127.0.0.1:{ports[0]}"]
        assert (
            main([*arguments, "--programs", "3", "--differences", "1", "--command", "strlen", "--command", "set"]) == 1
        )
    output = capsys.readouterr().out
    assert sum(line.startswith(("a: ", "b: ")) for line in output.splitlines()) == 1
    assert "unknown command 'STRLEN'" in output


def test_commands_follow_the_grammar():
    generator = Generator(Random(1), GRAMMAR)
    made = [generator.command() for _ in range(2000)]
    assert {words[0] for words in made} >= {b"GET", b"SET", b"ZUNION"}
    unions = [words for words in made if words[0] == b"ZUNION"]
    assert sum(len(words) == 2 + int(words[1]) for words in unions if words[1].isdigit()) > 0.8 * len(unions)
    assert any(words[-1] == b"NX" for words in made)


def test_the_same_seed_makes_the_same_program():
    programs = [random_program(Random(7), Generator(Random(8), GRAMMAR), Looseness()) for _ in range(2)]
    assert programs[0] == programs[1]


def test_shrinking():
    assert shrink(list(range(100)), lambda steps: {3, 70} <= set(steps)) == [3, 70]
    assert shrink([1], lambda steps: True) == []


@pytest.mark.parametrize("word", [b"plain", b"", b"two words", b'"\\', b"\x00\xff\r\n", b"'"])
def test_words_survive_as_case_text(word):
    assert split(quoted(word)) == [word]


def test_looseness():
    loose = Looseness()
    assert loose.of([b"TTL", b"k"]).about == 2
    assert loose.of([b"xinfo", b"STREAM", b"k"]).about == 5000
    assert loose.of([b"GET", b"k"]).looseness == frozenset()
    assert loose.of([b"SPOP", b"k"]) is None
    assert loose.of([b"SORT", b"k"]) is not None
    assert loose.of([b"SORT", b"k", b"BY", b"w*"]) is not None
    assert loose.of([b"SORT", b"k", b"by", b"NOSORT"]) is None
    assert loose.of([b"ZLEXCOUNT", b"k", b"-", b"+"]) is not None
    assert loose.of([b"ZLEXCOUNT", b"k", b"-", b"+"], [b"skiplist"]) is None


@pytest.mark.parametrize("line", ["ttl sometimes because", "ttl about x because", "ttl type"])
def test_rules_are_checked(tmp_path, line):
    path = tmp_path / "rules"
    path.write_text(line)
    with pytest.raises(ValueError):
        Looseness(path)
