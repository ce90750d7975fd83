"""What a key weighs: the bytes that the real server would allocate for it, as MEMORY USAGE tells them."""

from __future__ import annotations

from typing import Any, Final

from emulator.datatypes.footprint import allocated, string_size
from emulator.datatypes.string import EMBEDDED_LIMIT, is_integer

_OBJECT: Final = 17
_EXPIRY: Final = 8
SLOT: Final = 16
"""What a key takes in the table of a database, and in that of the keys that expire."""


def weigh(key: bytes, value: Any, expires: bool) -> int:
    """Bytes of a key with its value, without its places in the tables.  O(1)."""
    size = len(key)
    head = _OBJECT + size + (2 if size < 32 else 4) + (_EXPIRY if expires else 0)
    if value.__class__ is bytes:
        length = len(value)
        if length <= 20 and is_integer(value):
            return allocated(head)
        if size + length + (_EXPIRY if expires else 0) <= EMBEDDED_LIMIT:
            return allocated(head + length + 4)
        return allocated(head) + string_size(length)
    if isinstance(value, bytes | bytearray):
        return allocated(head) + string_size(len(value))
    footprint: int = value.footprint
    return allocated(head) + footprint
