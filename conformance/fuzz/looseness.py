"""Which replies may differ, how, and why: `looseness.txt`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from conformance.cases import LOOSENESS, Step

_FILE = Path(__file__).parent / "looseness.txt"
_EXACT = Step(0, "")


class Looseness:
    """The rules of a file."""

    def __init__(self, path: Path = _FILE) -> None:
        self._rules: dict[str, list[tuple[frozenset[bytes], Step | None]]] = {}
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line.strip() and not line.startswith("#"):
                condition, step = _rule(line, number)
                name, *words = condition.split("+")
                needed = frozenset(word.upper().encode() for word in words)
                self._rules.setdefault(name, []).append((needed, step))
        self._containers = {name.partition("|")[0] for name in self._rules if "|" in name}

    def of(self, words: Sequence[bytes], circumstances: Iterable[bytes] = ()) -> Step | None:
        """How the replies to a command are compared; None where it is not to be played."""
        said = {word.upper() for word in (*words, *circumstances)}
        if len(set(words)) < len(words):
            said.add(b"TWICE")
        if any(option.upper() == b"BY" and b"*" not in pattern for option, pattern in pairwise(words)):
            said.add(b"UNSORTED")
        for needed, step in self._rules.get(self._name(words), ()):
            if needed <= said:
                return step
        return _EXACT

    def is_exact(self, words: Sequence[bytes], circumstances: Iterable[bytes]) -> bool:
        """Whether a command may be played and its replies must be equal."""
        return self.of(words, circumstances) is _EXACT

    def allows(self, words: Sequence[bytes], circumstances: Iterable[bytes]) -> bool:
        """Whether a command may be played, itself or within COMMAND GETKEYSANDFLAGS."""
        inner = words[2:] if words[:1] == [b"COMMAND"] else words
        return self.of(inner, circumstances) is not None

    def _name(self, words: Sequence[bytes]) -> str:
        name = words[0].decode("latin-1").lower() if words else ""
        if name in self._containers and len(words) > 1:
            return f"{name}|{words[1].decode('latin-1').lower()}"
        return name


def _rule(line: str, number: int) -> tuple[str, Step | None]:
    condition, how, *reason = line.split()
    if how == "never":
        step = None
    elif how == "about":
        step = Step(number, condition, about=float(reason.pop(0)))
    elif how in LOOSENESS:
        step = Step(number, condition, looseness=frozenset((how,)))
    else:
        raise ValueError(f"line {number}: unknown looseness {how}")
    if not reason:
        raise ValueError(f"line {number}: a reason is wanted")
    return condition, step
