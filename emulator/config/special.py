"""Directives with a grammar of their own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, Self

from emulator.config.edition import REDIS_8_2, Edition
from emulator.config.kinds import (
    ConfigError,
    Directive,
    Text,
    c_integer,
    format_memory,
    parse_memory,
    quote,
    wrapped,
)
from emulator.config.notifications import OF_SUBKEYS, format_flags, parse_flags
from emulator.protocol.numbers import parse_decimal, parse_double
from emulator.protocol.text import to_bytes

SavePoints = tuple[tuple[int, int], ...]
Limit = tuple[int, int, int]
LimitsByClass = Mapping[str, Limit]


class Save(Directive[SavePoints]):
    """Pairs of seconds and changes."""

    several = True

    def parse(self, words: Sequence[str], current: SavePoints) -> SavePoints:
        if not words or list(words) == [""]:
            return ()
        numbers = [c_integer(word) for word in words]
        points = tuple(zip(numbers[::2], numbers[1::2], strict=False))
        good = tuple(
            (seconds, wrapped(changes, 32))
            for seconds, changes in points
            if seconds is not None and changes is not None and seconds >= 1 and wrapped(changes, 32) >= 0
        )
        if len(words) % 2 or len(good) != len(points):
            raise ConfigError("Invalid save parameters")
        return good

    def format(self, value: SavePoints) -> str:
        return " ".join(f"{seconds} {changes}" for seconds, changes in value)

    def lines(self, value: SavePoints) -> list[tuple[str, bool]]:
        return [(f"save {seconds} {changes}", True) for seconds, changes in value] or [('save ""', True)]


class Modules(Directive[tuple[str, ...]]):
    """Words that choose modules, separated by commas or spaces, or ``none``."""

    several = True

    def __init__(self, **traits: Any) -> None:
        super().__init__(tuple(module.word for module in REDIS_8_2.modules if module.word), **traits)

    def parse(self, words: Sequence[str], current: tuple[str, ...]) -> tuple[str, ...]:
        named = [name.lower() for word in words for name in word.split(",") if name]
        if named == ["none"]:
            return ()
        if not named or not set(named) <= set(self.default):
            raise ConfigError(f"argument must be none, or some of {','.join(self.default)}")
        return tuple(word for word in self.default if word in named)

    def format(self, value: tuple[str, ...]) -> str:
        return ",".join(value) or "none"


class OutputLimits(Directive[LimitsByClass]):
    """``client-output-buffer-limit``: hard bytes, soft bytes, soft seconds for ``normal``, ``slave`` and ``pubsub``."""

    several = True

    def parse(self, words: Sequence[str], current: LimitsByClass) -> LimitsByClass:
        if len(words) % 4:
            raise ConfigError("Wrong number of arguments in buffer limit configuration.")
        limits = dict(current)
        for start in range(0, len(words), 4):
            name, hard, soft, seconds = words[start : start + 4]
            name = "slave" if name.lower() == "replica" else name.lower()
            if name not in limits:
                raise ConfigError("Invalid client class specified in buffer limit configuration.")
            limits[name] = self._limit(hard, soft, seconds)
        return limits

    @staticmethod
    def _limit(hard: str, soft: str, seconds: str) -> Limit:
        values = parse_memory(hard), parse_memory(soft), c_integer(seconds)
        if values[0] is None or values[1] is None or values[2] is None or values[2] < 0:
            raise ConfigError("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
        return values[0], values[1], wrapped(values[2], 32)

    def format(self, value: LimitsByClass) -> str:
        return " ".join(f"{name} {hard} {soft} {seconds}" for name, (hard, soft, seconds) in value.items())

    def lines(self, value: LimitsByClass) -> list[tuple[str, bool]]:
        return [self._line(name, limit) for name, limit in value.items()]

    def _line(self, name: str, limit: Limit) -> tuple[str, bool]:
        hard, soft, seconds = limit
        shown = "replica" if name == "slave" else name
        return f"{self.name} {shown} {format_memory(hard)} {format_memory(soft)} {seconds}", limit != self.default[name]


class OomScores(Directive[tuple[int, ...]]):
    """``oom-score-adj-values``: for the server, its replicas and its children."""

    several = True

    def parse(self, words: Sequence[str], current: tuple[int, ...]) -> tuple[int, ...]:
        if len(words) != 3:
            raise ConfigError("wrong number of arguments")
        values = tuple(value for value in map(c_integer, words) if value is not None and -2000 <= value <= 2000)
        if len(values) != 3:
            raise ConfigError("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
        return values

    def format(self, value: tuple[int, ...]) -> str:
        return " ".join(map(str, value))


class NotificationFlags(Directive[int]):
    """``notify-keyspace-events`` as the bits of `emulator.config.notifications`; a server may be `without` some letters."""

    def __init__(self, default: int, without: str = "") -> None:
        super().__init__(default)
        self._without = frozenset(without)

    def of(self, edition: Edition) -> Self:
        if edition.includes("8.8.0"):
            return self
        twin = copy(self)
        twin._without = self._without | frozenset(OF_SUBKEYS + ("oc" if edition.precedes("8.2.0") else ""))
        return twin

    def parse(self, words: Sequence[str], current: int) -> int:
        flags = parse_flags(words[0]) if self._without.isdisjoint(words[0]) else None
        if flags is None:
            raise ConfigError("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
        return flags

    def format(self, value: int) -> str:
        return format_flags(value)

    def lines(self, value: int) -> list[tuple[str, bool]]:
        return [(f"{self.name} {quote(self.format(value))}", value != self.default)]


class Percentiles(Directive[tuple[float, ...]]):
    """Percentages from 0 to 100; a server that is `decimal` knows no hexadecimal ones."""

    several = True
    binary = True

    def __init__(self, default: tuple[float, ...], decimal: bool = False) -> None:
        super().__init__(default)
        self._parse = parse_decimal if decimal else parse_double

    def parse(self, words: Sequence[str], current: tuple[float, ...]) -> tuple[float, ...]:
        if list(words) == [""]:
            return ()
        values = [self._parse(to_bytes(word)) for word in words]
        found = tuple(value for value in values if value is not None)
        if len(found) != len(values):
            raise ConfigError(f"Invalid {self.name} parameters")
        if not all(0 <= value <= 100 for value in found):
            raise ConfigError(f"{self.name} parameters should sit between [0.0,100.0]")
        return found

    def format(self, value: tuple[float, ...]) -> str:
        return " ".join(f"{percentile:.6f}".rstrip("0").rstrip(".") for percentile in value)

    def lines(self, value: tuple[float, ...]) -> list[tuple[str, bool]]:
        return [(f"{self.name} {self.format(value) or quote('')}", True)]


class Addresses(Directive[str]):
    """``bind``: addresses to listen on, parted by spaces; ``-`` before one lets it be absent."""

    several = True

    def parse(self, words: Sequence[str], current: str) -> str:
        if len(words) > 16:
            raise ConfigError("Too many bind addresses specified.")
        return " ".join(words)

    def format(self, value: str) -> str:
        return value

    def lines(self, value: str) -> list[tuple[str, bool]]:
        if value == self.default:
            return []
        return [(f"{self.name} {value or quote('')}", True)]


class Master(Directive["tuple[str, int] | None"]):
    """``replicaof``: host and port, or nobody."""

    several = True

    def parse(self, words: Sequence[str], current: tuple[str, int] | None) -> tuple[str, int] | None:
        if len(words) == 1 and ":" in words[0]:  # beyond Redis: host:port
            words = words[0].rpartition(":")[::2]
        if len(words) != 2:
            raise ConfigError("wrong number of arguments")
        host, port = words
        if (host.lower(), port.lower()) == ("no", "one"):
            return None
        number = c_integer(port)
        if number is None or not 0 <= number <= 65535:
            raise ConfigError("Invalid master port")
        return host, number

    def format(self, value: tuple[str, int] | None) -> str:
        return f"{value[0]} {value[1]}" if value else ""

    def lines(self, value: tuple[str, int] | None) -> list[tuple[str, bool]]:
        return [(f"{self.name} {self.format(value)}", True)] if value else []


class Directory(Directive[str]):
    """``dir``, always absolute.  The process itself stays where it is."""

    def initial(self) -> str:
        return os.getcwd()

    def parse(self, words: Sequence[str], current: str) -> str:
        path = os.path.join(current, words[0])
        try:
            with os.scandir(path if words[0] else ""):
                pass
        except OSError as error:
            raise ConfigError(error.strerror or str(error)) from None
        return os.path.realpath(path)

    def format(self, value: str) -> str:
        return value

    def lines(self, value: str) -> list[tuple[str, bool]]:
        return [(f"{self.name} {quote(value)}", True)]


class FileName(Text):
    """A name without a path."""

    def __init__(
        self,
        default: str,
        *,
        immutable: bool = False,
        protected: bool = False,
        may_be_empty: bool = False,
        since: str = "0.0.0",
    ) -> None:
        super().__init__(default, blank=True, immutable=immutable, protected=protected, since=since)
        self.may_be_empty = may_be_empty

    def parse(self, words: Sequence[str], current: str) -> str:
        if not words[0] and not self.may_be_empty:
            raise ConfigError(f"{self.name} can't be empty")
        if "/" in words[0]:
            raise ConfigError(f"{self.name} can't be a path, just a filename")
        return words[0]


class HostName(Text):
    """``cluster-announce-hostname``."""

    def parse(self, words: Sequence[str], current: str) -> str:
        name = words[0]
        if len(name) >= 256:
            raise ConfigError("Hostnames must be less than 256 characters")
        if not all(letter.isascii() and (letter.isalnum() or letter in "-.") for letter in name):
            raise ConfigError("Hostnames may only contain alphanumeric characters, hyphens or dots")
        return name


class NodeName(Text):
    """``cluster-announce-human-nodename``."""

    binary = True

    def parse(self, words: Sequence[str], current: str) -> str:
        if not set(words[0]).isdisjoint("!#$%&()*+:;<>?@[]^{|}~\0"):
            raise ConfigError("Announced human node name contained invalid character")
        return words[0]


class Locale(Text):
    """``locale-collate``: only the locales that every system has, since a library leaves the process's own alone."""

    def parse(self, words: Sequence[str], current: str) -> str:
        if words[0].lower() not in ("", "c", "posix", "c.utf-8", "c.utf8"):
            raise ConfigError("Invalid locale name")
        return words[0]


class TitleTemplate(Text):
    """``proc-title-template``: text with variables in braces; ``{{`` is a brace.

    It must come to more than the variables that are empty for a server like this one.
    """

    empty = frozenset(("title", "server-mode", "unixsocket"))
    variables = empty | {"listen-addr", "port", "tls-port", "config-file"}

    def parse(self, words: Sequence[str], current: str) -> str:
        plain, *pieces = words[0].replace("{{", "\0").split("{")
        shown = plain.strip()
        for piece in pieces:
            variable, brace, rest = piece.partition("}")
            if not brace or variable not in self.variables:
                shown = ""
                break
            shown += rest.strip() if variable in self.empty else variable
        if not shown:
            raise ConfigError("template format is invalid or contains unknown variables")
        return words[0]
