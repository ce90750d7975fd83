"""The keys of a database by their hash slots, in cluster mode."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from emulator.datatypes.slots import key_slot
from emulator.keyspace.key_index import KeyIndex

_NONE: Final = KeyIndex(())


class SlotIndex(KeyIndex):
    """Distinct keys, all together and by their slots.  Adding, removing, choosing: O(1); making: O(n)."""

    __slots__ = ("_slots",)

    def __init__(self, keys: Iterable[bytes]) -> None:
        super().__init__(())
        self._slots: dict[int, KeyIndex] = {}
        for key in keys:
            self.add(key)

    def add(self, key: bytes) -> None:
        super().add(key)
        slot = key_slot(key)
        keys = self._slots.get(slot)
        if keys is None:
            keys = self._slots[slot] = KeyIndex(())
        keys.add(key)

    def remove(self, key: bytes) -> None:
        super().remove(key)
        slot = key_slot(key)
        keys = self._slots[slot]
        keys.remove(key)
        if not keys:
            del self._slots[slot]

    def in_slot(self, slot: int) -> KeyIndex:
        """The keys of a slot, for reading."""
        return self._slots.get(slot, _NONE)

    def used_slots(self) -> Iterable[int]:
        """The slots that have keys, for reading."""
        return self._slots.keys()

    def _check(self) -> None:
        super()._check()
        for slot, keys in self._slots.items():
            keys._check()
            assert keys and all(key_slot(key) == slot for key in keys)
        assert sum(map(len, self._slots.values())) == len(self)
