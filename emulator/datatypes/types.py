"""The types of values: a descriptor for each, found by the class of Python that a value has.

A value of Redis's own types has its forms in payloads and files in `emulator.rdb`; a module's type brings its own with it
(`Payload`).  So a type that is to be added is a class like `Structure` and one call of `register`: everything that deals
with values of any type (TYPE, OBJECT, MEMORY USAGE, COPY, DUMP, DEBUG DIGEST, snapshots, freeing) asks the descriptor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from emulator.datatypes.digest import Digest

if TYPE_CHECKING:
    from emulator.rdb.payload import Reader

S = TypeVar("S")

Text = Callable[[bytes], bytes]
"""How the strings of a payload are written, compressed or not."""


class Structure(Protocol):
    """What a value that is no string tells of itself.

    ``encoding`` is OBJECT ENCODING's answer, ``footprint`` the bytes that the real server would allocate for it beside its
    key; both are had in O(1), but for small values.  ``__len__`` counts elements: a key goes with its last one.
    """

    @property
    def encoding(self) -> bytes: ...

    @property
    def footprint(self) -> int: ...

    def __len__(self) -> int: ...

    def copy(self: S) -> S:
        """A value of its own that is the same.  O(n)."""
        ...


Value = bytes | bytearray | Structure


@dataclass(frozen=True)
class Payload:
    """How the values of a module's type stand in payloads and files, between the module's id and the end.

    ``id`` has the name of the type, of nine letters, and in the ten lowest bits the version of what `save` writes
    (`emulator.rdb.module.type_id`).  `load` is given the version that it reads; it raises `BadData`.  A server without the
    `module` reads no such values.  ``copies_quickly`` where a copy takes no time to speak of beside saving.
    `save_in_file` is for RDB files, where these have more than payloads.
    """

    id: int
    save: Callable[[Any, Text], Iterable[bytes]]
    load: Callable[[Reader, int], Structure]
    module: str = ""
    copies_quickly: bool = False
    save_in_file: Callable[[Any, Text], Iterable[bytes]] | None = None


def _one_part(value: object) -> int:
    return 1


@dataclass(frozen=True)
class Type:
    """What the server knows of a type.

    ``name`` is TYPE's answer and ``number`` Redis's number for it, which is one for all modules.  ``digest`` enters a value
    in a fingerprint; ``parts`` says in how many allocations a value is freed, about; ``sizes`` is the distribution of
    INFO keysizes that it is counted in, none for a module's.  ``copied`` says whether COPY takes it.
    """

    name: bytes
    classes: tuple[type, ...]
    digest: Callable[[Any, Digest], None]
    number: int = 5
    parts: Callable[[Any], int] = _one_part
    sizes: str = ""
    copied: bool = True
    payload: Payload | None = None


TYPES: Final[dict[type, Type]] = {}
"""The descriptors by the classes of their values."""

_VERSION_BITS: Final = 10
_PAYLOADS: Final[dict[int, Payload]] = {}


def register(described: Type) -> None:
    """Enter a type; a class that is there already gets another descriptor."""
    for kind in described.classes:
        TYPES[kind] = described
    if described.payload is not None:
        _PAYLOADS[described.payload.id >> _VERSION_BITS] = described.payload


def payload_of(id: int) -> tuple[Payload | None, int]:
    """How to read what a module with this id has written, None where there is no such type, and the version."""
    return _PAYLOADS.get(id >> _VERSION_BITS), id & ((1 << _VERSION_BITS) - 1)


def type_name(value: Value) -> bytes:
    """What TYPE answers for a value."""
    return TYPES[value.__class__].name


def copied(value: Value) -> Value:
    """A value of its own that is the same.  O(n)."""
    return value if isinstance(value, bytes) else value.copy()
