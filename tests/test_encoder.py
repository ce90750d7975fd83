"""Replies to bytes on both protocols, and numbers as the real server prints them."""

import math
import random
from fractions import Fraction

import pytest

from emulator.protocol import numbers
from emulator.protocol.encoder import encode
from emulator.protocol.errors import CommandError
from emulator.protocol.long_double import LongDouble, add_long_doubles, format_long_double, parse_long_double
from emulator.protocol.numbers import format_double, parse_double, parse_integer
from emulator.protocol.replies import (
    NO_REPLY,
    NULL_ARRAY,
    OK,
    BigNumber,
    Entries,
    Head,
    MapHead,
    Nested,
    Pairs,
    Push,
    Replies,
    Rows,
    SetHead,
    SetReply,
    Status,
    Verbatim,
)

ENTRY = b"*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\na\r\n"
LONG = b"x" * 1500
LONG_ENTRIES = b"*2" + ENTRY[2:] + b"*2\r\n$3\r\n2-1\r\n*2\r\n$1\r\nf\r\n$1500\r\n%b\r\n" % LONG


@pytest.mark.parametrize(
    ("value", "resp2", "resp3"),
    [
        (None, b"$-1\r\n", b"_\r\n"),
        (NULL_ARRAY, b"*-1\r\n", b"_\r\n"),
        (OK, b"+OK\r\n", b"+OK\r\n"),
        (b"", b"$0\r\n\r\n", b"$0\r\n\r\n"),
        (b"x" * 1024, b"$1024\r\n" + b"x" * 1024 + b"\r\n", b"$1024\r\n" + b"x" * 1024 + b"\r\n"),
        (bytearray(b"ab"), b"$2\r\nab\r\n", b"$2\r\nab\r\n"),
        (0, b":0\r\n", b":0\r\n"),
        (-5, b":-5\r\n", b":-5\r\n"),
        (1024, b":1024\r\n", b":1024\r\n"),
        (True, b":1\r\n", b"#t\r\n"),
        (False, b":0\r\n", b"#f\r\n"),
        (1.5, b"$3\r\n1.5\r\n", b",1.5\r\n"),
        (math.inf, b"$3\r\ninf\r\n", b",inf\r\n"),
        (BigNumber(b"1" + b"0" * 20), b"$21\r\n1" + b"0" * 20 + b"\r\n", b"(1" + b"0" * 20 + b"\r\n"),
        (Verbatim(b"hi"), b"$2\r\nhi\r\n", b"=6\r\ntxt:hi\r\n"),
        ([], b"*0\r\n", b"*0\r\n"),
        ([1, [b"a", None]], b"*2\r\n:1\r\n*2\r\n$1\r\na\r\n$-1\r\n", b"*2\r\n:1\r\n*2\r\n$1\r\na\r\n_\r\n"),
        ({b"a": 1}, b"*2\r\n$1\r\na\r\n:1\r\n", b"%1\r\n$1\r\na\r\n:1\r\n"),
        (SetReply([b"a"]), b"*1\r\n$1\r\na\r\n", b"~1\r\n$1\r\na\r\n"),
        (Push([b"a"]), b"*1\r\n$1\r\na\r\n", b">1\r\n$1\r\na\r\n"),
        (Pairs([b"a"], [1.5]), b"*2\r\n$1\r\na\r\n$3\r\n1.5\r\n", b"*1\r\n*2\r\n$1\r\na\r\n,1.5\r\n"),
        (Replies([1, 2]), b":1\r\n:2\r\n", b":1\r\n:2\r\n"),
        (Replies([b"a", b"bc"] * 16), b"$1\r\na\r\n$2\r\nbc\r\n" * 16, b"$1\r\na\r\n$2\r\nbc\r\n" * 16),
        (
            Nested([Head(2), MapHead(1), b"a", SetHead(1), 1, None]),
            b"*2\r\n*2\r\n$1\r\na\r\n*1\r\n:1\r\n$-1\r\n",
            b"*2\r\n%1\r\n$1\r\na\r\n~1\r\n:1\r\n_\r\n",
        ),
        (Rows([]), b"*0\r\n", b"*0\r\n"),
        (
            Rows([b"a", b"b"], [1, None]),
            b"*2\r\n*2\r\n$1\r\na\r\n:1\r\n*2\r\n$1\r\nb\r\n$-1\r\n",
            b"*2\r\n*2\r\n$1\r\na\r\n:1\r\n*2\r\n$1\r\nb\r\n_\r\n",
        ),
        (
            [Rows([LONG], Rows([1.5], [0.0]))],
            b"*1\r\n*1\r\n*2\r\n" + encode(LONG, 2) + b"*2\r\n$3\r\n1.5\r\n$1\r\n0\r\n",
            b"*1\r\n*1\r\n*2\r\n" + encode(LONG, 3) + b"*2\r\n,1.5\r\n,0\r\n",
        ),
        (Entries([[[b"1-1"], [b"f"], [b"a"]], [[b"2-1"], [b"f"], [LONG]]]), LONG_ENTRIES, LONG_ENTRIES),
        (Entries([[[b"1-1"], [b"f"], [b"a"]]]), ENTRY, ENTRY),
        (Entries([]), b"*0\r\n", b"*0\r\n"),
        (NO_REPLY, b"", b""),
        (CommandError("ERR a\r\nb"), b"-ERR a  b\r\n", b"-ERR a  b\r\n"),
        ([CommandError("ERR a")], b"*1\r\n-ERR a\r\n", b"*1\r\n-ERR a\r\n"),
    ],
)
def test_every_type(value, resp2, resp3):
    assert encode(value, 2) == resp2
    assert encode(value, 3) == resp3


@pytest.mark.parametrize("count", [23, 24, 4001])
@pytest.mark.parametrize(
    "second",
    [
        float,
        lambda number: number + 0.1,
        lambda number: 0.0 if number else -0.0,
        lambda number: b"%d" % number,
        lambda number: b"long" * 500,
        lambda number: number / 2 if number % 2 else None,
    ],
)
def test_many_pairs_are_as_one_after_the_other(count, second):
    pairs = [(b"a" * (number % 70), second(number)) for number in range(count)]
    one_by_one = [part for pair in pairs for part in pair]
    assert encode(Pairs(*zip(*pairs, strict=True)), 2) == b"*%d\r\n" % (2 * count) + b"".join(
        encode(part, 2) for part in one_by_one
    )
    assert encode(Pairs(*zip(*pairs, strict=True)), 3) == b"*%d\r\n" % count + b"".join(
        encode(pair, 3) for pair in pairs
    )


@pytest.mark.parametrize("count", [24, 4001])
@pytest.mark.parametrize(
    "body",
    [
        lambda number: (b"f", b"%d" % number),
        lambda number: (b"f", b"v", b"", b"long" * 10),
        lambda number: (b"f", b"v") * (1 + number % 2),
        lambda number: (b"f", b"long" * 500),
        lambda number: (b"f", number),
        lambda number: [b"f", b"v"],
        lambda number: (b"f", b"v") if number else None,
        lambda number: (),
    ],
)
def test_many_entries_are_as_one_after_the_other(count, body):
    entries = [[b"%d-1" % number, body(number)] for number in range(count)]
    for protocol in (2, 3):
        one_by_one = b"".join(encode(entry, protocol) for entry in entries)
        assert encode(entries, protocol) == b"*%d\r\n" % count + one_by_one


def test_many_strings_are_as_one_after_the_other():
    strings = [b"a" * (number % 70) for number in range(4001)]
    assert encode(strings, 2) == b"*4001\r\n" + b"".join(encode(string, 2) for string in strings)
    assert encode(SetReply(strings), 3) == b"~4001\r\n" + b"".join(encode(string, 3) for string in strings)


@pytest.mark.parametrize(
    "odd", [b"", b"x" * 9, b"x" * 5000, bytearray(b"ab"), Status(b"OK"), None, 5, 5000, -1, 0.5, [b"a"], True]
)
@pytest.mark.parametrize("count", [1, 8, 30, 199, 200, 2000, 2001])
def test_strings_with_something_else_among_them_are_as_one_after_the_other(count, odd):
    for place in {0, count // 2, count - 1}:
        values = [b"ab" * (1 + number % 2) for number in range(count)]
        values[place] = odd
        for protocol in (2, 3):
            one_by_one = b"".join(encode(value, protocol) for value in values)
            assert encode(values, protocol) == b"*%d\r\n" % count + one_by_one
            as_dict = encode({b"%d" % number: value for number, value in enumerate(values)}, protocol)
            assert as_dict.partition(b"\r\n")[2] == b"".join(
                encode(b"%d" % number, protocol) + encode(value, protocol) for number, value in enumerate(values)
            )


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.1, b"0.1"),
        (3.0, b"3"),
        (-1.0, b"-1"),
        (1e17, b"100000000000000000"),
        (123456789012345678.0, b"123456789012345680"),
        (1e19, b"1e+19"),
        (12345678901234567890.0, b"12345678901234567000"),
        (1.1e20, b"1.1e+20"),
        (1234567890.123456789, b"1.2345678901234567e+9"),
        (0.0001234, b"1.234e-4"),
        (0.00001, b"0.00001"),
        (1e-7, b"1e-7"),
        (1e23, b"99999999999999990000000"),
        (5e-324, b"5e-324"),
        (1.7976931348623157e308, b"1.7976931348623157e+308"),
        (-math.inf, b"-inf"),
        (math.nan, b"nan"),
    ],
)
def test_doubles_as_the_real_server_prints_them(number, text):
    assert format_double(number) == text


def test_printed_doubles_read_back():
    import random

    rng = random.Random(1)
    for _ in range(20_000):
        number = rng.choice([rng.uniform(-1e6, 1e6), math.ldexp(rng.random(), rng.randint(-1074, 1000))])
        assert float(format_double(number)) == number


def test_the_short_way_to_digits_is_that_of_grisu2():
    rng = random.Random(1)
    decimals = [round(rng.random() * 10 ** rng.randrange(9), rng.randrange(1, 7)) for _ in range(3000)]
    decimals += [rng.random() * 10 ** rng.randrange(9) for _ in range(3000)]
    halves = [rng.randrange(1, 10 ** rng.randrange(1, 15)) / 2 ** rng.randrange(1, 12) for _ in range(3000)]
    certain = [number for number in decimals + halves if numbers._certain_digits(number)]
    assert len(certain) > 8000
    for number in certain:
        assert numbers._certain_digits(number) == _with_a_fraction(numbers._grisu2(number))


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("count", [1, 23, 24, 3000])
@pytest.mark.parametrize("text", [b"short", b"long" * 500])
def test_rows_are_as_lists(protocol, count, text):
    numbers = [float(number) / 3 for number in range(count)]
    rows = Rows(
        [text] * count, list(range(count)), Rows(numbers, numbers[::-1]), [None, *[b"a"] * (count - 1)], numbers
    )
    assert encode(rows, protocol) == encode(list(rows), protocol)
    assert encode({b"a": rows}, protocol) == encode({b"a": list(rows)}, protocol)


def test_many_doubles_are_as_one_after_the_other():
    rng = random.Random(1)
    scores = [rng.uniform(0.0001, 20_000) * rng.choice((1, 1, 1, -1)) for _ in range(20_000)]
    scores += [5.0, 0.0, -0.0, 1e-3, 1e4, math.inf, math.nan, 1e100, 0.1, 1.0 / 3, 5e-324, -1e23]
    scores += [
        sign * math.ldexp(1 + rng.random() * rng.choice((0, 1)), power)
        for power in range(-1074, 1023)
        for sign in (1, -1)
    ]
    scores += [sign * 10.0**power for power in range(-323, 309) for sign in (1, -1)]
    scores += [float(rng.randrange(-(10**digits), 10**digits)) for digits in range(1, 25) for _ in range(200)]
    scores += [round(score, digits) for score in scores[:3000] for digits in (1, 3)]
    assert numbers.format_doubles(scores) == list(map(format_double, scores))


def _with_a_fraction(digits_and_power):
    """Digits as `repr` has them: with a fraction, be it a zero."""
    digits, power = digits_and_power
    return (digits + "0" * (power + 1), -1) if power >= 0 else (digits, power)


@pytest.mark.parametrize("text", [b"", b"+1", b"01", b"-0", b" 1", b"1 ", b"1_0", b"9223372036854775808", b"x", b"1.0"])
def test_what_is_no_integer(text):
    assert parse_integer(text) is None


def test_integers():
    assert parse_integer(b"9223372036854775807") == 2**63 - 1
    assert parse_integer(b"-9223372036854775808") == -(2**63)


@pytest.mark.parametrize("text", [b"", b"nan", b" 1", b"1 ", b"1_0", b"x", b"0x", b"--1"])
def test_what_is_no_double(text):
    assert parse_double(text) is None


def test_doubles():
    assert parse_double(b"+inf") == math.inf
    assert parse_double(b"-1e3") == -1000.0
    assert parse_double(b"0x10") == 16.0


def test_long_doubles_have_64_bits():
    one = parse_long_double(b"10.1")
    assert isinstance(one, LongDouble) and one.significand.bit_length() == 64
    assert add_long_doubles(one, LongDouble(1, 0)) == b"11.1"
    assert format_long_double(LongDouble(0x5555555555555555, -64)) == b"0.33333333333333333"


@pytest.mark.parametrize("seed", range(20))
def test_long_doubles_are_the_nearest_ones(seed):
    rng = random.Random(seed)
    for _ in range(200):
        whole, decimals = rng.randrange(10 ** rng.randrange(1, 30)), rng.randrange(10**9)
        text = f"{rng.choice(('-', '+', ''))}{whole}.{decimals}e{rng.randrange(-60, 60)}"
        number = parse_long_double(text.encode())
        assert isinstance(number, LongDouble)
        exact, found = Fraction(text), Fraction(number.significand) * Fraction(2) ** number.exponent
        bits = abs(number.significand).bit_length()
        assert bits <= 64 and abs(exact - found) * 2 <= Fraction(2) ** (bits - 64 + number.exponent)


def test_long_doubles_of_thousands_of_digits_are_read_and_printed():
    number = parse_long_double(b"1e4900")
    text = format_long_double(number)
    assert len(text) == 4901 and parse_long_double(text) == number
    assert parse_long_double(b"9" * 5000) is None and parse_long_double(b"1" * 5120) is None
    assert parse_long_double(b"0." + b"0" * 4500 + b"1") is not None
