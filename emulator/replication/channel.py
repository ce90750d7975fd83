"""A connection of its own for all of the master's data, while the stream comes over the first one (Redis 8)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from emulator.replication.talk import Refused, Talk, Words, login, own_port, position_told, shown
from emulator.stats.log import NOTICE

if TYPE_CHECKING:
    from emulator.replication.host import HostOfReplication, Wire
    from emulator.replication.link import MasterLink

logger = logging.getLogger("emulator")


class Channel:
    """The second connection of a link, which is client number `client` of the master."""

    def __init__(self, engine: HostOfReplication, link: MasterLink, client: bytes) -> None:
        assert engine.dial is not None
        self._engine = engine
        self._link = link
        self._client = client
        self._talk: Talk | None = None
        self._wire: Wire | None = None
        self._give_up = engine.dial(link.host, link.port, self)

    def connected(self, wire: Wire) -> None:
        self._wire = wire
        self._talk = Talk(self._introduction(), wire.write)

    def _introduction(self) -> Words:
        yield from login(self._engine.config)
        reply = yield [
            *(b"REPLCONF", b"capa", b"eof", b"rdb-only", b"1", b"rdb-channel", b"1"),
            *(b"main-ch-client-id", self._client, b"listening-port", own_port(self._engine.config)),
        ]
        if reply.startswith(b"-"):
            raise Refused(f"The master does not give the data a connection of their own: {shown(reply)}")
        yield [b"PSYNC", b"?", b"-1"]

    def received(self, data: bytes) -> None:
        link = self._link
        link.heard = self._engine.clock.elapsed
        try:
            if self._talk is not None:
                ended = self._talk.hear(data)
                if ended is None:
                    return
                self._talk = None
                self._begin(ended[0])
                data = ended[1]
        except Refused as refusal:
            logger.warning("%s", refusal)
            link.lost("")
            return
        if link.transfer is not None:
            link.transfer.take(data)
        if link.transfer is not None and link.transfer.is_loading:
            self.close()

    def _begin(self, line: bytes) -> None:
        position = position_told(line)
        if position is None:
            raise Refused(f"Unexpected reply to PSYNC from master: {shown(line)}")
        logger.log(NOTICE, "Starting to receive RDB and replication stream in parallel.")
        self._link.begin_transfer(*position)

    def lost(self, reason: str) -> None:
        self._link.lost(reason or "The connection for the data was lost")

    def close(self) -> None:
        """There is no more need of it."""
        self._give_up()
        if self._wire is not None:
            self._wire.close()
