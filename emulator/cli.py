"""A small redis-cli, for where there is no other: one command from the command line, or lines from standard input.

``python -m emulator.cli [-h host] [-p port] [-a password] [--user name] [-n db] [-u url] [--raw] [command ...]``
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from emulator.protocol.inline import quoted, split_inline
from emulator.replay import encoded

_VALUES = {"-h": "host", "-p": "port", "-a": "password", "--user": "user", "-n": "db", "-u": "url"}


class Options:
    """What the command line says."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.host, self.port, self.db = "127.0.0.1", "6379", "0"
        self.user, self.password = "", os.environ.get("REDISCLI_AUTH", "")
        self.url = ""
        self.raw = not sys.stdout.isatty()
        words = list(arguments)
        while words and words[0].startswith("-"):
            option = words.pop(0)
            if option in _VALUES and words:
                setattr(self, _VALUES[option], words.pop(0))
            elif option in ("--raw", "--no-raw"):
                self.raw = option == "--raw"
            elif option not in ("--no-auth-warning",):
                raise SystemExit(f"Unrecognized option or bad number of args for: '{option}'")
        if self.url:
            self._read_url()
        self.command = [os.fsencode(word) for word in words]

    def _read_url(self) -> None:
        parts = urlsplit(self.url)
        self.host, self.port = parts.hostname or self.host, str(parts.port or self.port)
        self.user, self.password = unquote(parts.username or ""), unquote(parts.password or "")
        self.db = parts.path.strip("/") or self.db


class Failure(Exception):
    """The server answered with an error."""


def read(stream: BinaryIO) -> object:
    """The next reply: bytes, int, None, list, or a `Failure`."""
    line = stream.readline()
    if not line:
        raise EOFError
    kind, rest = line[:1], line[1:-2]
    if kind == b"-":
        return Failure(rest.decode("utf-8", "replace"))
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if rest == b"-1" else stream.read(int(rest) + 2)[:-2]
    if kind == b"*":
        return None if rest == b"-1" else [read(stream) for _ in range(int(rest))]
    return Status(rest)


class Status(bytes):
    """A simple string, shown without quotes."""


def shown(reply: object, raw: bool, indent: str = "") -> bytes:
    """A reply as redis-cli prints it, raw for programs or readable for people; without the last line's end."""
    if isinstance(reply, Failure):
        return (f"{reply}\n" if raw else f"(error) {reply}").encode()
    if isinstance(reply, list):
        if raw:
            return b"\n".join(shown(item, raw) for item in reply)
        if not reply:
            return b"(empty array)"
        width = len(str(len(reply)))
        lines: list[bytes] = []
        for number, item in enumerate(reply, 1):
            head = f"{number:>{width}}) "
            lines.append(
                (indent if lines else "").encode() + head.encode() + shown(item, raw, indent + " " * len(head))
            )
        return b"\n".join(lines)
    if reply is None:
        return b"" if raw else b"(nil)"
    if isinstance(reply, int):
        return (str(reply) if raw else f"(integer) {reply}").encode()
    assert isinstance(reply, bytes)
    return reply if raw or isinstance(reply, Status) else quoted(reply)


def main(arguments: Sequence[str]) -> int:
    """Run one command, or each line of standard input; 1 where the server cannot be had or answers with an error."""
    options = Options(arguments)
    try:
        with (
            socket.create_connection((options.host, int(options.port))) as connection,
            connection.makefile("rb") as stream,
        ):
            return _talk(options, connection, stream)
    except OSError as error:
        print(f"Could not connect to Redis at {options.host}:{options.port}: {error.strerror}", file=sys.stderr)
        return 1


def _talk(options: Options, connection: socket.socket, stream: BinaryIO) -> int:
    def ask(words: Sequence[bytes]) -> object:
        connection.sendall(encoded(words))
        return read(stream)

    if options.password:
        user = [options.user.encode()] if options.user else []
        answer = ask([b"AUTH", *user, options.password.encode()])
        if isinstance(answer, Failure):
            print(f"AUTH failed: {answer}", file=sys.stderr)
    if options.db != "0":
        ask([b"SELECT", options.db.encode()])
    lines = [options.command] if options.command else [split_inline(line.strip()) for line in sys.stdin.buffer]
    status = 0
    for words in lines:
        if words:
            reply = ask(words)
            status = 1 if isinstance(reply, Failure) else status
            sys.stdout.buffer.write(shown(reply, options.raw) + b"\n")
    sys.stdout.flush()
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
