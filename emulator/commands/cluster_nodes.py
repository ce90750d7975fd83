"""CLUSTER's sub-commands for nodes: who is one, who follows whom, epochs, and the file of nodes."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from emulator.cluster.state import PORT_INCREMENT
from emulator.commands.arguments import integer, wrong_subcommand_arity
from emulator.commands.cluster import CHANGES, NODE_WISE, VARIES, cluster_of, node_named
from emulator.protocol.errors import SYNTAX, CommandError, as_text
from emulator.protocol.replies import OK, Status
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_LAST_PORT: Final = 65535


# Epochs


@command("cluster", container="cluster", since="3.0.0", flags=CHANGES, acl="", tips=VARIES, complexity="O(1)")
def cluster_bumpepoch(client: Session) -> Status:
    """Gives this node an epoch above all others."""
    state = cluster_of(client).state
    bumped = state.bump_epoch()
    if bumped:
        state.changed()
    return Status(b"%b %d" % (b"BUMPED" if bumped else b"STILL", state.myself.config_epoch))


@command(
    "cluster", container="cluster", name="set-config-epoch", since="3.0.0", flags=CHANGES, acl="", complexity="O(1)"
)
def set_config_epoch(client: Session, config_epoch: bytes) -> Status:
    """Sets the epoch of a node that knows no other one."""
    state = cluster_of(client).state
    epoch = integer(config_epoch)
    if epoch < 0:
        raise CommandError(f"ERR Invalid config epoch specified: {epoch}")
    if len(state.nodes) > 1:
        raise CommandError("ERR The user can assign a config epoch only when the node does not know any other node.")
    if state.myself.config_epoch:
        raise CommandError("ERR Node config epoch is already non-zero")
    state.myself.config_epoch = epoch
    state.current_epoch = max(state.current_epoch, epoch)
    state.changed()
    return OK


@command("cluster", container="cluster", since="3.0.0", flags=CHANGES, acl="", complexity="O(1)")
def cluster_saveconfig(client: Session) -> Status:
    """Writes the node's configuration to its file."""
    try:
        cluster_of(client).save()
    except OSError as error:
        raise CommandError(f"ERR error saving the cluster node config: {error.strerror}") from None
    return OK


# Nodes


@command("cluster", container="cluster", since="3.0.0", flags=CHANGES, acl="", complexity="O(1)")
def cluster_meet(client: Session, ip: bytes, port: bytes, *cluster_bus_port: bytes) -> Status:
    """Makes another node known to this one and its cluster."""
    cluster = cluster_of(client)
    if len(cluster_bus_port) > 1:
        raise wrong_subcommand_arity(client)
    base = _port(port, "base")
    bus = _port(cluster_bus_port[0], "bus") if cluster_bus_port else base + PORT_INCREMENT
    if client.engine.config.edition.is_valkey:
        _check_ports(base, bus)
    if not (0 < base <= _LAST_PORT and 0 < bus <= _LAST_PORT and _is_address(ip)):
        raise CommandError(f"ERR Invalid node address specified: {as_text(ip)}:{as_text(port)}")
    cluster.meet(ip, base, bus)
    return OK


def _port(text: bytes, kind: str) -> int:
    return integer(text, f"ERR Invalid {kind} port specified: {as_text(text)}")


def _check_ports(base: int, bus: int) -> None:
    """Valkey tells which of them it is."""
    for kind, number in (("Port", base), ("Cluster bus port", bus)):
        if not 0 < number <= _LAST_PORT:
            raise CommandError(f"ERR {kind} number is out of range")


def _is_address(ip: bytes) -> bool:
    try:
        ipaddress.ip_address(ip.decode("latin-1"))
    except ValueError:
        return False
    return True


@command("cluster", container="cluster", since="3.0.0", flags=CHANGES, acl="", complexity="O(1)")
def cluster_forget(client: Session, node_id: bytes) -> Status:
    """Removes a node from the table of nodes for a minute."""
    cluster = cluster_of(client)
    state = cluster.state
    if node_id not in state.nodes and state.forgotten.get(node_id, 0) > client.engine.clock.now:
        return OK
    node = node_named(cluster, node_id)
    if node is state.myself:
        raise CommandError("ERR I tried hard but I can't forget myself...")
    if node is state.myself.master:
        raise CommandError("ERR Can't forget my master!")
    cluster.forget(node)
    return OK


@command("cluster", container="cluster", since="3.0.0", flags=CHANGES, acl="", complexity="O(1)")
def cluster_replicate(client: Session, node_id: bytes, *one: bytes) -> Status:
    """Makes this node the replica of a master."""
    cluster = cluster_of(client)
    state = cluster.state
    if one:
        if len(one) > 1 or (node_id.upper(), one[0].upper()) != (b"NO", b"ONE"):
            raise wrong_subcommand_arity(client)
        cluster.stand_alone()
        return OK
    node = node_named(cluster, node_id)
    if node is state.myself:
        raise CommandError("ERR Can't replicate myself")
    if node.is_replica:
        raise CommandError("ERR I can only replicate a master, not a replica.")
    if state.myself.is_master and (state.myself.slots or any(client.engine.databases)):
        raise CommandError("ERR To set a master the node must be empty and without assigned slots.")
    cluster.replicate(node)
    return OK


@command("cluster", container="cluster", since="3.0.0", flags=CHANGES, acl="", complexity="O(1)")
def cluster_failover(client: Session, *how: bytes) -> Status:
    """Lets this replica take over from its master."""
    cluster = cluster_of(client)
    master = cluster.state.myself.master
    if len(how) > 1:
        is_valkey = client.engine.config.edition.is_valkey
        raise CommandError(SYNTAX) if is_valkey else wrong_subcommand_arity(client)
    word = how[0].upper() if how else b""
    if word not in (b"", b"FORCE", b"TAKEOVER"):
        raise CommandError(SYNTAX)
    if cluster.state.myself.is_master:
        raise CommandError("ERR You should send CLUSTER FAILOVER to a replica")
    if master is None:
        raise CommandError("ERR I'm a replica but my master is unknown to me")
    if not word and (master.has_failed or master.link is None):
        raise CommandError("ERR Master is down or failed, please use CLUSTER FAILOVER FORCE")
    cluster.fail_over(word)
    return OK


@command("cluster", container="cluster", since="3.0.0", flags="admin noscript stale", acl="", complexity=NODE_WISE)
def cluster_reset(client: Session, *how: bytes) -> Status:
    """Makes this node forget the others and its slots; with HARD also who it is."""
    cluster = cluster_of(client)
    if len(how) > 1:
        raise wrong_subcommand_arity(client)
    if how and how[0].upper() not in (b"HARD", b"SOFT"):
        raise CommandError(SYNTAX)
    if cluster.state.myself.is_master and any(client.engine.databases):
        raise CommandError("ERR CLUSTER RESET can't be called with master nodes containing keys")
    cluster.reset(bool(how) and how[0].upper() == b"HARD")
    return OK
