"""Reading arguments: numbers, deadlines, options; each raises the error that Redis answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emulator.protocol.errors import NOT_FLOAT, NOT_INTEGER, CommandError
from emulator.protocol.numbers import INT64_MAX, parse_double, parse_integer

if TYPE_CHECKING:
    from emulator.session import Session

TIME_UNITS: Final = {b"EX": (1000, False), b"PX": (1, False), b"EXAT": (1000, True), b"PXAT": (1, True)}
"""Options that take a time: milliseconds a unit, and whether it is a moment rather than a span."""


def integer(text: bytes, error: str = NOT_INTEGER) -> int:
    """A signed 64-bit integer."""
    number = parse_integer(text)
    if number is None:
        raise CommandError(error)
    return number


def bounded(text: bytes, least: int, most: int, error: str) -> int:
    """An integer within bounds."""
    number = parse_integer(text)
    if number is None or not least <= number <= most:
        raise CommandError(error)
    return number


def double(text: bytes, error: str = NOT_FLOAT) -> float:
    """A double; NaN is none."""
    number = parse_double(text)
    if number is None:
        raise CommandError(error)
    return number


def deadline(client: Session, command: str, value: bytes, unit: int, absolute: bool) -> int:
    """The moment that an option such as ``EX 10`` means, in milliseconds since the epoch; it must be positive."""
    amount = integer(value)
    invalid = CommandError(f"ERR invalid expire time in '{command}' command")
    if amount <= 0 or amount > INT64_MAX // unit:
        raise invalid
    moment = amount * unit
    if not absolute:
        moment += client.engine.clock.now
        if moment > INT64_MAX:
            raise invalid
    return moment


def timeout(text: bytes) -> int:
    """The timeout of a blocking command, from seconds with a fraction to milliseconds (rounded up); 0 is for ever."""
    seconds = double(text, "ERR timeout is not a float or out of range")
    if seconds > INT64_MAX / 1000:
        raise CommandError("ERR timeout is out of range")
    if seconds < 0:
        raise CommandError("ERR timeout is negative")
    milliseconds = seconds * 1000
    whole = int(milliseconds)
    return whole + (milliseconds > whole)


def scan_cursor(text: bytes) -> int:
    """The cursor of SCAN and its kin: an unsigned 64-bit integer, spelled as C's strtoull takes it."""
    digits = text.lstrip(b"\t\n\v\f\r").removeprefix(b"+")
    if not digits.isdigit() or int(digits) >= 1 << 64:
        raise CommandError("ERR invalid cursor")
    return int(digits)
