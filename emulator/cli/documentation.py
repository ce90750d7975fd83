"""What COMMAND DOCS tells of a server's commands: their syntax, what they do and since when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from emulator.cli.connection import Lost, ServerConnection, Unreachable
from emulator.protocol.errors import ProtocolError
from emulator.protocol.replies import Named, Received

if TYPE_CHECKING:
    from emulator.cli.options import ClientOptions

_PATIENCE = 1.0
"""For how many seconds a server that does not answer is waited for."""


class Argument:
    """An argument: a word of the user's, a keyword (`token`), or several others, of which all or one may stand."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.kind = _text(facts.get("type"))
        self.name = _text(facts.get("display_text", facts.get("name")))
        self.token = _text(facts["token"]) if "token" in facts else None
        flags = set(map(_text, facts.get("flags", ())))
        self.optional, self.multiple = "optional" in flags, "multiple" in flags
        self.repeats_token = "multiple_token" in flags
        self.inner = [Argument(_facts(inner)) for inner in facts.get("arguments", ())]

    @property
    def is_keyword(self) -> bool:
        """Whether it is told by its first word, instead of by its place."""
        return self.token is not None or (self.kind == "oneof" and all(inner.is_keyword for inner in self.inner))

    @property
    def tokens(self) -> list[str]:
        """The keywords that it may begin with."""
        if self.token is not None:
            return [self.token.upper()]
        return [token for inner in self.inner for token in inner.tokens] if self.kind == "oneof" else []

    @property
    def syntax(self) -> str:
        """As it is written in documentation."""
        written = self.written
        return f"[{written}]" if self.optional else written

    @property
    def written(self) -> str:
        """The same, without the brackets that mean that it may be left out."""
        body = self.body
        head = self.head
        if self.kind == "pure-token":
            return head
        parts = [head, body] if head else [body]
        if self.multiple:
            parts.append(self.again)
        return " ".join(parts)

    @property
    def head(self) -> str:
        """The keyword in front; empty where there is none."""
        return '""' if self.token == "" else self.token or ""

    @property
    def body(self) -> str:
        """What comes after the keyword, once."""
        if self.kind == "oneof":
            return "|".join(inner.syntax for inner in self.inner)
        return " ".join(inner.syntax for inner in self.inner) if self.kind == "block" else self.name

    @property
    def again(self) -> str:
        """That it may come more than once."""
        body = f"{self.head} {self.body}" if self.repeats_token and self.head else self.body
        return f"[{body} ...]"


class DocumentedCommand:
    """A command, or a sub-command with its container's name before its own."""

    def __init__(self, name: str, facts: dict[str, Any]) -> None:
        self.name = name.replace("|", " ").upper()
        self.summary, self.since, self.group = (
            _text(facts[fact]) if fact in facts else None for fact in ("summary", "since", "group")
        )
        self.arguments = [Argument(_facts(argument)) for argument in facts.get("arguments", ())]

    @property
    def syntax(self) -> str:
        """Its arguments, as they are written in documentation."""
        return " ".join(argument.syntax for argument in self.arguments)


def documentation(options: ClientOptions, reachable: bool = True) -> list[DocumentedCommand]:
    """All commands in the order of their names: the server's, or this package's own where no server tells.

    They are asked for on a connection of their own, since the user's may be within a transaction.
    """
    reply = _docs_of_server(options) if reachable else None
    pairs = _pairs(reply if isinstance(reply, list) and reply else _own_documentation())
    return sorted(_commands(pairs), key=lambda command: command.name)


def _docs_of_server(options: ClientOptions) -> Received:
    try:
        connection = ServerConnection(options)
        try:
            connection.limit(_PATIENCE)
            connection.prepare(options, quiet=True)
            return connection.ask([b"COMMAND", b"DOCS"])
        finally:
            connection.close()
    except (Unreachable, Lost, ProtocolError):
        return None


def _own_documentation() -> Received:
    from io import BytesIO

    from emulator.clients.session import Session
    from emulator.config.directives import Config
    from emulator.core.dispatch import run
    from emulator.core.engine import Engine
    from emulator.protocol.client_side import read_reply

    session = Session(Engine(Config()))
    run(session, [[b"COMMAND", b"DOCS"]], 0, 1)
    return read_reply(BytesIO(b"".join(session.out)))


def _commands(pairs: Iterable[tuple[Received, Received]]) -> Iterable[DocumentedCommand]:
    for name, description in pairs:
        facts = _facts(description)
        yield DocumentedCommand(_text(name), facts)
        yield from _commands(_pairs(facts.get("subcommands", [])))


def _pairs(reply: Sequence[Any]) -> Iterable[tuple[Received, Received]]:
    """A map's pairs, be it one of RESP3 or a flat array."""
    return reply if isinstance(reply, Named) else zip(reply[::2], reply[1::2], strict=True)


def _facts(reply: Sequence[Any]) -> dict[str, Any]:
    return {_text(name): value for name, value in _pairs(reply)}


def _text(reply: Received) -> str:
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else str(reply)
