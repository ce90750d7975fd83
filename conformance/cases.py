"""Case files: plain text, no expected answers (the format is told in CONTRIBUTING.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

LOOSENESS = frozenset(
    ("digits", "ids", "members", "nodes", "unordered", "deep", "pairs", "payload", "rounded", "shape", "type", "whole")
)
_MARKS = LOOSENESS | {"blocks", "async", "replies", "about", "fields", "hide"}

SERVER_ACTIONS = ("start", "restart", "empty", "file")
"""Those that do something with the server process or its folder."""

_HEAD = re.compile(r"^===\s*(?P<name>.*?)(?P<tags>(?:\s+@\S+(?:\s+(?:\d|valkey)[\w.,-]*)?)*)\s*$")
_PREFIX = re.compile(r"^\[(?P<marks>[^]]*)\]\s*")
_CAPTURE = re.compile(r"^(?P<name>[a-z]+) = ")
_CONNECTION = re.compile(r"^(?P<name>[a-z]+): ")
_REPEAT = re.compile(rb"\$\((.+?)\*(\d+)\)")
_FOR = re.compile(r"^for (?P<names>[A-Z]+(?: [A-Z]+)*) in(?P<values>(?: .*)?)$")
_NAME = re.compile(r"\$([A-Z]+)")
_CAPTURED = re.compile(rb"\$\{([a-z]+)\}")
_PLAIN = {"": re.compile(r"[^\s\"']+"), '"': re.compile(r'[^"\\]+'), "'": re.compile(r"[^'\\]+")}
"""What stands for itself, by the quote that is open."""


class CaseError(Exception):
    """A case file is not written as it should be."""


@dataclass
class Step:
    """One line: what is done on a connection, and how loosely the replies are compared."""

    line: int
    text: str
    connection: str = "a"
    action: str = "command"  # command, read, none, eof, close, raw, sleep, rest, or one of SERVER_ACTIONS
    words: list[bytes] = field(default_factory=list)
    replies: int = 1
    looseness: frozenset[str] = frozenset()
    about: float = 0.0
    fields: frozenset[bytes] = frozenset()
    hidden: frozenset[bytes] = frozenset()
    blocks: bool = False
    capture: str = ""

    def filled(self, captured: dict[str, bytes]) -> list[bytes]:
        """The words with what was captured on this side put in."""
        return [_CAPTURED.sub(lambda match: captured[match[1].decode()], word) for word in self.words]


@dataclass
class Case:
    """A named list of steps, the protocols it is played on, and the versions: from `since` on and before `until`.

    ``editions`` are those it is played on alone, by the names that ``--compat`` takes; without any it is played on all.
    A case for ``jemalloc`` has figures of that allocator, or of what Redis can do with it alone.
    """

    group: str
    name: str
    path: Path
    line: int
    since: tuple[int, ...] = ()
    until: tuple[int, ...] | None = None
    editions: frozenset[str] = frozenset()
    protocols: tuple[int, ...] = (2, 3)
    jemalloc: bool = False
    steps: list[Step] = field(default_factory=list)

    @property
    def id(self) -> str:
        return f"{self.group}/{self.name}"

    @cached_property
    def restarts(self) -> bool:
        """Whether it starts servers anew, which takes processes."""
        return any(step.action in SERVER_ACTIONS for step in self.steps)

    @property
    def is_of_versions(self) -> bool:
        """Whether it is for some versions only."""
        return bool(self.since or self.until or self.editions)

    def is_for(self, version: tuple[int, ...], allocator: str = "jemalloc") -> bool:
        """Whether the case is played where the oracle has this version and this allocator."""
        if self.jemalloc and not allocator.startswith("jemalloc"):
            return False
        return self.since <= version and (self.until is None or version < self.until)


def load(path: Path) -> list[Case]:
    """The cases of a file."""
    cases: list[Case] = []
    number = 0
    try:
        for number, line in _repeated(path.read_text(encoding="utf-8").splitlines()):
            if not line.strip() or line.startswith("#"):
                continue
            if line.startswith("==="):
                cases.append(_case(line, path, number))
            elif not cases:
                raise CaseError("a step before the first case")
            else:
                cases[-1].steps.append(parse_step(line, number))
    except (CaseError, ValueError) as error:
        raise CaseError(f"{path}:{number}: {error}") from None
    names = [case.name for case in cases]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise CaseError(f"{path}: cases of the same name: {', '.join(sorted(twice))}")
    return cases


def _repeated(lines: list[str]) -> Iterator[tuple[int, str]]:
    """The lines and their numbers; those between ``for`` and ``end`` once for each row of values."""
    numbered = enumerate(lines, 1)
    for number, line in numbered:
        match = _FOR.match(line)
        if match is None:
            yield number, line
            continue
        block = _block(numbered)
        values = match["values"]
        while block and block[0][1].startswith(" "):
            values += block.pop(0)[1]
        for row in _rows(match["names"].split(), split(values)):
            yield from ((place, _filled(text, row)) for place, text in block)


def _filled(text: str, row: dict[str, str]) -> str:
    return _NAME.sub(lambda name: row.get(name[1], name[0]), text)


def _block(numbered: Iterator[tuple[int, str]]) -> list[tuple[int, str]]:
    """The lines up to ``end``, which is read as well."""
    block = []
    for number, line in numbered:
        if line == "end":
            return block
        block.append((number, line))
    raise CaseError("a `for` without `end`")


def _rows(names: list[str], values: list[bytes]) -> Iterator[dict[str, str]]:
    """What each name stands for, row by row."""
    if not values or len(values) % len(names):
        raise CaseError(f"{len(values)} values are no rows of {len(names)}")
    for start in range(0, len(values), len(names)):
        row = values[start : start + len(names)]
        yield dict(zip(names, (value.decode() for value in row), strict=True))


@cache
def load_all(folder: Path) -> tuple[Case, ...]:
    """The cases of every file in a folder, read once.  Raises `CaseError` where two of a group have one name."""
    files: dict[str, Path] = {}
    cases: list[Case] = []
    for path in sorted(folder.glob("*.case")):
        for case in load(path):
            if files.setdefault(case.id, path) != path:
                raise CaseError(
                    f"{path}: {case.name} is the name of another case of the group, in {files[case.id].name}"
                )
            cases.append(case)
    return tuple(cases)


def groups(folder: Path) -> list[str]:
    """The groups of cases in a folder."""
    return sorted({group_of(path) for path in folder.glob("*.case")})


def group_of(path: Path) -> str:
    """The group of a file of cases: its name up to the first point, so that a group has files of several themes."""
    return path.name.partition(".")[0]


def _case(line: str, path: Path, number: int) -> Case:
    match = _HEAD.match(line)
    if match is None or not match["name"]:
        raise CaseError("a case needs a name")
    case = Case(group_of(path), match["name"], path, number)
    tags = match["tags"].split()
    while tags:
        tag = tags.pop(0)
        if tag == "@since" and tags:
            case.since = _version(tags.pop(0))
        elif tag == "@edition" and tags:
            case.editions = frozenset(tags.pop(0).split(","))
        elif tag == "@jemalloc":
            case.jemalloc = True
        elif tag in ("@resp2", "@resp3"):
            case.protocols = (int(tag[-1]),)
        elif tag == "@until" and tags:
            case.until = _version(tags.pop(0))
        else:
            raise CaseError(f"unknown tag {tag}")
    return case


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def parse_step(line: str, number: int = 0) -> Step:
    """The step that a line describes."""
    step = Step(number, line)
    rest = line
    if match := _CAPTURE.match(rest):
        step.capture = match["name"]
        step.looseness = frozenset(("shape",))
        rest = rest[match.end() :]
    if match := _PREFIX.match(rest):
        _mark(step, match["marks"])
        rest = rest[match.end() :]
    if match := _CONNECTION.match(rest):
        step.connection = match["name"]
        rest = rest[match.end() :]
    _act(step, rest)
    return step


def _mark(step: Step, marks: str) -> None:
    loose = set(step.looseness)
    for mark in marks.split(","):
        name, _, argument = mark.strip().partition(" ")
        if name not in _MARKS:
            raise CaseError(f"unknown mark [{name}]")
        if name == "replies":
            step.replies = int(argument)
        elif name == "about":
            step.about = float(argument)
        elif name == "fields":
            step.fields = frozenset(argument.encode().split())
        elif name == "hide":
            step.hidden = frozenset(argument.encode().split())
        elif name == "blocks":
            step.blocks, step.replies = True, 0
        elif name == "async":
            step.replies = 0
        else:
            loose.add(name)
    step.looseness = frozenset(loose)


def _act(step: Step, rest: str) -> None:
    if rest.startswith("!"):
        name, _, argument = rest[1:].partition(" ")
        if name not in ("close", "raw", "sleep", "rest", *SERVER_ACTIONS):
            raise CaseError(f"unknown action !{name}")
        step.action = name
        step.words = split(argument)
        if name != "raw" or "replies" not in step.text.partition("]")[0]:
            step.replies = 0
    elif rest.startswith("<"):
        word = rest[1:].strip()
        if word in ("none", "eof"):
            step.action, step.replies = word, 0
        else:
            step.action, step.replies = "read", int(word or 1)
    else:
        step.words = split(rest)
        if not step.words:
            raise CaseError("an empty command")


_ESCAPES = {"n": b"\n", "r": b"\r", "t": b"\t", "b": b"\b", "a": b"\a"}


def split(text: str) -> list[bytes]:
    """Words with redis-cli's quoting; ``$(x*3000)`` repeats what is before the star."""
    words = _quoted(text) if '"' in text or "'" in text else text.encode().split()
    if "$(" not in text:
        return words
    return [_REPEAT.sub(lambda match: match[1] * int(match[2]), word) for word in words]


def _quoted(text: str) -> list[bytes]:
    words: list[bytes] = []
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        word, position = _word(text, position)
        words.append(word)
    return words


def _word(text: str, position: int) -> tuple[bytes, int]:
    word = b""
    quote = ""
    while position < len(text):
        if plain := _PLAIN[quote].match(text, position):
            word += plain[0].encode()
            position = plain.end()
            continue
        char = text[position]
        if quote:
            if char == "\\" and quote == '"' and position + 1 < len(text):
                piece, position = _escape(text, position + 1)
                word += piece
                continue
            if char == "\\" and text[position + 1 : position + 2] == "'":
                word += b"'"
                position += 2
                continue
            if char == quote:
                quote = ""
            else:
                word += char.encode()
        elif char.isspace():
            break
        else:
            quote = char
        position += 1
    if quote:
        raise CaseError("a quote is not closed")
    return word, position


def _escape(text: str, position: int) -> tuple[bytes, int]:
    char = text[position]
    if char == "x":
        return bytes.fromhex(text[position + 1 : position + 3]), position + 3
    return _ESCAPES.get(char, char.encode()), position + 1
