"""Tokens: that of a database, its read-only one, and those of ACL users, which are made of name and password.

Those of users survive a restart and follow the user's rules, since they are looked up in the ACL at each request.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from typing import TYPE_CHECKING, Final

from emulator.protocol.text import to_bytes

if TYPE_CHECKING:
    from emulator.acl.user import User
    from emulator.core.engine import Engine

READ_ONLY_USER: Final = b"default_ro"
_READ_ONLY_RULES: Final = b"reset on ~* &* +@read -@dangerous -@scripting -scan +ping +echo".split()


_DIGITS: Final = b"0123456789abcdefghijklmnopqrstuv"


def base32(number: int) -> bytes:
    """A number in digits and small letters, as sync tokens have it."""
    digits = bytearray()
    while number or not digits:
        number, digit = divmod(number, 32)
        digits.append(_DIGITS[digit])
    return bytes(reversed(digits))


def random_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(32)


def token_of(name: bytes, password: bytes) -> bytes:
    """The token of a user."""
    return b64encode(name + b"\0" + password)


def new_token(name: bytes, password: bytes = b"") -> bytes:
    """ACL GENTOKEN: what may be the user's password and is its token then."""
    return token_of(name, password or secrets.token_hex(16).encode())


def parts_of(token: str) -> tuple[bytes, bytes] | None:
    """User and password of a token; None where it is no user's."""
    try:
        name, zero, password = b64decode(token.encode(), validate=True).partition(b"\0")
    except (NotBase64, UnicodeEncodeError):
        return None
    return (name, password) if zero else None


def knows(user: User, password: bytes) -> bool:
    """Whether it is a password of the user's; who needs none has no token, since everybody could make it."""
    return not user.no_password and user.accepts(password)


class Tokens:
    """The tokens that open an engine: ``token`` lets its bearer do everything."""

    def __init__(self, engine: Engine, token: str, read_only: str = "") -> None:
        self._engine = engine
        self.token = token
        self._token = to_bytes(token)
        self._read_only = to_bytes(read_only)
        if read_only:
            engine.acl.change(READ_ONLY_USER, [*_READ_ONLY_RULES, b">" + self._read_only])

    def user(self, token: str) -> User | None:
        """The user whose token it is, None where it is nobody's."""
        given = to_bytes(token)
        acl = self._engine.acl
        if hmac.compare_digest(given, self._token):
            user: User | None = acl.default
        elif self._read_only and hmac.compare_digest(given, self._read_only):
            user = acl.table.get(READ_ONLY_USER)
        else:
            return self._user_of(token, given)
        return user if user is not None and user.enabled else None

    def _user_of(self, token: str, given: bytes) -> User | None:
        found = parts_of(token)
        if found is None:
            return None
        name, password = found
        user = self._engine.acl.table.get(name)
        return user if user is not None and (knows(user, password) or knows(user, given)) else None
