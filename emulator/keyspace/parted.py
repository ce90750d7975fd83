"""Very many keys in many dicts, each of which grows by itself.

A dict that grows is copied into a larger one at once: with 350,000 keys that takes some 20 ms, with 700,000 some 50, in which
nobody is served.  So a database with many keys has them in parts, by their hashes, and whoever goes through all of them can
stop between one part and the next.  Fewer keys are in an ordinary dict, which is quicker by some 0.25 us a lookup.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence, ValuesView
from itertools import chain
from typing import Any, Final, TypeVar

V = TypeVar("V")

MANY: Final = 1 << 17
"""Keys from which on they are in parts: a dict that has this many grows in 15 ms."""
PARTS: Final = 64
_MASK: Final = PARTS - 1
_MOVED: Final = 4
"""Keys that go over to their parts whenever one is added."""


class Parted(MutableMapping[bytes, V]):
    """A mapping of many keys.  All is O(1) but for its length, which is O(`PARTS`); the order is that of the parts."""

    __slots__ = ("dicts",)

    def __init__(self) -> None:
        self.dicts: list[dict[bytes, V]] = [{} for _ in range(PARTS)]

    def _place(self, key: object) -> dict[bytes, V]:
        """The dict that has a key, or may be given it."""
        return self.dicts[hash(key) & _MASK]

    @staticmethod
    def number_of(key: bytes) -> int:
        """Which of the dicts has a key, or may be given it."""
        return hash(key) & _MASK

    def get(self, key: bytes, default: Any = None) -> Any:
        return self.dicts[hash(key) & _MASK].get(key, default)

    def __setitem__(self, key: bytes, value: V) -> None:
        self.dicts[hash(key) & _MASK][key] = value

    def __getitem__(self, key: bytes) -> V:
        return self._place(key)[key]

    def __delitem__(self, key: bytes) -> None:
        del self._place(key)[key]

    def __contains__(self, key: object) -> bool:
        return key in self._place(key)

    def pop(self, key: bytes, *default: Any) -> Any:
        return self._place(key).pop(key, *default)

    def __len__(self) -> int:
        return sum(map(len, self.dicts))

    def __iter__(self) -> Iterator[bytes]:
        return chain.from_iterable(self.dicts)

    def values(self) -> ValuesView[V]:
        return _Values(self)


class _Values(ValuesView[V]):
    """The values, without looking up each of them."""

    _mapping: Parted[V]

    def __iter__(self) -> Iterator[V]:
        return chain.from_iterable(part.values() for part in self._mapping.dicts)


class Moving(Parted[V]):
    """One whose keys go over from a dict, a few whenever another is added; then it is a `Parted`."""

    __slots__ = ()

    def __init__(self, old: dict[bytes, V]) -> None:
        super().__init__()
        self.dicts.append(old)

    def _place(self, key: object) -> dict[bytes, V]:
        old = self.dicts[PARTS]
        return old if key in old else self.dicts[hash(key) & _MASK]

    def get(self, key: bytes, default: Any = None) -> Any:
        return self._place(key).get(key, default)

    def __setitem__(self, key: bytes, value: V) -> None:
        self._place(key)[key] = value
        old = self.dicts[PARTS]
        for _ in range(min(_MOVED, len(old))):
            moved, its_value = old.popitem()
            self.dicts[hash(moved) & _MASK][moved] = its_value
        if not old:
            self.dicts.pop()
            self.__class__ = Parted  # type: ignore[assignment]


def in_parts(mapping: MutableMapping[bytes, V]) -> MutableMapping[bytes, V]:
    """A mapping, or what has its keys in parts where it is a dict and they have become many."""
    return Moving(mapping) if isinstance(mapping, dict) and len(mapping) > MANY else mapping


def dicts_of(mapping: MutableMapping[bytes, V]) -> Sequence[dict[bytes, V]]:
    """The dicts that a mapping is made of, that from which keys move to others first."""
    if isinstance(mapping, Parted):
        return mapping.dicts[::-1]
    assert isinstance(mapping, dict)
    return [mapping]
