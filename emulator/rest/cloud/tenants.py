"""Tenants: engines for users who have nothing to do with the server's own, and who reach nothing beyond their data."""

from __future__ import annotations

from copy import copy
from functools import cached_property
from typing import Final

from emulator.core.engine import Engine
from emulator.table.registry import Command, Commands

_SETTINGS: Final = {
    "aclfile": "",
    "backup_daily": False,
    "backup_dir": "",
    "databases": 1,
    "emulator_max_keyspaces": 0,
    "maxmemory": 0,
    "maxmemory_policy": "noeviction",
    "replicaof": None,
    "requirepass": "",
}
_LACKING: Final = frozenset(
    b"bgrewriteaof bgsave config debug failover migrate module psync replconf replicaof save shutdown slaveof sync".split()
)
"""The commands that reach the server's settings, its files or other servers."""


class Tenants:
    """Makes the tenants of a server."""

    def __init__(self, main: Engine) -> None:
        self._main = main

    @cached_property
    def _known(self) -> dict[bytes, Command]:
        return {name: entry for name, entry in self._main.commands.known.items() if name not in _LACKING}

    def make(self, **settings: object) -> Engine:
        """An empty engine: `settings` by attribute, the rest of them and the time as the server has them."""
        config = self._main.config.copy()
        for name, value in (_SETTINGS | settings).items():
            setattr(config, name, value)
        tenant = Engine(config, copy(self._main.clock))
        tenant.commands = Commands(self._known, self._main.commands.tells_no_words)
        return tenant
