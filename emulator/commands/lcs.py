"""LCS: what two strings have in common."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import integer
from emulator.commands.options import FLAG, read_options
from emulator.datatypes.string import STRINGS
from emulator.datatypes.types import Value
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import Reply
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_CELL: Final = 4
"""Bytes that Redis needs for each pair of positions."""


def _compared(value: Value | None) -> bytes:
    if value is None:
        return b""
    if not isinstance(value, STRINGS):
        raise CommandError("ERR The specified keys must contain string values")
    return bytes(value)


_OPTIONS: Final = {b"LEN": FLAG, b"IDX": FLAG, b"WITHMATCHLEN": FLAG, b"MINMATCHLEN": (1, integer)}


@command(
    "string",
    since="7.0.0",
    flags="readonly",
    keys=[keys("RO access", 1, 1)],
    complexity="O(N*M) for strings of N and M bytes",
)
def lcs(client: Session, key1: bytes, key2: bytes, *options: bytes) -> Reply:
    """Returns the longest common subsequence of two strings, its length (LEN) or its matches (IDX)."""
    one, other = map(_compared, [client.db.lookup_read_any(key1), client.db.lookup_read_any(key2)])
    given = read_options(options, _OPTIONS)
    if b"LEN" in given and b"IDX" in given:
        raise CommandError("ERR If you want both the length and indexes, please just use IDX.")
    if (len(one) + 1) * (len(other) + 1) * _CELL > client.engine.config.proto_max_bulk_len:
        raise CommandError("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
    pairs = _common_subsequence(one, other)
    if b"IDX" in given:
        shortest = max(given.get(b"MINMATCHLEN", 0), 0)
        return {b"matches": _matches(pairs, shortest, b"WITHMATCHLEN" in given), b"len": len(pairs)}
    return len(pairs) if b"LEN" in given else bytes(one[position] for position, _ in pairs)


def _common_subsequence(a: bytes, b: bytes) -> list[tuple[int, int]]:
    """Return the positions of a longest common subsequence in both strings; of several, the one that Redis finds.

    Dynamic programming with a row of the table in one integer: a clear bit means that the length grows from one column to the
    next.  Rows are those of the shorter string, so that there are few.  On the way back a row is left where the bytes are
    equal, else, as in Redis, where the length is the same without the byte of `b`, unless that of `a` can go as well.
    Source: H. Hyyro, "Bit-Parallel LCS-length Computation Revisited", AWOCA 2004.
    """
    swapped = len(b) < len(a)
    short, long = (b, a) if swapped else (a, b)
    backwards = long[::-1]
    places = {byte: _places(byte, backwards) for byte in set(short)} if long else {}
    full = (1 << len(long)) - 1
    rows = [full]
    for byte in short:
        row = rows[-1]
        common = row & places[byte]
        rows.append((row + common | row - common) & full)
    pairs = []
    column = len(long)
    for index in range(len(short), 0, -1):
        row, equal = rows[index], places[short[index - 1]]
        leaving = full ^ (_parities(row ^ rows[index - 1], len(long)) if swapped else row)
        column = ((leaving | equal) & (1 << column) - 1).bit_length()
        if not column:
            break
        if short[index - 1] == long[column - 1]:
            column -= 1
            pairs.append((column, index - 1) if swapped else (index - 1, column))
    pairs.reverse()
    return pairs


def _places(byte: int, backwards: bytes) -> int:
    """Return where a string, of which the last byte comes first, has a byte: a bit for each place."""
    return int(backwards.translate(_digits(byte)), 2)


@cache
def _digits(byte: int) -> bytes:
    """Return a table that makes a byte a one and all others zeros."""
    return b"".join(b"1" if each == byte else b"0" for each in range(256))


def _parities(bits: int, count: int) -> int:
    """Return whether each bit and those below it are odd in number."""
    shift = 1
    while shift < count:
        bits ^= bits << shift
        shift *= 2
    return bits & (1 << count) - 1


def _matches(pairs: Sequence[tuple[int, int]], shortest: int, with_lengths: bool) -> list[Reply]:
    """Return the runs of the subsequence that are contiguous in both strings, last first."""
    runs: list[list[int]] = []
    for a, b in pairs:
        if runs and runs[-1][1] + 1 == a and runs[-1][3] + 1 == b:
            runs[-1][1], runs[-1][3] = a, b
        else:
            runs.append([a, a, b, b])
    return [
        [[a, a_end], [b, b_end], *([a_end - a + 1] if with_lengths else [])]
        for a, a_end, b, b_end in reversed(runs)
        if a_end - a + 1 >= shortest
    ]
