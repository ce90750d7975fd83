"""Between the user and the server: a command is sent, its reply printed, and what follows from it kept in mind."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Final

from emulator.cli.connection import Lost, ServerConnection, Unreachable
from emulator.cli.formatting import STANDARD, raw, shown
from emulator.cli.interrupt import readable
from emulator.cli.options import ClientOptions, whole
from emulator.protocol.client_side import encoded
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import Push, Received

_SUBSCRIBING: Final = frozenset((b"subscribe", b"psubscribe", b"ssubscribe"))
_UNSUBSCRIBING: Final = frozenset((b"unsubscribe", b"punsubscribe", b"sunsubscribe"))
_MESSAGES: Final = frozenset((b"message", b"pmessage", b"smessage"))
_TEXTS: Final = frozenset(
    (
        *(b"info", b"lolwut", b"debug htstats", b"debug htstats-key", b"debug client-eviction", b"memory malloc-stats"),
        *(b"memory doctor", b"latency doctor", b"latency graph", b"cluster info", b"cluster nodes", b"client list"),
        *(b"client info", b"proxy info"),
    )
)
"""Commands whose reply is a text for people, which is printed as it is whatever the format."""


class Failed(Exception):
    """A command was answered with an error, where that is to end the program."""


class Conversation:
    """A user's talk with a server over one connection after another.

    `database`, `in_transaction` and `subscribed` are what the prompt tells.
    """

    def __init__(self, options: ClientOptions) -> None:
        self.options = options
        self.connection: ServerConnection | None = None
        self.interactive = False
        self.in_transaction = False
        self._database_before = 0
        self._subscriptions: set[tuple[bytes, object]] = set()
        self._asking = False
        self._monitors = False

    @property
    def streams(self) -> bool:
        """Whether what comes does not end by itself."""
        return self._monitors or self.subscribed

    @property
    def subscribed(self) -> bool:
        """Whether messages may come that nobody asks for one by one."""
        return bool(self._subscriptions)

    def connect(self) -> ServerConnection:
        """A new connection in the place of the old one.  Raises `Unreachable` or `Lost`."""
        self.leave()
        connection = ServerConnection(self.options)
        self.connection = connection
        connection.prepare(self.options)
        return connection

    def leave(self) -> None:
        """Have no connection any more."""
        if self.connection is not None:
            self.connection.close()
        self.connection = None
        self.in_transaction = self._monitors = False
        self._subscriptions.clear()

    def write(self, data: bytes) -> None:
        """Print something, at once."""
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    # Commands

    def repeat(self, words: Sequence[bytes], times: int) -> bool:
        """Run a command several times, below zero for ever, with the interval asked for; whether the server was there."""
        while times:
            times -= 1
            if not self.run(words):
                return False
            if self.options.interval:
                time.sleep(self.options.interval)
        return True

    def run(self, words: Sequence[bytes]) -> bool:
        """Run a command and print what is answered; whether the server was there."""
        try:
            while not self._run(words):
                pass  # it was redirected
        except Unreachable as failure:
            sys.stderr.write(f"{failure}\n")
            return False
        except Lost as failure:
            self.leave()
            if words[0].lower() in (b"shutdown", b"quit"):
                return True
            sys.stderr.write(f"Error: {failure}\n")
            return False
        return True

    def _run(self, words: Sequence[bytes]) -> bool:
        connection = self.connection or self.connect()
        if self._asking:
            self._asking = False
            connection.ask([b"ASKING"])
        connection.send(encoded(words))
        name = words[0].lower()
        if name == b"monitor":
            self._follow(connection)
        elif name in _SUBSCRIBING or name in _UNSUBSCRIBING:
            self._read_confirmations(connection, name, words)
        else:
            reply = self._reply(connection)
            if self.options.cluster and self._redirected(reply):
                return False
            self._print(reply, as_text=_is_text(words))
            self._learn(name, words, reply)
        return True

    def _reply(self, connection: ServerConnection) -> Received:
        """The reply to a command; what comes in between is printed."""
        while True:
            reply = connection.reply()
            if isinstance(reply, Push):
                if self.options.show_pushes:
                    self._print_push(reply)
            elif self.subscribed and self._is_message(reply):
                self._print(reply)
            else:
                return reply

    def _is_message(self, reply: Received) -> bool:
        return isinstance(reply, list) and bool(reply) and isinstance(reply[0], bytes) and reply[0] in _MESSAGES

    def _print(self, reply: Received, as_text: bool = False) -> None:
        options = self.options
        if options.fail_on_error and not self.interactive and isinstance(reply, CommandError):
            raise Failed(str(reply))
        self.write(raw(reply) if as_text else shown(reply, options.output, options.delimiter, options.end))

    def _print_push(self, push: list[Received]) -> None:
        if self.options.output == STANDARD and push[:1] == [b"invalidate"] and push[1] is not None:
            names = b", ".join(b"'" + raw(name) + b"'" for name in push[1])
            self.write(b"-> invalidate: " + names + b"\n")
        else:
            self._print(push)

    def _redirected(self, reply: Received) -> bool:
        """Whether the reply sends us to another node of a cluster, to which we then are connected next."""
        words = str(reply).split() if isinstance(reply, CommandError) else []
        if len(words) != 3 or words[0] not in ("MOVED", "ASK"):
            return False
        host, _, port = words[2].rpartition(":")
        options = self.options
        options.host, options.port, options.socket = host or options.host, whole(port), ""
        self._asking = words[0] == "ASK"
        if self.interactive and options.output == STANDARD:
            self.write(f"-> Redirected to slot [{words[1]}] located at {options.address}\n".encode())
        self.leave()
        return True

    # Streams

    def _follow(self, connection: ServerConnection) -> None:
        """Print what MONITOR tells, for ever."""
        self._monitors = True
        while self._monitors:
            reply = self._reply(connection)
            self._print(reply)
            self._monitors = not isinstance(reply, CommandError)

    def _read_confirmations(self, connection: ServerConnection, name: bytes, words: Sequence[bytes]) -> None:
        """There is one for each channel; to leave all of a kind, one for each that there was."""
        kind = name.replace(b"unsub", b"sub")
        awaited = len(words) - 1
        if not awaited and name in _UNSUBSCRIBING:
            awaited = max(1, sum(1 for one, _ in self._subscriptions if one == kind))
        for _ in range(awaited or 1):
            reply = self._confirmation(connection)
            self._print(reply)
            if isinstance(reply, CommandError):
                return
            if isinstance(reply, list) and len(reply) == 3:
                change = self._subscriptions.discard if name in _UNSUBSCRIBING else self._subscriptions.add
                change((kind, reply[1]))
        if name in _SUBSCRIBING and not self.interactive:
            self.listen()

    def _confirmation(self, connection: ServerConnection) -> Received:
        while True:
            reply = connection.reply()
            if not self._is_message(reply):
                return reply
            self._print(reply)

    def listen(self, until_input: bool = False) -> None:
        """Print messages as they come, with `until_input` until there is something on standard input.

        Raises `Lost` when the connection ends.
        """
        connection = self.connection
        assert connection is not None
        tells = self.options.output == STANDARD and sys.stdout.isatty()
        ways_out = "Ctrl-C to quit or any key to type command" if until_input else "Ctrl-C to quit"
        awaited: list[ServerConnection | int] = [connection, 0] if until_input else [connection]
        while True:
            if tells:
                self.write(f"Reading messages... (press {ways_out})\r".encode())
            if not connection.buffered and 0 in readable(awaited):
                break
            if tells:
                self.write(b"\x1b[K")
            self._print(connection.reply())
        if tells:
            self.write(b"\x1b[K")

    # What follows from a reply

    def _learn(self, name: bytes, words: Sequence[bytes], reply: Received) -> None:
        failed = isinstance(reply, CommandError)
        options = self.options
        if name == b"exec" and self.in_transaction:
            self.in_transaction = False
            if failed or reply is None:
                options.db = self._database_before
        elif failed:
            return
        elif name == b"multi":
            self.in_transaction, self._database_before = True, options.db
        elif name == b"discard":
            self.in_transaction, options.db = False, self._database_before
        elif name == b"select" and len(words) == 2:
            options.db = whole(words[1].decode("latin-1"))
        elif name == b"hello" and len(words) > 1:
            options.protocol = 3 if words[1] == b"3" else 2
        elif name == b"reset":
            self.in_transaction, options.db, options.protocol = False, 0, 2
            self._subscriptions.clear()
        elif name == b"auth" and self.connection is not None and options.db and not self.in_transaction:
            self.connection.ask([b"SELECT", b"%d" % options.db])


def _is_text(words: Sequence[bytes]) -> bool:
    name = words[0].lower()
    return name in _TEXTS or (len(words) > 1 and name + b" " + words[1].lower() in _TEXTS)
