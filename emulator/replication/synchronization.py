"""PSYNC at the master: a replica is sent what it has missed of the stream, or all data and then the stream."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from emulator.protocol.errors import CommandError
from emulator.replication.replica import ONLINE, TO_OPEN_CHANNEL, WAITING, Replica, those_who_wait
from emulator.replication.talk import has_channel
from emulator.stats.log import NOTICE

if TYPE_CHECKING:
    from emulator.replication.full_sync import FullSync
    from emulator.replication.host import HostOfReplication
    from emulator.replication.replication import Replication

logger = logging.getLogger("emulator")

_SECOND: Final = 1000


class Synchronization:
    """How replicas begin to follow.

    ``full`` and ``partial`` count those that were sent all data and what they had missed, ``refused`` those that asked for
    the latter in vain.
    """

    def __init__(self, engine: HostOfReplication, replication: Replication) -> None:
        self._engine = engine
        self._replication = replication
        self._stream = replication.stream
        self._full_sync: FullSync | None = None
        self._waiting_since = 0
        self.forget_statistics()

    def forget_statistics(self) -> None:
        """Count anew."""
        self.full = self.partial = self.refused = 0

    def begin(self, replica: Replica, id: str | None, number: int) -> None:
        """PSYNC, or SYNC without an id: let a replica follow from the byte with this number on, or from the beginning.

        Raises `CommandError` where it cannot be.
        """
        replication, stream = self._replication, self._replication.stream
        if replication.link is not None and not replication.link.is_up:
            raise CommandError("NOMASTERLINK Can't SYNC while not connected with my master")
        if not all(replica.parts) and not replica.knows_end_mark:
            raise CommandError("ERR Filtered replica requires EOF capability")
        logger.log(NOTICE, "Replica %s asks for synchronization", replica.name)
        replica.asked_for_id = id is not None
        missing = stream.continued(id, number) if id is not None else None
        if missing is not None:
            self._continue(replica, missing)
            return
        if id not in (None, "?"):
            self.refused += 1
            logger.log(NOTICE, "Partial resynchronization not accepted: %s", replica.name)
        if stream.backlog is None:
            if replication.link is None:
                stream.begin_history()
            stream.open_backlog()
        if replica.knows_channel and has_channel(self._engine.config) and self._engine.config.repl_diskless_sync:
            self._ask_for_channel(replica)
        else:
            self._send_everything(replica)

    def _send_everything(self, replica: Replica) -> None:
        """Send all data, with others who ask for them meanwhile."""
        self.full += 1
        logger.log(
            NOTICE,
            "Full resync requested by replica %s%s",
            replica.name,
            " (rdb-channel)" if replica.is_channel else "",
        )
        self._replication.enter(replica, WAITING)
        if len(those_who_wait(self._stream.replicas)) == 1:
            self._waiting_since = self._engine.clock.elapsed
        full_sync, persistence = self._full_sync, self._engine.persistence
        if persistence.dumps.image is not None and full_sync is not None and full_sync.attach(replica):
            logger.log(NOTICE, "Waiting for end of BGSAVE for SYNC")
        elif persistence.dumps.image is not None:
            logger.log(NOTICE, "Can't attach the replica to the current BGSAVE. Waiting for next BGSAVE for SYNC")
        elif full_sync is not None and full_sync.is_diskless:
            logger.log(NOTICE, "Current BGSAVE has socket target. Waiting for next BGSAVE for SYNC")
        elif replica.knows_end_mark and self._is_to_wait_for_others():
            logger.log(NOTICE, "Delay next BGSAVE for diskless SYNC")
        elif replica.knows_end_mark or persistence.work.busy:
            self.serve_waiting()
        else:  # it is sent the file, so that there is no waiting for others
            self._begin_full_sync()

    def _ask_for_channel(self, replica: Replica) -> None:
        """Let a replica ask for the data over another connection, so that this one has the stream meanwhile."""
        logger.log(
            NOTICE,
            "Replica %s is capable of rdb channel synchronization, and partial sync isn't possible. Full sync will continue "
            "with dedicated rdb channel.",
            replica.name,
        )
        self._replication.enter(replica, TO_OPEN_CHANNEL)
        replica.session.send(b"+RDBCHANNELSYNC %d\r\n" % replica.session.id)

    def open_channel(self, replica: Replica, number: int) -> bool:
        """A replica is the other connection of the one that is client `number`; whether that is waiting for it."""
        waiting = (other for other in self._stream.replicas if other.state == TO_OPEN_CHANNEL and other is not replica)
        replica.main = next((other for other in waiting if other.session.id == number), None)
        replica.is_channel = replica.main is not None
        return replica.is_channel

    def _continue(self, replica: Replica, missing: bytes) -> None:
        """What a replica has missed is all that it needs."""
        self.partial += 1
        line = b"+CONTINUE %b\r\n" % self._stream.id.encode() if replica.knows_new_ids else b"+CONTINUE\r\n"
        logger.log(
            NOTICE,
            "Partial resynchronization request from %s accepted. Sending %d bytes of backlog starting from offset %d.",
            replica.name,
            len(missing),
            self._stream.offset + 1 - len(missing),
        )
        self._replication.enter(replica, ONLINE)
        replica.session.send(line + missing)
        self._replication.replicas_changed()

    def serve_waiting(self) -> None:
        """Begin to send data to those who wait, where it is time and nothing else is being done."""
        is_busy = self._full_sync is not None and self._full_sync.busy
        if those_who_wait(self._stream.replicas) and not is_busy and not self._is_to_wait_for_others():
            self._engine.persistence.work.when_idle(self._begin_full_sync)

    def _is_to_wait_for_others(self) -> bool:
        """Whether it is too early to send data, since more replicas may come that are sent the same at once."""
        config = self._engine.config
        waiting = those_who_wait(self._stream.replicas)
        most = config.repl_diskless_sync_max_replicas
        waited = self._engine.clock.elapsed - self._waiting_since
        return (
            config.repl_diskless_sync
            and waited < _SECOND * config.repl_diskless_sync_delay
            and not (most and len(waiting) >= most)
            and not all(replica.only_dump and not replica.is_channel for replica in waiting)
        )

    def saves_for(self, replica: Replica) -> bool:
        """Whether the file is being saved that a replica is to be sent."""
        return self._full_sync is not None and self._full_sync.saves_for(replica)

    def replica_gone(self, replica: Replica) -> None:
        """A replica has gone, which may have waited for its data."""
        if self._full_sync is not None:
            self._full_sync.replica_gone(replica)

    def _begin_full_sync(self) -> None:
        from emulator.replication.full_sync import FullSync  # only a master of replicas needs it

        if self._full_sync is None:
            self._full_sync = FullSync(self._engine)
        waiting = those_who_wait(self._stream.replicas)
        if waiting and not self._full_sync.busy and self._engine.persistence.loading is None:
            self._full_sync.begin(waiting)
            self._engine.persistence.work.when_idle(self.serve_waiting)
