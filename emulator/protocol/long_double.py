"""Numbers with the 64-bit significand of x86's long double, for INCRBYFLOAT and HINCRBYFLOAT.

A finite number is a pair of integers, so reading, adding and printing are exact up to the one rounding that the processor
does as well (to nearest, ties to even).
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Final, NamedTuple

from emulator.protocol.numbers import saturated, to_double

_BITS: Final = 64
_MAX_EXPONENT: Final = 16384
_MIN_EXPONENT: Final = -16446
_LONGEST: Final = 5 * 1024
"""Redis copies a text into a buffer of this size, including a zero byte, before it reads the number."""
_DECIMAL: Final = re.compile(rb"([-+]?)(\d*)\.?(\d*)(?:e([-+]?)(\d+))?", re.IGNORECASE)
_PLACES: Final = 10**17
_DIGITS_AT_ONCE: Final = 600
"""The number of digits converted at a time, since Python refuses thousands at once."""


class LongDouble(NamedTuple):
    """``significand * 2**exponent``; the significand has at most 64 bits."""

    significand: int
    exponent: int

    def __float__(self) -> float:
        return math.ldexp(float(self.significand), self.exponent)


ZERO: Final = LongDouble(0, 0)
GREATEST: Final = LongDouble((1 << _BITS) - 1, _MAX_EXPONENT - _BITS)


def parse_long_double(text: bytes) -> LongDouble | float | None:
    """Return the number of a text, a float for an infinity; None if the text is no number or out of range."""
    return _parsed(text) if len(text) < _LONGEST else None


@lru_cache(maxsize=64)  # one increment is mostly added time and again
def _parsed(text: bytes) -> LongDouble | float | None:
    double = to_double(text)
    if double is None:
        return None
    match = _DECIMAL.fullmatch(text)
    if match is None:
        if b"x" not in text.lower():
            return double
        return _quotient(*double.as_integer_ratio()) if math.isfinite(double) else None
    sign, whole, decimals, exponent_sign, exponent_digits = match.groups()
    digits = _value(whole + decimals)
    if not digits:
        return ZERO
    exponent = min(saturated(exponent_digits or b"0"), 1 << 16)
    power = (-exponent if exponent_sign == b"-" else exponent) - len(decimals)
    if abs(power + len(whole) + len(decimals)) > 5200 + _LONGEST:
        return None
    number = _quotient(digits * 10**power, 1) if power >= 0 else _quotient(digits, 10**-power)
    magnitude = number.significand.bit_length() + number.exponent
    if magnitude > _MAX_EXPONENT or magnitude <= _MIN_EXPONENT + 1:
        return None
    return LongDouble(-number.significand, number.exponent) if sign == b"-" else number


def add_long_doubles(a: LongDouble | float, b: LongDouble | float) -> bytes | None:
    """Return the sum of two results of `parse_long_double` as text; None if it is not finite."""
    if isinstance(a, float) or isinstance(b, float):
        return None
    exponent = min(a.exponent, b.exponent)
    exact = (a.significand << (a.exponent - exponent)) + (b.significand << (b.exponent - exponent))
    total = _rounded(exact, exponent)
    if total.significand.bit_length() + total.exponent > _MAX_EXPONENT:
        return None
    return format_long_double(total)


def format_long_double(number: LongDouble) -> bytes:
    """Print a number with at most 17 decimals, without trailing zeros."""
    significand, exponent = number
    magnitude = abs(significand) * _PLACES
    scaled = magnitude << exponent if exponent >= 0 else _shifted(magnitude, -exponent)
    whole, decimals = divmod(scaled, _PLACES)
    text = f"{_digits(whole)}.{decimals:017d}".rstrip("0").rstrip(".")
    return (text if significand > 0 or text == "0" else f"-{text}").encode()


def _quotient(numerator: int, denominator: int) -> LongDouble:
    """Return the number nearest to a quotient; the sign is applied after rounding the magnitude."""
    if numerator < 0:
        positive = _quotient(-numerator, denominator)
        return LongDouble(-positive.significand, positive.exponent)
    shift = max(_BITS + 2 - numerator.bit_length() + denominator.bit_length(), 0)
    quotient, rest = divmod(numerator << shift, denominator)
    return _rounded(quotient << 1 | (rest > 0), -shift - 1)  # a sticky bit for the remainder


def _rounded(significand: int, exponent: int) -> LongDouble:
    """Round to 64 bits."""
    excess = significand.bit_length() - _BITS
    if excess <= 0:
        return LongDouble(significand, exponent)
    magnitude = _shifted(abs(significand), excess)
    return LongDouble(magnitude if significand > 0 else -magnitude, exponent + excess)


def _shifted(number: int, bits: int) -> int:
    """Divide an integer by a power of two and round to nearest, ties to even."""
    kept = number >> bits
    lost = number - (kept << bits)
    half = 1 << (bits - 1)
    return kept + (lost > half or (lost == half and kept & 1))


def _value(digits: bytes) -> int:
    """Return the integer of decimal digits."""
    if len(digits) <= _DIGITS_AT_ONCE:
        return int(digits or b"0")
    half = len(digits) // 2
    upper: int = _value(digits[:-half]) * 10**half
    return upper + _value(digits[-half:])


def _digits(number: int) -> str:
    """Return the decimal digits of an integer of any size."""
    pieces = []
    while number >= 10**_DIGITS_AT_ONCE:
        number, piece = divmod(number, 10**_DIGITS_AT_ONCE)
        pieces.append(f"{piece:0{_DIGITS_AT_ONCE}d}")
    return str(number) + "".join(reversed(pieces))
