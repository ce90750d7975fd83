"""A fingerprint as DEBUG DIGEST has it: SHA-1 in two ways.

What comes in order is mixed in one after another, what has no order is combined by exclusive or.
"""

from __future__ import annotations

from hashlib import sha1


class Digest:
    """The state of a fingerprint: twenty bytes, as one integer."""

    def __init__(self, *words: bytes) -> None:
        self.value = 0
        for word in words:
            self.mix(word)

    @property
    def raw(self) -> bytes:
        """The twenty bytes."""
        return self.value.to_bytes(20, "big")

    def combine(self, data: bytes) -> None:
        """Add something that has no place among the others."""
        self.value ^= int.from_bytes(sha1(data).digest(), "big")

    def mix(self, data: bytes) -> None:
        """Add something that comes after what was added before."""
        self.combine(data)
        self.value = int.from_bytes(sha1(self.raw).digest(), "big")

    def __bytes__(self) -> bytes:
        """Forty hexadecimal digits."""
        return b"%040x" % self.value
