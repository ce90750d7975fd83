"""Editions: which server an engine stands for.  What differs between versions asks the edition of its configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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

    def includes(self, since: str) -> bool:
        """Whether it has what came with version `since` (``7.2.0``); nothing that has once come was ever taken away."""
        return _parts(since) <= _parts(self.version)

    @property
    def number(self) -> int:
        """The version with a byte for each part: 0x00080203."""
        major, minor, patch = _parts(self.version)
        return major << 16 | minor << 8 | patch


def _parts(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


REDIS_8_2 = Edition("redis", "8.2.3", ({b"name": b"vectorset", b"ver": 1, b"path": b"", b"args": []},))
