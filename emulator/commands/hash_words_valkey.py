"""The words of Valkey's commands on hash fields that expire.

Options in any order stand before ``FIELDS``, numbers of times are read once all words are in place, and only then the key is
looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import TIME_UNITS, integer
from emulator.commands.generic_expiry import conditions
from emulator.commands.options import FLAG, TEXT, Given, Options, read_options, rivals
from emulator.protocol.errors import SYNTAX, CommandError
from emulator.protocol.numbers import INT64_MAX

if TYPE_CHECKING:
    from emulator.clients.session import Session

Holds = Callable[[int | None, int], bool]
"""Whether a field may get a moment instead of the one it has, None for none."""

MISMATCH: Final = "ERR numfields should be greater than 0 and match the provided number of fields"

_TIMES: Final = dict.fromkeys(TIME_UNITS, TEXT)
_OF_HGETEX: Final[Options] = {**_TIMES, b"PERSIST": FLAG}
_OF_HSETEX: Final[Options] = {**_TIMES, **dict.fromkeys((b"KEEPTTL", b"NX", b"XX", b"FNX", b"FXX"), FLAG)}
_RULES_OF_HGETEX: Final = rivals(*_OF_HGETEX)
_RULES_OF_HSETEX: Final = {**rivals(*_TIMES, b"KEEPTTL"), **rivals(b"NX", b"XX"), **rivals(b"FNX", b"FXX")}


def fields(words: Sequence[bytes], width: int = 1, error: str = MISMATCH) -> Sequence[bytes]:
    """The fields of ``FIELDS numfields field ...``, each of which is `width` words."""
    if words[0].upper() != b"FIELDS":
        raise CommandError(SYNTAX)
    if len(words) < 2 or not 0 < integer(words[1]) * width == len(words) - 2:
        raise CommandError(error)
    return words[2:]


def moment(client: Session, name: str, text: bytes, unit: int, absolute: bool) -> int:
    """The moment that a time means, in milliseconds since the epoch; it may be in the past."""
    amount = integer(text)
    when = amount * unit + (0 if absolute else client.engine.clock.now)
    if amount < 0 or when > INT64_MAX:
        raise CommandError(f"ERR invalid expire time in '{name}' command")
    return when


def of_hexpire(words: Sequence[bytes]) -> tuple[Holds | None, Sequence[bytes]]:
    """The condition and the fields."""
    options, rest = _divided(words)
    return _condition(conditions(options)), fields(rest)


def _divided(words: Sequence[bytes]) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """The options, and ``FIELDS`` with what follows."""
    for place, word in enumerate(words[:-1]):
        if word.upper() == b"FIELDS":
            return words[:place], words[place:]
    raise CommandError(MISMATCH)


def _condition(given: Given) -> Holds | None:
    if not given:
        return None
    if b"NX" in given:
        return lambda current, when: current is None

    def holds(current: int | None, when: int) -> bool:
        if current is None:
            return b"XX" not in given and b"GT" not in given
        return (b"GT" not in given or when > current) and (b"LT" not in given or when < current)

    return holds


def of_hgetex(key: bytes, words: Sequence[bytes]) -> tuple[Given, Sequence[bytes]]:
    """The options and the fields.  A key of that name is taken for the word ``FIELDS``."""
    options, rest = _divided((key, *words))
    return read_options(options[1:], _OF_HGETEX, _RULES_OF_HGETEX), fields(rest)


def of_hsetex(key: bytes, words: Sequence[bytes]) -> tuple[Given, Sequence[bytes]]:
    """The same, with values behind the fields."""
    options, rest = _divided((key, *words))
    return read_options(options[1:], _OF_HSETEX, _RULES_OF_HSETEX), fields(rest, width=2)


def time(client: Session, name: str, given: Given) -> int | None:
    """The moment that one of the options means, if there is one."""
    for word, units in TIME_UNITS.items():
        if word in given:
            return moment(client, name, given[word], *units)
    return None
