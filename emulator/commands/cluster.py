"""The commands of cluster mode with cluster mode off: every one exists and is refused."""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NoReturn

from emulator.protocol.errors import CommandError
from emulator.protocol.replies import OK, Status
from emulator.table.keyspec import keys
from emulator.table.registry import command, container

if TYPE_CHECKING:
    from emulator.clients.session import Session

container("cluster", group="cluster", since="3.0.0", acl="", help_since="5.0.0", help_acl="")

_CHANGES = "admin stale no_async_loading"
_SLOTS = "O(N) for N slots"
_SLOTS_IN_ALL: Final = 16384
_NODES = "O(N) for N nodes"
_VARIES = "nondeterministic_output"

_SUBCOMMANDS: Final = (
    ("addslots", -3, "3.0.0", _CHANGES, "", _SLOTS, "Give slots to the node."),
    ("addslotsrange", -4, "7.0.0", _CHANGES, "", _SLOTS, "Give ranges of slots to the node."),
    ("bumpepoch", 2, "3.0.0", _CHANGES, _VARIES, "O(1)", "Advance the epoch of the configuration."),
    (
        "count-failure-reports",
        3,
        "3.0.0",
        "admin stale",
        _VARIES,
        "O(N) for N reports",
        "How many report a node to fail.",
    ),
    ("countkeysinslot", 3, "3.0.0", "stale", "", "O(1)", "How many keys a slot has."),
    ("delslots", -3, "3.0.0", _CHANGES, "", _SLOTS, "Take slots from the node."),
    ("delslotsrange", -4, "7.0.0", _CHANGES, "", _SLOTS, "Take ranges of slots from the node."),
    ("failover", -2, "3.0.0", _CHANGES, "", "O(1)", "Have a replica take over from its master."),
    ("flushslots", 2, "3.0.0", _CHANGES, "", "O(1)", "Take every slot from the node."),
    ("forget", 3, "3.0.0", _CHANGES, "", "O(1)", "Strike a node off the table of nodes."),
    ("getkeysinslot", 4, "3.0.0", "stale", _VARIES, "O(N) for N keys", "The keys of a slot."),
    ("help", 2, "5.0.0", "loading stale", "", "O(1)", "What the sub-commands do."),
    ("info", 2, "3.0.0", "stale", _VARIES, "O(1)", "The state of the cluster."),
    ("keyslot", 3, "3.0.0", "stale", "", "O(N) for N bytes of the key", "The slot of a key."),
    ("links", 2, "7.0.0", "stale", _VARIES, _NODES, "The connections to and from other nodes."),
    ("meet", -4, "3.0.0", _CHANGES, "", "O(1)", "Make another node's acquaintance."),
    ("migration", -4, "8.4.0", _CHANGES, "", _SLOTS, "Move slots to the node, and tell how it goes."),
    ("myid", 2, "3.0.0", "stale", "", "O(1)", "The id of the node."),
    ("myshardid", 2, "7.2.0", "stale", _VARIES, "O(1)", "The id of the node's shard."),
    ("nodes", 2, "3.0.0", "stale", _VARIES, _NODES, "The nodes, as the node's configuration has them."),
    ("replicas", 3, "5.0.0", "admin stale", _VARIES, "O(N) for N replicas", "The replicas of a master."),
    ("replicate", -3, "3.0.0", _CHANGES, "", "O(1)", "Make the node the replica of another."),
    ("reset", -2, "3.0.0", "admin noscript stale", "", _NODES, "Make the node as good as new."),
    ("saveconfig", 2, "3.0.0", _CHANGES, "", "O(1)", "Write the node's configuration to its file."),
    ("set-config-epoch", 3, "3.0.0", _CHANGES, "", "O(1)", "Set the epoch of a new node's configuration."),
    ("setslot", -4, "3.0.0", _CHANGES, "", "O(1)", "Say to which node a slot belongs."),
    ("shards", 2, "7.0.0", "loading stale", _VARIES, _NODES, "The shards with their slots and nodes."),
    ("slaves", 3, "3.0.0", "admin stale", _VARIES, "O(N) for N replicas", "The replicas of a master, by an old name."),
    (
        "slot-stats",
        -4,
        "8.2.0",
        "loading stale",
        f"{_VARIES} request_policy:all_shards",
        "O(N) for N slots, O(N*log(N)) with ORDERBY",
        "How the node's slots are used.",
    ),
    ("slots", 2, "3.0.0", "loading stale", _VARIES, _NODES, "Which slots which nodes have."),
    ("syncslots", -3, "8.4.0", _CHANGES, _VARIES, "O(1)", "What nodes say to each other of slots that move."),
)
"""Name, arity, since, flags, tips, complexity, summary."""

_OF_VALKEY: Final = (
    ("cancelslotmigrations", 2, "", _CHANGES, "", "O(N) for N migrations", "Give up the migrations of slots."),
    ("flushslot", -3, "", "write admin no_async_loading", "", "O(N) for N keys", "Delete every key of a slot."),
    ("getslotmigrations", 2, "", _CHANGES, "", "O(N) for N migrations", "The migrations of slots, now and of late."),
    ("migrateslots", -4, "", _CHANGES, "", _SLOTS, "Move slots with their keys to other nodes."),
)
_IN_VALKEY: Final = {
    "slot-stats": "8.0.0",
    **dict.fromkeys(("syncslots", *(name for name, *_ in _OF_VALKEY)), "9.0.0"),
}
"""The versions that brought them, where that was after the two had parted."""


def _refuse() -> NoReturn:
    raise CommandError("ERR This instance has cluster support disabled")


def _refusal(arity: int) -> Callable[..., None]:
    """Return the function of a refused command; its signature gives the arity."""
    shapes: dict[int, Callable[..., None]] = {
        2: lambda client: _refuse(),
        3: lambda client, argument: _refuse(),
        4: lambda client, argument, another: _refuse(),
        -2: lambda client, *arguments: _refuse(),
        -3: lambda client, argument, *more: _refuse(),
        -4: lambda client, argument, another, *more: _refuse(),
    }
    return shapes[arity]


def _slot(client: Session, key: bytes) -> int:
    if not client.engine.config.edition.is_valkey:
        _refuse()
    start = key.find(b"{") + 1
    end = key.find(b"}", start) if start else -1
    return crc_hqx(key[start:end] if end > start else key, 0) % _SLOTS_IN_ALL


for _name, _arity, _since, _flags, _tips, _complexity, _summary in (*_SUBCOMMANDS, *_OF_VALKEY):
    _function = _refusal(_arity) if _name != "keyslot" else _slot
    _function.__doc__ = _summary
    command(
        "cluster",
        container="cluster",
        name=_name,
        since=_since,
        valkey=_IN_VALKEY.get(_name, ""),
        flags=_flags,
        acl="keyspace" if "write" in _flags else "",
        tips=_tips,
        complexity=_complexity,
    )(_function)


@command(
    "cluster",
    valkey="9.1.0",
    flags="readonly",
    keys=[keys("not_key", 1)],
    acl="keyspace",
    tips="nondeterministic_output request_policy:special response_policy:special",
    complexity="O(N) for N keys returned",
)
def clusterscan(client: Session, cursor: bytes, *options: bytes) -> None:
    """Returns some keys of the cluster and the cursor to continue with."""
    _refuse()


@command("cluster", since="3.0.0", flags="fast", acl="connection", complexity="O(1)")
def asking(client: Session) -> None:
    """Allows the next command to use a slot that is being imported (cluster)."""
    _refuse()


@command("cluster", since="3.0.0", flags="loading stale fast", acl="connection", complexity="O(1)")
def readonly(client: Session) -> Status:
    """Allows the connection to read from a replica."""
    return _of_a_replica(client)


@command("cluster", since="3.0.0", flags="loading stale fast", acl="connection", complexity="O(1)")
def readwrite(client: Session) -> Status:
    """Ends READONLY: the connection reads from cluster masters only."""
    return _of_a_replica(client)


def _of_a_replica(client: Session) -> Status:
    """In Valkey replicas outside of clusters are read from in that way too."""
    if not client.engine.config.edition.is_valkey:
        _refuse()
    return OK


@command("server", since="8.4.0", flags="write", acl="keyspace dangerous", complexity="O(N) for N keys")
def trimslots(
    client: Session, ranges: bytes, numranges: bytes, start_slot: bytes, end_slot: bytes, *more: bytes
) -> None:
    """Deletes the keys of slots that belong to other nodes (cluster)."""
    _refuse()
