"""The arguments of SCAN, HSCAN, SSCAN and ZSCAN: the cursor and the options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from emulator.commands.options import FLAG, Options, at_least, read_options
from emulator.config.edition import Edition
from emulator.datatypes.glob import Glob, compiled
from emulator.protocol.errors import NOT_INTEGER, SYNTAX, CommandError
from emulator.protocol.numbers import UINT64_MAX, parse_unsigned

_BAD_CURSOR: Final = "ERR invalid cursor"


def scan_cursor(text: bytes, edition: Edition) -> int:
    """Return a cursor, an unsigned 64-bit integer; before 7.4 negative ones are wrapped, nothing is 0, a space is refused."""
    is_lenient = edition.precedes("7.4.0")
    if is_lenient and text[:1].isspace():
        raise CommandError(_BAD_CURSOR)
    cursor = parse_unsigned(text if text or not is_lenient else b"0")
    if cursor is None and is_lenient and text.startswith(b"-"):
        cursor = parse_unsigned(text[1:])
        cursor = None if cursor is None else -cursor & UINT64_MAX
    if cursor is None:
        raise CommandError(_BAD_CURSOR)
    return cursor


def _only_for_hashes() -> None:
    raise CommandError("ERR NOVALUES option can only be used in HSCAN")


ELEMENTS: Final[Options] = {
    b"COUNT": at_least(1, SYNTAX, NOT_INTEGER),
    b"MATCH": (1, compiled),
    b"NOVALUES": (0, _only_for_hashes),
}
HASHES: Final[Options] = {**ELEMENTS, b"NOVALUES": FLAG}
SCORES: Final[Options] = {**ELEMENTS, b"NOSCORES": FLAG}
KEYS: Final[Options] = {**ELEMENTS, b"TYPE": (1, bytes.lower)}

_EVERYTHING: Final = compiled(b"*")


def _only_for_sorted_sets() -> None:
    raise CommandError("ERR NOSCORES option can only be used in ZSCAN")


def of_edition(edition: Edition, known: Options) -> Options:
    """The options of a command as an edition has them: Redis 7.4 brought NOVALUES, Valkey knows NOSCORES."""
    if edition.is_valkey:
        return {b"NOSCORES": (0, _only_for_sorted_sets), **known}
    if edition.precedes("7.4.0"):
        return {word: option for word, option in known.items() if word not in (b"NOVALUES", b"NOSCORES")}
    return ELEMENTS if known is SCORES else known


class ScanOptions(NamedTuple):
    """COUNT (10 unless given), MATCH, NOVALUES (in ZSCAN NOSCORES) and TYPE (None unless given)."""

    most: int
    pattern: Glob
    no_values: bool
    kind: bytes | None

    def chosen(self, names: list[bytes]) -> list[bytes]:
        """Return the names that match."""
        return self.pattern.among(names)


def scan_options(options: Sequence[bytes], known: Options = ELEMENTS) -> ScanOptions:
    """Return the options of SSCAN and ZSCAN (`ELEMENTS`), HSCAN (`HASHES`) or SCAN (`KEYS`)."""
    given = read_options(options, known)
    pattern = given.get(b"MATCH", _EVERYTHING)
    return ScanOptions(
        given.get(b"COUNT", 10), pattern, b"NOVALUES" in given or b"NOSCORES" in given, given.get(b"TYPE")
    )
