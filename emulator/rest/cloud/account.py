"""Who may manage the databases: one account by its e-mail address and key, or by a key that only reads."""

from __future__ import annotations

import hmac
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from enum import Enum

from emulator.rest.tokens import random_token

_ANYBODY = "developer@localhost"


class Access(Enum):
    """What somebody may do."""

    EVERYTHING = 0
    READING = 1


class Account:
    """The account; ``key`` lets its bearer do everything, ``read_only_key`` nobody where it is empty."""

    def __init__(self, email: str, key: str, read_only_key: str = "") -> None:
        self.email = email
        self.key = key
        self.read_only_key = read_only_key

    @classmethod
    def of(cls, words: str, read_only_key: str) -> Account:
        """The account of ``EMAIL:KEY``, with no words one whose key nobody guesses.  Raises ValueError."""
        if not words:
            return cls(_ANYBODY, random_token(), read_only_key)
        email, _, key = words.partition(":")
        if not email or not key:
            raise ValueError("cloud-account: EMAIL:KEY is wanted")
        return cls(email, key, read_only_key)

    def access(self, headers: Mapping[bytes, bytes]) -> Access | None:
        """What the sender of these headers may do; None for nothing at all."""
        scheme, _, encoded = headers.get(b"authorization", b"").strip().partition(b" ")
        if scheme.lower() != b"basic":
            return None
        try:
            email, _, key = b64decode(encoded.strip(), validate=True).partition(b":")
        except NotBase64:
            return None
        known = hmac.compare_digest(email, self.email.encode())
        if known & hmac.compare_digest(key, self.key.encode()):
            return Access.EVERYTHING
        if known & bool(self.read_only_key) & hmac.compare_digest(key, self.read_only_key.encode()):
            return Access.READING
        return None
