"""The table of all commands: importing this module imports each group, which enters its commands in the registry."""

from __future__ import annotations

from emulator.commands import (  # noqa: F401
    acl,
    bitfield,
    bitmap,
    client,
    client_tracking,
    cluster,
    command,
    config,
    connection,
    debug,
    dump,
    emulator,
    functions,
    generic,
    geo,
    hash,
    hash_expiry,
    hyperloglog,
    info,
    latency,
    list,
    list_blocking,
    lolwut,
    memory,
    migrate,
    module,
    persistence,
    pubsub,
    replication,
    scripting,
    server,
    set,
    sort,
    stream,
    stream_groups,
    stream_info,
    stream_read,
    string,
    transactions,
    vectorset,
    zset,
    zset_blocking,
    zset_combine,
    zset_range,
)
from emulator.table.registry import REGISTRY, Commands


def table(hidden: bool = True) -> Commands:
    """Return the table of one engine, with or without the `hidden` commands."""
    return Commands({entry.name.lower(): entry for entry in REGISTRY.values() if hidden or not entry.hidden})
