"""Bytes as text and back again: what is not UTF-8 survives the way there and back."""

from __future__ import annotations


def to_text(data: bytes) -> str:
    """Return the text of any bytes; `to_bytes` brings the same bytes back."""
    return data.decode("utf-8", "surrogateescape")


def to_bytes(text: str) -> bytes:
    """Return the bytes of a text, those that `to_text` was given among them."""
    return text.encode("utf-8", "surrogateescape")
