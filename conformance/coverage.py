"""``python -m conformance coverage``: the subject's table of commands against the oracle's."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance import oracles, servers
from conformance.grammar import plain
from conformance.resp import Connection, Reply

_FIELDS = ("arity", "flags", "first key", "last key", "step", "ACL categories", "tips", "key specifications")
_DOCS = ("since", "group", "module", "doc_flags", "deprecated_since", "replaced_by", "arguments")


@dataclass
class Table:
    """Commands and sub-commands by their full names: the fields that are compared."""

    commands: dict[str, dict[str, object]] = field(default_factory=dict)

    def enter(self, row: Reply) -> None:
        assert isinstance(row.value, list)
        name, *fields, subcommands = row.value
        known = zip(_FIELDS, fields, strict=True)
        self.commands[_text(name)] = {label: _plain(value) for label, value in known}
        assert isinstance(subcommands.value, list)
        for sub in subcommands.value:
            self.enter(sub)

    def describe(self, docs: Reply) -> None:
        """Take what does not stand in COMMAND INFO from COMMAND DOCS (RESP3)."""
        for name, described in _pairs(docs):
            fields = dict(_pairs(described))
            known = self.commands.get(_text(name))
            if known is not None:
                known["docs"] = list(fields)
                known["history"] = _versions(fields["history"]) if "history" in fields else []
                known.update((label, _wordless(plain(fields[label]))) for label in _DOCS if label in fields)
            if "subcommands" in fields:
                self.describe(fields["subcommands"])


def _wordless(told: Any) -> Any:
    """What is told of arguments, without the text of summaries, which is in words of one's own."""
    if isinstance(told, list):
        return [_wordless(part) for part in told]
    if not isinstance(told, dict):
        return told
    return {name: "" if name == "summary" else _wordless(value) for name, value in told.items()}


def _versions(history: Reply) -> list[object]:
    """The versions in which a command has changed; what has changed is told in words of one's own."""
    assert isinstance(history.value, list)
    return [plain(entry)[0] for entry in history.value]


def _text(reply: Reply | str) -> str:
    if isinstance(reply, str):
        return reply
    assert isinstance(reply.value, bytes)
    return reply.value.decode()


def _pairs(reply: Reply) -> list[tuple[str, Reply]]:
    assert isinstance(reply.value, list)
    return [(_text(name), value) for name, value in zip(reply.value[::2], reply.value[1::2], strict=True)]


def _plain(reply: Reply) -> object:
    """A value to compare: sets without their order."""
    if isinstance(reply.value, list):
        items = [_plain(item) for item in reply.value]
        return sorted(items, key=repr) if reply.kind == b"~" else items
    return None if reply.value is None else reply.value.decode()


def read_table(address: servers.Address) -> Table:
    """The whole table of a server."""
    connection = Connection(address, 30.0)
    connection("HELLO", "3")
    table = Table()
    rows = connection("COMMAND").value
    assert isinstance(rows, list)
    for row in rows:
        table.enter(row)
    table.describe(connection("COMMAND", "DOCS"))
    return table


@dataclass
class Report:
    """What the subject has of the oracle's table."""

    total: int
    missing: list[str]
    different: dict[str, list[str]]

    @property
    def present(self) -> int:
        return self.total - len(self.missing)


def compare(subject: Table, oracle: Table) -> Report:
    """Names that the subject lacks, and for those it has the fields that differ."""
    missing = sorted(set(oracle.commands) - set(subject.commands))
    different: dict[str, list[str]] = {}
    for name in sorted(set(oracle.commands) & set(subject.commands)):
        ours, theirs = subject.commands[name], oracle.commands[name]
        lines = [
            f"{label}: {ours.get(label)} instead of {theirs.get(label)}"
            for label in (*_FIELDS, "docs", *_DOCS)
            if ours.get(label) != theirs.get(label)
        ]
        if lines:
            different[name] = lines
    return Report(len(oracle.commands), missing, different)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m conformance coverage", description=__doc__)
    parser.add_argument("--subject", metavar="URL")
    parser.add_argument("--oracle", metavar="URL|PATH")
    parser.add_argument("--missing", action="store_true", help="list what the subject lacks")
    parser.add_argument("--strict", action="store_true", help="fail when anything is missing")
    parser.add_argument("--modules", type=lambda words: words.split(","), default=[], help="json,bf,timeseries or some")
    parser.add_argument("--edition", default="8.2", metavar="NAME", help="which server: 8.2, 8.6, valkey-9.1")
    options = parser.parse_args(arguments)
    binary = options.oracle or oracles.binary(options.edition)
    with (
        servers.oracle(binary, modules=options.modules) as oracle,
        servers.emulator(options.subject, "--compat", options.edition, modules=options.modules) as subject,
    ):
        report = compare(read_table(subject), read_table(oracle))
    for name, lines in report.different.items():
        print(name)
        for line in lines:
            print(f"    {line}")
    if options.missing:
        print("missing: " + " ".join(report.missing))
    print(
        f"{report.present} of {report.total} commands and sub-commands present, "
        f"{report.present - len(report.different)} of these equal"
    )
    return 1 if report.different or (options.strict and report.missing) else 0
