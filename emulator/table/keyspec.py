"""Key specifications: where in a command's arguments its keys are, and what is done with them.

Written as `keys("RW access update", 1)`; COMMAND INFO, COMMAND GETKEYS and ACL read them.
Source: https://redis.io/docs/latest/develop/reference/key-specs/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from emulator.protocol.numbers import parse_integer


class KeySpec(NamedTuple):
    """A search for the first key (``index`` or ``keyword``) and a rule for the others (``range`` or ``keynum``).

    ``begin``: ``(index,)`` or ``(keyword, startfrom)``.  ``find``: ``(lastkey, keystep, limit)`` or ``(keynumidx,
    firstkey, keystep)``, both relative to where the search ended; None where the key must be found by hand.
    """

    flags: str
    begin: tuple[int] | tuple[bytes, int] | None
    find: tuple[str, int, int, int] | None
    notes: str = ""

    def positions(self, args: Sequence[bytes]) -> list[int] | None:
        """The indexes of the keys in the words of a call, its name included; None where the call is not well formed."""
        start = self._start(args)
        if start is None or self.find is None:
            return []
        kind, a, b, c = self.find
        size = len(args)
        if start >= size:
            return None if self.begin is not None and len(self.begin) == 1 else []
        if kind == "keynum":
            count = parse_integer(args[start + a]) if start + a < size else None
            if count is None or count < 0:
                return None
            found = range(start + b, start + b + count * c, c)
            return None if count and found[-1] >= size else list(found)
        last = start + a if a >= 0 else size + a
        if c > 1 and a < 0:
            last = start + (size - start) // c + a
        return [position for position in range(start, last + 1, b) if position < size]

    @property
    def is_plain(self) -> bool:
        """Whether the keys stand at fixed places: from an argument of known index to another."""
        return (
            self.begin is not None
            and len(self.begin) == 1
            and self.find is not None
            and self.find[0] == "range"
            and "incomplete" not in self.flags
        )

    @property
    def plain_range(self) -> tuple[int, int, int]:
        """First key, last key and step of a plain specification."""
        assert self.begin is not None and len(self.begin) == 1 and self.find is not None
        last = self.find[1]
        return self.begin[0], last if last < 0 else self.begin[0] + last, self.find[2]

    @property
    def begin_search(self) -> tuple[bytes, dict[bytes, int | bytes]]:
        """The search in the words of COMMAND INFO."""
        if self.begin is None:
            return b"unknown", {}
        if len(self.begin) == 1:
            return b"index", {b"index": self.begin[0]}
        return b"keyword", {b"keyword": self.begin[0], b"startfrom": self.begin[1]}

    @property
    def find_keys(self) -> tuple[bytes, dict[bytes, int | bytes]]:
        """The rule for the keys in the words of COMMAND INFO."""
        if self.find is None:
            return b"unknown", {}
        kind, a, b, c = self.find
        names = (b"keynumidx", b"firstkey", b"keystep") if kind == "keynum" else (b"lastkey", b"keystep", b"limit")
        return kind.encode(), dict(zip(names, (a, b, c), strict=True))

    def words(self, args: Sequence[bytes]) -> list[bytes]:
        """The keys themselves."""
        return [args[position] for position in self.positions(args) or ()]

    def _start(self, args: Sequence[bytes]) -> int | None:
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


def keyword(
    flags: str, word: bytes, start: int, last: int = 0, step: int = 1, limit: int = 0, notes: str = ""
) -> KeySpec:
    """Keys that follow the word `word`, looked for from argument `start` (negative: from the end, backwards)."""
    return KeySpec(flags, (word, start), ("range", last, step, limit), notes)


def unknown(flags: str, notes: str = "") -> KeySpec:
    """Keys that no rule finds (SORT's STORE, the patterns of BY and GET)."""
    return KeySpec(flags, None, None, notes)
