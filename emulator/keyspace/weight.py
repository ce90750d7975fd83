"""What a key weighs: the bytes that the real server would allocate for it, as MEMORY USAGE tells them; and its size class."""

from __future__ import annotations

from typing import Any, Final

from emulator.datatypes.footprint import allocated, room, string_size
from emulator.datatypes.hash import Hash
from emulator.datatypes.list import List
from emulator.datatypes.set import Set
from emulator.datatypes.stream import Stream
from emulator.datatypes.string import EMBEDDED_LIMIT, Embedded
from emulator.datatypes.zset import ZSet
from emulator.protocol.numbers import is_integer

_OBJECT: Final = 17
_EXPIRY: Final = 8
_LONG_KEY: Final = 32
"""From here on a key's own header is larger."""
_AFTER_DIGITS: Final = b":"
"""No number is as great as this."""
_MANY_PARTS: Final = 64
_NODES_A_RUN: Final = 2
SLOT: Final = 16
"""What a key takes in the table of a database, and in that of the keys that expire."""


_EMBEDDED: Final = tuple(allocated(_OBJECT + 2 + length + 4) for length in range(EMBEDDED_LIMIT + 1))
"""A short key with a string beside it, by the length of both and of the expiry: what most keys are."""


def weigh(key: bytes, value: Any, expires: bool) -> int:
    """Bytes of a key with its value, without its places in the tables.  O(1), but for small aggregates."""
    size = len(key)
    expiry = _EXPIRY if expires else 0
    head = _OBJECT + size + (2 if size < _LONG_KEY else 4) + expiry
    if value.__class__ is bytes:
        length = len(value)
        both = size + length + expiry
        if length <= 20 and value < _AFTER_DIGITS and is_integer(value):
            return allocated(head)
        if both <= EMBEDDED_LIMIT:
            return _EMBEDDED[both] if size < _LONG_KEY else allocated(head + length + 4)
        return allocated(head) + string_size(length)
    if isinstance(value, bytes | bytearray):
        return allocated(head) + room(value)
    footprint: int = value.footprint
    return allocated(head) + footprint


def freed_lazily(value: Any) -> bool:
    """Whether the real server would leave a value to its background thread to be freed: one of more than 64 parts."""
    if isinstance(value, bytes | bytearray):
        return False
    if isinstance(value, List):
        return value.nodes is not None and len(value.nodes) > _MANY_PARTS
    if isinstance(value, Stream):
        return _NODES_A_RUN * len(value.runs) > _MANY_PARTS
    return value.encoding in (b"hashtable", b"skiplist") and len(value) > _MANY_PARTS


DISTRIBUTIONS: Final = ("strings_sizes", "lists_items", "sets_items", "zsets_items", "hashes_items")
_KINDS: Final[dict[type, int]] = {bytes: 0, bytearray: 0, Embedded: 0, List: 1, Set: 2, ZSet: 3, Hash: 4}
UNCLASSED: Final = -1


def size_class(value: Any) -> int:
    """The class in which INFO keysizes counts a value: its place in `DISTRIBUTIONS` times 64, and the bits of its size."""
    kind = _KINDS.get(value.__class__)
    return UNCLASSED if kind is None else kind << 6 | len(value).bit_length()


def describe_sizes(counts: dict[int, int]) -> list[tuple[str, str]]:
    """The distributions, by name, of so many values in each class: ``1=5,2K=1``."""
    told: dict[str, list[str]] = {}
    for code, count in sorted(counts.items()):
        bits = code & 63
        if code != UNCLASSED and count:
            least = (1 << bits) >> 1
            unit = max(bits - 1, 0) // 10
            told.setdefault(DISTRIBUTIONS[code >> 6], []).append(
                f"{least >> 10 * unit}{' KMGTP'[unit].strip()}={count}"
            )
    return [(name, ",".join(counted)) for name, counted in told.items()]
