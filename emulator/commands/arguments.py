"""Reads arguments: numbers, deadlines, timeouts, keys; raises the errors that Redis answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from emulator.protocol.errors import NOT_FLOAT, NOT_INTEGER, NOT_POSITIVE, SYNTAX, CommandError, as_text
from emulator.protocol.long_double import parse_long_double
from emulator.protocol.numbers import INT64_MAX, INT64_MIN, parse_double, parse_integer

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.keyspace.database import Database

INT32_MAX: Final = 2**31 - 1
INT32_MIN: Final = -(2**31)

TIME_UNITS: Final = {b"EX": (1000, False), b"PX": (1, False), b"EXAT": (1000, True), b"PXAT": (1, True)}
"""Options that take a time: the milliseconds of a unit, and whether the time is absolute."""


def wrong_arity(name: str) -> CommandError:
    """Return the error of a command that checks its number of arguments itself."""
    return CommandError(f"ERR wrong number of arguments for '{name}' command")


def wrong_subcommand_arity(client: Session) -> CommandError:
    """Return the error of a sub-command that checks its number of arguments itself."""
    container, name = client.words[:2]
    return CommandError(
        f"ERR unknown subcommand or wrong number of arguments for '{as_text(name[:128])}'. "
        f"Try {as_text(container.upper())} HELP."
    )


_small: Final = {b"%d" % number: number for number in range(-1, 1024)}.get
"""Most numbers in commands are looked up more quickly than read."""


def integer(text: bytes, error: str = NOT_INTEGER) -> int:
    """Return a signed 64-bit integer."""
    number = _small(text)
    if number is None and (number := parse_integer(text)) is None:
        raise CommandError(error)
    return number


def database(client: Session, text: bytes) -> Database:
    """Return the database with an index."""
    index = integer(text)
    if not INT32_MIN <= index <= INT32_MAX:
        raise CommandError(f"ERR value is out of range, value must between {INT32_MIN} and {INT32_MAX}")
    if not 0 <= index < len(client.engine.databases):
        raise CommandError("ERR DB index is out of range")
    return client.engine.databases[index]


def refuse_in_cluster(client: Session, text: str, valkey: bool = True) -> None:
    """Raise an error in cluster mode; without `valkey` only where that is Redis's."""
    if client.engine.cluster is not None and (valkey or not client.engine.config.edition.is_valkey):
        raise CommandError(text)


def bounded(text: bytes, least: int, most: int, error: str) -> int:
    """Return an integer within bounds."""
    number = _small(text)
    if number is None:
        number = parse_integer(text)
    if number is None or not least <= number <= most:
        raise CommandError(error)
    return number


def span(first: int, last: int, size: int) -> tuple[int, int]:
    """Return the start and stop of a slice of a sequence; indexes are inclusive, and negative ones count from the end."""
    if first < 0:
        first = first + size if first > -size else 0
    stop = last + 1 if 0 <= last < size else size if last >= 0 else last + size + 1
    return (first, stop) if first < stop else (size, size)


def positive(text: bytes, most: int = INT64_MAX) -> int:
    """Return an integer from 0 up to a limit."""
    return bounded(text, 0, most, NOT_POSITIVE)


def magnitude(text: bytes) -> int:
    """Return an integer whose sign is a direction; the smallest is refused, since it cannot be negated."""
    number = integer(text)
    if number == INT64_MIN:
        raise CommandError(f"ERR value is out of range, value must between {-INT64_MAX} and {INT64_MAX}")
    return number


def double(text: bytes, error: str = NOT_FLOAT) -> float:
    """Return a double; NaN is refused."""
    number = parse_double(text)
    if number is None:
        raise CommandError(error)
    return number


def core_double(client: Session, text: bytes, error: str = NOT_FLOAT) -> float:
    """Return a double as the commands of the server itself read one: Valkey takes no hexadecimal one."""
    number = client.engine.parse_double(text)
    if number is None:
        raise CommandError(error)
    return number


def deadline(client: Session, command: str, value: bytes, unit: int, absolute: bool) -> int:
    """Return the moment that an option such as ``EX 10`` means, in milliseconds since the epoch; it must be positive."""
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


def timeout(client: Session, text: bytes) -> int:
    """Return the timeout of a blocking command in milliseconds, rounded up from decimal seconds; 0 means no timeout."""
    seconds = parse_double(text)
    if seconds is None:
        exact = parse_long_double(text)
        if exact is None:
            raise CommandError("ERR timeout is not a float or out of range")
        if isinstance(exact, float):
            seconds = exact
        else:  # too large for a double, or too small
            seconds = math.copysign(math.inf if exact.exponent > 0 else math.ulp(0.0), exact.significand)
    if seconds > INT64_MAX / 1000:
        raise CommandError("ERR timeout is out of range")
    if seconds * 1000 < -1:  # in a long double 0.001 comes to less than 1, and what is less is rounded up to none
        raise CommandError("ERR timeout is negative")
    span = max(math.ceil(seconds * 1000), 0)
    if span > INT64_MAX - client.engine.clock.now:
        raise CommandError("ERR timeout is out of range")
    return span


def milliseconds(client: Session, text: bytes) -> int:
    """Return a time span in milliseconds."""
    span = integer(text, "ERR timeout is not an integer or out of range")
    if span < 0:
        raise CommandError("ERR timeout is negative")
    if span > INT64_MAX - client.engine.clock.now:
        raise CommandError("ERR timeout is out of range")
    return span


def random_count(options: Sequence[bytes], values: bytes = b"") -> tuple[int, bool]:
    """Return the count of HRANDFIELD and similar commands, and whether the word `values` follows it."""
    count = magnitude(options[0])
    with_values = len(options) == 2 and bool(values) and options[1].upper() == values
    if len(options) > 1 and not with_values:
        raise CommandError(SYNTAX)
    if with_values and not -(INT64_MAX // 2) <= count <= INT64_MAX // 2:
        raise CommandError("ERR value is out of range")
    return count, with_values


def multi_pop(words: Sequence[bytes], places: tuple[bytes, bytes]) -> tuple[list[bytes], bytes, int]:
    """Return the keys, the end and the count in the arguments of LMPOP, ZMPOP and their blocking forms."""
    number = bounded(words[0], 1, INT64_MAX, "ERR numkeys should be greater than 0")
    if number + 1 >= len(words):
        raise CommandError(SYNTAX)
    names, where, options = list(words[1 : number + 1]), words[number + 1].upper(), words[number + 2 :]
    if where not in places:
        raise CommandError(SYNTAX)
    if not options:
        return names, where, 1
    if len(options) < 2 or options[0].upper() != b"COUNT":
        raise CommandError(SYNTAX)
    count = bounded(options[1], 1, INT64_MAX, "ERR count should be greater than 0")
    if len(options) > 2:
        raise CommandError(SYNTAX)
    return names, where, count
