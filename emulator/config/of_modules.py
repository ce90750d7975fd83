"""The kinds of directives that modules bring, which word their errors in their own way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from emulator.config.kinds import ConfigError, Directive, Text
from emulator.protocol.numbers import parse_double, parse_integer

_SPAN = r"[0-9]{1,15}[msMhd]"
_AGGREGATION = r"(?:avg|sum|min|max|range|count|first|last|std\.[ps]|var\.[ps]|twa)"
_COMPACTION = rf"{_AGGREGATION}:(?!0+[msMhd]){_SPAN}:{_SPAN}(?::{_SPAN})?"
_COMPACTIONS = re.compile(rf"(?:{_COMPACTION}(?:;{_COMPACTION})*+;?)?", re.ASCII)


class Compactions(Text):
    """Aggregations, each with bucket, retention and perhaps alignment, and semicolons between: ``avg:10s:1h;max:1M:0m``."""

    def parse(self, words: Sequence[str], current: str) -> str:
        if _COMPACTIONS.fullmatch(words[0]) is None:
            raise ConfigError(f"Invalid value for `{self.name}`")
        return words[0]


class ModuleInteger(Directive[int]):
    """An integer within bounds."""

    def __init__(self, default: int, least: int, most: int, **traits: Any) -> None:
        super().__init__(default, **traits)
        self.least = least
        self.most = most

    def parse(self, words: Sequence[str], current: int) -> int:
        number = parse_integer(words[0].encode("utf-8", "surrogateescape"))
        if number is None:
            raise ConfigError(f"Invalid value for `{self.name}`")
        if not self.least <= number <= self.most:
            raise ConfigError(f"Value for `{self.name}` must be in the range [{self.least}, {self.most}]")
        return number

    def format(self, value: int) -> str:
        return str(value)


class ModuleNumber(Directive[float]):
    """A number between two bounds, which with ``open`` are out of bounds themselves."""

    def __init__(self, default: float, least: float, most: float, *, open: bool = False, **traits: Any) -> None:
        super().__init__(default, **traits)
        self.least = least
        self.most = most
        self.open = open

    def parse(self, words: Sequence[str], current: float) -> float:
        number = parse_double(words[0].encode("utf-8", "surrogateescape"))
        if number is None:
            raise ConfigError(f"Invalid value for `{self.name}`")
        if not self.least <= number <= self.most or (self.open and number in (self.least, self.most)):
            left, right = "()" if self.open else "[]"
            bounds = f"{left}{self.least:f}, {self.most:f}{right}"
            raise ConfigError(f"Value for `{self.name}` must be in the range {bounds}")
        return number

    def format(self, value: float) -> str:
        return f"{value:f}"
