"""The table of all commands: importing this module imports each group, which enters its commands in the registry."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import chain

from emulator.commands import (  # noqa: F401
    acl,
    backup,
    bitfield,
    bitmap,
    client,
    client_tracking,
    cluster,
    cluster_migration,
    cluster_nodes,
    cluster_scan,
    cluster_slot_stats,
    cluster_slots,
    cluster_view,
    command,
    config,
    connection,
    debug,
    debug_encoding,
    dump,
    emulator,
    emulator_replication,
    functions,
    generic,
    generic_expiry,
    geo,
    hash,
    hash_expiry,
    hash_import,
    hash_values_expiry,
    hotkeys,
    hyperloglog,
    increx,
    info,
    latency,
    lcs,
    list,
    list_blocking,
    list_move,
    lolwut,
    memory,
    migrate,
    module,
    object,
    online_backup,
    persistence,
    pubsub,
    replication,
    scripting,
    server,
    set,
    set_combine,
    sort,
    stream,
    stream_claim,
    stream_groups,
    stream_info,
    stream_messages,
    stream_read,
    stream_trim,
    string,
    string_conditions,
    string_counters,
    transactions,
    vectorset,
    vectorset_search,
    zset,
    zset_blocking,
    zset_combine,
    zset_range,
)
from emulator.commands.changes import changed
from emulator.config.edition import REDIS_8_2, Edition, load_packages
from emulator.table import modules
from emulator.table.registry import REGISTRY, SENTINEL, Command, Commands


def table(edition: Edition = REDIS_8_2, hidden: bool = True) -> Commands:
    """The commands of an edition for one engine, with the `hidden` ones or without them."""
    return Commands(_by_name(edition, hidden), tells_no_words=edition.includes("8.4.0"))


@cache
def _by_name(edition: Edition, hidden: bool) -> Mapping[bytes, Command]:
    return {entry.name.lower(): entry for entry in _commands(edition) if hidden or not entry.hidden}


@cache
def _commands(edition: Edition) -> tuple[Command, ...]:
    """The commands of an edition, each with its sub-commands of that edition; the hidden ones are in every edition."""
    load_packages(edition)
    own = (
        entry if entry.hidden else _of(edition, entry)
        for entry in REGISTRY.values()
        if (entry.hidden or edition.includes(entry.since, entry.valkey)) and entry.group != SENTINEL
    )
    return (*own, *chain.from_iterable(map(modules.commands, edition.modules)))


def _of(edition: Edition, entry: Command) -> Command:
    """A command as it is in an edition: the same one if nothing is otherwise."""
    entry = changed(edition, entry)
    there = {
        name: changed(edition, sub)
        for name, sub in entry.subcommands.items()
        if edition.includes(sub.since, sub.valkey)
    }
    if there != entry.subcommands:
        entry = entry.clone()
        entry.subcommands = {name: sub.clone(entry) for name, sub in there.items()}
    return entry
