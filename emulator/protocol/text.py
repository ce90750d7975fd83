"""Converts bytes to text and back without loss: bytes that are not UTF-8 survive."""

from __future__ import annotations


def to_text(data: bytes) -> str:
    """Return the text of any bytes; `to_bytes` brings the same bytes back."""
    return data.decode("utf-8", "surrogateescape")


def to_bytes(text: str) -> bytes:
    """Return the bytes of a text; for a result of `to_text`, the original bytes."""
    return text.encode("utf-8", "surrogateescape")
