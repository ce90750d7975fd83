"""COMMAND: the table of commands as clients read it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from emulator.config.edition import Edition
from emulator.datatypes.glob import matcher
from emulator.protocol.errors import SYNTAX, CommandError
from emulator.protocol.replies import Reply, SetReply, Status
from emulator.table.keyspec import KeySpec
from emulator.table.lookup import by_full_name, called_command
from emulator.table.registry import EMULATOR, FLAG, Command, command, container, every_command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_NO_MANDATORY_KEYS = FLAG["no_mandatory_keys"]
_WITHOUT_TEXT = ("oneof", "block")


def _all(client: Session) -> list[Command]:
    return [entry for entry in client.engine.commands.known.values() if not entry.hidden]


def _bare(client: Session) -> list[Reply]:
    return [_info(client.engine.config.edition, entry) for entry in _all(client)]


container(
    "command",
    group="server",
    since="2.8.13",
    flags="loading stale",
    acl="connection",
    tips="nondeterministic_output_order",
    help_since="5.0.0",
    help_acl="connection",
    complexity="O(N) for N commands",
    bare=_bare,
)


def _lookup(client: Session, name: bytes) -> Command | None:
    """A command by its name, a sub-command by ``container|name``."""
    return by_full_name(client.engine.commands.known, name)


def _statuses(words: Iterable[str]) -> SetReply:
    return SetReply([Status(word.encode()) for word in words])


@lru_cache(maxsize=512)  # each client asks for what it knows by name, with every connection
def _info(edition: Edition, entry: Command) -> list[Reply]:
    first, last, step = entry.key_range
    subcommands: list[Reply] = [_info(edition, sub) for sub in entry.subcommands.values()]
    return [
        entry.full_name,
        entry.arity,
        _statuses(entry.flag_names),
        first,
        last,
        step,
        _statuses("@" + category for category in entry.categories),
        SetReply([tip.encode() for tip in entry.tips.split()]),
        SetReply([_key_spec(spec) for spec in entry.keys]),
        SetReply(subcommands) if subcommands or not edition.is_valkey else [],
    ]


def _key_spec(spec: KeySpec) -> dict[bytes, Reply]:
    described: dict[bytes, Reply] = {b"notes": spec.notes.encode()} if spec.notes else {}
    described[b"flags"] = _statuses(spec.flags.split())
    kind, fields = spec.begin_search
    described[b"begin_search"] = {b"type": kind, b"spec": fields}
    kind, fields = spec.find_keys
    described[b"find_keys"] = {b"type": kind, b"spec": fields}
    return described


def _docs(edition: Edition, entry: Command) -> dict[bytes, Reply]:
    written = grammar(edition).get(entry.full_name.decode(), {})
    if entry.module and "since" not in written:
        return {b"group": entry.group.encode(), b"module": entry.module.encode()}
    described: dict[bytes, Reply] = {
        b"summary": entry.summary.encode(),
        b"since": written.get("since", entry.since).encode(),
        b"group": entry.group.replace("_", "-").encode(),
    }
    if entry.complexity:
        described[b"complexity"] = entry.complexity.encode()
    if entry.module:
        described[b"module"] = entry.module.encode()
    if "doc_flags" in written:
        described[b"doc_flags"] = _statuses(written["doc_flags"])
    for field in ("deprecated_since", "replaced_by"):
        if field in written:
            described[field.encode()] = written[field].encode()
    history = _history(edition, entry.full_name.decode())
    if history:
        described[b"history"] = SetReply([[version.encode(), text.encode()] for version, text in history])
    if "arguments" in written:
        described[b"arguments"] = _arguments(edition, written)
    if entry.subcommands:
        described[b"subcommands"] = {sub.full_name: _docs(edition, sub) for sub in entry.subcommands.values()}
    return described


def _history(edition: Edition, name: str) -> list[list[str]]:
    """Versions and what each of them has changed of a command; a third word is the version from which on it is told."""
    told = [
        entry[:2]
        for entry in _data("history").get(name, ())
        if edition.includes(entry[0]) and (edition.is_valkey or edition.includes(entry[-1] if entry[2:] else entry[0]))
    ]
    own = _data("history-valkey") if edition.is_valkey else {}
    return told + [entry for entry in own.get(name, ()) if edition.includes("", entry[0])]


@cache
def grammar(edition: Edition) -> dict[str, Any]:
    """What is written down of the commands of an edition, by their names: arguments, deprecation, since when."""
    if edition.is_valkey:
        return _data("grammar") | _data("grammar-valkey-9.1")
    known = _data("grammar")
    if not edition.includes("8.2.0"):
        return known | _data("grammar-7.4" if edition.includes("7.4.0") else "grammar-7.2")
    for version, name in (("8.4.0", "grammar-8.6"), ("8.8.0", "grammar-8.10")):
        known = known | _data(name) if edition.includes(version) else known
    return known


@cache
def _data(name: str) -> dict[str, Any]:
    """Return the contents of a data file, by command name: ``grammar`` (arguments, deprecation) or ``history``."""
    import json

    data: dict[str, Any] = json.loads(Path(__file__).with_name(f"{name}.json").read_bytes())
    return data


_SUMMARIES: Final = {"IFEQ": b"Only if the value is this one."}
"""What Valkey tells of arguments beside their names."""


def _arguments(edition: Edition, written: dict[str, Any]) -> list[Reply]:
    """The arguments that came up to an edition's version."""
    there = (part for part in written["arguments"] if edition.is_valkey or edition.includes(part.get("since", "0")))
    return [_argument(edition, part) for part in there]


def _argument(edition: Edition, written: dict[str, Any]) -> dict[bytes, Reply]:
    described: dict[bytes, Reply] = {b"name": written["name"].encode(), b"type": written["type"].encode()}
    if written["type"] not in _WITHOUT_TEXT or "display_text" in written:
        described[b"display_text"] = written.get("display_text", written["name"]).encode()
    if "key_spec_index" in written:
        described[b"key_spec_index"] = written["key_spec_index"]
    if "token" in written:
        described[b"token"] = written["token"].encode()
    if edition.is_valkey and written.get("token") in _SUMMARIES:
        described[b"summary"] = _SUMMARIES[written["token"]]
    for field in ("since", "deprecated_since"):
        if field in written:
            described[field.encode()] = written[field].encode()
    if "flags" in written:
        described[b"flags"] = _statuses(written["flags"])
    if "arguments" in written:
        described[b"arguments"] = _arguments(edition, written)
    return described


@command(
    "server",
    container="command",
    since="2.8.13",
    flags="loading stale",
    acl="connection",
    complexity="O(1)",
)
def command_count(client: Session) -> int:
    """Returns the number of commands."""
    return client.engine.commands.shown


@command(
    "server",
    container="command",
    since="2.8.13",
    flags="loading stale",
    acl="connection",
    tips="nondeterministic_output_order",
    complexity="O(N) for N commands",
)
def command_info(client: Session, *names: bytes) -> list[Reply]:
    """Returns arity, flags, keys and categories of some or all commands."""
    if not names:
        return [_info(client.engine.config.edition, entry) for entry in _all(client)]
    found = [_lookup(client, name) for name in names]
    edition = client.engine.config.edition
    return [_info(edition, entry) if entry is not None else None for entry in found]


@command(
    "server",
    container="command",
    since="7.0.0",
    flags="loading stale",
    acl="connection",
    tips="nondeterministic_output_order",
    complexity="O(N) for N commands",
)
def command_docs(client: Session, *names: bytes) -> dict[bytes, Reply]:
    """Returns the documentation of some or all commands."""
    edition = client.engine.config.edition
    found = [_lookup(client, name) for name in names] if names else _all(client)
    return {entry.full_name: _docs(edition, entry) for entry in found if entry is not None}


@command(
    "server",
    container="command",
    since="7.0.0",
    flags="loading stale",
    acl="connection",
    tips="nondeterministic_output_order",
    complexity="O(N) for N commands",
)
def command_list(client: Session, *filterby: bytes) -> list[bytes]:
    """Returns the names of all commands, or of those of a module, an ACL category or a pattern."""
    if not filterby:
        return [entry.full_name for entry in every_command(client.engine.commands.known) if not entry.hidden]
    if len(filterby) != 3 or filterby[0].upper() != b"FILTERBY":
        raise CommandError(SYNTAX)
    kind, value = filterby[1].upper(), filterby[2]
    asked = value.lower().startswith(EMULATOR.encode())
    entries = [entry for entry in every_command(client.engine.commands.known) if asked or not entry.hidden]
    if kind == b"MODULE":
        return [entry.name for entry in entries if entry.module and entry.module.lower().encode() == value.lower()]
    if kind == b"ACLCAT":
        category = value.lower().decode("utf-8", "replace")
        return [entry.full_name for entry in entries if category in entry.categories]
    if kind == b"PATTERN":
        matches = matcher(value, ignore_case=True)
        return [entry.full_name for entry in entries if matches(entry.full_name)]
    raise CommandError(SYNTAX)


def _keys_of(client: Session, words: Sequence[bytes]) -> list[tuple[bytes, str]]:
    """Return the keys in the words of a call, each with its flags."""
    entry = called_command(client.engine.commands.known, words)
    if entry is None:
        raise CommandError("ERR Invalid command specified")
    specs = [spec for spec in entry.keys if "not_key" not in spec.flags]
    if not specs:
        raise CommandError("ERR The command has no key arguments")
    if not entry.least <= len(words) <= entry.most:
        raise CommandError("ERR Invalid number of arguments specified for command")
    found = entry.find_keys(words)
    if not found and not entry.flags & _NO_MANDATORY_KEYS:
        raise CommandError("ERR Invalid arguments specified for command")
    return found


@command(
    "server",
    container="command",
    since="2.8.13",
    flags="loading stale",
    acl="connection",
    complexity="O(N) for N arguments",
)
def command_getkeys(client: Session, name: bytes, *arguments: bytes) -> list[bytes]:
    """Returns the keys in a full command."""
    return [key for key, _ in _keys_of(client, (name, *arguments))]


@command(
    "server",
    container="command",
    since="7.0.0",
    flags="loading stale",
    acl="connection",
    complexity="O(N) for N arguments",
)
def command_getkeysandflags(client: Session, name: bytes, *arguments: bytes) -> list[Reply]:
    """Returns the keys in a full command, each with the flags of its use."""
    return [[key, _statuses(flags.split())] for key, flags in _keys_of(client, (name, *arguments))]
