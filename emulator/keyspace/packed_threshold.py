"""DEBUG QUICKLIST-PACKED-THRESHOLD: from which size on a list's value has a node for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.datatypes.list import List
from emulator.datatypes.quicklist import NONE_LARGE, fill_with

if TYPE_CHECKING:
    from emulator.keyspace.host import HostOfData


class PackedThreshold:
    """The threshold of an engine, which goes along with ``list-max-listpack-size`` to the lists that are made.

    Usually that directive says it, and before Redis 7.4 no value is so large.
    """

    def __init__(self, engine: HostOfData) -> None:
        self._engine = engine
        self._usual = self._bytes = NONE_LARGE if engine.config.edition.precedes("7.4.0") else 0

    def set(self, size: int) -> None:
        """Let it be so many bytes, or with 0 the usual, also for the lists there are.  O(keys)."""
        self._bytes = size or self._usual
        self.configure()
        for db in self._engine.databases:
            for entry in db.entries.values():
                if isinstance(entry.value, List):
                    entry.value.fill = fill_with(entry.value.fill, self._bytes)

    def configure(self) -> None:
        """The directive has changed."""
        config = self._engine.config
        config.list_max_listpack_size = fill_with(config.list_max_listpack_size, self._bytes)
