"""A replica's conversation with its master before any data come: each word is answered by a line."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Final

from emulator.protocol.client_side import encoded
from emulator.protocol.text import to_bytes

if TYPE_CHECKING:
    from emulator.config.directives import Config

_LONGEST_LINE: Final = 1024
_FULL: Final = re.compile(rb"\+FULLRESYNC ([0-9a-zA-Z]{40}) (\d{1,18})")

Words = Generator[Sequence[bytes], bytes, None]
"""Yields what is said, and is sent the answers."""


class Refused(Exception):
    """The master does not want this server, for the reason given."""


class Talk:
    """A conversation that goes on as `words` have it, over a connection to which `write` writes."""

    def __init__(self, words: Words, write: Callable[[bytes], None]) -> None:
        self._words = words
        self._write = write
        self._unread = b""
        write(encoded(next(words)))

    def hear(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Take bytes of the master; at the end its last answer and what came after that.

        Empty lines only say that the master is there.  Raises `Refused`.
        """
        self._unread += data
        while True:
            line, end, rest = self._unread.partition(b"\n")
            if len(line) > _LONGEST_LINE:
                raise Refused("The master's reply has no end")
            if not end:
                return None
            self._unread = rest
            line = line.rstrip(b"\r")
            if not line:
                continue
            try:
                words = self._words.send(line)
            except StopIteration:
                return line, rest
            self._write(encoded(words))


def login(config: Config) -> Words:
    """Log in to the master, where the configuration says as whom."""
    if config.masterauth:
        name = [to_bytes(config.masteruser)] if config.masteruser else []
        reply = yield [b"AUTH", *name, to_bytes(config.masterauth)]
        if reply.startswith(b"-"):
            raise Refused(f"Unable to AUTH to MASTER: {shown(reply)}")


def has_channel(config: Config) -> bool:
    """Whether the data of a full synchronization may come over a connection of their own: Redis does so from 8.0 on."""
    return config.repl_rdb_channel and config.edition.includes("8.0.0") and not config.edition.is_valkey


def own_port(config: Config) -> bytes:
    """The port that the master is to tell others of."""
    return b"%d" % (config.replica_announce_port or (config.tls_port if config.tls_replication else config.port))


def position_told(line: bytes) -> tuple[str, int] | None:
    """The history that the master begins to send all data of, and how far it is; None where it does not."""
    match = _FULL.fullmatch(line)
    return (match[1].decode(), int(match[2])) if match else None


def shown(line: bytes) -> str:
    """A line for the log."""
    return line.decode("utf-8", "replace")
