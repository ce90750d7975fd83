"""Editions: which server an engine stands for.  What differs between versions asks the edition of its configuration."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Module:
    """A module that a server has.

    ``name``, ``version`` (10000 for each major one, 100 for each minor one) and ``options`` are what MODULE LIST and INFO
    tell.  ``word`` is what the directive ``modules`` calls it, none where it cannot be left out.  Its commands and its
    types, of these names, are in `emulator.modules.<package>`, which is imported when one of them is needed.
    """

    name: str
    version: int
    options: str = ""
    word: str = ""
    package: str = ""
    types: tuple[str, ...] = ()

    @property
    def listed(self) -> dict[bytes, Any]:
        """What MODULE LIST and HELLO tell of it."""
        return {b"name": self.name.encode(), b"ver": self.version, b"path": b"", b"args": []}


@dataclass(frozen=True, eq=False)
class Edition:
    """A server of some version, with its modules.

    Commands and directives are those that came up to its version, and those of its modules: each says ``since`` when it is
    there (`emulator.commands.table.table`, `emulator.config.store.Store`).
    """

    name: str
    version: str
    modules: tuple[Module, ...] = ()

    def includes(self, since: str) -> bool:
        """Whether it has what came with version `since` (``7.2.0``); nothing that has once come was ever taken away."""
        return _parts(since) <= _parts(self.version)

    def has(self, module: str) -> bool:
        """Whether it has the module of this name; all of them have what is no module's."""
        return not module or any(module == known.name for known in self.modules)

    def only(self, words: Collection[str]) -> Edition:
        """The same server with no other modules than those that are chosen by these words or cannot be left out."""
        return _only(self, frozenset(words))

    @property
    def number(self) -> int:
        """The version with a byte for each part: 0x00080203."""
        major, minor, patch = _parts(self.version)
        return major << 16 | minor << 8 | patch


@cache
def _only(edition: Edition, words: frozenset[str]) -> Edition:
    modules = tuple(module for module in edition.modules if not module.word or module.word in words)
    return edition if modules == edition.modules else replace(edition, modules=modules)


def load_module(module: Module) -> None:
    """Enter the commands and types of a module, unless that has been done."""
    if module.package:
        import_module(f"emulator.modules.{module.package}.commands")


def _parts(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


_SKETCHES = ("MBbloom--", "MBbloomCF", "CMSk-TYPE", "TopK-TYPE", "TDIS-TYPE")

REDIS_8_2 = Edition(
    "redis",
    "8.2.3",
    (
        Module("vectorset", 1, "handle-io-errors|handle-repl-async-load", types=("vectorset",)),
        Module("ReJSON", 80200, "handle-io-errors", "json", "json", ("ReJSON-RL",)),
        Module("bf", 80212, "handle-io-errors", "bf", "bloom", _SKETCHES),
        Module("timeseries", 80210, "handle-io-errors", "timeseries", "timeseries", ("TSDB-TYPE",)),
    ),
)
"""Redis 8.2 with the modules of its official image, but for search."""
