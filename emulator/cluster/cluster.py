"""Cluster mode of an engine: its node's state, the file that keeps it, and what follows from a change of either."""

from __future__ import annotations

import logging
from random import SystemRandom
from typing import TYPE_CHECKING, Final

from emulator.cluster.bus import Bus
from emulator.cluster.file import FileInUse, NodesFile
from emulator.cluster.lines import BadLine, read_state, state_text
from emulator.cluster.lost_slots import let_go
from emulator.cluster.packet import NAMES
from emulator.cluster.redirection import Requests
from emulator.cluster.slot_usage import SlotUsage
from emulator.cluster.state import NOFAILOVER, PORT_INCREMENT, SLOTS, Node, State, members, new_id
from emulator.config.kinds import ConfigError
from emulator.keyspace.key_index import KeyIndex
from emulator.stats.log import NOTICE
from emulator.wall import behind_wall

if TYPE_CHECKING:
    from emulator.cluster.host import HostOfCluster

logger = logging.getLogger("emulator")

_OWN_FIELDS: Final = (
    *(f"cluster-announce-{name}" for name in ("port", "tls-port", "bus-port", "hostname", "human-nodename")),
    "port",
    "tls-port",
    "tls-cluster",
    "cluster-replica-no-failover",
    "availability-zone",
)
"""Directives of which the node's own entry is made."""

_LAST_PORT: Final = 65535
_FORGOTTEN_SECONDS: Final = 60
_BYTES_TOLD: Final = tuple(
    f"cluster_stats_{kind}bytes_{way}" for kind in ("", "pubsub_", "module_") for way in ("sent", "received")
)


class Cluster:
    """A node of a cluster.

    ``state`` is what it knows, ``requests`` says which commands it serves, ``usage`` what slots cost.  ``bus`` connects it
    with other nodes.
    """

    def __init__(self, engine: HostOfCluster) -> None:
        self.engine = engine
        random = SystemRandom()  # the engine's own would give nodes of one seed one id
        self.state = State(new_id(random), new_id(random))
        self.bus = Bus(self)
        self.requests = Requests(self)
        self.usage = SlotUsage(engine)
        self._file: NodesFile | None = None
        self._saves_soon = False
        self.announce()
        known = engine.config.directives
        for name in _OWN_FIELDS:
            if name in known:
                engine.config.on_change(name, self._announce_anew)
        engine.config.on_change("cluster-announce-ip", self._announce_ip)
        engine.config.on_change("cluster-require-full-coverage", self._look_again)
        self.state.on_change.append(self._changed)

    def announce(self) -> None:
        """Bring the node's own entry up to date with the configuration."""
        config, myself = self.engine.config, self.state.myself
        plain, secure = config.cluster_announce_port or config.port, config.cluster_announce_tls_port or config.tls_port
        listens = config.tls_port if config.tls_cluster else config.port
        myself.port, myself.other_port = (secure, plain) if config.tls_cluster else (plain, secure)
        myself.cport = config.cluster_announce_bus_port or config.cluster_port or listens + PORT_INCREMENT
        if config.cluster_announce_ip:
            myself.ip = config.cluster_announce_ip.encode()  # else it stays what others have told
        myself.hostname = config.cluster_announce_hostname.encode()
        myself.human_name = config.cluster_announce_human_nodename.encode()
        if config.edition.is_valkey:
            myself.availability_zone = config.availability_zone.encode()
        no_failover = NOFAILOVER if config.cluster_replica_no_failover else 0
        myself.flags = myself.flags & ~NOFAILOVER | no_failover

    def _look_again(self) -> None:
        """What is up stays so until something happens to a node or a slot."""
        if not self.state.is_ok:
            self.state.changed()

    def _announce_ip(self) -> None:
        self.state.myself.ip = self.engine.config.cluster_announce_ip.encode()
        self._announce_anew()

    def _announce_anew(self) -> None:
        self.announce()
        self.state.changed()

    # The file

    def open(self) -> None:
        """Read the file of nodes, which is made where there is none.  Raises ConfigError where it cannot be had."""
        engine = self.engine
        if self.state.myself.cport > _LAST_PORT:
            raise ConfigError(
                "Redis port number too high. Cluster communication port is 10,000 port numbers higher than your Redis port. "
                "Your Redis port number must be 55535 or less."
            )
        name = engine.config.cluster_config_file
        self._file = NodesFile(engine.persistence.folder, name)
        try:
            if text := self._file.open():
                read_state(text, self.state)
                logger.log(NOTICE, "Node configuration loaded, I'm %s", self.state.myself.id.decode())
            else:
                logger.log(NOTICE, "No cluster configuration found, I'm %s", self.state.myself.id.decode())
            self.announce()
            if (master := self.state.myself.master) is not None:
                engine.config.replicaof = (master.ip.decode(), master.port)
            self.state.refresh(engine.config.cluster_require_full_coverage)
            self._file.save(state_text(self.state))
        except FileInUse:
            raise ConfigError(
                f"Sorry, the cluster configuration file {name} is already used by a different Redis Cluster node. Please "
                "make sure that different nodes use different cluster configuration files."
            ) from None
        except BadLine as error:
            raise ConfigError(f"Unrecoverable error: corrupted cluster config file '{error}'.") from None
        except OSError as error:
            raise ConfigError(
                f"Can't open {name} in order to save the cluster configuration: {error.strerror}"
            ) from None

    def close(self) -> None:
        """Let go of the file, in which everything is."""
        if self._file is not None:
            self._save_soon()
            self._file.close()
            self._file = None

    def save(self) -> None:
        """Write the file of nodes, where there is one.  Raises OSError."""
        self._saves_soon = False
        if self._file is not None:
            self._file.save(state_text(self.state))

    def _save_soon(self) -> None:
        if self._saves_soon:  # unless it was saved meanwhile
            behind_wall(self.save, "the file of nodes")

    # Changes

    def _changed(self) -> None:
        """The state is another: the file follows in the next round of the loop, clients of slots that are lost hear of it."""
        self.state.refresh(self.engine.config.cluster_require_full_coverage)
        let_go(self)
        if not self._saves_soon:
            self._saves_soon = True
            self.engine.soon(self._save_soon)

    # Nodes

    def meet(self, ip: bytes, port: int, cport: int) -> None:
        """Make the acquaintance of a node, which is entered once it has answered."""
        self.bus.greetings.meet(ip, port, cport)

    def forget(self, node: Node) -> None:
        """Strike a node off, and do not take it up again for a while."""
        config = self.engine.config
        seconds = config.cluster_blacklist_ttl if config.edition.is_valkey else _FORGOTTEN_SECONDS
        self.state.forgotten[node.id] = self.engine.clock.now + seconds * 1000
        self.bus.forget(node)
        self.state.changed()

    def replicate(self, node: Node) -> None:
        """Follow a master, which this node owns no slots and keys beside.  Raises `CommandError` where it cannot."""
        self.bus.become_replica(node)
        self.state.changed()

    def stand_alone(self) -> None:
        """Be a master of no slots in a shard of its own (Valkey)."""
        state = self.state
        if state.myself.is_replica:
            self._become_master()
            state.myself.shard_id = new_id(SystemRandom())
            state.changed()

    def fail_over(self, how: bytes) -> None:
        """Take the master's place: with its consent, or with FORCE or TAKEOVER without."""
        self.bus.manual_failover.request(how)

    def reset(self, hard: bool) -> None:
        """Forget all others and all slots; with `hard` be another node."""
        state = self.state
        if state.myself.is_replica:
            self._become_master()
            for db in self.engine.databases:
                self.engine.dirty += db.clear()
        state.unassign(range(SLOTS))
        self._forget_moves()
        for node in [node for node in state.nodes.values() if not node.is_myself]:
            self.bus.forget(node)
        if hard:
            state.current_epoch = state.last_vote_epoch = state.myself.config_epoch = 0
            state.rename(state.myself, new_id(SystemRandom()))
            state.myself.shard_id = new_id(SystemRandom())
        state.changed()

    def _become_master(self) -> None:
        self.state.set_master(self.state.myself, None)
        self.engine.replication.promote()

    def _forget_moves(self) -> None:
        self.state.migrating.clear()
        self.state.importing.clear()

    @property
    def replication_offset(self) -> int:
        """How much of the stream this node has."""
        replication = self.engine.replication
        return replication.stream.offset if replication.link is None else replication.link.offset

    def messages(self, is_valkey: bool) -> dict[str, int]:
        """What the bus has sent and received, as CLUSTER INFO tells it."""
        counts: dict[str, int] = {}
        for way, packets in (("sent", self.bus.sent), ("received", self.bus.received)):
            counts |= {
                f"cluster_stats_messages_{kind}_{way}": count
                for kind, count in zip(NAMES, packets, strict=True)
                if count
            }
            counts[f"cluster_stats_messages_{way}"] = sum(packets)
        return counts | dict.fromkeys(_BYTES_TOLD if is_valkey else (), 0)

    # Keys

    def keys_in_slot(self, slot: int) -> list[KeyIndex]:
        """The keys of a slot in each database, for reading."""
        return [db.in_slot(slot) for db in self.engine.databases]

    def count_keys(self, slot: int) -> int:
        """How many keys a slot has.  O(1)."""
        return sum(map(len, self.keys_in_slot(slot)))

    def own_slots(self) -> list[int]:
        """The slots of this node, or of its master.  O(slots)."""
        myself = self.state.myself
        return list(members((myself if myself.master is None else myself.master).slots))

    def delete_slot(self, slot: int) -> int:
        """Delete the keys of a slot; how many there were.  O(keys)."""
        assert 0 <= slot < SLOTS
        deleted = 0
        for db in self.engine.databases:
            for key in list(db.in_slot(slot)):
                deleted += db.delete(key)
        return deleted
