"""Replication of an engine: its role, its replicas, its link to a master, and what is due each second."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from emulator.clients.session import Session
from emulator.datatypes.wheel import Timer
from emulator.persistence.host import StreamPosition
from emulator.protocol.errors import CommandError
from emulator.replication.acknowledgement import Acknowledgements
from emulator.replication.failover import Failover
from emulator.replication.own_keys import OwnKeys
from emulator.replication.replica import LOADING, ONLINE, STREAMING, TO_OPEN_CHANNEL, WAITING, Replica
from emulator.replication.shutdown import Shutdown
from emulator.replication.stream import Stream
from emulator.replication.synchronization import Synchronization
from emulator.stats.log import NOTICE

if TYPE_CHECKING:
    from emulator.replication.host import HostOfReplication
    from emulator.replication.link import MasterLink

logger = logging.getLogger("emulator")

REPLICA: Final = b"REPLICA"
LOADING_DATA: Final = b"LOADING"
READ_ONLY: Final = b"READONLY"
MASTER_DOWN: Final = b"MASTERDOWN"
ROLES: Final = (REPLICA, LOADING_DATA, READ_ONLY, MASTER_DOWN)
"""What a server can play to its clients without being it."""
_SECOND: Final = 1000
_UNBLOCKED: Final = "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"
NO_DIALLING: Final = "ERR an engine without a server of its own cannot be a replica"


class Replication(Timer):
    """The replication of an engine; as a timer it is the next second, as long as there is a replica, a backlog or a master.

    ``link`` leads to the master, and is None where this server is one; where it is ``severed`` no other attempt is made, and
    by ``lag`` milliseconds the server stays behind.  ``played`` is the role that it only plays, one of `ROLES`.
    """

    __slots__ = (
        "_engine",
        "_next_ping",
        "_unused_since",
        "acknowledgements",
        "failover",
        "lag",
        "link",
        "own_keys",
        "played",
        "severed",
        "shutdown",
        "stream",
        "synchronization",
    )

    def __init__(self, engine: HostOfReplication) -> None:
        super().__init__()
        self._engine = engine
        self.stream = Stream(engine)
        self.synchronization = Synchronization(engine, self)
        self.acknowledgements = Acknowledgements(engine)
        self.failover = Failover(engine)
        self.shutdown = Shutdown(engine)
        self.own_keys = OwnKeys(engine)
        self.link: MasterLink | None = None
        self.lag = 0
        self.severed = False
        self.played = b""
        self._next_ping = self._unused_since = 0
        for name in ("min-replicas-to-write", "min-replicas-max-lag"):
            engine.config.on_change(name, self.count_good)
        for name in ("replica-read-only", "replica-serve-stale-data"):
            engine.config.on_change(name, engine.refresh_sessions)
        engine.config.on_change("repl-backlog-size", self._resize_backlog)
        engine.config.on_change("replica-read-only", self.own_keys.look)

    def _resize_backlog(self) -> None:
        if self.stream.backlog is not None:
            self.stream.backlog.resize(self._engine.config.repl_backlog_size)

    # What commands have to know

    @property
    def needs_guards(self) -> bool:
        """Whether some commands are refused since this is a replica."""
        return self.link is not None or bool(self.played)

    @property
    def is_read_only(self) -> bool:
        """Whether clients may not write."""
        if self.played:
            return self.played in (READ_ONLY, REPLICA)
        return self.link is not None and self._engine.config.replica_read_only

    @property
    def is_stale(self) -> bool:
        """Whether the data may be out of date, and clients are not to see them."""
        if self.played:
            return self.played == MASTER_DOWN
        link, config = self.link, self._engine.config
        return (
            link is not None and not link.is_up and not (config.replica_serve_stale_data and not config.emulator_detach)
        )

    @property
    def is_loading(self) -> bool:
        """Whether the server plays one that loads its data."""
        return self.played == LOADING_DATA

    def play(self, role: bytes) -> None:
        """Play a role, or with an empty one none."""
        self.played = role
        self._engine.refresh_sessions()

    def set_lag(self, milliseconds: int) -> None:
        """Stay so much behind the master from now on, with what has come already too."""
        self.lag = milliseconds
        if self.link is not None:
            self.link.set_lag(milliseconds)

    @property
    def online(self) -> list[Replica]:
        """The replicas that follow."""
        return [replica for replica in self.stream.replicas if replica.state == ONLINE]

    def count_good(self) -> None:
        """Find out whether there are as many good replicas as ``min-replicas-to-write`` asks for."""
        engine, config = self._engine, self._engine.config
        wanted, lag = config.min_replicas_to_write, config.min_replicas_max_lag
        lacks = bool(wanted and lag) and self.link is None and self.good_replicas < wanted
        if lacks != engine.lacks_replicas:
            engine.lacks_replicas = lacks
            engine.refresh_sessions()

    @property
    def good_replicas(self) -> int:
        """How many replicas were heard of lately."""
        return sum(replica.lag <= self._engine.config.min_replicas_max_lag for replica in self.online)

    # Replicas

    def replica_of(self, session: Session) -> Replica:
        """The replica at the end of a session that speaks as one."""
        if not isinstance(session.peer, Replica):
            from emulator.persistence import forms  # noqa: F401 (the half of what PSYNC needs, which takes 20 ms to import)

            session.peer = Replica(session, self._engine)
            session.refresh()
        return session.peer

    def enter(self, replica: Replica, state: int) -> None:
        """One more replica is to follow, which has come to this state."""
        replica.state = state
        replica.heard = self._engine.clock.elapsed
        self.stream.replicas.append(replica)
        replica.session.refresh()
        self._engine.refresh_sessions()
        self._tick_on()

    def replicas_changed(self) -> None:
        """A replica follows, or one does no more."""
        self.count_good()
        self.acknowledgements.check()
        self.shutdown.check()

    def forget_replica(self, replica: Replica) -> None:
        """A replica has gone."""
        if replica in self.stream.replicas:
            self.stream.replicas.remove(replica)
            self._unused_since = self._engine.clock.elapsed
            logger.log(NOTICE, "Connection with replica %s lost.", replica.name)
            self.synchronization.replica_gone(replica)
            self.replicas_changed()

    def drop_replicas(self) -> None:
        """Disconnect all replicas: the history that they follow has ended."""
        for replica in list(self.stream.replicas):
            replica.session.abort_in_turn()

    # The master

    def follow(self, host: str, port: int) -> None:
        """Be a replica of a server from now on; raises `CommandError` where this cannot be one."""
        engine = self._engine
        if engine.dial is None:
            raise CommandError(NO_DIALLING)
        if self.link is None:
            self._unblock_everybody()
        else:
            self.link.end()
        engine.config.replicaof = (host, port)
        self.link = self._new_link(host, port)
        self._role_changed()
        self.link.connect()

    def _new_link(self, host: str, port: int) -> MasterLink:
        from emulator.replication.link import MasterLink  # only a replica needs it

        return MasterLink(self._engine, host, port)

    def _unblock_everybody(self) -> None:
        blocking = self._engine.blocking
        for block in list(blocking.blocks):
            blocking.finish(block, CommandError(_UNBLOCKED))
            block.session.close()

    def promote(self) -> None:
        """Be a master, with the data as they are; replicas learn so by being disconnected."""
        if self.link is None:
            return
        link, self.link = self.link, None
        link.end()
        self._engine.config.replicaof = None
        self.stream.branch_off()
        self.stream.db = None
        self.drop_replicas()
        if self.stream.backlog is None:
            self.stream.open_backlog()
        self._unused_since = self._engine.clock.elapsed
        self._role_changed()

    def detach(self) -> None:
        """All of the master's data have been copied: have no more to do with it."""
        link, self.link = self.link, None
        if link is not None:
            link.end()
            keys = sum(map(len, self._engine.databases))
            logger.log(NOTICE, "Copied %d keys of %s:%d, and let go of it", keys, link.host, link.port)
        self._engine.config.replicaof = None
        self._role_changed()

    def _role_changed(self) -> None:
        self.own_keys.look()
        self._engine.expiration.refresh()
        self.count_good()
        self._engine.refresh_sessions()
        self._tick_on()

    def resume(self, position: StreamPosition) -> None:
        """A file has been loaded that tells where the stream was: replicas may go on from there, or this one as a replica."""
        stream = self.stream
        if self._engine.config.replicaof is None:
            stream.second_id, stream.second_offset = position.id, position.offset + 1
            self._unused_since = self._engine.clock.elapsed
        else:
            stream.id = position.id
        stream.offset = position.offset
        stream.db = position.db
        stream.open_backlog()
        self._tick_on()

    def begin_anew(self) -> None:
        """All data were replaced, of which the stream does not tell: replicas have to synchronize with a new history."""
        self.stream.begin_history()
        self.stream.close_backlog()
        self.drop_replicas()

    def begin(self) -> None:
        """What was to be loaded is loaded: follow the master that the configuration names."""
        master = self._engine.config.replicaof
        if master is not None and self.link is None:
            self.follow(*master)

    def renew(self) -> None:
        """Play nothing and lag behind nobody; follow the master that the configuration names, if any."""
        self.play(b"")
        self.set_lag(0)
        self.severed = False
        if self.failover.is_under_way:
            self.failover.abort()

    def restart(self, keep: bool) -> None:
        """Be as after a restart: with a file that was kept the history goes on where it was."""
        self.renew()
        if self.link is not None:
            self.link.end()
            self.link = self._new_link(self.link.host, self.link.port)
            self._tick_on()
        if not keep:
            self.stream.close_backlog()
            self.stream.begin_history()
            self.stream.offset = 0
        elif self.link is None:
            self.stream.branch_off()

    # Each second

    def _tick_on(self) -> None:
        if self.deadline is None:
            self._next_ping = self._engine.clock.elapsed + _SECOND * self._engine.config.repl_ping_replica_period
            self._engine.waits.set(self, self._engine.clock.elapsed + _SECOND)

    def fire(self) -> None:
        self.deadline = None
        if self.link is not None:
            self.link.check()
        self._ping()
        self._check_replicas()
        self.synchronization.serve_waiting()
        self.count_good()
        self._check_backlog()
        if self.link is not None or self.stream.replicas or self.stream.backlog is not None:
            self._engine.waits.set(self, self._engine.clock.elapsed + _SECOND)

    def _ping(self) -> None:
        now = self._engine.clock.elapsed
        if now < self._next_ping:
            return
        self._next_ping = now + _SECOND * self._engine.config.repl_ping_replica_period
        if self.link is None and self.stream.replicas and not self._engine.pause.active:
            self.stream.add([[b"ping"]])

    def _check_replicas(self) -> None:
        """Send a sign of life to those who wait, and disconnect those who give none."""
        engine = self._engine
        for replica in list(self.stream.replicas):
            if replica.state == WAITING or self.synchronization.saves_for(replica):
                replica.session.send(b"\n")
            silent = replica.lag if replica.state == ONLINE else (engine.clock.now - replica.session.active) // _SECOND
            if replica.state in (LOADING, ONLINE, TO_OPEN_CHANNEL, STREAMING) and silent > engine.config.repl_timeout:
                logger.warning("Disconnecting timedout replica (streaming sync): %s", replica.name)
                replica.session.abort()

    def _check_backlog(self) -> None:
        """Free the backlog when there has been no replica for a while: nobody could go on from it."""
        ttl = self._engine.config.repl_backlog_ttl
        if self.stream.backlog is None or self.stream.replicas or self.link is not None or not ttl:
            return
        if self._engine.clock.elapsed - self._unused_since > _SECOND * ttl:
            self.stream.close_backlog()
            self.stream.begin_history()
            logger.log(NOTICE, "Replication backlog freed after %d seconds without connected replicas.", ttl)
