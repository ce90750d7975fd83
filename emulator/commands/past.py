"""Keys and fields whose new deadline has passed already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.config.notifications import EXPIRED

if TYPE_CHECKING:
    from emulator.clients.session import Session


def is_past(client: Session, moment: int) -> bool:
    """Whether a new deadline has passed, so that there is nothing to keep; in import mode what expires is kept."""
    return moment <= client.engine.clock.now and not client.engine.config.import_mode


def delete_past(client: Session, key: bytes) -> None:
    """Delete a key that was given a deadline in the past: Redis tells that it was deleted, Valkey that it has expired."""
    db = client.db
    if client.engine.config.edition.is_valkey:
        client.engine.stats.expired_keys += db.delete(key, b"expired", EXPIRED)
    else:
        db.delete(key)
