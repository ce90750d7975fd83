"""Editions: which server an engine stands for.  What differs between versions asks the edition of its configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Edition:
    """A server of some version.

    ``modules`` is what MODULE LIST tells of it: what is built in and yet counts as a module.
    """

    name: str
    version: str
    modules: tuple[dict[bytes, Any], ...] = ()

    @property
    def number(self) -> int:
        """The version with a byte for each part: 0x00080203."""
        major, minor, patch = map(int, self.version.split("."))
        return major << 16 | minor << 8 | patch


REDIS_8_2 = Edition("redis", "8.2.3", ({b"name": b"vectorset", b"ver": 1, b"path": b"", b"args": []},))
