"""The script flag ``allow-key-locking`` before a Redis that does not know it.

Such a script is sent without the flag, and so has another digest there; who knows the digest of the whole text is understood
nevertheless, once this gateway has seen the text.  Where it has not, NOSCRIPT makes clients send it.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha1

from emulator.protocol.replies import Reply
from emulator.rest.requests import Words

_FLAG = b"allow-key-locking"
_MOST_KNOWN = 10_000


class KeyLocking:
    """The digests of scripts as clients know them, and as they are upstream."""

    def __init__(self) -> None:
        self._known: dict[bytes, bytes] = {}

    def rewritten(self, command: Words) -> tuple[Words, Callable[[Reply], Reply] | None]:
        """What to send instead of a command, and what to do with the reply."""
        name = command[0].lower()
        if name in (b"eval", b"eval_ro") and len(command) > 1:
            return [command[0], self._without_flag(command[1]), *command[2:]], None
        if name in (b"evalsha", b"evalsha_ro") and len(command) > 1:
            return [command[0], self._known.get(command[1].lower(), command[1]), *command[2:]], None
        if name == b"script" and len(command) > 2:
            action = command[1].upper()
            if action == b"LOAD":
                digest = sha1(command[2]).hexdigest().encode()
                sent = self._without_flag(command[2])
                return [*command[:2], sent, *command[3:]], lambda reply: digest if type(reply) is bytes else reply
            if action == b"EXISTS":
                return [*command[:2], *(self._known.get(digest.lower(), digest) for digest in command[2:])], None
        return command, None

    def _without_flag(self, source: bytes) -> bytes:
        line, newline, code = source.partition(b"\n")
        if not line.startswith(b"#!") or _FLAG not in line:
            return source
        words = []
        for word in line.split():
            if word.startswith(b"flags="):
                flags = [flag for flag in word.removeprefix(b"flags=").split(b",") if flag != _FLAG]
                word = b"flags=" + b",".join(flags) if flags else b""
            if word:
                words.append(word)
        sent = b" ".join(words) + newline + code
        if len(self._known) >= _MOST_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[sha1(source).hexdigest().encode()] = sha1(sent).hexdigest().encode()
        return sent
