"""The grammar of commands, as the oracle tells it in COMMAND DOCS."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from conformance.grammar import plain
from conformance.resp import Connection

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


def _vector_sets() -> list[Syntax]:
    """The commands of vector sets, of which COMMAND DOCS has no grammar."""

    def part(name: str, kind: str = "string", token: str = "", optional: bool = False) -> Argument:
        return Argument(name, kind, token, frozenset(("optional",)) if optional else frozenset())

    def flag(token: str) -> Argument:
        return part(token.lower(), "pure-token", token, optional=True)

    key, element, json = part("key", "key"), part("element"), part("json")
    vector = part("vector", "vector")
    nearest = Argument("by", "oneof", parts=[vector, part("element", token="ELE")])
    quantisation = Argument(
        "form", "oneof", flags=frozenset(("optional",)), parts=[flag("NOQUANT"), flag("Q8"), flag("BIN")]
    )
    calls = {
        "VADD": [key, vector, element, flag("CAS"), quantisation, part("json", token="SETATTR", optional=True)],
        "VSIM": [
            key,
            nearest,
            part("enough", "integer", "COUNT"),
            flag("WITHSCORES"),
            flag("WITHATTRIBS"),
            part("filter", token="FILTER", optional=True),
            flag("TRUTH"),
        ],
        "VREM": [key, element],
        "VCARD": [key],
        "VDIM": [key],
        "VEMB": [key, element, flag("RAW")],
        "VISMEMBER": [key, element],
        "VSETATTR": [key, element, json],
        "VGETATTR": [key, element],
        "VLINKS": [key, element, flag("WITHSCORES")],
        "VINFO": [key],
        "VRANDMEMBER": [key],
    }
    return [Syntax([name], "module", arguments) for name, arguments in calls.items()]


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
    for name, described in sorted(plain(connection("COMMAND", "DOCS")).items()):
        if described["group"] not in GROUPS:
            continue
        for full, command in {name: described, **described.get("subcommands", {})}.items():
            if "subcommands" not in command:
                arguments = [_argument(argument) for argument in command.get("arguments", ())]
                found.append(Syntax(full.upper().split("|"), described["group"], arguments))
    connection.close()
    return found + _vector_sets()
