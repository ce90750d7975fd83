"""Kinds of directives: how the words of a value are read, checked and printed.

A directive is declared in the body of `emulator.config.directives.Config`.  There it stands for the attribute of the same
name (with ``_`` for ``-``), whose type is the directive's own; at run time the attribute is the plain value.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from emulator.config.edition import Edition
from emulator.protocol.inline import quoted
from emulator.protocol.numbers import INT64_MAX, INT64_MIN, UINT64_MAX, parse_integer, saturated
from emulator.protocol.text import to_bytes

T = TypeVar("T")

INT_MAX = 2**31 - 1
UINT_MAX = 2**32 - 1

_UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1 << 10, "m": 10**6, "mb": 1 << 20, "g": 10**9, "gb": 1 << 30}
NEGATIVE = "argument must be greater or equal to 0"
_NOT_INTEGER = "argument couldn't be parsed into an integer"


class ConfigError(ValueError):
    """A value that a directive does not take; the text is Redis's reason for it."""


class Directive(Generic[T]):
    """One directive.

    ``immutable`` ones are set only at start-up, ``protected`` ones change only where ``enable-protected-configs`` lets
    them; ``hidden`` ones match no glob.  ``since`` and ``valkey`` are the versions that brought it, unless every edition
    has it, ``until`` the version of Redis that took it away, ``named`` the one from which on its name is known beside its
    aliases; ``module`` is the module that it is for.  ``several`` tells that the value is a list of words, ``binary``
    that its words do not end at the first NUL byte.
    """

    several = False
    binary = False

    def __init__(
        self,
        default: T,
        *,
        aliases: str = "",
        immutable: bool = False,
        protected: bool = False,
        hidden: bool = False,
        since: str = "0.0.0",
        valkey: str = "",
        until: str = "",
        named: str = "",
        module: str = "",
    ) -> None:
        self.default = default
        self.aliases = aliases.split()
        self.immutable = immutable
        self.protected = protected
        self.hidden = hidden
        self.since = since
        self.valkey = valkey
        self.until = until
        self.named = named
        self.module = module
        self.name = ""
        self.attribute = ""

    def __set_name__(self, owner: type, attribute: str) -> None:
        self.attribute = attribute
        self.name = attribute.replace("_", "-")

    if TYPE_CHECKING:

        def __get__(self, instance: Any, owner: Any) -> T: ...

        def __set__(self, instance: Any, value: T) -> None: ...

    def is_in(self, edition: Edition) -> bool:
        """Whether an edition has it."""
        gone = self.until and edition.includes(self.until)
        return not gone and edition.includes(self.since, self.valkey) and edition.has(self.module)

    def names_in(self, edition: Edition) -> list[str]:
        """Its names in an edition."""
        is_named = not self.named or edition.is_valkey or edition.includes(self.named)
        return [self.name, *self.aliases] if is_named else self.aliases

    def of(self, edition: Edition) -> Self:
        """The directive as it is in an edition that has it: the same one if nothing is otherwise."""
        return self

    def initial(self) -> T:
        """The value before any is set."""
        return self.default

    def parse(self, words: Sequence[str], current: T) -> T:
        """The value that the words mean; raises `ConfigError`."""
        raise NotImplementedError

    def format(self, value: T) -> str:
        """The value as CONFIG GET tells it."""
        raise NotImplementedError

    def lines(self, value: T) -> list[tuple[str, bool]]:
        """Lines for the configuration file, each with whether it is needed where the file has none so far."""
        return [(f"{self.name} {self.format(value)}", value != self.default)]


class Boolean(Directive[bool]):
    """``yes`` or ``no``."""

    def parse(self, words: Sequence[str], current: bool) -> bool:
        word = words[0].lower()
        if word not in ("yes", "no"):
            raise ConfigError("argument must be 'yes' or 'no'")
        return word == "yes"

    def format(self, value: bool) -> str:
        return "yes" if value else "no"


class Choice(Directive[str]):
    """One of several words, in upper or lower case; `later` is a version, and the words from that one on."""

    def __init__(self, default: str, choices: str, later: tuple[str, str] = ("", ""), **traits: Any) -> None:
        super().__init__(default, **traits)
        self.choices = choices.split()
        self._later_since, self._later = later

    def of(self, edition: Edition) -> Self:
        if not edition.includes(self._later_since):
            return self
        twin = copy(self)
        twin.choices = self._later.split()
        return twin

    def parse(self, words: Sequence[str], current: str) -> str:
        return self._choice(words[0])

    def _choice(self, word: str) -> str:
        for choice in self.choices:
            if word.lower() == choice.lower():
                return choice
        raise ConfigError(f"argument(s) must be one of the following: {', '.join(self.choices)}")

    def format(self, value: str) -> str:
        return value


class ShutdownOptions(Choice):
    """``default``, or any of the options of SHUTDOWN, in the order in which Redis prints them."""

    several = True

    def __init__(self, further: str = "", **traits: Any) -> None:
        super().__init__("default", f"default save nosave now force {further}", **traits)

    def parse(self, words: Sequence[str], current: str) -> str:
        chosen = {self._choice(word) for word in words or [""]}
        if {"save", "nosave"} <= chosen:
            raise ConfigError("shutdown options SAVE and NOSAVE can't be used simultaneously")
        return " ".join(choice for choice in self.choices[1:] if choice in chosen) or "default"


class SlotStats(Choice):
    """``yes`` or ``no``, from 8.6 on also some of ``cpu``, ``net`` and ``mem``; all of them are ``yes``."""

    def __init__(self, **traits: Any) -> None:
        super().__init__("no", "no yes", later=("8.6.0", "no yes cpu net mem"), **traits)

    def of(self, edition: Edition) -> Self:
        twin = super().of(edition)
        twin.several = twin is not self
        return twin

    def parse(self, words: Sequence[str], current: str) -> str:
        if not self.several:
            if words[0].lower() not in self.choices:
                raise ConfigError("argument must be 'yes' or 'no'")
            return words[0].lower()
        chosen = {self._choice(word) for word in words or [""]}
        kinds = [choice for choice in self.choices[2:] if choice in chosen]
        return "yes" if "yes" in chosen or len(kinds) == len(self.choices[2:]) else " ".join(kinds) or "no"


class Integer(Directive[int]):
    """An integer within bounds; Redis words the error for a negative value differently where its type is unsigned.

    `earlier` is a version, and what the default and the bounds were before that.
    """

    binary = True

    def __init__(
        self,
        default: int,
        least: int,
        most: int,
        *,
        unsigned: bool = False,
        earlier: tuple[str, int, int, int] = ("0.0.0", 0, 0, 0),
        **traits: Any,
    ) -> None:
        super().__init__(default, **traits)
        self.least = least
        self.most = most
        self.unsigned = unsigned
        self._earlier = earlier

    def of(self, edition: Edition) -> Self:
        version, default, least, most = self._earlier
        if not edition.precedes(version):
            return self
        twin = copy(self)
        twin.default, twin.least, twin.most = default, least, most
        return twin

    def parse(self, words: Sequence[str], current: int) -> int:
        return self._bounded(self._number(words[0]))

    def _number(self, word: str) -> int:
        number = parse_integer(to_bytes(word))
        if number is None:
            raise ConfigError(_NOT_INTEGER)
        return number

    def _bounded(self, number: int) -> int:
        if self.unsigned and number < 0:
            raise ConfigError(NEGATIVE)
        if not self.least <= number <= self.most:
            raise ConfigError(self.bounds)
        return number

    @property
    def bounds(self) -> str:
        """The error that tells both bounds."""
        return f"argument must be between {self._bound(self.least)} and {self._bound(self.most)} inclusive"

    def _bound(self, number: int) -> str:
        return str(number)

    def format(self, value: int) -> str:
        return str(value)


class Clamped(Integer):
    """An integer that is brought silently into narrower bounds than those that are checked."""

    def __init__(self, default: int, least: int, most: int, lowest: int, highest: int) -> None:
        super().__init__(default, least, most)
        self.lowest = lowest
        self.highest = highest

    def parse(self, words: Sequence[str], current: int) -> int:
        return min(max(super().parse(words, current), self.lowest), self.highest)


class Octal(Integer):
    """A file mode."""

    binary = False

    def _number(self, word: str) -> int:
        number = c_integer(word, 8)
        if number is None:
            raise ConfigError("argument couldn't be parsed as an octal number")
        return number

    def _bound(self, number: int) -> str:
        return f"{number:o}"

    def format(self, value: int) -> str:
        return f"{value:o}"


class MemorySize(Integer):
    """Bytes, with units such as ``kb``; Redis calculates with 64 bits and wraps, and so a huge value is negative.

    From the version `wide_since` on, and before 8.2, there is no sign.
    """

    binary = False
    malformed = "argument must be a memory value"

    def __init__(
        self,
        default: int,
        least: int = 0,
        most: int = INT64_MAX,
        *,
        lowest: int = 0,
        unsigned: bool = True,
        wide_since: str = "",
        **traits: Any,
    ) -> None:
        super().__init__(default, least, most, unsigned=unsigned, **traits)
        self.lowest = lowest
        self._wide_since = wide_since

    def of(self, edition: Edition) -> Self:
        if not edition.includes(self._wide_since) and not (self._wide_since and edition.precedes("8.2.0")):
            return self
        twin = copy(self)
        twin.most = UINT64_MAX
        return twin

    def parse(self, words: Sequence[str], current: int) -> int:
        return max(super().parse(words, current), self.lowest)

    def _number(self, word: str) -> int:
        number = parse_memory(word)
        if number is None:
            raise ConfigError(self.malformed)
        return number & UINT64_MAX if self.most == UINT64_MAX else number

    def lines(self, value: int) -> list[tuple[str, bool]]:
        return [(f"{self.name} {format_memory(value)}", value != self.default)]


class MemoryOrPercent(MemorySize):
    """Bytes, or for a percentage its negative."""

    malformed = "argument must be a memory or percent value"

    def _number(self, word: str) -> int:
        percent = parse_integer(to_bytes(word[:-1])) if word.endswith("%") else None
        number = parse_memory(word) if percent is None or percent < 0 else -percent
        if number is None:
            raise ConfigError(self.malformed)
        return number

    def _bounded(self, number: int) -> int:
        if number < -100:
            raise ConfigError("percentage argument must be less or equal to 100")
        return number

    def parse(self, words: Sequence[str], current: int) -> int:
        return self._bounded(self._number(words[0]))

    def format(self, value: int) -> str:
        return f"{-value}%" if value < 0 else str(value)

    def lines(self, value: int) -> list[tuple[str, bool]]:
        return [(f"{self.name} {self.format(value) if value < 0 else format_memory(value)}", value != self.default)]


class Text(Directive[str]):
    """Any text, kept as ``str`` with surrogate escapes.  Unless ``blank`` an empty one is as good as none at all."""

    def __init__(self, default: str = "", *, blank: bool = False, **traits: Any) -> None:
        super().__init__(default, **traits)
        self.blank = blank

    def parse(self, words: Sequence[str], current: str) -> str:
        return words[0]

    def format(self, value: str) -> str:
        return value

    def lines(self, value: str) -> list[tuple[str, bool]]:
        if not value and not self.blank:
            return []
        return [(f"{self.name} {quote(value)}", value != self.default)]


class Secret(Text):
    """A password: any bytes at all."""

    binary = True


def parse_memory(word: str) -> int | None:
    """Bytes as a signed 64-bit integer (no digits are 0), or None."""
    digits = word.rstrip("bBkKmMgG")
    unit = _UNITS.get(word[len(digits) :].lower())
    if unit is None or len(digits) > 127 or (digits and not (digits.isascii() and digits.isdigit())):
        return None
    number = min(saturated(digits.encode()), UINT64_MAX) * unit
    return wrapped(number, 64)


def exceeds_memory(word: str) -> bool:
    """Whether the number before a unit is more than 64 bits can tell."""
    digits = word.rstrip("bBkKmMgG")
    return digits.isdigit() and saturated(digits.encode()) > UINT64_MAX


def format_memory(number: int) -> str:
    """Bytes in the largest unit that divides them."""
    for unit, size in (("gb", 1 << 30), ("mb", 1 << 20), ("kb", 1 << 10)):
        if number and number % size == 0:
            return f"{number // size}{unit}"
    return str(number)


def wrapped(number: int, bits: int) -> int:
    """An integer as a signed C type of that many bits keeps it."""
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> (bits - 1) else number


def c_integer(word: str, base: int = 10) -> int | None:
    """An integer as C's strtoll reads it where nothing may follow: leading space, a sign, saturation; "" is 0."""
    text = word.lstrip(" \t\n\v\f\r")
    if not text:
        return None if word else 0
    digits = text[1:] if text[0] in "+-" else text
    if not (digits.isascii() and digits.isdigit()) or (base == 8 and ("8" in digits or "9" in digits)):
        return None
    number = saturated(digits.encode()) if base == 10 else int(digits, base)
    return min(max(-number if text[0] == "-" else number, INT64_MIN), INT64_MAX)


def quote(text: str) -> str:
    """Text in double quotes, readable for `protocol.inline`."""
    return quoted(to_bytes(text)).decode()
