"""Key specifications: where in a command's arguments its keys are, and what is done with them.

Written as `keys("RW access update", 1)`; COMMAND INFO, COMMAND GETKEYS and ACL read them.
Source: https://redis.io/docs/latest/develop/reference/key-specs/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class KeySpec(NamedTuple):
    """A search for the first key (``index`` or ``keyword``) and a rule for the others (``range`` or ``keynum``).

    ``begin``: ``(index,)`` or ``(keyword, startfrom)``.  ``find``: ``(lastkey, keystep, limit)`` or ``(keynumidx,
    firstkey, keystep)``, both relative to where the search ended; None where the key must be found by hand.
    """

    flags: str
    begin: tuple[int] | tuple[bytes, int] | None
    find: tuple[str, int, int, int] | None
    notes: str = ""

    def positions(self, args: Sequence[bytes]) -> list[int]:
        """The indexes of the keys in the words of a call, its name included."""
        first = self._first(args)
        if first is None or self.find is None:
            return []
        kind, a, b, c = self.find
        if kind == "keynum":
            at = first + a
            if at >= len(args) or not args[at].isdigit():
                return []
            found = range(first + b, first + b + int(args[at]) * c, c)
        else:
            last = len(args) + a if a < 0 else first + a
            if c > 1 and a == -1:
                last = first + (len(args) - first) // c - 1
            found = range(first, last + 1, b)
        return [position for position in found if position < len(args)]

    def words(self, args: Sequence[bytes]) -> list[bytes]:
        """The keys themselves."""
        return [args[position] for position in self.positions(args)]

    def _first(self, args: Sequence[bytes]) -> int | None:
        if self.begin is None:
            return None
        if len(self.begin) == 1:
            return self.begin[0]
        keyword, start = self.begin
        step = 1 if start > 0 else -1
        position = start if start > 0 else len(args) + start
        while 0 < position < len(args):
            if args[position].upper() == keyword:
                return position + 1
            position += step
        return None


def keys(flags: str, at: int, last: int = 0, step: int = 1, limit: int = 0, notes: str = "") -> KeySpec:
    """Keys from argument `at` to `last` (relative; -1 is the last argument), each `step`."""
    return KeySpec(flags, (at,), ("range", last, step, limit), notes)


def numkeys(flags: str, at: int, first: int = 1, step: int = 1, notes: str = "") -> KeySpec:
    """A count of keys at argument `at`, the keys from `first` arguments after it."""
    return KeySpec(flags, (at,), ("keynum", 0, first, step), notes)


def keyword(flags: str, word: bytes, start: int, last: int = 0, step: int = 1, limit: int = 0, notes: str = "") -> KeySpec:
    """Keys that follow the word `word`, looked for from argument `start` (negative: from the end, backwards)."""
    return KeySpec(flags, (word, start), ("range", last, step, limit), notes)


def unknown(flags: str, notes: str = "") -> KeySpec:
    """Keys that no rule finds (SORT's STORE, the patterns of BY and GET)."""
    return KeySpec(flags, None, None, notes)
