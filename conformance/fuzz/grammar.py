"""The grammar of commands, as the oracle tells it in COMMAND DOCS."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from conformance.resp import Connection, Reply

GROUPS = frozenset(
    ("string", "hash", "list", "set", "sorted-set", "generic", "stream", "bitmap", "hyperloglog", "geo", "transactions")
)
"""The groups whose commands are played."""


@dataclass
class Argument:
    """One argument: its name and type, the token before it, and the arguments it consists of."""

    name: str
    type: str
    token: str = ""
    flags: frozenset[str] = frozenset()
    parts: list[Argument] = field(default_factory=list)


@dataclass
class Syntax:
    """A command or sub-command: the words of its name, its group and its arguments."""

    words: list[str]
    group: str
    arguments: list[Argument]

    @property
    def name(self) -> str:
        """``xinfo|stream`` for a sub-command."""
        return "|".join(self.words).lower()


def _plain(reply: Reply) -> Any:
    if isinstance(reply.value, list):
        items = [_plain(item) for item in reply.value]
        return dict(zip(items[::2], items[1::2], strict=True)) if reply.kind == b"%" else items
    return None if reply.value is None else reply.value.decode()


def _argument(described: dict[str, Any]) -> Argument:
    return Argument(
        described["name"],
        described["type"],
        described.get("token", ""),
        frozenset(described.get("flags", ())),
        [_argument(part) for part in described.get("arguments", ())],
    )


def read_grammar(address: tuple[str, int]) -> list[Syntax]:
    """The syntax of every command of the groups played, in the order of their names."""
    connection = Connection(address, 30.0)
    connection("HELLO", "3")
    found: list[Syntax] = []
    for name, described in sorted(_plain(connection("COMMAND", "DOCS")).items()):
        if described["group"] not in GROUPS:
            continue
        for full, command in {name: described, **described.get("subcommands", {})}.items():
            if "subcommands" not in command:
                arguments = [_argument(argument) for argument in command.get("arguments", ())]
                found.append(Syntax(full.upper().split("|"), described["group"], arguments))
    connection.close()
    return found
