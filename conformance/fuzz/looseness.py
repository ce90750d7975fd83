"""Which replies may differ, how, and why: `looseness.txt`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from conformance.cases import LOOSENESS, Step

_FILE = Path(__file__).parent / "looseness.txt"
NEVER = "never"


def load(path: Path = _FILE) -> dict[str, Step | None]:
    """By a command's name a step with its looseness; None where the command is not to be played."""
    found: dict[str, Step | None] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        name, how = words[:2]
        if how == "about":
            step: Step | None = Step(number, name, about=float(words[2]))
            reason = words[3:]
        else:
            step = None if how == NEVER else Step(number, name, looseness=frozenset((how,)))
            reason = words[2:]
            if how != NEVER and how not in LOOSENESS:
                raise ValueError(f"{path}:{number}: unknown looseness {how}")
        if not reason:
            raise ValueError(f"{path}:{number}: a reason is wanted")
        found[name] = step
    return found


def name_of(words: Sequence[bytes], containers: frozenset[str]) -> str:
    """The name of the command that words call, ``xinfo|stream`` where it is a sub-command."""
    name = words[0].decode("latin-1").lower() if words else ""
    if name in containers and len(words) > 1:
        return f"{name}|{words[1].decode('latin-1').lower()}"
    return name
