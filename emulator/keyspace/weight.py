"""What a key weighs: the bytes that the real server would allocate for it, as MEMORY USAGE tells them; and its size class."""

from __future__ import annotations

from typing import Final

from emulator.datatypes.footprint import allocated, room, string_size
from emulator.datatypes.string import EMBEDDED_ALONE, EMBEDDED_LIMIT
from emulator.datatypes.types import TYPES, Value
from emulator.protocol.numbers import is_integer

_OBJECT: Final = 17
_BARE_OBJECT: Final = 16
_TABLE_ENTRY: Final = 24
_EXPIRY: Final = 8
_LONG_KEY: Final = 32
"""From here on a key's own header is larger."""
_AFTER_DIGITS: Final = b":"
"""No number is as great as this."""
_MANY_PARTS: Final = 64
SLOT: Final = 16
"""What a key takes in the table of a database, and in that of the keys that expire."""


_EMBEDDED: Final = tuple(allocated(_OBJECT + 2 + length + 4) for length in range(EMBEDDED_LIMIT + 1))
"""A short key with a string beside it, by the length of both and of the expiry: what most keys are."""


def weigh(key: bytes, value: Value, expires: bool) -> int:
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
    return allocated(head) + value.footprint


def weight_of_parts(key: bytes, value: Value) -> int:
    """The same as MEMORY USAGE tells it before 8.2: an entry of the table, the key, the object and the value by itself."""
    whole = _TABLE_ENTRY + string_size(len(key))
    if isinstance(value, bytes):
        length = len(value)
        if value.__class__ is bytes and is_integer(value):
            return whole + _BARE_OBJECT
        if length <= EMBEDDED_ALONE:
            return whole + allocated(_BARE_OBJECT + length + 4)
        return whole + _BARE_OBJECT + string_size(length)
    return whole + _BARE_OBJECT + (room(value) if isinstance(value, bytearray) else value.footprint)


def freed_lazily(value: Value) -> bool:
    """Whether the real server would leave a value to its background thread to be freed: one of more than 64 parts."""
    return TYPES[value.__class__].parts(value) > _MANY_PARTS


UNCLASSED: Final = -1


def size_class(value: Value) -> int:
    """The class in which INFO keysizes counts a value: the number of its type times 64, and the bits of its size."""
    type = TYPES[value.__class__]
    return type.number << 6 | len(value).bit_length() if type.sizes else UNCLASSED


_MOST_SHARED: Final = 1024
_SHARED: Final[dict[tuple[int, int], tuple[int, int]]] = {}


def shared(weight: tuple[int, int]) -> tuple[int, int]:
    """The one weight (bytes and class) for all keys that are as small as most keys are: of these there are not many."""
    return _SHARED.setdefault(weight, weight) if weight[0] < _MOST_SHARED else weight


def describe_sizes(counts: dict[int, int]) -> list[tuple[str, str]]:
    """The distributions, by name, of so many values in each class: ``1=5,2K=1``."""
    names = {type.number: type.sizes for type in TYPES.values()}
    told: dict[str, list[str]] = {}
    for code, count in sorted(counts.items()):
        bits = code & 63
        if code != UNCLASSED and count:
            least = (1 << bits) >> 1
            unit = max(bits - 1, 0) // 10
            told.setdefault(names[code >> 6], []).append(f"{least >> 10 * unit}{' KMGTP'[unit].strip()}={count}")
    return [(name, ",".join(counted)) for name, counted in told.items()]
