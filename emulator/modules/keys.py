"""Looking keys up as a module does."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.datatypes.types import Structure

V = TypeVar("V", bound="Structure")


def opened(client: Session, key: bytes, kind: type[V]) -> V | None:
    """The value of a key that is about to be changed, of which who watches the key hears whatever comes of it.

    Raises WRONGTYPE where it is not a `kind`.
    """
    if client.db.has_listeners:
        client.db.touch(key)
    return client.db.lookup_write(key, kind)


def seen(client: Session, key: bytes, kind: type[V]) -> V | None:
    """The value of a key that is read, None where it is not a `kind`."""
    value = client.db.lookup_read_any(key)
    return value if isinstance(value, kind) else None


def changed(client: Session, key: bytes) -> None:
    """Tell that a value has changed: the module sends no event."""
    client.db.changed(key, 0, b"")
