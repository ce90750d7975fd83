"""Keys whose new deadline has passed already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.config.notifications import EXPIRED

if TYPE_CHECKING:
    from emulator.clients.session import Session


def delete_past(client: Session, key: bytes) -> None:
    """Delete a key that was given a deadline in the past: Redis tells that it was deleted, Valkey that it has expired."""
    db = client.db
    if client.engine.config.edition.is_valkey:
        client.engine.stats.expired_keys += db.delete(key, b"expired", EXPIRED)
    else:
        db.delete(key)
