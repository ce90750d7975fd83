"""``python -m tests.options_page``: the reference of every option, made from the directives and our own options."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from conformance.pages import DOCS, written
from emulator.config import kinds, of_modules, special
from emulator.config.directives import Config
from emulator.config.unkept import REASONS
from emulator.server.options import _VARIABLES

PAGE = DOCS / "options.md"

OWN = {
    "backup-daily": "whether there is a backup each day, by UTC",
    "backup-dir": "the folder of backups; without it there are none",
    "backup-retention": "for how many days daily backups and past logs are kept; `0` is for ever",
    "cloud-account": "who may use the management API: `EMAIL:KEY`; without it a key is made and printed",
    "cloud-bind": "the addresses that the management API listens on",
    "cloud-dir": "the folder in which the databases of the management API are kept; without it they end with the server",
    "cloud-domain": "what the host names of the databases of the management API end in; without it they have none",
    "cloud-lag": "milliseconds after which a change comes to the read regions of a database of the management API",
    "cloud-port": "the port of the management API; `0` is none, `auto` a free one",
    "cloud-proxy": "the port of a proxy for programs that know only the service's addresses; `0` is none, `auto` a free one",
    "cloud-readonly-key": "a key of the management API that only reads",
    "cloud-regions": "ports of the REST API on which requests come to a region: `REGION:PORT`, several with spaces between",
    "emulator-commands": "whether the command `EMULATOR` is there, and the users `keyspace.NAME`",
    "emulator-detach": "with `--replicaof`: copy the data of that server and let go of it",
    "emulator-match": "with `--emulator-detach`: copy the keys alone that match one of these patterns",
    "emulator-max-keyspaces": "how many named keyspaces there may be",
    "modules": "which modules there are beside Redis's own data types: `none`, or their names with commas between",
    "rest-bind": "the addresses that the REST API listens on",
    "rest-database": "a further database of the REST API: `NAME:TOKEN` or `NAME:TOKEN:READONLYTOKEN`; may be repeated",
    "rest-port": "the port of the REST API; `0` is none, `auto` a free one",
    "rest-readonly-token": "a token of the REST API that only reads",
    "rest-tls": "whether the REST API speaks TLS, with the certificate and the rules of the options `tls-*`",
    "rest-token": "the token of the REST API; without it one is made and printed",
    "seed": "a word that makes everything random repeat",
    "upstash-limits": "whether the REST API has the service's quotas",
    "upstash-strict": "whether the REST API lacks the commands that the service lacks",
}
"""The directives that no real Redis knows, and what each is for."""

_TAKES = {
    kinds.Boolean: "`yes` or `no`",
    kinds.MemoryOrPercent: "bytes (`100mb`), or a percentage of `maxmemory` (`5%`)",
    kinds.MemorySize: "bytes (`100mb`)",
    kinds.Octal: "a file mode in octal",
    kinds.Secret: "a password",
    special.Addresses: "addresses; one with `-` before it may be absent",
    special.Directory: "a folder",
    special.FileName: "a file's name, without a folder",
    special.HostName: "a host name",
    special.Locale: "`C`, `POSIX`, `C.UTF-8` or nothing",
    special.Master: "host and port",
    special.NodeName: "a name",
    special.NotificationFlags: "letters, each a class of events (`KEA`)",
    special.OomScores: "three integers from -2000 to 2000",
    special.OutputLimits: "for each class of clients: its name, hard bytes, soft bytes, soft seconds",
    special.Percentiles: "percentages from 0 to 100",
    special.Save: "pairs of seconds and changes",
    special.TitleTemplate: "text with names in braces",
    kinds.Text: "text",
}
"""What the directives of a kind take; a kind stands before those that it is derived from."""


def takes(directive: kinds.Directive[Any]) -> str:
    """What a directive takes, in words."""
    if isinstance(directive, kinds.ShutdownOptions):
        return f"`default`, or some of {_listed(directive.choices[1:])}"
    if isinstance(directive, special.Modules):
        return f"`none`, or some of {_listed(list(directive.default))}, with commas between"
    if isinstance(directive, kinds.Choice):
        return f"one of {_listed(directive.choices)}"
    if isinstance(directive, of_modules.ModuleNumber):
        words = "between {} and {}" if directive.open else "from {} to {}"
        return "a number " + words.format(directive.least, f"{directive.most:g}")
    if isinstance(directive, kinds.Clamped):
        return f"an integer, brought between {directive.lowest} and {directive.highest}"
    found = next((text for kind, text in _TAKES.items() if isinstance(directive, kind)), None)
    if found is not None:
        return found
    if directive.most >= kinds.INT_MAX:
        return "an integer" if directive.least < -1 else f"an integer from {directive.least} on"
    return f"an integer from {directive.least} to {directive.most}"


def default(directive: kinds.Directive[Any]) -> str:
    """The default, as one would write it."""
    value = directive.default
    text = kinds.format_memory(value) if isinstance(directive, kinds.MemorySize) else directive.format(value)
    if isinstance(directive, special.Directory):
        return "where it is started"
    return f"`{text}`" if text else "nothing"


def changes(directive: kinds.Directive[Any]) -> str:
    """Whether CONFIG SET changes it."""
    if directive.immutable:
        return "no"
    return "with `enable-protected-configs`" if directive.protected else "yes"


def remarks(directive: kinds.Directive[Any]) -> Iterable[str]:
    """What else is to be known of a directive."""
    variables = [name for name, stands_for in _VARIABLES.items() if stands_for == directive.name]
    if variables:
        yield f"environment: {_listed(variables)}"
    if directive.aliases and directive.aliases != [directive.name]:
        yield f"also {_listed(directive.aliases)}"
    if directive.hidden and directive.name not in OWN:
        yield "patterns do not find it"
    if directive.name in REASONS:
        yield f"no effect: {REASONS[directive.name]}"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def render() -> str:
    """Two tables: the directives that are ours alone, and those of Redis."""
    directives = sorted(set(Config().directives.values()), key=lambda directive: directive.name)
    lines = ["## Our own", "", "| option | for | takes | default | remarks |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| `--{each.name}` | {OWN[each.name]} | {takes(each)} | {default(each)} | {'; '.join(remarks(each))} |"
        for each in directives
        if each.name in OWN
    ]
    lines += ["", "## Redis's", "", "| directive | takes | default | CONFIG SET | remarks |"]
    lines += ["| --- | --- | --- | --- | --- |"]
    lines += [
        f"| `{each.name}` | {takes(each)} | {default(each)} | {changes(each)} | {'; '.join(remarks(each))} |"
        for each in directives
        if each.name not in OWN
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(), "tests.options_page", render()))
