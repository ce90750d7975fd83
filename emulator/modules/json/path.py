"""The two path languages: JSONPath, which begins with ``$``, and the legacy one, which is read as JSONPath too.

A path becomes steps of `emulator.modules.json.steps`.  The reader goes through the text once; where it cannot go on it tells
the place and what it expected there, by the names that the real module's grammar has for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NoReturn

from emulator.modules.json import filters, steps
from emulator.modules.json.filters import Condition, Operand
from emulator.modules.json.measure import Json
from emulator.modules.json.steps import Place, Scope, Step
from emulator.modules.json.text import decoded
from emulator.protocol.errors import CommandError

if TYPE_CHECKING:
    from emulator.modules.json.document import Document

_SPACE: Final = re.compile(" *")
_NAME: Final = re.compile(r"[A-Za-z0-9\-_`~+#%$^/:]+")
_QUOTED: Final = re.compile(r"""' *+((?:[^'\\]++|\\['\\])*+)'|" *+((?:[^"\\]++|\\["\\])*+)\"""")
"""A string, of which spaces at the beginning do not count."""
_ESCAPED: Final = re.compile(r"\\(.)")
_INTEGER: Final = re.compile(r"-?(?:0|[1-9]\d*)")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?")
_POSITIVE: Final = re.compile(r"[1-9]\d*")
_OPERATOR: Final = re.compile("==|!=|=~|>=|>|<=|<")
_WORD: Final = re.compile("true|false|null")
_WORDS: Final = {"true": True, "false": False, "null": None}
_MOST_LEVELS: Final = 100
_FILTER_LEVELS: Final = 4
"""For how many groups a filter in a filter counts, by how often functions call one another for it."""
_CACHED: Final = 512
_LONGEST_CACHED: Final = 512
_LONGEST: Final = 100_000
"""Bytes of a path: longer ones take longer to be read than others should wait."""

_STRINGS, _NUMBERS, _RANGE = "'<string>[,<string>,...]'", "'<number>'", "['start:end:steps']"
_JOINS: Final = ("and", "or")
_AFTER_OPERAND: Final = ("ge", "gt", "le", "lt", "eq", "ne", "re", *_JOINS)
_OPERANDS: Final = ("decimal", "from_current", "from_root", "boolean_true", "boolean_false", "null")


class Path:
    """A path as it is ``given``; it is read when it is first followed, and raises then if it cannot be.

    ``text`` is the same in JSONPath, as errors show it.  With ``inside_out`` what `..` finds comes after what is in it, as
    Upstash has it.
    """

    __slots__ = ("_fixed", "_steps", "given", "inside_out", "legacy", "text")

    def __init__(self, given: bytes, inside_out: bool = False) -> None:
        self.inside_out = inside_out
        text = self.given = decoded(given)
        self.legacy = not text.startswith("$") or (len(text) > 1 and text[1] not in ".[")
        self.text = _as_jsonpath(text) if self.legacy else text
        self._steps: Sequence[Step] | None = None
        self._fixed: list[str | int] | None = None

    @property
    def is_root(self) -> bool:
        """Whether it is the root's own."""
        return self.text == "$"

    @property
    def steps(self) -> Sequence[Step]:
        """The steps that lead from the root to its places."""
        if self._steps is None:
            reader = _Reader(self.text, self.inside_out)
            steps = reader.path(1)
            if reader.at < len(self.text):
                reader.fail(reader.at, "EOI", "'..'")
            self._steps, self._fixed = steps, reader.fixed
        return self._steps

    @property
    def fixed(self) -> list[str | int] | None:
        """The names and indexes that it consists of; None where it may lead to several places."""
        return self._fixed if self.steps is not None else None

    def find(self, document: Document) -> list[Place]:
        """The places in a document that the path leads to, in the order of the document."""
        found: list[Place] = [(None, None, document.root)]
        scope = Scope(document.root, document.text)
        for step in self.steps:
            found = step(found, scope)
        return found

    def values(self, document: Document) -> list[Json]:
        """What stands at these places."""
        fixed = self.fixed
        if fixed is None:
            return [value for _, _, value in self.find(document)]
        root = document.root
        for key in fixed:
            kind = root.__class__
            if kind is dict and key in root:
                root = root[key]
            elif kind is list and root and key.__class__ is int and key < len(root):
                root = root[max(key, -len(root))]
            else:
                return []
        return [root]


def _as_jsonpath(text: str) -> str:
    if text == ".":
        return "$"
    return f"${text}" if text.startswith(".") else f"$.{text}"


def path(given: bytes, inside_out: bool = False) -> Path:
    """A path as it is given; raises the error of one that is no text, or too long."""
    if len(given) > _LONGEST:
        raise CommandError("ERR the path is too long")
    return _cached(given, inside_out) if len(given) <= _LONGEST_CACHED else Path(given, inside_out)


_cached: Final = lru_cache(_CACHED)(Path)


class _Reader:
    """Reads a path of JSONPath from a place on; ``at`` is where it has come to."""

    def __init__(self, text: str, inside_out: bool) -> None:
        self.text = text
        self.inside_out = inside_out
        self.at = 0
        self.fixed: list[str | int] | None = []
        self.levels = 0
        self.after: tuple[str, ...] = ()

    def fail(self, at: int, *expected: str) -> NoReturn:
        """Raise the error of what is not expected; its place is told in bytes."""
        place = len(self.text[:at].encode())
        raise CommandError(f"Error at position {place}: expected one of the following: {', '.join(expected)}")

    def skip(self) -> None:
        """Go on behind spaces."""
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def took(self, word: str) -> bool:
        """Whether a word comes next, which is taken then."""
        self.skip()
        found = self.text.startswith(word, self.at)
        if found:
            self.at += len(word)
        return found

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """What comes next, if it is as `pattern` says, and is taken then."""
        self.skip()
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return found

    # Steps

    def path(self, at: int) -> list[Step]:
        """The steps from a place behind ``$`` or ``@`` on, as far as they go."""
        self.at = at
        found: list[Step] = []
        while True:
            if self.took(".."):
                self.fixed = None
                step, looks_at_all = self.after_point()
                found += (self.descent(looks_at_all), step)
            elif self.took("."):
                found.append(self.after_point()[0])
            elif self.took("["):
                found.append(self.bracket("EOI", "'..'")[0])
            else:
                return found

    def descent(self, looks_at_all: bool) -> Step:
        """The step that `..` is before another."""
        if self.inside_out:
            return steps.inside_out
        return steps.everything if looks_at_all else steps.containers

    def after_point(self) -> tuple[Step, bool]:
        """A step behind a point, and whether it looks at values without parts."""
        if self.took("["):
            return self.bracket("<string>", "'*'")
        if self.took("*"):
            self.fixed = None
            return steps.children, False
        name = self.match(_NAME)
        if name is None:
            self.fail(self.at, "<string>", "'*'")
        return self.named([name[0]]), False

    def named(self, names: list[str]) -> Step:
        self.note(names)
        return steps.member(names[0]) if len(names) == 1 else steps.members(names)

    def note(self, keys: Sequence[str | int]) -> None:
        """Keep the way of a path that leads to one place at most."""
        if self.fixed is not None:
            if len(keys) == 1:
                self.fixed.append(keys[0])
            else:
                self.fixed = None

    def bracket(self, *instead: str) -> tuple[Step, bool]:
        """What stands in brackets, whose first one was read; `instead` is what else was expected there."""
        opened = self.at - 1
        self.skip()
        start = self.at
        if self.took("?"):
            self.fixed = None
            self.enter(_FILTER_LEVELS)
            condition = self.condition()
            self.levels -= _FILTER_LEVELS
            if not self.took("]"):
                self.fail(self.at, *self.after)
            return steps.filtered(condition), True
        if self.took("*"):
            self.fixed = None
            if not self.took("]"):
                self.fail(start, _STRINGS, _NUMBERS, _RANGE)
            return steps.children, False
        if names := self.names():
            if not self.took("]"):
                self.fail(start, _NUMBERS, _RANGE)
            return self.named(names), False
        self.at = start
        return self.numbers(opened, start, instead), False

    def names(self) -> list[str]:
        """Quoted names with commas between."""
        start = self.at
        found = []
        while match := self.match(_QUOTED):
            found.append(_unquoted(match))
            if not self.took(","):
                return found
        if found:
            self.fail(start, _NUMBERS, _RANGE)
        return found

    def numbers(self, opened: int, start: int, instead: Sequence[str]) -> Step:
        """Indexes with commas between, or a range."""
        first = self.match(_INTEGER)
        if self.took(":"):
            if first is None:
                opened, instead = start, (_NUMBERS,)
            return self.range(opened, instead, None if first is None else int(first[0][:20]))
        if first is None:
            self.fail(start, _STRINGS, _NUMBERS, _RANGE, "'*'")
        indexes = [int(first[0][:20])]
        while self.took(","):
            following = self.match(_INTEGER)
            if following is None:
                self.fail(self.at, _NUMBERS)
            indexes.append(int(following[0][:20]))
        if not self.took("]"):
            self.fail(start, _RANGE)
        self.note(indexes)
        return steps.indexed(indexes)

    def range(self, opened: int, instead: Sequence[str], start: int | None) -> Step:
        """What comes behind the first colon."""
        self.fixed = None
        stop = self.match(_INTEGER)
        if stop is None:
            opened, instead = self.at, (_NUMBERS,)
        stride = None
        if self.took(":"):
            stride = self.match(_POSITIVE)
            self.skip()
            if stride is None and not self.text.startswith("]", self.at):
                self.fail(self.at, "pos_number")
        elif stop is None and not self.text.startswith("]", self.at):
            self.fail(self.at, _NUMBERS)
        if not self.took("]"):
            self.fail(opened, *instead)
        return steps.ranged(start, int(stop[0][:20]) if stop else None, int(stride[0][:20]) if stride else 1)

    # Filters

    def condition(self) -> Condition:
        """Comparisons joined by ``||`` and ``&&``, of which the latter bind more closely."""
        either = [self.conjunction()]
        while self.took("||"):
            either.append(self.conjunction())
        return either[0] if len(either) == 1 else filters.any_of(either)

    def conjunction(self) -> Condition:
        both = [self.comparison()]
        while self.took("&&"):
            both.append(self.comparison())
        return both[0] if len(both) == 1 else filters.all_of(both)

    def enter(self, levels: int) -> None:
        """Go into something that may be nested; raise where that has been done too often."""
        self.levels += levels
        if self.levels > _MOST_LEVELS:
            self.fail(self.at, "single_filter")

    def comparison(self) -> Condition:
        """One comparison, an operand alone, or a condition in parentheses."""
        self.skip()
        start = self.at
        if self.took("("):
            self.enter(1)
            condition = self.condition()
            if not self.took(")"):
                self.fail(self.at, *self.after)
            self.after = _JOINS
            self.levels -= 1
            return condition
        left = self.operand()
        if left is None:
            self.fail(start, "single_filter")
        operator = self.match(_OPERATOR)
        if operator is None:
            self.after = (*_AFTER_OPERAND, *self.after)
            return filters.exists(left)
        right = self.operand()
        if right is None:
            self.fail(self.at, *_OPERANDS)
        self.after = (*_JOINS, *self.after)
        return filters.compares(operator[0], left, right)

    def operand(self) -> Operand | None:
        """A number, a string, a word or a path; None where there is none.  What may come behind it is kept in ``after``."""
        self.after = ()
        for mark in "@$":
            if self.took(mark):
                return self.inner_path(mark == "$")
        if quoted := self.match(_QUOTED):
            return filters.constant(_unquoted(quoted))
        if number := self.match(_NUMBER):
            return filters.constant(filters.number(number[0]))
        if word := self.match(_WORD):
            return filters.constant(_WORDS[word[0]])
        return None

    def inner_path(self, from_root: bool) -> Operand:
        """A path within a filter, whose first name may come without a point."""
        outer, self.fixed = self.fixed, []
        first = self.match(_NAME)
        if first is not None:
            found = [self.named([first[0]])]
        elif self.took("*"):
            self.fixed, found = None, [steps.children]
        else:
            found = []
        found += self.path(self.at)
        self.after = ("'..'",) if found else ("root",)
        operand = filters.at_path(found, from_root, self.fixed)
        self.fixed = outer
        return operand


def _unquoted(match: re.Match[str]) -> str:
    text = match[1] if match[2] is None else match[2]
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text
