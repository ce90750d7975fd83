"""The manifest of the append-only file: which files it is made of, in Redis's format, one line for each.

A line has pairs of a name and a value: ``file appendonly.aof.1.incr.aof seq 1 type i startoffset 0``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from emulator.protocol.inline import split_inline
from emulator.protocol.numbers import parse_integer

BASE: Final = "b"
INCREMENT: Final = "i"
HISTORY: Final = "h"
_LONGEST_LINE: Final = 1024


class BadManifest(Exception):
    """A manifest that means nothing; the arguments are lines for the log."""


@dataclass(frozen=True)
class Part:
    """A file; ``start`` and ``end`` are how many commands there were in all before it and at its end."""

    name: str
    number: int
    kind: str
    start: int | None = None
    end: int | None = None

    def __str__(self) -> str:
        name = f'"{self.name}"' if any(letter in self.name for letter in " \"'") else self.name
        text = f"file {name} seq {self.number} type {self.kind}"
        if self.start is not None:
            text += f" startoffset {self.start}"
        return text if self.end is None else f"{text} endoffset {self.end}"


@dataclass(frozen=True)
class Manifest:
    """What the log is made of: at most one base, increments in order, and what is to be deleted."""

    base: Part | None = None
    increments: tuple[Part, ...] = ()
    history: tuple[Part, ...] = ()
    last_base: int = field(default=0)

    @property
    def parts(self) -> Sequence[Part]:
        """The files that have data, in their order."""
        return [*([] if self.base is None else [self.base]), *self.increments]

    @property
    def last_increment(self) -> int:
        """The number of the last increment."""
        return self.increments[-1].number if self.increments else 0

    def text(self) -> str:
        """The manifest as a file has it."""
        parts = [*([] if self.base is None else [self.base]), *self.history, *self.increments]
        return "".join(f"{part}\n" for part in parts)

    def with_increment(self, part: Part) -> Manifest:
        """One more increment."""
        return replace(self, increments=(*self.increments, part))

    def with_base(self, part: Part, increments: Sequence[Part]) -> Manifest:
        """A new base and what came after it; the rest is history."""
        gone = [old for old in self.parts if old not in increments]
        history = (*self.history, *(replace(old, kind=HISTORY) for old in gone))
        return Manifest(part, tuple(increments), history, part.number)

    def without_history(self) -> Manifest:
        """The same when the old files are gone."""
        return replace(self, history=())

    def ended(self, end: int | None) -> Manifest:
        """The last increment ends there, or with None goes on; nothing is said of one whose beginning is not known."""
        if not self.increments or self.increments[-1].start is None:
            return self
        return replace(self, increments=(*self.increments[:-1], replace(self.increments[-1], end=end)))


def parse(text: str) -> Manifest:
    """The manifest in a text; raises `BadManifest`."""
    if not text:
        raise BadManifest("Found an empty AOF manifest")
    manifest = Manifest()
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        if not line.startswith("#"):
            try:
                manifest = _with(manifest, _part(line))
            except BadManifest as error:
                raise BadManifest(
                    f"Reading the manifest file, at line {number}", f">>> '{line}'", *error.args
                ) from None
    if not text.endswith("\n"):
        raise BadManifest("The AOF manifest file contains too long line")
    return manifest


def _part(line: str) -> Part:
    words = None if len(line) >= _LONGEST_LINE else split_inline(line.strip().encode("utf-8", "surrogateescape"))
    if not words or len(words) % 2:
        raise BadManifest("Invalid AOF manifest file format")
    pairs = dict(_pairs([word.decode("utf-8", "surrogateescape") for word in words]))
    name, kind = pairs.get("file", ""), pairs.get("type", "")
    if "/" in name:
        raise BadManifest("File can't be a path, just a filename")
    number = _number(pairs.get("seq")) or 0
    if kind and kind not in (BASE, INCREMENT, HISTORY):
        raise BadManifest("Unknown AOF file type")
    if not name or not kind or number <= 0:
        raise BadManifest("Invalid AOF manifest file format")
    return Part(name, number, kind, _number(pairs.get("startoffset")), _number(pairs.get("endoffset")))


def _pairs(words: Sequence[str]) -> Iterable[tuple[str, str]]:
    return ((name.lower(), value) for name, value in zip(words[::2], words[1::2], strict=True))


def _number(text: str | None) -> int | None:
    return None if text is None else parse_integer(text.encode("utf-8", "surrogateescape"))


def _with(manifest: Manifest, part: Part) -> Manifest:
    if part.kind == HISTORY:
        return replace(manifest, history=(*manifest.history, part))
    if part.kind == INCREMENT:
        if part.number <= manifest.last_increment:
            raise BadManifest("Found a non-monotonic sequence number")
        return manifest.with_increment(part)
    if manifest.base is not None:
        raise BadManifest("Found duplicate base file information")
    return replace(manifest, base=part, last_base=part.number)
