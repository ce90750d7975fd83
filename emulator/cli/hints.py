"""What is still to come of a command while it is typed, by its documentation, and what it may be completed to."""

from __future__ import annotations

from collections.abc import Sequence

from emulator.cli.documentation import Argument, DocumentedCommand
from emulator.protocol.inline import split_inline
from emulator.protocol.text import to_bytes

_HELP = ("help ", "? ")


def completions(line: str, commands: Sequence[DocumentedCommand]) -> list[str]:
    """The lines that a line may become."""
    head = next((word for word in _HELP if line.lower().startswith(word)), "")
    begun = line[len(head) :].lower()
    names = [command.name for command in commands]
    if head:
        names = [*sorted({f"@{command.group}" for command in commands}), *names]
    return [line[: len(head)] + name for name in names if name.lower().startswith(begun)]


def hint(line: str, commands: Sequence[DocumentedCommand]) -> str:
    """The arguments that are still to come, with a space in front where one is missing; empty where the words do not fit."""
    split = split_inline(to_bytes(line))
    if not split:
        return ""
    words = [word.decode("utf-8", "replace") for word in split]
    by_name = {command.name: command for command in commands}
    for length in (2, 1):
        command = by_name.get(" ".join(words[:length]).upper())
        if command is not None:
            _, text = _rest(command.arguments, words[length:]) or (0, "")
            return text if not text or line.endswith(" ") else " " + text
    return ""


def _rest(arguments: Sequence[Argument], words: Sequence[str]) -> tuple[int, str] | None:
    """How many of the words the arguments take, and what of these is still to come; None where the words do not fit."""
    pending = list(arguments)
    used, begun = 0, ""
    while pending and used < len(words):
        found = _first_that_fits(pending, words[used:])
        if found is None:
            return (used, "") if all(argument.optional for argument in pending) and used else None
        place, (taken, begun) = found
        if pending[place].optional:
            del pending[place]  # those round it may still come
        else:
            del pending[: place + 1]
        used += taken
    parts = [begun] if begun else []
    return used, " ".join(parts + [argument.syntax for argument in pending])


def _first_that_fits(pending: Sequence[Argument], words: Sequence[str]) -> tuple[int, tuple[int, str]] | None:
    """The argument that takes the next words: optional ones may be left out, and stand in any order."""
    required = next((place for place, argument in enumerate(pending) if not argument.optional), len(pending) - 1)
    candidates = list(enumerate(pending[: required + 1]))
    for place, argument in sorted(candidates, key=lambda one: not one[1].is_keyword):
        others = {token for other in pending if other is not argument for token in other.tokens}
        taken = _take(argument, words, others)
        if taken is not None:
            return place, taken
    return None


def _take(argument: Argument, words: Sequence[str], others: set[str]) -> tuple[int, str] | None:
    """How many words an argument takes, and what of it is still to come; `others` are keywords that end a repetition."""
    head = 0
    if argument.token is not None:
        if words[0].upper() != argument.token.upper():
            return None
        head = 1
        if argument.kind == "pure-token":
            return 1, ""
        if len(words) == 1:
            again = f" {argument.again}" if argument.multiple else ""
            return 1, argument.body + again
    taken = _take_body(argument, words[head:])
    if taken is None:
        return None
    used, rest = head + taken[0], taken[1]
    while argument.multiple and not rest and used < len(words) and words[used].upper() not in others:
        skipped = head if argument.repeats_token else 0
        if skipped and (words[used].upper() != argument.head.upper() or used + 1 == len(words)):
            break
        more = _take_body(argument, words[used + skipped :])
        if more is None:
            break
        used, rest = used + skipped + more[0], more[1]
    return used, f"{rest} {argument.again}".strip() if argument.multiple else rest


def _take_body(argument: Argument, words: Sequence[str]) -> tuple[int, str] | None:
    if argument.kind == "oneof":
        for inner in sorted(argument.inner, key=lambda inner: not inner.is_keyword):
            taken = _take(inner, words, set())
            if taken is not None:
                return taken
        return None
    if argument.kind == "block":
        return _rest(argument.inner, words)
    return 1, ""
