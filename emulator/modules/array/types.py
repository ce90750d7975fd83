"""The type of arrays.  How Redis writes them in payloads is not documented, so they have the form of a module's value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from emulator.datatypes.digest import Digest
from emulator.datatypes.types import Payload, Text, Type, register
from emulator.modules.array.array import Array
from emulator.rdb.module import read_string, read_unsigned, string, type_id, unsigned

if TYPE_CHECKING:
    from emulator.rdb.payload import Reader


def _save(array: Array, text: Text) -> Iterator[bytes]:
    yield unsigned(array.cursor)
    yield unsigned(len(array))
    for index, value in array.slots.items():
        yield unsigned(index)
        yield string(value, text)


def _load(reader: Reader, version: int) -> Array:
    array = Array()
    array.cursor = read_unsigned(reader)
    for _ in range(read_unsigned(reader)):
        index = read_unsigned(reader)
        array.put(index, read_string(reader))
    return array


def _digest(array: Array, digest: Digest) -> None:
    for index, value in array.slots.items():
        digest.combine(Digest(b"%d" % index, value).raw)


register(Type(b"array", (Array,), _digest, number=7, parts=len, payload=Payload(type_id("array-8-8", 1), _save, _load)))
