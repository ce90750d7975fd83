"""The hash slots of cluster mode: which of them a key belongs to.

Source: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#key-distribution-model
"""

from __future__ import annotations

from binascii import crc_hqx
from typing import Final

SLOTS: Final = 16384
_SPECIAL: Final = frozenset(b"*?[\\")


def key_slot(key: bytes) -> int:
    """The slot of a key: that of what stands between its first braces, unless that is nothing.  O(bytes)."""
    start = key.find(b"{") + 1
    end = key.find(b"}", start) if start else -1
    return crc_hqx(key[start:end] if end > start else key, 0) % SLOTS


def pattern_slot(pattern: bytes) -> int | None:
    """The slot of all keys that match a pattern, None where they may have several."""
    start = pattern.find(b"{") + 1
    end = pattern.find(b"}", start) if start else -1
    decisive = pattern[: end + 1] if end > start else pattern
    return None if _SPECIAL.intersection(decisive) else key_slot(pattern)
