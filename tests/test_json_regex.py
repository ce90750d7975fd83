"""The regular expressions of JSON's filters, beside Python's where these are the same."""

import re
import tracemalloc
from random import Random

import pytest

from emulator.modules.json.regex import _MOST_REMEMBERED, searcher

PIECES = [
    "a",
    "b",
    "c",
    ".",
    "[ab]",
    "[^a]",
    r"\d",
    r"\w",
    r"\s",
    "1",
    " ",
    "_",
    "^",
    "$",
    r"\b",
    r"\B",
    "[a-c1]",
    "\n",
]
TEXTS = ["a", "b", "ab", "abc", "aab", "a1", "1 a", "ab\nc", " ", "_a b", "cab", "aaaa", "bbab", "x\n"]


def found(pattern, text):
    search = searcher(pattern)
    return search is not None and search(text, lambda work: None)


def expression(random, levels=3):
    kind = random.randrange(6) if levels else 0
    if kind < 2:
        return random.choice(PIECES)
    if kind == 2:
        return "".join(expression(random, levels - 1) for _ in range(random.randint(1, 3)))
    if kind == 3:
        return f"(?:{'|'.join(expression(random, levels - 1) for _ in range(2))})"
    return (
        f"(?:{expression(random, levels - 1)}){random.choice(['*', '+', '?', '{2}', '{1,2}', '{0,3}', '{2,}', '*?'])}"
    )


@pytest.mark.parametrize("seed", range(10))
def test_it_finds_what_python_finds(seed):
    random = Random(seed)
    for _ in range(300):
        pattern = expression(random)
        python = re.compile(pattern.replace("$", r"\Z"))  # which for Python is before a last end of line, too
        for text in TEXTS:
            assert found(pattern, text) == bool(python.search(text)), (pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("(?i)ABC", "xabcx", True),
        ("(?i:A)b", "ab", True),
        ("(?i:A)b", "aB", False),
        ("a(?i)b", "aB", True),
        ("(?i)a(?-i)b", "AB", False),
        ("(?m)^b$", "a\nb\nc", True),
        ("^b$", "a\nb\nc", False),
        ("a.b", "a\nb", False),
        ("(?s)a.b", "a\nb", True),
        ("[[:alpha:]]+[[:^digit:]]", "a1", False),
        ("[[:digit:]x]", "x", True),
        (r"[\d\-]", "-", True),
        ("[]a]", "]", True),
        ("[a-]", "-", True),
        (r"\x41\u{42}\u0043", "ABC", True),
        ("(?P<name>a)(?<other>b)", "ab", True),
        (r"\.", "x", False),
        (r"\A\w+\z", "word", True),
        ("é+", "éé", True),
        ("", "", True),
        (r"\B", "", True),
        ("a|", "b", True),
    ],
)
def test_what_the_syntax_is(pattern, text, expected):
    assert found(pattern, text) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        "[",
        "(",
        ")",
        "*",
        "+a",
        "a{",
        "a{2,1}",
        r"\1",
        "(?=a)",
        "(?<=a)",
        "(?!a)",
        r"\q",
        "[z-a]",
        "[[:no:]]",
        "\\",
        "a{9999}",
    ],
)
def test_what_is_no_expression_finds_nothing(pattern):
    assert searcher(pattern) is None


@pytest.mark.parametrize("pattern", ["(a+)+$", "^(a|a)*$", "(.*)*(.*)*b$", "(a?){200}a{200}$", "((a{9}){9}){9}$"])
def test_no_expression_takes_long(pattern):
    work = []
    search = searcher(pattern)
    assert search is not None
    assert not search("a" * 5000 + "c", work.append)
    assert sum(work) < 1_000_000


def test_what_would_be_too_large_is_no_expression():
    assert searcher("((a{99}){99}){99}") is None
    assert searcher("(" * 5000 + ")" * 5000) is None
    assert searcher("[" + "ab" * 10_000 + "]") is None
    assert searcher("a{0}" * 100_000) is None


def test_little_is_kept_of_what_has_been_found_out():
    search = searcher("(a|b)*a(a|b){200}$")
    machine = search.__self__
    chance = Random(1)
    for _ in range(3):
        search("".join(chance.choices("ab", k=1000)), lambda steps: None)
        known = [*machine._reached, *machine._after]
        assert sum(len(states) for states, _ in known) <= _MOST_REMEMBERED


def test_long_patterns_are_not_kept():
    tracemalloc.start()
    try:
        for number in range(8):
            assert searcher(f"{number}" + "x" * 1_000_000)("a", lambda steps: None) is False
            assert searcher(f"{number}" + "x." * 1_000_000) is None
            assert searcher(f"{number}" + "x." * 40_000) is None
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000
