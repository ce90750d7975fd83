"""The commands of a sentinel: few of the server's, some of them otherwise, and SENTINEL."""

from __future__ import annotations

from typing import Final

from emulator.commands.table import table
from emulator.config.edition import Edition
from emulator.sentinel.commands import INSTEAD
from emulator.table.registry import REGISTRY, Commands

_SHARED: Final = frozenset(
    b"client psubscribe punsubscribe acl hello command auth publish subscribe unsubscribe shutdown role info ping".split()
)


def sentinel_table(edition: Edition, hidden: bool) -> Commands:
    """The commands of a sentinel of an edition; with the `hidden` ones it has EMULATOR too."""
    known = {
        name: command
        for name, command in table(edition, hidden=hidden).known.items()
        if name in _SHARED or command.hidden
    }
    for name, fn in INSTEAD.items():
        known[name] = known[name].clone()
        known[name].fn = fn
    known[b"sentinel"] = REGISTRY["sentinel"]
    return Commands(known, tells_no_words=edition.includes("8.4.0"))
