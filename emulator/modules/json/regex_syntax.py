"""The syntax of regular expressions, as the real module has it (Rust's): read into a tree.

There is no looking around, and there are no references back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

Test = Callable[[str], bool]

START, END, EDGE, NO_EDGE, LINE_START, LINE_END = range(6)
"""The places that anchors stand for: of the text, of words (and all that are none), of lines."""

_MOST_REPEATS: Final = 1000
_MOST_GROUPS: Final = 100
_MOST_PARTS: Final = 10_000
_FEW: Final = 16
_KNOWN: Final = 64
"""Letters of which a large class remembers whether it has them."""

_COUNTED: Final = re.compile(r"\{(\d{1,5})(,(\d{0,5}))?\}")
_FLAGS: Final = re.compile(r"\?([imsU]*)(?:-([imsU]+))?([:)])")
_NAMED: Final = re.compile(r"\?P?<[A-Za-z_]\w*>")
_POSIX: Final = re.compile(r"\[:(\^?)(\w+):\]")
_CODE: Final = re.compile(r"x([0-9a-fA-F]{2})|[xu]\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})")
_CONTROLS: Final = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "a": "\a"}
_ANCHORS: Final = {"A": START, "z": END, "b": EDGE, "B": NO_EDGE}
_OFTEN: Final = {"*": (0, None), "+": (1, None), "?": (0, 1)}


class Broken(ValueError):
    """This is no regular expression, or one that is too large."""


class Letter(NamedTuple):
    """One letter that passes a test."""

    test: Test


class Anchor(NamedTuple):
    """A place between letters."""

    place: int


class Row(NamedTuple):
    """One part after another."""

    parts: Sequence[Node]


class Choice(NamedTuple):
    """One of several parts."""

    parts: Sequence[Node]


class Repeat(NamedTuple):
    """A part, so often at least and at most, if there is a limit."""

    part: Node
    least: int
    most: int | None


Node = Letter | Anchor | Row | Choice | Repeat


class _Flags(NamedTuple):
    ignore_case: bool = False
    lines: bool = False
    point_is_all: bool = False


def is_word(letter: str) -> bool:
    """Whether a letter belongs to words."""
    return letter.isalnum() or letter == "_"


def _ascii(test: Test) -> Test:
    return lambda letter: letter.isascii() and test(letter)


_CLASSES: Final[dict[str, Test]] = {"d": str.isdecimal, "w": is_word, "s": str.isspace}
_POSIX_CLASSES: Final[dict[str, Test]] = {
    "alpha": _ascii(str.isalpha),
    "digit": _ascii(str.isdigit),
    "alnum": _ascii(str.isalnum),
    "upper": _ascii(str.isupper),
    "lower": _ascii(str.islower),
    "space": _ascii(str.isspace),
    "word": _ascii(is_word),
    "blank": lambda letter: letter in " \t",
    "cntrl": lambda letter: letter < " " or letter == "\x7f",
    "graph": lambda letter: "!" <= letter <= "~",
    "print": lambda letter: " " <= letter <= "~",
    "punct": lambda letter: "!" <= letter <= "~" and not letter.isalnum(),
    "xdigit": lambda letter: letter in "0123456789abcdefABCDEF",
    "ascii": str.isascii,
}


def read(pattern: str) -> Node:
    """The tree of an expression; raises `Broken`."""
    reader = _Reader(pattern)
    tree = reader.alternatives(_Flags())
    if reader.at < len(pattern):
        raise Broken
    return tree


class _Reader:
    """Goes through an expression."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.left = _MOST_PARTS
        self.groups = 0

    def peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def next(self) -> str:
        """The next letter, which is taken; raises where there is none."""
        letter = self.peek()
        if not letter:
            raise Broken
        self.at += 1
        return letter

    def count(self) -> None:
        """There is one part more, or a member of a class."""
        self.left -= 1
        if self.left < 0:
            raise Broken

    def took(self, word: str) -> bool:
        found = self.pattern.startswith(word, self.at)
        self.at += len(word) if found else 0
        return found

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.pattern, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def alternatives(self, flags: _Flags) -> Node:
        """What stands in a group, or in the whole."""
        choices: list[list[Node]] = [[]]
        while self.peek() not in ("", ")"):
            self.count()
            found = _FLAGS.match(self.pattern, self.at + 1) if self.peek() == "(" else None
            if self.took("|"):
                choices.append([])
            elif found is not None and found[3] == ")":  # flags from here on
                self.at = found.end()
                flags = _changed(flags, found)
            else:
                choices[-1].append(self.repeated(self.atom(flags)))
        parts = [Row(choice) for choice in choices]
        return parts[0] if len(parts) == 1 else Choice(parts)

    def repeated(self, part: Node) -> Node:
        """A part as often as is said behind it."""
        while self.peek() in ("*", "+", "?", "{") and self.peek():
            least, most = self.bounds()
            self.took("?")  # whether as few as possible: of no import for whether there is a match
            part = Repeat(part, least, most)
        return part

    def bounds(self) -> tuple[int, int | None]:
        often = _OFTEN.get(self.peek())
        if often is not None:
            self.at += 1
            return often
        counted = self.match(_COUNTED)
        if counted is None:
            raise Broken
        least = int(counted[1])
        most = least if counted[2] is None else int(counted[3]) if counted[3] else None
        if least > _MOST_REPEATS or (most is not None and not least <= most <= _MOST_REPEATS):
            raise Broken
        return least, most

    def atom(self, flags: _Flags) -> Node:
        """A letter, a class, an anchor or a group."""
        letter = self.next()
        if letter == "(":
            return self.group(flags)
        if letter == "^":
            return Anchor(LINE_START if flags.lines else START)
        if letter == "$":
            return Anchor(LINE_END if flags.lines else END)
        if letter == "\\" and self.peek() in _ANCHORS:
            return Anchor(_ANCHORS[self.next()])
        if letter == ".":
            return Letter((lambda letter: True) if flags.point_is_all else (lambda letter: letter != "\n"))
        if letter in "*+?{":
            raise Broken
        test = self.letters() if letter == "[" else self.escaped() if letter == "\\" else letter.__eq__
        return Letter(_folded(test) if flags.ignore_case else test)

    def group(self, flags: _Flags) -> Node:
        self.groups += 1
        if self.groups > _MOST_GROUPS:
            raise Broken
        if self.peek() == "?" and self.match(_NAMED) is None:
            found = self.match(_FLAGS)
            if found is None or found[3] == ")":
                raise Broken
            flags = _changed(flags, found)
        inner = self.alternatives(flags)
        if not self.took(")"):
            raise Broken
        self.groups -= 1
        return inner

    def escaped(self) -> Test:
        """What stands behind a backslash, but for anchors."""
        code = self.match(_CODE)
        if code is not None:
            number = int(next(filter(None, code.groups())), 16)
            if number > 0x10FFFF:
                raise Broken
            return chr(number).__eq__
        letter = self.next()
        kind = _CLASSES.get(letter.lower())
        if kind is not None:
            return kind if letter.islower() else _not(kind)
        if letter.isalnum() and letter not in _CONTROLS:
            raise Broken
        return _CONTROLS.get(letter, letter).__eq__

    def letters(self) -> Test:
        """A class in brackets, whose first one was read."""
        negative = self.took("^")
        tests = [self.member()]
        while not self.took("]"):
            tests.append(self.member())
        found = _any(tests)
        return _not(found) if negative else found

    def member(self) -> Test:
        """A letter, a range or a class within brackets."""
        self.count()
        posix = self.match(_POSIX)
        if posix is not None:
            test = _POSIX_CLASSES.get(posix[2])
            if test is None:
                raise Broken
            return _not(test) if posix[1] else test
        low = self.next()
        if low == "[":
            return self.letters()
        test = self.escaped() if low == "\\" else low.__eq__
        if self.peek() != "-" or self.pattern[self.at + 1 : self.at + 2] in ("]", ""):
            return test
        self.at += 1
        low = self.pattern[self.at - 2]
        high = self.next()
        high = self.next() if high == "\\" else high
        if low > high:
            raise Broken
        return lambda letter: low <= letter <= high


def _changed(flags: _Flags, found: re.Match[str]) -> _Flags:
    on, off = found[1], found[2] or ""
    return _Flags(*(letter not in off and (was or letter in on) for letter, was in zip("ims", flags, strict=True)))


def _not(test: Test) -> Test:
    return lambda letter: not test(letter)


def _any(tests: Sequence[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    found: Test = lambda letter: any(test(letter) for test in tests)  # noqa: E731
    return found if len(tests) <= _FEW else lru_cache(_KNOWN)(found)


def _folded(test: Test) -> Test:
    return lambda letter: test(letter) or test(letter.lower()) or test(letter.upper())
