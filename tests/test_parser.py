"""The request parser: no socket, no loop, every edge by name."""

import random

import pytest

from emulator.protocol.inline import split_inline
from emulator.protocol.parser import INLINE_LIMIT, RequestParser


def command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


STREAM = (
    command(b"SET", b"key", b"value")
    + b'PING a "b c"\r\n'
    + command(b"PING")
    + command(b"GET", b"a\r\nb")
    + command(b"SET", b"large", b"x" * 40_000)
    + command(b"SET", b"", b"")
    + b"*-1\r\n*0\r\n\r\n"
    + command(b"MSET", *[b"%d" % number for number in range(50)])
    + b"set inline 'it\\'s'\n"
    + command(b"ECHO", bytes(range(256)))
)
COMMANDS = [
    [b"SET", b"key", b"value"],
    [b"PING", b"a", b"b c"],
    [b"PING"],
    [b"GET", b"a\r\nb"],
    [b"SET", b"large", b"x" * 40_000],
    [b"SET", b"", b""],
    [b"MSET", *[b"%d" % number for number in range(50)]],
    [b"set", b"inline", b"it's"],
    [b"ECHO", bytes(range(256))],
]


def test_a_pipeline_in_one_piece():
    assert RequestParser().feed(STREAM) == COMMANDS


@pytest.mark.parametrize("words", [1, 2, 3, 4])
@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("odd", [b"a\r\nb", b"\r\n$1\r\na", b"$1\r\na\r\n*1", b"", b"x" * 40_000])
def test_commands_of_as_many_words_with_an_odd_one_among_them(words, count, odd):
    for place in range(words * count):
        flat = [b"word"] * (words * count)
        flat[place] = odd
        expected = [flat[first : first + words] for first in range(0, len(flat), words)]
        stream = b"".join(command(*each) for each in expected)
        assert RequestParser().feed(stream) == expected
        parser = RequestParser()
        assert parser.feed(stream[:-3]) + parser.feed(stream[-3:]) == expected


@pytest.mark.parametrize("words", [1, 2, 3, 4])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_commands_of_as_many_words_with_a_wrong_length_among_them(words, count):
    right = [command(*[b"word"] * words)] * count
    wrong = [command(*[b"word"] * (words - 1)).replace(b"*%d" % (words - 1), b"*%d" % words) + b"$x\r\nword\r\n"]
    for place in range(count):
        parser = RequestParser()
        assert parser.feed(b"".join(right[:place] + wrong + right[place + 1 :])) == [[b"word"] * words] * place
        assert str(parser.error) == "invalid bulk length"


@pytest.mark.parametrize("words", [1, 2, 3, 4])
@pytest.mark.parametrize("tail", [[b"ECHO", b"x"], [b"PING"], [b"SET", b"k", b"v", b"NX", b"EX", b"10"]])
def test_commands_of_as_many_words_before_others(words, tail):
    expected = [[b"word"] * words] * 5 + [tail, [b"PING"], tail]
    assert RequestParser().feed(b"".join(command(*each) for each in expected)) == expected


LENGTHS = [3, 1, 2, 4, 2, 1, 3]
"""Words of the commands of a pipeline in which no two that follow one another have equally many."""


@pytest.mark.parametrize("odd", [b"a\r\nb", b"\r\n$1\r\na", b"$1\r\na\r\n*1", b"", b"x" * 1024, b"x" * 40_000])
def test_commands_of_different_lengths_with_an_odd_word_among_them(odd):
    for place in range(len(LENGTHS)):
        expected = [[b"word"] * words for words in LENGTHS]
        expected[place][-1] = odd
        stream = b"".join(command(*each) for each in expected)
        assert RequestParser().feed(stream) == expected
        for cut in (1, 3, 8, len(stream) // 2):
            parser = RequestParser()
            assert parser.feed(stream[:-cut]) + parser.feed(stream[-cut:]) == expected


@pytest.mark.parametrize("wrong", [b"$x", b"$5", b"$3", b"*4", b""])
def test_commands_of_different_lengths_with_a_wrong_one_among_them(wrong):
    for place in range(len(LENGTHS)):
        requests = [command(*[b"word"] * words) for words in LENGTHS]
        requests[place] = b"%b%b\r\nword\r\n" % (requests[place][: -len(b"$4\r\nword\r\n")], wrong)
        alone, together = RequestParser(), RequestParser()
        one_by_one = [each for request in requests for each in alone.feed(request)]
        assert together.feed(b"".join(requests)) == one_by_one
        assert one_by_one[:place] == [[b"word"] * words for words in LENGTHS[:place]]
        assert (str(together.error), together.buffered) == (str(alone.error), alone.buffered)


def test_equal_inline_commands():
    assert RequestParser().feed(b"PING\r\nPING\r\n") == [[b"PING"]] * 2


def test_torn_at_every_byte_boundary():
    boundaries = [*range(400), *range(len(STREAM) - 1200, len(STREAM) + 1)]
    for cut in boundaries:
        parser = RequestParser()
        assert parser.feed(STREAM[:cut]) + parser.feed(STREAM[cut:]) == COMMANDS, cut
        assert parser.buffered == 0


def test_byte_by_byte():
    parser = RequestParser()
    commands = []
    for position in range(len(STREAM)):
        commands += parser.feed(STREAM[position : position + 1])
    assert commands == COMMANDS


@pytest.mark.parametrize("seed", range(50))
def test_torn_at_random(seed):
    rng = random.Random(seed)
    parser, commands, position = RequestParser(), [], 0
    while position < len(STREAM):
        size = rng.choice([1, 2, 7, 100, 5000])
        commands += parser.feed(STREAM[position : position + size])
        position += size
    assert commands == COMMANDS


def test_a_large_value_is_not_scanned_again():
    """Each piece costs its own length: what the parser holds grows by just that, in a list of pieces."""
    parser = RequestParser()
    value = b"\r\n" * 4_000_000
    data = command(b"SET", b"k", value)
    commands = []
    for position in range(0, len(data), 65536):
        commands += parser.feed(data[position : position + 65536])
        assert not parser._buffer or parser._pieces == []
    assert commands == [[b"SET", b"k", value]]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"*x\r\n", "invalid multibulk length"),
        (b"*2147483648\r\n", "invalid multibulk length"),
        (b"*03\r\n", "invalid multibulk length"),
        (b"*1\r\n:1\r\n", "expected '$', got ':'"),
        (b"*1\r\n\xff1\r\n", "expected '$', got '\udcff'"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$x\r\n", "invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (b'PING "a\r\n', "unbalanced quotes in request"),
        (b"P" * (INLINE_LIMIT + 1), "too big inline request"),
        (b"*" + b"1" * (INLINE_LIMIT + 1), "too big mbulk count string"),
        (b"*1\r\n$" + b"1" * (INLINE_LIMIT + 1), "too big bulk count string"),
    ],
)
def test_protocol_errors(data, message):
    parser = RequestParser()
    good = command(b"PING")
    assert parser.feed(good + data) == [[b"PING"]]
    assert str(parser.error) == message
    assert parser.error.__traceback__ is None  # by its frames it would be tied to the parser in a circle
    assert parser.feed(good) == []


def test_the_two_bytes_after_a_bulk_are_not_looked_at():
    assert RequestParser().feed(b"*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n") == [[b"PING"], [b"PING"]]


def test_before_authentication_one_command_at_a_time_and_tighter_limits():
    parser = RequestParser()
    parser.restricted = True
    assert parser.feed(command(b"AUTH", b"x") + command(b"PING")) == [[b"AUTH", b"x"]]
    parser.restricted = False
    assert parser.feed(b"") == [[b"PING"]]

    parser.restricted = True
    assert parser.feed(b"*11\r\n") == []
    assert str(parser.error) == "unauthenticated multibulk length"

    parser = RequestParser()
    parser.restricted = True
    assert parser.feed(b"*1\r\n$16385\r\n") == []
    assert str(parser.error) == "unauthenticated bulk length"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", []),
        (b"  a\tb ", [b"a", b"b"]),
        (b'"a b" c', [b"a b", b"c"]),
        (b'"\\x41\\n\\r\\t\\b\\a\\q"', [b"A\n\r\t\b\aq"]),
        (b'"\\x4"', [b"x4"]),
        (b"'a\\'b\\n'", [b"a'b\\n"]),
        (b'a"b"', [b"ab"]),
        (b'"a"b', None),
        (b"'a", None),
        (b'""', [b""]),
        (b"a\0b c", [b"a"]),
    ],
)
def test_inline_quoting(line, words):
    assert split_inline(line) == words
