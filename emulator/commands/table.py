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
from emulator.table.registry import REGISTRY, Command


def table() -> dict[bytes, Command]:
    """A table for one engine: each command under its lower-case and its upper-case name."""
    commands = {entry.name.lower(): entry.clone() for entry in REGISTRY.values()}
    return commands | {name.upper(): entry for name, entry in commands.items()}
