"""``python -m tests.versions_page``: the documentation's table of editions, made from what each has."""

from __future__ import annotations

from typing import Final

from conformance.pages import DOCS, written
from emulator.commands.table import table
from emulator.config.directives import Config
from emulator.config.edition import EDITIONS, Edition
from emulator.table.registry import every_command

PAGE = DOCS / "versions.md"

_PROOFS: Final = {
    "7.2": "the real 7.2.4, by every case on RESP2",
    "7.4": "the real 7.4.1, by every case on RESP2",
    "8.0": "7.4.1 and 8.2.3, its neighbours; not itself",
    "8.2": "the real 8.2.3, by every case on RESP2 and RESP3; this is the default",
    "8.6": "the real 8.6.2, by every case on RESP2, on RESP3 by those that versions change",
    "valkey-9.1": "the real 9.1.2, by every case on RESP2 and RESP3",
    "8.4": "8.6.2, for what has come since 8.2; not itself",
    "8.8": "its documentation alone",
    "8.10": "its documentation alone",
}


def commands(edition: Edition) -> list[str]:
    """The commands and sub-commands of an edition without those of its modules and of ours, as users write them."""
    known = every_command(table(edition, hidden=False).known)
    return [
        entry.full_name.decode().upper().replace("|", " ")
        for entry in known
        if not entry.module or entry.module == "vectorset"
    ]


def directives(edition: Edition) -> list[str]:
    """The directives of an edition, without those that are hidden."""
    return [name for name, directive in Config(edition).directives.items() if not directive.hidden]


def render() -> str:
    """The table: a row for each edition, with what it has beyond the one before."""
    lines = ["| `--compat` | calls itself | held against | commands | beyond the version before | directives |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    before: Edition | None = None
    for compat, edition in EDITIONS.items():
        known, settings = commands(edition), directives(edition)
        gone = set(commands(before)) if before is not None and not edition.is_valkey else set(known)
        new = ", ".join(sorted(set(known) - gone))
        name = f"{edition.name.capitalize()} {edition.version}"
        lines.append(f"| `{compat}` | {name} | {_PROOFS[compat]} | {len(known)} | {new} | {len(settings)} |")
        before = edition
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(), "tests.versions_page", render()))
