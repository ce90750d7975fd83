"""CLUSTER's sub-commands for slots: which this node has, and which keys are in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from emulator.cluster.state import Node, State, members
from emulator.commands.arguments import integer, wrong_arity, wrong_subcommand_arity
from emulator.commands.cluster import (
    CHANGES,
    NO_CLUSTER,
    SLOT_WISE,
    VARIES,
    cluster_of,
    distinct_slots,
    node_named,
    once,
    slot,
    slots_in,
)
from emulator.datatypes.slots import SLOTS, key_slot
from emulator.protocol.errors import SYNTAX, CommandError
from emulator.protocol.replies import OK, Status
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.cluster.cluster import Cluster

_NOT_A_MASTER = "ERR Target node is not a master"
_NO_SUCH_ACTION = "ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP"


@command("cluster", container="cluster", since="3.0.0", flags=CHANGES, acl="", complexity=SLOT_WISE)
def cluster_addslots(client: Session, slot: bytes, *slots: bytes) -> Status:
    """Assigns slots to this node."""
    return _add(cluster_of(client), _numbers((slot, *slots)))


@command("cluster", container="cluster", since="7.0.0", flags=CHANGES, acl="", complexity=SLOT_WISE)
def cluster_addslotsrange(client: Session, start_slot: bytes, end_slot: bytes, *more: bytes) -> Status:
    """Assigns ranges of slots to this node."""
    return _add(cluster_of(client), _in_ranges((start_slot, end_slot, *more), "cluster|addslotsrange"))


@command("cluster", container="cluster", since="3.0.0", flags=CHANGES, acl="", complexity=SLOT_WISE)
def cluster_delslots(client: Session, slot: bytes, *slots: bytes) -> Status:
    """Makes slots unassigned, as far as this node knows."""
    return _delete(cluster_of(client), _numbers((slot, *slots)))


@command("cluster", container="cluster", since="7.0.0", flags=CHANGES, acl="", complexity=SLOT_WISE)
def cluster_delslotsrange(client: Session, start_slot: bytes, end_slot: bytes, *more: bytes) -> Status:
    """Makes ranges of slots unassigned, as far as this node knows."""
    return _delete(cluster_of(client), _in_ranges((start_slot, end_slot, *more), "cluster|delslotsrange"))


@command("cluster", container="cluster", since="3.0.0", flags=CHANGES, acl="", complexity="O(1)")
def cluster_flushslots(client: Session) -> Status:
    """Takes every slot from this node, which must have no keys."""
    cluster = cluster_of(client)
    if any(client.engine.databases):
        raise CommandError("ERR DB must be empty to perform CLUSTER FLUSHSLOTS.")
    state = cluster.state
    state.unassign(members(state.myself.slots))
    state.changed()
    return OK


def _numbers(words: Iterable[bytes]) -> list[int]:
    return [slot(word) for word in words]


def _in_ranges(words: Sequence[bytes], name: str) -> Iterator[int]:
    if len(words) % 2:
        raise wrong_arity(name)
    return slots_in(words)


def _add(cluster: Cluster, slots: Iterable[int]) -> Status:
    state = cluster.state
    slots = _checked(state, slots, assigned=False)
    for number in slots:
        state.importing.pop(number, None)
    state.assign(state.myself, slots)
    state.changed()
    return OK


def _delete(cluster: Cluster, slots: Iterable[int]) -> Status:
    state = cluster.state
    slots = _checked(state, slots, assigned=True)
    state.unassign(slots)
    state.changed()
    return OK


def _checked(state: State, slots: Iterable[int], assigned: bool) -> list[int]:
    """Return slots that are each given once and have an owner, or have none."""

    def look(number: int) -> int:
        if (state.owners[number] is not None) is not assigned:
            raise CommandError(f"ERR Slot {number} is already {'unassigned' if assigned else 'busy'}")
        return number

    return list(once(map(look, slots)))


# Moving a slot


@command("cluster", container="cluster", since="3.0.0", flags=CHANGES, acl="", complexity="O(1)")
def cluster_setslot(client: Session, slot: bytes, action: bytes, *options: bytes) -> Status:
    """Says that a slot is on its way to or from another node, or which node has it."""
    cluster = cluster_of(client)
    is_valkey = client.engine.config.edition.is_valkey
    if cluster.state.myself.is_replica:
        raise CommandError("ERR Please use SETSLOT only with masters.")
    if is_valkey:
        options = _without_timeout(options)
    number = _numbers((slot,))[0]
    word = action.upper()
    if word == b"STABLE" and (not options or is_valkey):
        cluster.state.migrating.pop(number, None)
        cluster.state.importing.pop(number, None)
    elif word in _ACTIONS and (len(options) == 1 or (options and is_valkey)):
        _ACTIONS[word](cluster, number, options[0])
    else:
        raise CommandError(_NO_SUCH_ACTION)
    cluster.state.changed()
    return OK


def _without_timeout(options: Sequence[bytes]) -> tuple[bytes, ...]:
    """Valkey's TIMEOUT: how long replicas may take to follow, of which the caller is told nothing else."""
    if len(options) >= 2 and options[-2].upper() == b"TIMEOUT":
        integer(options[-1], "ERR timeout is not an integer or out of range")
        return tuple(options[:-2])
    return tuple(options)


def _migrate(cluster: Cluster, number: int, node_id: bytes) -> None:
    state = cluster.state
    if state.owners[number] is not state.myself:
        raise CommandError(f"ERR I'm not the owner of hash slot {number}")
    state.migrating[number] = _other_end(cluster, node_id)


def _import(cluster: Cluster, number: int, node_id: bytes) -> None:
    state = cluster.state
    if state.owners[number] is state.myself:
        raise CommandError(f"ERR I'm already the owner of hash slot {number}")
    state.importing[number] = _other_end(cluster, node_id)


def _give(cluster: Cluster, number: int, node_id: bytes) -> None:
    state = cluster.state
    node = _master(cluster, node_id, "ERR Unknown node {}")
    has_keys = bool(cluster.count_keys(number))
    if state.owners[number] is state.myself is not node and has_keys:
        raise CommandError(
            f"ERR Can't assign hashslot {number} to a different node while I still hold keys for this hash slot."
        )
    if not has_keys:
        state.migrating.pop(number, None)
    had_it = state.owners[number] is state.myself
    state.assign(node, (number,))
    if node is state.myself and state.importing.pop(number, None) is not None:
        state.bump_epoch()
        cluster.bus.greetings.answer_all()
    elif had_it and not state.myself.slots and cluster.engine.config.cluster_allow_replica_migration:
        cluster.bus.become_replica(node)


_ACTIONS = {b"MIGRATING": _migrate, b"IMPORTING": _import, b"NODE": _give}


def _other_end(cluster: Cluster, node_id: bytes) -> Node:
    node = _master(cluster, node_id, "ERR I don't know about node {}")
    if node.is_myself and cluster.engine.config.edition.is_valkey:
        raise CommandError("ERR Target node is myself")
    return node


def _master(cluster: Cluster, node_id: bytes, unknown: str) -> Node:
    node = node_named(cluster, node_id, unknown)
    if node.is_replica:
        raise CommandError(_NOT_A_MASTER)
    return node


# Keys


@command("cluster", container="cluster", since="3.0.0", flags="stale", acl="", complexity="O(N) for N bytes of the key")
def cluster_keyslot(client: Session, key: bytes) -> int:
    """Returns the slot of a key."""
    if not client.engine.config.edition.is_valkey:
        cluster_of(client)
    return key_slot(key)


@command("cluster", container="cluster", since="3.0.0", flags="stale", acl="", complexity="O(1)")
def cluster_countkeysinslot(client: Session, slot: bytes) -> int:
    """Returns how many keys a slot has in the database."""
    cluster_of(client)
    number = integer(slot)
    if not 0 <= number < SLOTS:
        raise CommandError("ERR Invalid slot")
    return len(client.db.in_slot(number))


@command(
    "cluster", container="cluster", since="3.0.0", flags="stale", acl="", tips=VARIES, complexity="O(N) for N keys"
)
def cluster_getkeysinslot(client: Session, slot: bytes, count: bytes) -> list[bytes]:
    """Returns keys of a slot in the database."""
    cluster_of(client)
    number, most = integer(slot), integer(count)
    if not 0 <= number < SLOTS or most < 0:
        raise CommandError("ERR Invalid slot or number of keys")
    return list(islice(client.db.in_slot(number), most))


@command(
    "cluster",
    container="cluster",
    valkey="9.0.0",
    flags="write admin no_async_loading",
    acl="keyspace",
    complexity="O(N) for N keys",
)
def cluster_flushslot(client: Session, slot: bytes, *how: bytes) -> Status:
    """Deletes every key of a slot."""
    cluster = cluster_of(client)
    number = _numbers((slot,))[0]
    if len(how) > 1:
        raise wrong_subcommand_arity(client)
    if how and how[0].upper() not in (b"ASYNC", b"SYNC"):
        raise CommandError(SYNTAX)
    cluster.delete_slot(number)
    return OK


@command("server", since="8.4.0", flags="write", acl="keyspace dangerous", complexity="O(N) for N keys")
def trimslots(
    client: Session, ranges: bytes, numranges: bytes, start_slot: bytes, end_slot: bytes, *more: bytes
) -> Status:
    """Deletes the keys of slots that belong to other nodes (cluster)."""
    cluster = client.engine.cluster
    if cluster is None:
        raise CommandError(NO_CLUSTER)
    if ranges.upper() != b"RANGES":
        raise CommandError("ERR missing ranges argument")
    words = (start_slot, end_slot, *more)
    if integer(numranges) * 2 != len(words):
        raise CommandError("ERR invalid number of ranges")
    slots = distinct_slots(words)
    for number in slots:
        if cluster.state.owners[number] is cluster.state.myself:
            raise CommandError(f"ERR the slot {number} is served by this node")
    for number in slots:
        cluster.delete_slot(number)
    return OK
