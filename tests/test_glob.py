"""Glob patterns against a naive recursive reading of the same rules."""

import itertools
import random
import re
import tracemalloc

import pytest

from emulator.datatypes import glob
from emulator.datatypes.glob import _MOST_STARS, _OFTEN, _SHORT, _SHORT_NAME, _compile, _expression, _match, matcher


def naive(pattern: bytes, name: bytes) -> bool:
    """Stars, question marks and plain bytes, by trying everything."""
    if not pattern:
        return not name
    head, rest = pattern[:1], pattern[1:]
    if head == b"*":
        return any(naive(rest, name[cut:]) for cut in range(len(name) + 1))
    return bool(name) and (head == b"?" or head == name[:1]) and naive(rest, name[1:])


def test_every_short_pattern_against_every_short_name():
    names = [bytes(letters) for size in range(5) for letters in itertools.product(b"ab", repeat=size)]
    for size in range(5):
        for letters in itertools.product(b"ab*?", repeat=size):
            pattern = bytes(letters)
            matches = matcher(pattern)
            expected = [naive(pattern, name) for name in names]
            assert [matches(name) for name in names] == expected, pattern
            assert [
                bool(re.fullmatch(_expression(_compile(pattern, False, len(pattern))), name)) for name in names
            ] == expected


def test_a_regular_expression_tells_the_same():
    rnd = random.Random(1)
    for _ in range(3000):
        pattern = bytes(rnd.choices(b"ab\n*?[]^-\\", k=rnd.randrange(9)))
        pieces = _compile(pattern, False, len(pattern))
        found = re.compile(_expression(pieces), re.DOTALL).fullmatch
        for _ in range(20):
            name = bytes(rnd.choices(b"ab\n-]", k=rnd.randrange(7)))
            assert (found(name) is not None) is _match(pieces, name), (pattern, name)


def test_what_is_asked_often_is_asked_of_a_regular_expression():
    matches = matcher(b"a*[b-d]*e?")
    for _ in range(3 * _OFTEN):
        assert matches(b"a..c..ef") and not matches(b"a.....ef")
    assert matches(b"a" + b"c" * _SHORT_NAME + b"ef")


def test_no_name_is_too_much_for_a_regular_expression():
    """Each of many stars could begin anywhere, if what is behind it fails."""
    pattern, name = b"*a" * 31 + b"*b", b"a" * _SHORT_NAME
    matches = matcher(pattern)
    assert not any(matches(name) for _ in range(1000 + _OFTEN))


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        (b"[abc]", b"b", True),
        (b"[^abc]", b"b", False),
        (b"[^abc]", b"d", True),
        (b"[a-c]", b"b", True),
        (b"[c-a]", b"b", True),
        (b"[\\]]", b"]", True),
        (b"a[", b"a[", False),
        (b"a[b", b"ab", True),
        (b"\\*", b"*", True),
        (b"\\*", b"x", False),
        (b"a\\", b"a\\", True),
    ],
)
def test_brackets_and_escapes(pattern, name, expected):
    assert matcher(pattern)(name) is expected


def test_case_can_be_ignored():
    assert matcher(b"MAX[C-L]*", True)(b"maxclients")
    assert not matcher(b"max*", False)(b"MAXCLIENTS")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (b"[M]ax", True),
        (b"\\Max", True),
        (b"[\\M]ax", False),
        (b"[\\m]ax", True),
        (b"[A-Z]ax", True),
        (b"[!-_]ax", False),
    ],
)
def test_case_is_ignored_as_redis_does(pattern, expected):
    """Not where a letter is escaped within brackets; and the ends of a range are letters too, or they are not."""
    assert matcher(pattern, True)(b"max") is expected


@pytest.mark.parametrize("unit", [b"[", b"\\", b"a\\b", b"[a]", b"?a", b"[^a]", b"a-", b"*?"])
def test_a_long_pattern_is_read_no_further_than_a_name_goes(unit, monkeypatch):
    read = []
    monkeypatch.setattr(glob, "_TOKEN", Counted(glob._TOKEN, read))
    matches = matcher(b"a" + unit * _SHORT)
    for name in (b"", b"a", b"aa[a[", b"a" * 9):
        matches(name)
    assert len(read) < 80 or unit == b"*?"
    assert len(read) < 3 * _MOST_STARS


class Counted:
    """A regular expression that notes where it was matched."""

    def __init__(self, expression, places):
        self.expression, self.places = expression, places

    def match(self, text, place):
        self.places.append(place)
        return self.expression.match(text, place)


def test_a_long_pattern_tells_the_same_of_ever_longer_names():
    chance = random.Random(3)
    for _ in range(300):
        pattern = bytes(chance.choices(b"ab*?[]-\\", k=12)) * 40
        names = [bytes(chance.choices(b"ab[]-\\", k=chance.randrange(400))) for _ in range(8)]
        names += [pattern.translate(None, b"*[\\").replace(b"?", b"a")] * 2
        pieces = _compile(pattern, False, len(pattern))
        matches = matcher(pattern)
        for name in names:
            assert matches(name) is (pieces is not None and _match(pieces, name)), (pattern, name)


def test_nothing_is_kept_of_long_patterns():
    tracemalloc.start()
    try:
        for number in range(8):
            matcher(b"%d[ab]?*" % number * 100_000)(b"0a" * 1000)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 100_000


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        (b"*?" * 50_000, b"a" * 50_000, False),
        (b"*?" * 1000, b"a" * 50_000, True),
        (b"*a" * 1000, b"a" * 50_000 + b"b", False),
        (b"a*" * 1000 + b"b", b"a" * 50_000 + b"b", True),
        (b"*" + b"a" * 25_000 + b"b", b"a" * 50_000, False),
        (b"*" + b"a" * 25_000 + b"b*", b"a" * 50_000 + b"b", True),
        (b"*" + b"a?" * 12_500 + b"b*", b"a" * 50_000, False),
        (b"*" + b"[ab]?" * 5000 + b"b*", b"a" * 50_000 + b"b", True),
    ],
)
def test_long_patterns_against_long_names(pattern, name, expected):
    """These took from seconds to hours where each byte was tried at each place."""
    assert matcher(pattern)(name) is expected


def test_brackets_between_stars_at_random():
    chance = random.Random(7)
    for _ in range(20_000):
        pattern, name = (bytes(chance.choices(letters, k=chance.randrange(9))) for letters in (b"ab*?!", b"abc"))
        wanted = b"".join({0x2A: b".*", 0x3F: b"."}.get(byte, bytes((byte,))) for byte in pattern)
        expected = re.fullmatch(wanted.replace(b"!", b"[^b]"), name) is not None
        assert matcher(pattern.replace(b"!", b"[^b]"))(name) is expected, (pattern, name)
