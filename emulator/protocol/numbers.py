"""Reads and prints numbers as Redis does.

Integers are strict (no sign ``+``, no spaces, no leading zeros).  Doubles are printed with Grisu2, whose digits are
nearly always, but not always, the shortest ones: ``1e23`` is printed ``99999999999999990000000``, so Python's ``repr``
will not do.

Source: F. Loitsch, "Printing Floating-Point Numbers Quickly and Accurately with Integers", PLDI 2010.
"""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Final, cast

from emulator.lua import function

_SPACES = b" \t\n\v\f\r"
_FEW_ZEROS = 1e8
"""Whole numbers below that end in so few zeros that they are printed in full."""
_LARGEST_PLAIN = 2.0**62
"""Whole doubles up to this size are printed as integers."""
_FEW = 100
"""So many doubles are more quickly looked up than printed."""
_KEPT = 4096
"""Texts that are kept, and the size of whole numbers beyond which it is as quick to print them."""
_ZERO = 0x30
_CERTAINLY_FITS = 19
"""A number with so many digits may exceed 64 bits."""
INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)
UINT64_MAX = 2**64 - 1


_COMMON: Final = {b"0": 0, b"-1": -1}
"""Integers that are no plain digits above zero, but often asked for."""


def wrapped(number: int) -> int:
    """Return a number wrapped to a signed 64-bit integer."""
    return (number - INT64_MIN & UINT64_MAX) + INT64_MIN


def parse_integer(text: bytes) -> int | None:
    """Return a signed 64-bit integer, None if the text is not its canonical form."""
    if text.isdigit() and text[0] > _ZERO and len(text) < _CERTAINLY_FITS:  # what most are
        return int(text)
    if (common := _COMMON.get(text)) is not None:
        return common
    if len(text) > 20:
        return None
    try:
        number = int(text)
    except ValueError:
        return None
    if INT64_MIN <= number <= INT64_MAX and b"%d" % number == text:
        return number
    return None


def is_integer(text: bytes) -> bool:
    """Return whether a text is a signed 64-bit integer; most texts are judged without conversion."""
    if text.isdigit():
        return (text[0] > _ZERO and len(text) < _CERTAINLY_FITS) or parse_integer(text) is not None
    return text[:1] == b"-" and parse_integer(text) is not None


def parse_unsigned(text: bytes) -> int | None:
    """Return an unsigned 64-bit integer as C's strtoull reads it, None if it is none; canonical negative ones are refused."""
    number = parse_integer(text)
    if number is not None:
        return number if number >= 0 else None
    digits = text.partition(b"\0")[0].lstrip(_SPACES)
    sign = digits[:1]
    digits = digits[1:] if sign in (b"-", b"+") else digits
    if not digits.isdigit():
        return None
    number = saturated(digits)
    if number > UINT64_MAX:
        return None
    return -number & UINT64_MAX if sign == b"-" else number


def saturated(digits: bytes) -> int:
    """Return the integer of any number of decimal digits, at most 2**64."""
    significant = digits.lstrip(b"0")
    return min(int(significant or b"0"), 1 << 64) if len(significant) <= 20 else 1 << 64


def parse_double(text: bytes) -> float | None:
    """Return a double (decimal, hexadecimal or infinite); None if the text is no number, or one too large or too small."""
    if text.isdigit() and len(text) < 300:
        return float(text)
    number = to_double(text)
    if number is None or (math.isinf(number) and b"n" not in text.lower()):
        return None
    if number == 0 and text.lower().partition(b"e")[0].strip(b"+-0.x"):
        return None
    return number


def parse_decimal(text: bytes) -> float | None:
    """Return a double as `parse_double` does, but no hexadecimal one."""
    return None if b"x" in text.lower() else parse_double(text)


_COMMON_ENDS = {b"-inf": -math.inf, b"+inf": math.inf, **{b"%d" % number: float(number) for number in range(256)}}
"""What most ranges of scores begin or end with."""


def read_double(text: bytes) -> float | None:
    """Return a double as SORT and score ranges read it: decimal, of any size (overflow and underflow included).

    An empty text is 0; a zero byte ends the text.
    """
    common = _COMMON_ENDS.get(text)
    if common is not None:
        return common
    if text.isdigit() and len(text) < 300:
        return float(text)
    text = text.partition(b"\0")[0]
    if not text:
        return 0.0
    return None if b"x" in text.lower() else to_double(text)


def read_c_double(text: bytes) -> float | None:
    """Return a double as C's strtod reads it: behind spaces, decimal or hexadecimal, of any size; an empty text is 0."""
    text = text.partition(b"\0")[0]
    return to_double(text.lstrip(_SPACES)) if text else 0.0


def to_double(text: bytes) -> float | None:
    """Return the nearest double, which may be infinite; None if the text is no number or NaN."""
    if text.strip() != text or b"_" in text or not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = _parse_hexadecimal(text)
    return None if math.isnan(number) else number


def _parse_hexadecimal(text: bytes) -> float:
    if b"x" not in text.lower():
        return math.nan
    try:
        return float.fromhex(text.decode("ascii"))
    except (ValueError, UnicodeDecodeError):
        return math.nan
    except OverflowError:
        return -math.inf if text.startswith(b"-") else math.inf


class _Texts(dict[float, bytes]):
    """The texts of doubles that were asked for lately, but of zero, of which there are two, and of large whole numbers."""

    def __missing__(self, number: float) -> bytes:
        if number.is_integer() and -_LARGEST_PLAIN <= number <= _LARGEST_PLAIN:
            text = b"%d" % number if number or math.copysign(1, number) > 0 else b"-0"
            is_kept = 0 < abs(number) < _KEPT
        else:
            text = _format_double(number)
            is_kept = True
        if is_kept:
            if len(self) >= _KEPT:
                self.clear()
            self[number] = text
        return text


format_double: Final[Callable[[float], bytes]] = _Texts().__getitem__
"""Prints a double as in replies such as ZSCORE's."""


def format_shortest(number: float) -> bytes:
    """Print a double with as few characters as Redis's own printer does: large round ones in scientific notation."""
    if abs(number) < _FEW_ZEROS or not math.isfinite(number):
        return format_double(number)
    sign = "-" if number < 0 else ""
    return (sign + _layout(*_grisu2(abs(number)), 18 - len(sign))).encode()


def format_doubles(numbers: Sequence[float]) -> list[bytes]:
    """Print many doubles, quickly with LuaJIT."""
    printer = _printer() if len(numbers) > _FEW else None
    if printer is None:
        return list(map(format_double, numbers))
    texts: list[bytes] = printer(struct.pack(f"{len(numbers)}d", *numbers)).split(b"\n")
    del texts[-1]
    if not all(texts):  # there is nothing for what the printer leaves out
        return [text or format_double(number) for text, number in zip(texts, numbers, strict=True)]
    return texts


@cache
def _printer() -> Callable[[bytes], bytes] | None:
    """Prints doubles one a line, leaves out zero and those at the ends of the range; None without LuaJIT."""
    make = function("protocol/doubles", "printer")
    if make is None:
        return None
    significands, exponents = zip(*map(_cached_power, range(-348, 341, 8)), strict=True)
    return cast("Callable[[bytes], bytes]", make(array("Q", significands).tobytes(), array("h", exponents).tobytes()))


def _format_double(number: float) -> bytes:
    if math.isinf(number):
        return b"inf" if number > 0 else b"-inf"
    if math.isnan(number):
        return b"nan"
    sign = "-" if number < 0 else ""
    digits, power = _certain_digits(abs(number)) or _grisu2(abs(number))
    return (sign + _layout(digits, power, 18 - len(sign))).encode()


def _layout(digits: str, power: int, most: int) -> str:
    """Print digits times a power of ten, in plain notation if that is short, else in scientific notation."""
    count = len(digits)
    exponent = power + count - 1
    if power >= 0 and abs(exponent) < count + 7:
        return digits + "0" * power
    if power < 0 and (power > -7 or abs(exponent) < 4):
        point = count + power
        return f"{digits[:point]}.{digits[point:]}" if point > 0 else f"0.{'0' * -point}{digits}"
    digits = digits[:most]
    fraction = "." + digits[1:] if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{'-' if exponent < 0 else '+'}{abs(exponent)}"


def _certain_digits(number: float) -> tuple[str, int] | None:
    """Return the result of `_grisu2` for the cost of `repr`; None if it is uncertain.

    At most one number with up to 15 digits lies between a double's boundaries (halfway to its neighbours).  Grisu2 finds it
    unless it places it outside of them, and it knows them to a thousandth of their distance.
    """
    text = repr(number)
    whole, _, part = text.partition(".")
    digits = (whole + part).lstrip("0")
    return (digits, -len(part)) if digits.isdigit() and _is_certain(text.encode(), number) else None


def _is_certain(text: bytes, number: float) -> bool:
    """Whether Grisu2 is known to find the digits of a positive double's `repr`, which is not whole and has no exponent.

    They are the nearest of the fewest that lie between a double's boundaries (the middles between it and its neighbours).
    Grisu2 finds the same unless it takes them to lie beyond a boundary, or the next ones to be as near; it knows all of
    them to a thousandth of the distance between the boundaries.
    """
    whole, _, part = text.partition(b".")
    fraction, exponent = math.frexp(number)
    significand, between, step = int(fraction * _SIGNIFICANDS), _POWERS[len(part)], 1 << 53 - exponent
    error = abs(int(whole + part) * step - significand * between)
    return significand != _HIDDEN_BIT and 256 * error <= 127 * between and 128 * (step - 2 * error) > between


_SIGNIFICANDS = 1 << 53
_POWERS = [10**power for power in range(32)]
_HIDDEN_BIT = 1 << 52


@lru_cache(maxsize=128)
def _cached_power(k: int) -> tuple[int, int]:
    """Ten to the k as a 64-bit significand, rounded, and a binary exponent."""
    ten = 10 ** abs(k)
    size = ten.bit_length()
    exponent = size - 64 if k >= 0 else -size - 63
    doubled = (ten << 128 >> exponent + 127) if k >= 0 else (1 << 1 - exponent) // ten
    return (doubled + 1) // 2, exponent


def _multiply(a: int, b: int) -> int:
    """Return the upper half of a 64 by 64 bit product, rounded as in the paper's implementation."""
    low = 0xFFFFFFFF
    high_low = (a >> 32) * (b & low)
    low_high = (a & low) * (b >> 32)
    middle = (high_low & low) + (low_high & low) + (((a & low) * (b & low)) >> 32) + (1 << 31)
    return (a >> 32) * (b >> 32) + (high_low >> 32) + (low_high >> 32) + (middle >> 32)


def _scale(exponent: int) -> tuple[int, int, int]:
    """Return the power of ten that scales a number of that exponent into the range of the digit generator."""
    index = int((-(exponent + 87) * 0.30102999566398114 + 348) / 8)
    while True:
        significand, power = _cached_power(-348 + 8 * index)
        reached = exponent + power + 64
        if reached < -60:
            index += 1
        elif reached > -32:
            index -= 1
        else:
            return significand, power, -348 + 8 * index


def _grisu2(number: float) -> tuple[str, int]:
    """Return the decimal digits and the power of ten of a positive double."""
    bits = struct.unpack("<Q", struct.pack("<d", number))[0]
    fraction, biased = bits & (_HIDDEN_BIT - 1), bits >> 52
    if biased:
        fraction, exponent = fraction + _HIDDEN_BIT, biased - 1075
    else:
        exponent = -1074
    upper = 2 * fraction + 1
    shift = 64 - upper.bit_length()
    upper <<= shift
    upper_exponent = exponent - 1 - shift
    lower_shift = 2 if fraction == _HIDDEN_BIT else 1
    lower = ((fraction << lower_shift) - 1) << (exponent - lower_shift - upper_exponent)
    value = fraction << (64 - fraction.bit_length())

    significand, power, k = _scale(upper_exponent)
    value = _multiply(value, significand)
    upper = _multiply(upper, significand) - 1
    lower = _multiply(lower, significand) + 1
    digits, kappa = _generate(value, upper, upper - lower, -(upper_exponent + power + 64))
    return "".join(map(str, digits)), kappa - k


def _generate(value: int, upper: int, delta: int, shift: int) -> tuple[list[int], int]:
    """Return the shortest digits between the boundaries, and the power of the last digit."""
    one = 1 << shift
    distance = upper - value
    whole, part = upper >> shift, upper & (one - 1)
    digits: list[int] = []
    for kappa in range(9, -1, -1):
        unit = 10**kappa
        digit, whole = divmod(whole, unit)
        if digit or digits:
            digits.append(digit)
        rest = (whole << shift) + part
        if rest <= delta:
            _round(digits, delta, rest, unit << shift, distance)
            return digits, kappa
    kappa = 0
    while True:
        part *= 10
        delta *= 10
        distance *= 10
        kappa -= 1
        digit, part = part >> shift, part & (one - 1)
        if digit or digits:
            digits.append(digit)
        if part < delta:
            _round(digits, delta, part, one, distance)
            return digits, kappa


def _round(digits: list[int], delta: int, rest: int, unit: int, distance: int) -> None:
    while (
        rest < distance
        and delta - rest >= unit
        and (rest + unit < distance or distance - rest > rest + unit - distance)
    ):
        digits[-1] -= 1
        rest += unit
