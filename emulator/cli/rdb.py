"""``--rdb`` and ``--functions-rdb``: the data of a server, or its functions alone, become an RDB file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import BinaryIO, Final

from emulator.cli.connection import ServerConnection
from emulator.cli.conversation import Conversation
from emulator.cli.formatting import text_of
from emulator.cli.options import fail
from emulator.protocol.client_side import encoded
from emulator.protocol.errors import CommandError
from emulator.protocol.numbers import parse_integer
from emulator.protocol.text import to_text

FUNCTIONS: Final = "functions-rdb"
_MARKED: Final = b"$EOF:"
_PIECE: Final = 1 << 18


def save(conversation: Conversation) -> int:
    """Be a replica for one full synchronization, and write what comes to the file; ``-`` is standard output."""
    connection, options = conversation.connection, conversation.options
    assert connection is not None
    _announce(connection, "capa", "eof")
    _announce(connection, "rdb-only", "1")
    if options.mode == FUNCTIONS and not _announce(connection, "rdb-filter-only", "functions"):
        fail("Failed requesting functions only RDB from server, aborting")
    connection.send(encoded([b"SYNC"]))
    header = _header(connection)
    is_marked = header.startswith(_MARKED)
    what = "bytes of bulk transfer until EOF marker" if is_marked else f"{to_text(header[1:])} bytes"
    sys.stderr.write(f"SYNC sent to master, writing {what} to '{options.rdb_file}'\n")
    pieces = _marked(connection, header[len(_MARKED) :]) if is_marked else _counted(connection, header)
    size = _write(pieces, options.rdb_file)
    sys.stderr.write(f"Transfer finished with success{f' after {size} bytes' if is_marked else '.'}\n")
    return 0


def _announce(connection: ServerConnection, name: str, value: str) -> bool:
    """Tell the server what kind of replica this is; whether it takes it."""
    sys.stderr.write(f"sending REPLCONF {name} {value}\n")
    answer = connection.ask([b"REPLCONF", name.encode(), value.encode()])
    if isinstance(answer, CommandError):
        sys.stderr.write(f"REPLCONF {name} error: {to_text(text_of(answer))}\n")
        return False
    return True


def _header(connection: ServerConnection) -> bytes:
    """The line that comes before the data; empty ones, which only keep the connection alive, come before it."""
    header = b"\n"
    while header == b"\n":
        header = connection.readline()
    if not header.startswith(b"$"):
        fail(f"SYNC with master failed: {to_text(header[:-1])}")
    return header.rstrip(b"\r\n")


def _marked(connection: ServerConnection, mark: bytes) -> Iterator[bytes]:
    """The data that end with a mark."""
    held = b""
    while not held.endswith(mark):
        held += _received(connection.piece())
        yield held[: -len(mark)]
        held = held[-len(mark) :]


def _counted(connection: ServerConnection, header: bytes) -> Iterator[bytes]:
    """The data of which the header tells the length."""
    left = parse_integer(header[1:]) or 0
    while left:
        data = _received(connection.read(min(left, _PIECE)))
        left -= len(data)
        yield data


def _received(data: bytes) -> bytes:
    if not data:
        fail("I/O Error reading RDB payload from socket")
    return data


def _write(pieces: Iterator[bytes], path: str) -> int:
    """Write the data; how many bytes these were."""
    try:
        target: BinaryIO = sys.stdout.buffer if path == "-" else open(path, "wb")  # noqa: SIM115
    except OSError as error:
        fail(f"Error opening '{path}': {error.strerror}")
    size = 0
    try:
        for data in pieces:
            size += target.write(data)
        target.flush()
        if path != "-":
            os.fsync(target.fileno())
            target.close()
    except OSError as error:
        fail(f"Error writing data to file '{path}': {error.strerror}")
    return size
