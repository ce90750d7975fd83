"""Numbers as the real module reads, adds up and prints them.

It reads a number's digits into 64 bits and scales them by one power of ten, so that the last bit of a long one is not
always the nearest; whole numbers are integers as long as they fit 64 bits.
"""

from __future__ import annotations

import math
import re
from typing import Final

from emulator.protocol.numbers import INT64_MAX, INT64_MIN, UINT64_MAX, wrapped

_DIGITS: Final = 10
_MOST_POWER: Final = 308
_POWERS: Final = tuple(float(f"1e{power}") for power in range(_MOST_POWER + 1))
INT32_MAX: Final = 2**31 - 1
_UINT32_MAX: Final = 2**32 - 1
_SHORTEST: Final = re.compile(r"(-?)(\d)(?:\.(\d+))?e([+-]\d+)")
_PLAIN_FROM: Final = -5
"""The least power of ten that is printed as zeros behind the point."""
_SHAPE: Final = bytes(
    ord("0") if chr(byte) in "0123456789." else ord("e") if chr(byte) in "eE" else ord(" ") for byte in range(256)
)


class OutOfRange(ValueError):
    """A number is too large for a double."""


def read_integer(text: str) -> int | float:
    """An integer, or where 64 bits do not hold it a double; ``-0`` is a double too."""
    if len(text) > 20:
        return read_double(text)
    number = int(text)
    if not INT64_MIN <= number <= UINT64_MAX or (not number and text[0] == "-"):
        return read_double(text)
    return number


def read_double(text: str) -> float:
    """A double; raises `OutOfRange`."""
    negative = text[0] == "-"
    mantissa, _, power = text.lower().removeprefix("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    significand, exponent = _significand(whole, fraction)
    if power:
        exponent += _power(power, significand)
    value = _scaled(significand, exponent)
    return -value if negative else value


def _significand(whole: str, fraction: str) -> tuple[int, int]:
    """The leading digits, as many as 64 bits hold, and the power of ten that they are short of."""
    digits = (whole + fraction).lstrip("0") if whole == "0" else whole + fraction
    if len(digits) < 20:
        return int(digits or "0"), -len(fraction)
    taken = 19 if int(digits[:20]) > UINT64_MAX else 20
    dropped = len(digits) - taken
    return int(digits[:taken]), dropped - len(fraction)


def _power(text: str, significand: int) -> int:
    """What stands behind the ``e``; raises `OutOfRange` where no power could be so great."""
    digits = text.lstrip("+-").lstrip("0") or "0"
    power = INT32_MAX if len(digits) > _DIGITS else min(int(digits), INT32_MAX)
    if text[0] == "-":
        return -power
    if power == INT32_MAX and significand:
        raise OutOfRange
    return power


def _scaled(significand: int, exponent: int) -> float:
    value = float(significand)
    while value and abs(exponent) > _MOST_POWER:
        if exponent > 0:
            raise OutOfRange
        value /= _POWERS[_MOST_POWER]
        exponent += _MOST_POWER
    if not value:
        return 0.0
    value = value * _POWERS[exponent] if exponent >= 0 else value / _POWERS[-exponent]
    if value == float("inf"):
        raise OutOfRange
    return value


def number_text(value: int | float) -> str:
    """The digits of a number: the fewest that stand for no other double."""
    text = repr(value)
    match = _SHORTEST.fullmatch(text)
    if match is None:
        return text
    sign, first, others, exponent = match[1], match[2], match[3] or "", int(match[4])
    if exponent == _PLAIN_FROM:
        return f"{sign}0.0000{first}{others}"
    return f"{sign}{first}{'.' if others else ''}{others}e{exponent}"


def added(one: int | float, other: int | float) -> int | float:
    """The sum: an integer where both are and it fits 64 bits, else a double."""
    return _in_integers(one, other, one + other)


def multiplied(one: int | float, other: int | float) -> int | float:
    """The product, in the same way."""
    return _in_integers(one, other, one * other)


def raised(one: int | float, other: int | float) -> int | float:
    """A power, in the same way; an integer's negative power is what 32 bits without a sign make of it."""
    if _is_signed(one) and _is_signed(other):
        if other < 0:
            return wrapped(pow(int(one), int(other) & _UINT32_MAX, UINT64_MAX + 1))
        if abs(one) <= 1 or other <= 64:
            return _in_integers(one, other, int(one) ** int(other))
    try:
        return math.pow(one, other)
    except (OverflowError, ValueError):
        return math.inf


def _is_signed(number: int | float) -> bool:
    return number.__class__ is int and INT64_MIN <= number <= INT64_MAX


def _in_integers(one: int | float, other: int | float, result: int | float) -> int | float:
    """A result, as a double where an operand or the result is no signed integer of 64 bits."""
    return result if _is_signed(one) and _is_signed(other) and _is_signed(result) else float(result)


def shape_of(text: bytes) -> bytes:
    """Where the numbers of a text are: 0 for each digit and point, e for each e, and spaces."""
    return text.translate(_SHAPE)
