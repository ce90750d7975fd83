"""The kinds of directives that modules bring, which word their errors in their own way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from emulator.config.kinds import ConfigError, Directive
from emulator.protocol.numbers import parse_double, parse_integer


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
