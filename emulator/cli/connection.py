"""A connection to a server, from the options to the first command."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from emulator import system
from emulator.cli.formatting import text_of
from emulator.cli.interrupt import readable
from emulator.protocol.client_side import encoded, read_reply
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import Received
from emulator.protocol.text import to_bytes

if TYPE_CHECKING:
    from emulator.cli.options import ClientOptions

_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


class Unreachable(Exception):
    """There is nobody to talk to; the text says where and why."""


class Lost(Exception):
    """The connection has ended; the text says why."""


class ServerConnection:
    """A connection; `ready` is false where the server refused the password, the database or the protocol asked for."""

    def __init__(self, options: ClientOptions) -> None:
        self._buffer = bytearray()
        self._socket = _connected(options)
        self.ready = True

    def prepare(self, options: ClientOptions, quiet: bool = False) -> None:
        """Do what the options ask for before the first command; unless `quiet`, tell what is refused."""
        steps = []
        if options.password is not None:
            user = [options.user.encode()] if options.user else []
            steps.append(("AUTH failed", [b"AUTH", *user, to_bytes(options.password)]))
        if options.db:
            steps.append((f"SELECT {options.db} failed", [b"SELECT", b"%d" % options.db]))
        if options.protocol == 3:
            steps.append(("HELLO 3 failed", [b"HELLO", b"3"]))
        for complaint, words in steps:
            answer = self.ask(words)
            if isinstance(answer, CommandError):
                if not quiet:
                    sys.stderr.write(f"{complaint}: {text_of(answer).decode('utf-8', 'replace')}\n")
                self.ready = False
                return

    @property
    def buffered(self) -> bool:
        """Whether something has been received that nobody has read."""
        return bool(self._buffer) or self._deciphered

    @property
    def _deciphered(self) -> bool:
        """Whether TLS has something that has left the socket and that nobody has read."""
        pending = getattr(self._socket, "pending", None)
        return pending is not None and pending() > 0

    def fileno(self) -> int:
        return self._socket.fileno()

    def ask(self, words: Sequence[bytes]) -> Received:
        """Send a command and read its reply."""
        self.send(encoded(words))
        return self.reply()

    def send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise Lost(error.strerror or str(error)) from None

    def reply(self) -> Received:
        """The next reply; waits for it."""
        try:
            return read_reply(self)
        except EOFError:
            raise Lost("Server closed the connection") from None

    def limit(self, seconds: float) -> None:
        """Count as lost what takes longer to answer."""
        self._socket.settimeout(seconds)

    def close(self) -> None:
        self._socket.close()

    # What replies are read from

    def _fill(self) -> bool:
        try:
            if not self._deciphered and not readable([self], self._socket.gettimeout()):
                raise TimeoutError("timed out")
            data = self._socket.recv(1 << 18)
        except OSError as error:
            raise Lost(error.strerror or str(error)) from None
        self._buffer += data
        return bool(data)

    def readline(self) -> bytes:
        while (end := self._buffer.find(b"\n")) < 0:
            if not self._fill():
                return b""
        return self.read(end + 1)

    def piece(self) -> bytes:
        """What has been received and nobody has read; waits where there is nothing.  Nothing is the end."""
        if not self._buffer:
            self._fill()
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def read(self, size: int) -> bytes:
        while len(self._buffer) < size:
            if not self._fill():
                return b""
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data


def _connected(options: ClientOptions) -> socket.socket:
    try:
        connection = _unix(options) if options.socket else _tcp(options)
        if options.tls:
            from emulator.cli.security import secured

            connection = secured(connection, options)
    except OSError as error:
        reason = "Connection timed out" if isinstance(error, TimeoutError) else error.strerror or str(error)
        where = options.socket or f"{options.host}:{options.port}"
        raise Unreachable(f"Could not connect to Redis at {where}: {reason}") from None
    connection.settimeout(None)
    return connection


def _unix(options: ClientOptions) -> socket.socket:
    if not system.has_unix_sockets():
        raise OSError(0, system.NO_UNIX_SOCKETS)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(options.timeout or None)
    connection.connect(options.socket)
    return connection


def _tcp(options: ClientOptions) -> socket.socket:
    """A connection to the first of the host's addresses that takes one."""
    family = _FAMILIES.get(options.family, socket.AF_UNSPEC)
    found = socket.getaddrinfo(to_bytes(options.host), options.port, family, socket.SOCK_STREAM)
    failure = OSError("no address")
    for kind, form, number, _, address in found:
        connection = socket.socket(kind, form, number)
        try:
            connection.settimeout(options.timeout or None)
            connection.connect(address)
        except OSError as error:
            connection.close()
            failure = error
        else:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
    raise failure
