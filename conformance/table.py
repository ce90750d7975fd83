"""``python -m conformance table``: the documentation's table of commands, made from the grammar and the emulator's own."""

from __future__ import annotations

import argparse
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from conformance import servers
from conformance.coverage import read_table
from conformance.grammar import FILE
from conformance.pages import DOCS, written

PAGE = DOCS / "compatibility.md"


def grammar() -> dict[str, dict[str, Any]]:
    """Every command and sub-command of Redis, as written down."""
    found: dict[str, dict[str, Any]] = json.loads(FILE.read_text())
    return found


def render(commands: Mapping[str, dict[str, Any]], supported: Collection[str]) -> str:
    """The table: a row for each group, the commands with the version of Redis since which they are there."""
    groups: dict[str, list[str]] = {}
    for name, entry in commands.items():
        groups.setdefault(entry["group"], []).append(name)
    names = {name.lower() for name in supported}
    total = sum(name.lower() in names for name in commands)
    core = f"{total} of the {len(commands)} commands and sub-commands of Redis 8.2's core"
    lines = [f"{core}; what some of them cannot do here is in [What it is not](what-it-is-not.md).", ""]
    lines += ["| group | supported, and since which Redis | not supported |", "| --- | --- | --- |"]
    for group, members in sorted(groups.items()):
        there = [_entry(name, commands[name]) for name in members if name.lower() in names]
        missing = [_entry(name, commands[name]) for name in members if name.lower() not in names]
        lines.append(f"| {group} | {', '.join(there)} | {', '.join(missing)} |")
    return "\n".join(lines)


def _entry(name: str, entry: dict[str, Any]) -> str:
    since = entry.get("since", "8.0.0").removesuffix(".0")
    return f"{name.upper().replace('|', ' ')} {since}"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m conformance table", description=__doc__)
    parser.add_argument("--subject", metavar="URL")
    options = parser.parse_args(arguments)
    with servers.emulator(options.subject) as subject:
        supported = read_table(subject).commands
    PAGE.write_text(written(PAGE.read_text(), "conformance table", render(grammar(), supported)))
    return 0
