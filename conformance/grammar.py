"""``python -m conformance grammar``: writes down what the oracle's COMMAND DOCS says of the arguments of every command.

The emulator answers its own COMMAND DOCS from that file, the documentation's table of commands is made from it.  One line a
command: its group, since when it is there, whether it is deprecated, its arguments.  Other editions have files of their own
for what is otherwise there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conformance import oracles, servers
from conformance.resp import Connection, Reply

FOLDER = servers.ROOT / "emulator" / "commands"
FILE = FOLDER / "grammar.json"
EDITIONS = ("7.2", "7.4", "8.6", "valkey-9.1")

_LEFT_OUT = frozenset(("summary", "complexity", "history", "subcommands"))


def plain(reply: Reply) -> Any:
    """A reply as values of Python; sets as lists, in the order of the server's flags."""
    if isinstance(reply.value, list):
        items = [plain(item) for item in reply.value]
        return dict(zip(items[::2], items[1::2], strict=True)) if reply.kind == b"%" else items
    if reply.kind == b":" and reply.value is not None:
        return int(reply.value)
    return None if reply.value is None else reply.value.decode()


def compact(argument: dict[str, Any]) -> dict[str, Any]:
    """An argument without what follows from the rest: a display text that is the name."""
    short = {field: value for field, value in argument.items() if field not in ("display_text", "summary")}
    shown = argument.get("display_text")
    if shown is not None and shown != argument["name"]:
        short["display_text"] = shown
    if "arguments" in argument:
        short["arguments"] = [compact(part) for part in argument["arguments"]]
    return short


def read(address: servers.Address) -> dict[str, dict[str, Any]]:
    """Every command and sub-command by its full name."""
    connection = Connection(address, 30.0)
    connection("HELLO", "3")
    found: dict[str, dict[str, Any]] = {}

    def enter(docs: dict[str, Any]) -> None:
        for name, described in docs.items():
            entry = {field: value for field, value in described.items() if field not in _LEFT_OUT}
            if "arguments" in entry:
                entry["arguments"] = [compact(argument) for argument in entry["arguments"]]
            found[name] = entry
            enter(described.get("subcommands", {}))

    enter(plain(connection("COMMAND", "DOCS")))
    connection.close()
    return dict(sorted(found.items()))


def _write(path: Path, entries: dict[str, dict[str, Any]]) -> None:
    lines = [f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in entries.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(lines)} commands and sub-commands in {path.relative_to(servers.ROOT)}")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m conformance grammar", description=__doc__)
    parser.add_argument("--oracle", metavar="URL|PATH")
    options = parser.parse_args(arguments)
    with servers.oracle(options.oracle) as oracle:
        base = read(oracle)
    _write(FILE, base)
    for edition in EDITIONS:
        with servers.oracle(oracles.binary(edition)) as oracle:
            there = read(oracle)
        _write(FOLDER / f"grammar-{edition}.json", {name: it for name, it in there.items() if it != base.get(name)})
    return 0
