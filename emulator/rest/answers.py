"""What a request is answered with: status, headers and body; or a stream of events."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from emulator.protocol.text import to_bytes
from emulator.rest.encoding import json_text

if TYPE_CHECKING:
    from emulator.rest.database import EventStream

Headers = list[tuple[bytes, bytes]]

JSON_TYPE = (b"Content-Type", b"application/json")
BYTES_TYPE = (b"Content-Type", b"application/octet-stream")


class Answer(NamedTuple):
    """A whole answer; ``headers`` without its length."""

    status: int
    body: bytes
    headers: Headers


class Opening(NamedTuple):
    """The head of an endless answer, and where its events come from."""

    stream: EventStream
    headers: Headers


def failure(text: str, status: int = 400) -> Answer:
    """``{"error": …}``"""
    return Answer(status, b'{"error":%b}' % json_text(to_bytes(text)), [JSON_TYPE])
