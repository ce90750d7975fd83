"""JSON: the commands of documents as a whole, and of any value in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.config.notifications import MODULE
from emulator.modules.json.document import Document
from emulator.modules.json.path import path
from emulator.modules.json.text import parse, written
from emulator.protocol.replies import OK, Reply, Status
from emulator.table.modules import command

if TYPE_CHECKING:
    from emulator.clients.session import Session


@command
def json_set(client: Session, key: bytes, place: bytes, text: bytes, *options: bytes) -> Status | None:
    """Set."""
    client.db.put(key, Document(parse(text), len(text)), MODULE, b"json.set", keep_ttl=True)
    return OK


@command
def json_get(client: Session, key: bytes, *arguments: bytes) -> Reply:
    """Get."""
    value = client.db.read(key, Document)
    return None if value is None else written(path(arguments[0]).values(value.root))
