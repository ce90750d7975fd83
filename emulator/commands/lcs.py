"""LCS: what two strings have in common."""

from __future__ import annotations

from collections.abc import Sequence
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
    next.  Source: H. Hyyro, "Bit-Parallel LCS-length Computation Revisited", AWOCA 2004.
    """
    places: dict[int, int] = {}
    for column, byte in enumerate(b):
        places[byte] = places.get(byte, 0) | 1 << column
    full = (1 << len(b)) - 1
    rows = [full]
    for byte in a:
        row = rows[-1]
        common = row & places.get(byte, 0)
        rows.append((row + common | row - common) & full)
    pairs = []
    row_at, column_at = len(a), len(b)
    while row_at and column_at:
        if a[row_at - 1] == b[column_at - 1]:
            row_at, column_at = row_at - 1, column_at - 1
            pairs.append((row_at, column_at))
        elif not rows[row_at] >> (column_at - 1) & 1:
            row_at -= 1
        else:
            column_at -= 1
    pairs.reverse()
    return pairs


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
