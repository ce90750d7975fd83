"""Glob patterns against a naive recursive reading of the same rules."""

import itertools

import pytest

from emulator.glob import matcher


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
            assert [matches(name) for name in names] == [naive(pattern, name) for name in names], pattern


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


def test_many_stars_take_no_time():
    assert not matcher(b"a*" * 50 + b"b")(b"a" * 10_000)
