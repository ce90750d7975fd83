"""Editions: which server an engine stands for.  What differs between versions asks the edition of its configuration."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

_COMMON_ANCESTOR: Final = "7.2.4"
"""The version of Redis that Valkey began with."""

_VECTORSET: Final = {b"name": b"vectorset", b"ver": 1, b"path": b"", b"args": []}


@dataclass(frozen=True, eq=False)
class Edition:
    """A server of some version.

    ``modules`` is what MODULE LIST tells of it: what is built in and yet counts as a module.  Commands and directives
    are those that came up to its version: each says ``since`` when it is there (`emulator.commands.table.table`,
    `emulator.config.store.Store`).
    """

    name: str
    version: str
    modules: tuple[dict[bytes, Any], ...] = ()

    @property
    def compat(self) -> str:
        """The name by which ``--compat`` chooses it: ``8.2``, ``valkey-9.1``."""
        release = self.version.rpartition(".")[0]
        return f"valkey-{release}" if self.is_valkey else release

    @property
    def is_valkey(self) -> bool:
        return self.name == "valkey"

    def includes(self, since: str, valkey: str = "") -> bool:
        """Whether it has what came with Redis version `since` (``7.2.0``), or with that of Valkey; "" for never.

        Nothing that has once come was ever taken away.
        """
        if not self.is_valkey:
            return bool(since) and _parts(since) <= _parts(self.version)
        if valkey:
            return _parts(valkey) <= _parts(self.version)
        return bool(since) and _parts(since) <= _parts(_COMMON_ANCESTOR)

    @property
    def rdb_version(self) -> int:
        """The version of the payloads that DUMP makes and of RDB files, and the newest that it reads."""
        if self.is_valkey:
            return 80
        return 13 if self.includes("8.6.0") else 12 if self.includes("7.4.0") else 11

    @property
    def number(self) -> int:
        """The version with a byte for each part: 0x00080203."""
        major, minor, patch = _parts(self.version)
        return major << 16 | minor << 8 | patch


@cache
def _parts(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


REDIS_8_2: Final = Edition("redis", "8.2.3", (_VECTORSET,))
_LUA: Final = {b"name": b"lua", b"ver": 1, b"path": b"lua", b"args": []}
EDITIONS: Final = {
    edition.compat: edition
    for edition in (
        Edition("redis", "7.2.4"),
        Edition("redis", "7.4.1"),
        Edition("redis", "8.0.3", (_VECTORSET,)),
        REDIS_8_2,
        Edition("redis", "8.4.0", (_VECTORSET,)),
        Edition("redis", "8.6.2", (_VECTORSET,)),
        Edition("valkey", "9.1.2", (_LUA,)),
    )
}
"""The editions by the names that ``--compat`` takes."""


def edition_named(name: str) -> Edition:
    """The edition of a name of `EDITIONS`.  Raises ValueError."""
    if name not in EDITIONS:
        raise ValueError(f"argument must be one of the following: {', '.join(EDITIONS)}")
    return EDITIONS[name]
