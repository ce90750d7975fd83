"""Numbers as time series read and print them."""

from __future__ import annotations

import math
import re
from typing import Final

from emulator.protocol.errors import CommandError

_NUMBER: Final = re.compile(rb"-?(?:0(?![0-9])|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?![.eE])")
_LARGEST_INTEGER: Final = 2.0**52


def parse(text: bytes) -> float:
    """The decimal number with which a text begins; raises where there is none, or one too large."""
    found = _NUMBER.match(text)
    number = float(found[0]) if found is not None else math.inf
    if math.isinf(number):
        raise CommandError("ERR TSDB: invalid value")
    return number


def printed(number: float) -> bytes:
    """A number as RESP2 has it: the shortest digits, scientific where they end before the point or begin behind it."""
    if number.is_integer() and -_LARGEST_INTEGER < number < _LARGEST_INTEGER:
        return b"%d" % number if number or math.copysign(1, number) > 0 else b"-0"
    if not math.isfinite(number):
        return b"NaN" if math.isnan(number) else b"Infinity" if number > 0 else b"-Infinity"
    text = repr(number)
    if "e" not in text and abs(number) >= 1 and not number.is_integer():
        return text.encode()
    return _scientific(text.lstrip("-"), "-" if number < 0 else "").encode()


def printed_all(numbers: list[float]) -> list[bytes]:
    """Many numbers, each as `printed` has it.  Those that Python prints alike are had at once, in a third of the time."""
    texts = f"{repr(numbers)[1:-1]},".replace(".0,", ",")[:-1].encode().split(b", ")
    return [
        text if 1 <= number < _LARGEST_INTEGER or -_LARGEST_INTEGER < number <= -1 or not number else printed(number)
        for text, number in zip(texts, numbers, strict=True)
    ]


def _scientific(text: str, sign: str) -> str:
    mantissa, _, power = text.partition("e")
    whole, _, part = mantissa.partition(".")
    digits = (whole + part).lstrip("0")
    exponent = int(power or 0) + len(whole) - 1 - (len(whole + part) - len(digits))
    digits = digits.rstrip("0")
    if 0 <= exponent < len(digits):
        rest = digits[exponent + 1 :]
        return sign + digits[: exponent + 1] + ("." + rest if rest else "")
    rest = digits[1:]
    return f"{sign}{digits[0]}{'.' + rest if rest else ''}E{exponent}"
