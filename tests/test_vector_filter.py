"""FILTER expressions against Python's own arithmetic; fields of JSON against Python's own reader."""

import json
import math
import random

import pytest

from emulator.datatypes.vector_attribute import MISSING, member
from emulator.datatypes.vector_filter import Filter, FilterError


def holds(expression, **fields):
    return Filter(expression.encode())(json.dumps(fields).encode())


def tree(rng, depth):
    """An expression in brackets wherever it needs them, in our language and in Python's."""
    if not depth or rng.random() < 0.2:
        number = rng.randrange(1, 9)
        return (f".f{number}", f"f{number}") if rng.random() < 0.5 else (str(number), f"{number}.0")
    sign = rng.choice(["+", "-", "*", "/", "==", "!=", "<", "<=", ">", ">=", "and", "or", "not"])
    (a, python_a), (b, python_b) = tree(rng, depth - 1), tree(rng, depth - 1)
    if sign == "not":
        return f"not ({a})", f"float(not {python_a})"
    if sign in ("and", "or"):
        return f"({a} {sign} {b})", f"float(bool({python_a}) {sign} bool({python_b}))"
    if sign == "/":
        return f"({a} / {b})", f"divide({python_a}, {python_b})"
    return f"({a} {sign} {b})", f"float({python_a} {sign} {python_b})"


def divide(a, b):
    return a / b if b else math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a * math.copysign(1, b))


def test_random_expressions():
    rng = random.Random(1)
    fields = {f"f{number}": float(number) for number in range(1, 9)}
    truths = 0
    for _ in range(2000):
        expression, python = tree(rng, 4)
        expected = bool(eval(python, {"divide": divide} | fields))
        assert holds(expression, **fields) == expected, expression
        truths += expected
    assert 400 < truths < 1900


@pytest.mark.parametrize(
    ("expression", "fields", "expected"),
    [
        ("2 ** 3 ** 2 == 512", {}, True),
        ("7 - 2 - 1 == 4", {}, True),
        ("not 1 == 2", {}, False),
        ("1 == 5 in [5]", {}, False),
        (".a - 1 == 4", {"a": 5}, True),
        (".a-1 == 4", {"a": 5}, False),
        (".missing or 1", {}, False),
        ("not .missing", {}, False),
        ('.a == "5.0"', {"a": 5}, True),
        ('.a == "5.0"', {"a": "5"}, False),
        (".a in [1, 'x', -2.5]", {"a": "x"}, True),
        ('"b" in .a', {"a": "abc"}, True),
        ('"b" in .a', {"a": ["a", "b"]}, True),
        (".a == null", {"a": None}, True),
        (".a == 0", {"a": None}, False),
        (".a and .b", {"a": True, "b": [0]}, True),
        ("1 / 0 > 5 and -1 / 0 < 5 and 0 % 0 != 0", {}, True),
        ("2 ** 5000 > 5 and (0-2) ** 5001 < 5", {}, True),
    ],
)
def test_meaning(expression, fields, expected):
    assert holds(expression, **fields) is expected


@pytest.mark.parametrize(
    ("expression", "position"),
    [("", 0), ("1 +", 3), ("1 1", 3), ("(1", 2), ("1)", 2), ("true", 4), ("1 = 1", 3), ("1 # 2", 2), ("[1 2]", 3)],
)
def test_errors_tell_where(expression, position):
    with pytest.raises(FilterError) as raised:
        Filter(expression.encode())
    assert raised.value.position == position


def values(rng, depth):
    kind = rng.randrange(6 if depth else 4)
    if kind < 4:
        return rng.choice([None, True, False, rng.uniform(-1e6, 1e6), rng.randrange(-9, 9), 'a"\\\n]}[{,:', "", "é"])
    if kind == 4:
        return [values(rng, depth - 1) for _ in range(rng.randrange(4))]
    return {f"k{number}": values(rng, depth - 1) for number in range(rng.randrange(4))}


def as_read(value):
    """A value as filters know it; an object is none."""
    if isinstance(value, dict):
        raise TypeError
    if isinstance(value, list):
        return [as_read(element) for element in value]
    if isinstance(value, str):
        return value.encode()
    return None if value is None else float(value)


def test_random_json():
    rng = random.Random(2)
    for _ in range(2000):
        fields = {f"k{number}": values(rng, 3) for number in range(5)}
        text = json.dumps(fields, ensure_ascii=False, indent=rng.choice([None, 2])).encode()
        for name, value in fields.items():
            try:
                expected = as_read(value)
            except TypeError:
                expected = MISSING
            assert member(text, name.encode()) == expected
        assert member(text, b"k9") is MISSING


def test_json_nested_deeper_than_calls():
    text = b'{"a":' + b"[" * 5000 + b"1" + b"]" * 5000 + b',"b":2}'
    depth, value = 0, member(text, b"a")
    while isinstance(value, list):
        depth, value = depth + 1, value[0]
    assert (depth, value) == (5000, 1.0)
    assert member(text, b"b") == 2.0


def test_long_texts_are_gone_through_once():
    """These took minutes where each sign, or each quote, was the beginning of another search."""
    for sign in (b"(", b"!", b"-", b"null"):
        with pytest.raises(FilterError):
            Filter(sign * 200_000)
    assert member(b'{"x":[' + b'"\\' * 200_000, b"b") is MISSING
