"""Editions: which server an engine stands for.  What differs between versions asks the edition of its configuration."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib import import_module
from typing import Any, Final

from emulator.config.wording import REDIS, REDIS_7_2, VALKEY, Wording
from emulator.datatypes.string import Embedding

_COMMON_ANCESTOR: Final = "7.2.4"
"""The version of Redis that Valkey began with."""


@dataclass(frozen=True)
class Module:
    """A module that a server has.

    ``name``, ``version`` (10000 for each major one, 100 for each minor one), ``options`` and ``path`` are what MODULE LIST
    and INFO tell.  ``word`` is what the directive ``modules`` calls it, none where it cannot be left out.  Its commands and
    its types, of these names, are in `emulator.modules.<package>`, which is imported when one of them is needed.
    """

    name: str
    version: int
    options: str = ""
    word: str = ""
    package: str = ""
    types: tuple[str, ...] = ()
    path: str = ""

    @property
    def listed(self) -> dict[bytes, Any]:
        """What MODULE LIST and HELLO tell of it."""
        return {b"name": self.name.encode(), b"ver": self.version, b"path": self.path.encode(), b"args": []}


@dataclass(frozen=True, eq=False)
class Edition:
    """A server of some version, with its modules.

    Commands and directives are those that came up to its version, and those of its modules: each says ``since`` when it is
    there (`emulator.commands.table.table`, `emulator.config.store.Store`).  ``packages`` of `emulator.modules` have types of
    Redis's own, which are imported by the editions that have them.
    """

    name: str
    version: str
    modules: tuple[Module, ...] = ()
    packages: tuple[str, ...] = ()

    @property
    def compat(self) -> str:
        """The name by which ``--compat`` chooses it: ``8.2``, ``valkey-9.1``."""
        release = self.version.rpartition(".")[0]
        return f"valkey-{release}" if self.is_valkey else release

    @cached_property
    def is_valkey(self) -> bool:
        return self.name == "valkey"

    @cached_property
    def wording(self) -> Wording:
        """The texts in which servers differ."""
        return VALKEY if self.is_valkey else REDIS_7_2 if self.precedes("7.4.0") else REDIS

    @property
    def redis_version(self) -> str:
        """The version of Redis that clients may take it for."""
        return _COMMON_ANCESTOR if self.is_valkey else self.version

    def includes(self, since: str, valkey: str = "") -> bool:
        """Whether it has what came with Redis version `since` (``7.2.0``), or with that of Valkey; "" for never.

        Nothing that has once come was ever taken away.
        """
        return _includes(self.version, self.is_valkey, since, valkey)

    def precedes(self, version: str) -> bool:
        """Whether it is a Redis before a version, in which something changed."""
        return not self.is_valkey and not self.includes(version)

    @cached_property
    def is_as_7_4(self) -> bool:
        """Whether it has what 8.0 changed as it was before: Valkey, which parted from Redis before that, kept it."""
        return self.is_valkey or self.precedes("8.0.0")

    @cached_property
    def embedding(self) -> Embedding:
        """How strings are embedded in their objects."""
        return "valkey" if self.is_valkey else "alone" if self.precedes("8.2.0") else "with key"

    @cached_property
    def queued_word(self) -> int:
        """The bytes that a word of a queued command takes beside its own."""
        return 0 if self.includes("8.4.0") else 8

    @cached_property
    def rdb_version(self) -> int:
        """The version of the payloads that DUMP makes and of RDB files, and the newest that it reads."""
        if self.is_valkey:
            return 80
        return 13 if self.includes("8.6.0") else 12 if self.includes("7.4.0") else 11

    def has(self, module: str) -> bool:
        """Whether it has the module of this name; all of them have what is no module's."""
        return not module or any(module == known.name for known in self.modules)

    def only(self, words: Collection[str]) -> Edition:
        """The same server with no other modules than those that are chosen by these words or cannot be left out."""
        return _only(self, frozenset(words))

    @property
    def number(self) -> int:
        """The version with a byte for each part: 0x00080203."""
        return _number(self.version)

    @property
    def redis_number(self) -> int:
        """`redis_version` in the same form."""
        return _number(self.redis_version)


@cache
def _only(edition: Edition, words: frozenset[str]) -> Edition:
    modules = tuple(module for module in edition.modules if not module.word or module.word in words)
    return edition if modules == edition.modules else replace(edition, modules=modules)


def load_module(module: Module) -> None:
    """Enter the commands and types of a module, unless that has been done."""
    if module.package:
        import_module(f"emulator.modules.{module.package}.commands")


def load_packages(edition: Edition) -> None:
    """Enter the commands and types that an edition has beyond those of Redis 8.2: they cost others no time at the start."""
    for package in edition.packages:
        import_module(f"emulator.modules.{package}.commands")


def _number(version: str) -> int:
    major, minor, patch = _parts(version)
    return major << 16 | minor << 8 | patch


@cache  # asked by many commands each time
def _includes(version: str, is_valkey: bool, since: str, valkey: str) -> bool:
    if is_valkey and valkey:
        return _parts(valkey) <= _parts(version)
    return bool(since) and _parts(since) <= _parts(_COMMON_ANCESTOR if is_valkey else version)


@cache
def _parts(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


_VECTORSET: Final = Module("vectorset", 1, "handle-io-errors|handle-repl-async-load", types=("vectorset",))
_JSON: Final = Module("ReJSON", 80200, "handle-io-errors", "json", "json", ("ReJSON-RL",))
_SKETCHES: Final = ("MBbloom--", "MBbloomCF", "CMSk-TYPE", "TopK-TYPE", "TDIS-TYPE")
_BLOOM: Final = Module("bf", 80212, "handle-io-errors", "bf", "bloom", _SKETCHES)
_SERIES: Final = Module("timeseries", 80210, "handle-io-errors", "timeseries", "timeseries", ("TSDB-TYPE",))
_MODULES: Final = (_VECTORSET, _JSON, _BLOOM, _SERIES)
_LATER: Final = ("array",)
_LUA: Final = Module("lua", 1, path="lua")

REDIS_8_2: Final = Edition("redis", "8.2.3", _MODULES)
"""Redis 8.2 with the modules of its official image, but for search."""
EDITIONS: Final = {
    edition.compat: edition
    for edition in (
        Edition("redis", "7.2.4"),
        Edition("redis", "7.4.1"),
        Edition("redis", "8.0.3", _MODULES),
        REDIS_8_2,
        Edition("redis", "8.4.0", _MODULES),
        Edition("redis", "8.6.2", _MODULES),
        Edition("redis", "8.8.0", _MODULES, _LATER),
        Edition("redis", "8.10.0", _MODULES, _LATER),
        Edition("valkey", "9.1.2", (_LUA,)),
    )
}
"""The editions by the names that ``--compat`` takes."""


def edition_named(name: str) -> Edition:
    """The edition of a name of `EDITIONS`.  Raises ValueError."""
    if name not in EDITIONS:
        raise ValueError(f"argument must be one of the following: {', '.join(EDITIONS)}")
    return EDITIONS[name]
