"""A full synchronization: replicas are sent an image of the data, made in slices, and then what came meanwhile.

Diskless, which is the rule, the image goes to them as it is made, between two marks; else it becomes the RDB file, which is
sent when it is there.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Final

from emulator.persistence.forms import Dump
from emulator.persistence.image import Image
from emulator.persistence.writing import written
from emulator.replication.replica import LOADING, RECEIVING, Replica
from emulator.stats.log import NOTICE

if TYPE_CHECKING:
    from emulator.persistence.work import Job
    from emulator.replication.host import HostOfReplication

logger = logging.getLogger("emulator")

_UNSENT: Final = 1 << 20
"""Bytes on their way to a replica at which it is waited for."""
_PAUSE: Final = 1000
"""Microseconds."""
_PIECE: Final = 64 << 10


class Receivers:
    """Replicas that are being sent data: a file to be written to.

    ``has_more`` tells that something was sent since it was last waited for.  One that takes nothing for as long as
    ``repl-timeout`` is given up.
    """

    may_wait = False

    def __init__(self, engine: HostOfReplication, replicas: Sequence[Replica]) -> None:
        self._engine = engine
        self._replicas = list(replicas)
        self._slow_since: dict[Replica, tuple[int, int]] = {}
        self.has_more = False

    @property
    def present(self) -> list[Replica]:
        """Those that are still there."""
        return [replica for replica in self._replicas if not replica.session.closing and replica.state == RECEIVING]

    def add(self, replica: Replica) -> None:
        """Send the data to one more, as long as none were sent."""
        self._replicas.append(replica)

    def write(self, data: bytes) -> None:
        self.has_more = True
        for replica in self.present:
            replica.session.send(data)

    def sync(self) -> None:
        """Nothing is kept here."""

    def close(self) -> None:
        """There is nothing to let go of."""

    def wait(self) -> Job:
        """Wait until every one has taken most of what it was sent."""
        self.has_more = False
        while self._someone_is_slow():
            yield None if self._engine.clock.frozen else _PAUSE

    def _someone_is_slow(self) -> bool:
        now, slow = self._engine.clock.elapsed, False
        for replica in self.present:
            unsent = replica.session.buffers().unsent
            if unsent < _UNSENT:
                self._slow_since.pop(replica, None)
                continue
            before, since = self._slow_since.get(replica, (0, now))
            if unsent != before:
                self._slow_since[replica] = unsent, now
            elif now - since > 1000 * self._engine.config.repl_timeout:
                logger.warning("Disconnecting timedout replica (full sync): %s", replica.name)
                replica.session.abort()
                continue
            slow = True
        return slow


class FullSync:
    """The full synchronizations of an engine; one that ``is_diskless`` goes to the replicas as it is made."""

    def __init__(self, engine: HostOfReplication) -> None:
        self._engine = engine
        self._receivers: Receivers | None = None
        self.is_diskless = False

    @property
    def busy(self) -> bool:
        """Whether data are being sent."""
        return self._receivers is not None

    def begin(self, replicas: Sequence[Replica]) -> None:
        """Send the data as they are now to those who wait and want the same parts of them as the first.

        Nothing else may be saved or loaded at the moment.  A part of the data never becomes the RDB file; all of them do so
        where one of the replicas knows no other way.
        """
        parts = replicas[0].parts
        replicas = [replica for replica in replicas if replica.parts == parts]
        wants_diskless = self._engine.config.repl_diskless_sync or not all(parts)
        if wants_diskless and all(replica.knows_end_mark for replica in replicas):
            self._begin_diskless(replicas)
        else:
            self._begin_by_file(replicas)

    def _tell_beginning(self, replicas: Sequence[Replica]) -> None:
        for replica in replicas:
            replica.begin(self._engine.replication.stream.offset)
            self._tell_resync(replica)

    def _tell_resync(self, replica: Replica) -> None:
        """A replica is sent the data of the moment at which the stream was so far; the stream names its database anew."""
        stream = self._engine.replication.stream
        stream.db = None
        if replica.asked_for_id:
            replica.session.send(b"+FULLRESYNC %b %d\r\n" % (stream.id.encode(), replica.began_at))

    # As it is made

    def _begin_diskless(self, replicas: Sequence[Replica]) -> None:
        engine = self._engine
        keys, functions = replicas[0].parts
        self._tell_beginning(replicas)
        image = Image(engine, Dump(engine, base_of_log=False, functions=functions), changes=True, keys=keys)
        logger.log(NOTICE, "Starting BGSAVE for SYNC with target: replicas sockets")
        self._receivers = Receivers(engine, replicas)
        self.is_diskless = True
        engine.persistence.work.start(self._send(image, self._receivers))

    def _send(self, image: Image, receivers: Receivers) -> Job:
        mark = self._engine.random.randbytes(20).hex().encode()
        try:
            receivers.write(b"$EOF:%b\r\n" % mark)
            for wish in written(self._engine.config, image, receivers):
                yield wish
                if receivers.has_more:
                    yield from receivers.wait()
                    if not receivers.present:
                        return
            receivers.write(mark)
            logger.log(NOTICE, "Background RDB transfer terminated with success")
            self._sent(receivers.present)
        finally:
            image.close()
            self._end(receivers)

    def _sent(self, replicas: Sequence[Replica], by_mark: bool = True) -> None:
        """All data have been sent: where a mark ends them the replica tells when it has found it."""
        for replica in replicas:
            if replica.only_dump:
                replica.main = None  # which needs this no more
                replica.session.close()
            elif by_mark:
                replica.state = LOADING
                replica.heard = self._engine.clock.elapsed
            else:
                replica.go_online()

    def _end(self, receivers: Receivers) -> None:
        """Who has not got everything has to begin anew."""
        self._receivers = None
        self.is_diskless = False
        for replica in receivers.present:
            replica.session.abort()

    # By a file

    def _begin_by_file(self, replicas: Sequence[Replica]) -> None:
        engine = self._engine
        self._tell_beginning(replicas)
        logger.log(NOTICE, "Starting BGSAVE for SYNC with target: disk")
        receivers = self._receivers = Receivers(engine, replicas)

        def saved(succeeded: bool) -> None:
            if not succeeded or not receivers.present:
                self._end(receivers)
                return
            engine.persistence.work.when_idle(lambda: engine.persistence.work.start(self._send_file(receivers)))

        engine.persistence.dumps.begin(saved)

    def attach(self, replica: Replica) -> bool:
        """Send a replica the file that is being saved for another one; whether that is what it needs.

        It must be capable of all that the other one is and want the same parts; the other must want the stream if it does.
        """
        receivers = self._receivers
        if receivers is None or self._engine.persistence.dumps.image is None:
            return False
        other = next((each for each in receivers.present if replica.only_dump or not each.only_dump), None)
        if other is None or other.parts != replica.parts or not replica.capabilities.issuperset(other.capabilities):
            return False
        replica.join(other)
        receivers.add(replica)
        self._tell_resync(replica)
        return True

    def saves_for(self, replica: Replica) -> bool:
        """Whether the file is being saved that a replica is to be sent."""
        receivers, image = self._receivers, self._engine.persistence.dumps.image
        return receivers is not None and image is not None and replica in receivers.present

    def replica_gone(self, gone: Replica) -> None:
        """Give up a file that is saved for nobody any more, unless save points want it: others need not wait for its end."""
        dumps = self._engine.persistence.dumps
        if self._receivers is None or dumps.image is None or self._engine.config.save:
            return
        if not [replica for replica in self._receivers.present if replica is not gone]:
            dumps.stop()

    def _send_file(self, receivers: Receivers) -> Job:
        folder, name = self._engine.persistence.folder, self._engine.config.dbfilename
        for replica in receivers.present:
            replica.takes_file = True
        try:
            with closing(folder.read(name)) as source:
                receivers.write(b"$%d\r\n" % folder.size(name))
                while piece := source.read(_PIECE):
                    receivers.write(piece)
                    yield None
                    yield from receivers.wait()
            self._sent(receivers.present, by_mark=False)
        except OSError as error:
            logger.warning("SYNC failed. Can't open/stat DB after BGSAVE: %s", error.strerror)
        finally:
            self._end(receivers)
