"""WAIT and WAITAOF: clients that wait until replicas have what was written so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.clients.blocking import Block
from emulator.persistence.append_log import OFF
from emulator.protocol.replies import Reply

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.replication.host import HostOfReplication


class Acknowledgement(Block):
    """A client that waits until `wanted` replicas have the stream up to `offset`; with `local`, until disks have it."""

    __slots__ = ("_logged", "local", "offset", "wanted")

    def __init__(self, session: Session, wanted: int, offset: int, local: int | None) -> None:
        super().__init__(session, (), object, lambda: None, None)
        self.wanted = wanted
        self.offset = offset
        self.local = local
        self._logged = session.engine.persistence.log.commands

    def reply(self) -> Reply:
        """Who has it by now: replicas, or this server's disk and those of replicas."""
        engine = self.session.engine
        if self.local is None:
            return engine.replication.stream.acknowledged(self.offset)
        log = engine.persistence.log
        return [int(log.state != OFF and log.synced >= self._logged), engine.replication.stream.synced(self.offset)]

    @property
    def is_met(self) -> bool:
        """Whether there are enough."""
        reply = self.reply()
        if isinstance(reply, list):
            return bool(reply[0] >= (self.local or 0) and reply[1] >= self.wanted)
        return bool(reply >= self.wanted)  # type: ignore[operator]

    def on_timeout(self) -> Reply:
        return self.reply()


class Acknowledgements:
    """The clients of an engine that wait for replicas."""

    def __init__(self, engine: HostOfReplication) -> None:
        self._engine = engine
        self._waiting: dict[Acknowledgement, None] = {}
        self._asked = self._before = -1
        engine.persistence.log.on_synced = self.check

    def wait(self, session: Session, wanted: int, timeout: int, local: int | None = None) -> Reply | Block:
        """The answer, or the wait for it; `timeout` is in milliseconds, 0 for none."""
        engine, offset = self._engine, self._engine.replication.stream.offset
        if offset == self._asked:  # nothing was written since replicas were last asked
            offset = self._before
        block = Acknowledgement(session, wanted, offset, local)
        if block.is_met or session.deny_blocking or session.upstash:
            return block.reply()
        engine.blocking.block(block, timeout)
        self._waiting[block] = None
        self._ask()
        return block

    def _ask(self) -> None:
        """Ask replicas how far they are."""
        stream = self._engine.replication.stream
        if stream.replicas and self._asked != stream.offset:
            self._before = stream.offset
            stream.add([[b"REPLCONF", b"GETACK", b"*"]])
            self._asked = stream.offset

    def check(self) -> None:
        """Replicas have told how far they are, or the disk has caught up: answer those who have waited for that."""
        blocking = self._engine.blocking
        for block in list(self._waiting):
            if block not in blocking.blocks:  # its time is over, or its client has gone
                del self._waiting[block]
            elif block.is_met:
                del self._waiting[block]
                blocking.finish(block, block.reply())
