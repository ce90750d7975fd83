"""Reads options: the words that may follow a command's arguments in any order.

A command declares its options as a mapping from a word to an `Option`, which tells what follows the word; it receives the
given ones as a mapping from the word to its value.  Values are read from left to right, so the first of several mistakes is
answered.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from emulator.commands.arguments import integer
from emulator.protocol.errors import SYNTAX, CommandError, as_text
from emulator.protocol.numbers import INT64_MAX

Option: TypeAlias = tuple[int | Callable[[Sequence[bytes]], int], Callable[..., Any]]
"""The number of words that follow the option, and the function that makes a value of them.

In place of the number, a function may tell it from the words that are left.
"""

Options: TypeAlias = dict[bytes, Option]
"""The options of a command, by their words in upper case."""

Given: TypeAlias = dict[bytes, Any]
"""The options of a call in upper case with their values, in the order in which they were last given."""

FLAG: Final[Option] = (0, lambda: True)
TEXT: Final[Option] = (1, bytes)
LIMIT: Final[Option] = (2, lambda offset, count: (integer(offset), integer(count)))


def at_least(least: int, error: str, not_integer: str = "", most: int = INT64_MAX) -> Option:
    """Return an option with one integer within bounds; a text that is no integer raises `not_integer`, or else `error`."""

    def read(text: bytes) -> int:
        number = integer(text, not_integer or error)
        if not least <= number <= most:
            raise CommandError(error)
        return number

    return 1, read


UP_TO_LIMIT: Final[Options] = {b"LIMIT": at_least(0, "ERR LIMIT can't be negative")}
"""The option of SINTERCARD and ZINTERCARD."""


def if_any(words: Sequence[bytes]) -> int:
    """Return 1, or 0 if no word is left: for options whose function raises the error of a missing word."""
    return min(len(words), 1)


class Rule(NamedTuple):
    """The options that may not precede an option, and the error; if empty, the reader's own."""

    others: Collection[bytes]
    error: str


def rivals(*words: bytes, error: str = "") -> dict[bytes, Rule]:
    """Return rules that allow only one of these options, though more than once."""
    return {word: Rule({*words} - {word}, error) for word in words}


def once(*words: bytes, error: str = "") -> dict[bytes, Rule]:
    """Return rules that allow only one of these options, and only once."""
    return dict.fromkeys(words, Rule(words, error))


_NO_RULES: Final[Mapping[bytes, Rule]] = {}


def read_options(
    words: Sequence[bytes],
    known: Options,
    rules: Mapping[bytes, Rule] = _NO_RULES,
    error: str = SYNTAX,
) -> Given:
    """Return the options in the words of a call.

    Raises `error` for a word that is unknown, lacks its arguments or breaks a rule; ``{}`` in its text stands for the word.
    """
    if not words:
        return {}
    given, rest = leading_options(words, known, rules)
    if rest:
        raise CommandError(error.format(as_text(rest[0])))
    return given


def leading_options(
    words: Sequence[bytes], known: Options, rules: Mapping[bytes, Rule] = _NO_RULES
) -> tuple[Given, Sequence[bytes]]:
    """Return the options at the beginning of some words, and the words from the first that is not an option."""
    given: Given = {}
    place, end = 0, len(words)
    while place < end:
        word = words[place]
        option = known.get(word) or known.get(word := word.upper())
        if option is None:
            break
        size, read = option
        first = place + 1
        stop = first + (size if isinstance(size, int) else size(words[first:]))
        if stop > end or (given and word in rules and not _allowed(rules[word], given)):
            break
        value = read(words[first]) if size == 1 else read(*words[first:stop])  # most options have one
        if word in given:
            del given[word]
        given[word] = value
        place = stop
    return given, words[place:]


def _allowed(rule: Rule, given: Given) -> bool:
    if given.keys().isdisjoint(rule.others):
        return True
    if rule.error:
        raise CommandError(rule.error)
    return False


def last_given(given: Given, words: Collection[bytes], otherwise: bytes = b"") -> bytes:
    """Return the one of several options that was given last."""
    for word in reversed(given):
        if word in words:
            return word
    return otherwise
