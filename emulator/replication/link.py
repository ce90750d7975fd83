"""The link to the master: a conversation, all of the data or what was missed, and then the stream, which is played here.

What has been played is passed on, byte for byte, to replicas of this server.  Where the engine is told to lag behind, each
piece of the stream waits for its time.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from time import thread_time
from typing import TYPE_CHECKING, Final

from emulator.clients.session import Session
from emulator.datatypes.wheel import Timer
from emulator.protocol.client_side import encoded
from emulator.protocol.parser import RequestParser
from emulator.protocol.text import to_bytes
from emulator.replication.failover import UNDER_WAY
from emulator.replication.player import Player
from emulator.replication.talk import Refused, Talk, has_channel, login, own_port, position_told, shown
from emulator.replication.talk import Words as Conversation
from emulator.stats.log import NOTICE

if TYPE_CHECKING:
    from emulator.protocol.parser import Words
    from emulator.replication.channel import Channel
    from emulator.replication.host import HostOfReplication, Wire
    from emulator.replication.transfer import Transfer

logger = logging.getLogger("emulator")

CONNECT: Final = "connect"
CONNECTING: Final = "connecting"
HANDSHAKE: Final = "handshake"
SYNC: Final = "sync"
CONNECTED: Final = "connected"
"""The states as ROLE names them."""

_SLICE: Final = 128
"""Commands after which others may have their turn."""
_TURN: Final = 0.01
"""Seconds of the processor's time after which they have it in any case."""
_MOST_QUEUED: Final = 8 << 20
"""Bytes of the stream that wait to be played at which no more are read."""
_MOST_UNREAD: Final = 1 << 20
"""Bytes of the stream that wait until the data are loaded at which no more are read."""
_MOST_UNSENT: Final = 1 << 20
"""Bytes on their way to a master that asks and does not read, at which it is let go."""
_SECOND: Final = 1000
_ID_SIZE: Final = 40


class MasterLink(Timer):
    """The link of an engine to its master; as a timer it is the moment at which what lags behind is to be played.

    ``since`` is when the link came up or went down, ``heard`` when the master last said something, both in milliseconds of
    `Clock.elapsed`.  ``attempts`` counts since the link was last up, ``total_attempts`` all.
    """

    kind = b"master"
    flag = b"M"

    def __init__(self, engine: HostOfReplication, host: str, port: int) -> None:
        super().__init__()
        self._engine = engine
        self.host, self.port = host, port
        self.state = CONNECT
        self.transfer: Transfer | None = None
        self.player: Player | None = None
        self.heard = self.since = engine.clock.elapsed
        self.down_total = 0
        self.attempts = self.total_attempts = 0
        self._was_up = False
        self._wire: Wire | None = None
        self._give_up: Callable[[], None] | None = None
        self._talk: Talk | None = None
        self._channel: Channel | None = None
        self.most_held = 0
        self._unread = b""
        self._parser = RequestParser()
        self._queue: deque[tuple[int, int, Words]] = deque()
        self._queued = 0
        self._scheduled = False

    @property
    def is_up(self) -> bool:
        """Whether the stream comes in."""
        return self.state == CONNECTED

    @property
    def offset(self) -> int:
        """How much of the stream has been played."""
        return self._engine.replication.stream.offset

    @property
    def read_offset(self) -> int:
        """How much of the stream has come in."""
        return self.offset + self._queued

    def gone(self) -> None:
        """The session was closed, as by CLIENT KILL."""

    # The connection

    def connect(self) -> None:
        """Try to reach the master."""
        engine = self._engine
        if engine.replication.severed or engine.dial is None:
            return
        self.state = CONNECTING
        self.heard = engine.clock.elapsed
        self.attempts += 1
        self.total_attempts += 1
        logger.log(NOTICE, "Connecting to MASTER %s:%d", self.host, self.port)
        self._give_up = engine.dial(self.host, self.port, self)

    def retry(self) -> None:
        """Try again where the master could not be reached, or the connection was lost."""
        if self.state == CONNECT:
            self.connect()

    def connected(self, wire: Wire) -> None:
        """The master has been reached: introduce ourselves."""
        logger.log(NOTICE, "MASTER <-> REPLICA sync started")
        self._wire, self._give_up = wire, None
        self.state = HANDSHAKE
        self._talk = Talk(self._introduction(), wire.write)

    def _say(self, words: Sequence[bytes]) -> None:
        assert self._wire is not None
        self._wire.write(encoded(words))

    def _introduction(self) -> Conversation:
        config, stream = self._engine.config, self._engine.replication.stream
        reply = yield [b"PING"]
        if not reply.startswith((b"+", b"-NOAUTH", b"-NOPERM", b"-ERR operation not permitted")):
            raise Refused(f"Error reply to PING from master: '{shown(reply)}'")
        logger.log(NOTICE, "Master replied to PING, replication can continue...")
        yield from login(config)
        yield [b"REPLCONF", b"listening-port", own_port(config)]
        if config.replica_announce_ip:
            yield [b"REPLCONF", b"ip-address", to_bytes(config.replica_announce_ip)]
        channel = [b"capa", b"rdb-channel-repl"] if self._takes_channel else []
        yield [b"REPLCONF", b"capa", b"eof", b"capa", b"psync2", *channel]
        if config.emulator_detach:
            yield [b"REPLCONF", b"rdb-only", b"1"]
            yield [b"PSYNC", b"?", b"-1"]
            return
        handed_over = [b"FAILOVER"] if self._engine.replication.failover.state == UNDER_WAY else []
        yield [b"PSYNC", stream.id.encode(), b"%d" % (stream.offset + 1), *handed_over]

    @property
    def _takes_channel(self) -> bool:
        config = self._engine.config
        return has_channel(config) and not config.emulator_detach

    def received(self, data: bytes) -> None:
        """Bytes from the master."""
        self.heard = self._engine.clock.elapsed
        try:
            if self.state == HANDSHAKE:
                self._listen(data)
            elif self.state == SYNC:
                self._load(data)
            else:
                self._take_stream(data)
        except Refused as refusal:
            logger.warning("%s", refusal)
            self.lost("")

    def lost(self, reason: str) -> None:
        """The connection has ended; the next second sees another attempt."""
        if self.transfer is not None and self.transfer.is_loading and self._engine.config.emulator_detach:
            self._wire = None  # the master has given all that it was asked for
            return
        if reason:
            logger.log(NOTICE, "%s", reason)
        was_up = self.is_up
        self._hang_up()
        self.state = CONNECT
        if was_up:
            logger.warning("Connection with master lost.")
            self.since, self.attempts = self._engine.clock.elapsed, 0
            self._engine.refresh_sessions()

    def _hang_up(self) -> None:
        if self._give_up is not None:
            self._give_up()
        if self._wire is not None:
            self._wire.close()
        if self._channel is not None:
            self._channel.close()
        self._wire = self._give_up = self._talk = self._channel = None
        self._unread = b""
        self._queue.clear()
        self._queued = 0
        self._engine.waits.cancel(self)
        if self.transfer is not None:
            self.transfer.abandon()
            self.transfer = None
        if self.player is not None:
            self.player.end()
            self.player = None

    def end(self) -> None:
        """Follow no more."""
        self._hang_up()
        self.state = CONNECT

    def sever(self) -> None:
        """Cut the link; another attempt is made only when it is healed."""
        if self.state != CONNECT:
            self.lost("The link to the master is cut")

    # The conversation

    def _listen(self, data: bytes) -> None:
        assert self._talk is not None
        ended = self._talk.hear(data)
        if ended is None:
            return
        line, rest = ended
        self._begin(line)
        if rest and self._wire is not None:
            self.received(rest)

    def _begin(self, line: bytes) -> None:
        """The master has told how it goes on."""
        replication = self._engine.replication
        position = position_told(line)
        kind, *words = line.decode("latin-1").split() or [""]
        if position is not None:
            if replication.failover.state == UNDER_WAY:
                replication.failover.accepted()
            self.begin_transfer(*position)
        elif kind == "+RDBCHANNELSYNC" and self._takes_channel:
            from emulator.replication.channel import Channel  # only for this

            logger.log(NOTICE, "PSYNC is not possible, initialize RDB channel.")
            self.state = SYNC
            self._channel = Channel(self._engine, self, words[0].encode() if words else b"")
        elif kind == "+CONTINUE":
            self._continue(words[0] if words else "")
        elif kind in ("-NOMASTERLINK", "-LOADING"):
            raise Refused(f"Master is currently unable to PSYNC but should be in the future: {shown(line)}")
        elif replication.failover.state == UNDER_WAY:
            logger.warning("Failover target rejected psync request")
            replication.failover.abort()
        else:
            raise Refused(f"Unexpected reply to PSYNC from master: {shown(line)}")

    def _continue(self, id: str) -> None:
        """Nothing but what was missed is needed; the history may go by another name from here on."""
        logger.log(NOTICE, "Successful partial resynchronization with master.")
        replication = self._engine.replication
        stream = replication.stream
        if len(id) == _ID_SIZE and id != stream.id:
            stream.second_id, stream.second_offset, stream.id = stream.id, stream.offset + 1, id
            replication.drop_replicas()
        replication.failover.accepted()
        stream.open_backlog()
        self._go_up(stream.db or 0)

    # The data

    def begin_transfer(self, id: str, offset: int) -> None:
        """All data are about to come, and after them the stream from an offset in a history on."""
        from emulator.replication.transfer import (
            Transfer,
        )  # to import all at once takes too long for those who are served

        logger.log(NOTICE, "Full resync from master: %s:%d", id, offset)
        self.state = SYNC
        self.transfer = Transfer(self._engine, id, offset, self._loaded)

    def _load(self, data: bytes) -> None:
        """Data of a full synchronization, and perhaps more; where those have a connection of their own only the stream."""
        if self._channel is None:
            assert self.transfer is not None
            data = self.transfer.take(data)
        if data and self._wire is not None:  # it comes after the data
            self._unread += data
            self.most_held = max(self.most_held, self.held)
            self._wire.pause(len(self._unread) > _MOST_UNREAD)

    @property
    def held(self) -> int:
        """Bytes of the stream that have come while the data come over a connection of their own."""
        return len(self._unread) if self._channel is not None else 0

    def _loaded(self, failure: str) -> None:
        """The data are loaded, or could not be."""
        if self.transfer is None:
            return
        transfer, self.transfer = self.transfer, None
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if failure:
            logger.warning("%s", failure)
            self.lost("")
            return
        if self._engine.config.emulator_detach:
            self._engine.replication.detach()
            return
        stream = self._engine.replication.stream
        stream.id, stream.offset = transfer.id, transfer.offset
        stream.second_id, stream.second_offset = "0" * 40, -1
        stream.close_backlog()
        stream.open_backlog()
        logger.log(NOTICE, "MASTER <-> REPLICA sync: Finished with success")
        self._go_up(0)
        rest, self._unread = self._unread, b""
        if rest:
            self._take_stream(rest)

    def _go_up(self, db: int) -> None:
        engine = self._engine
        assert self._wire is not None
        self._wire.pause(False)
        session = Session(engine, self._wire.address, self._wire.local_address)  # type: ignore[arg-type]
        self.player = Player(engine, session, db)
        session.peer = self
        session.on_abort = lambda: self.lost("")
        self._parser = RequestParser()
        self.state = CONNECTED
        now = engine.clock.elapsed
        if self._was_up:
            self.down_total += now - self.since
        self.since, self._was_up = now, True
        engine.refresh_sessions()
        self.acknowledge()

    # The stream

    def _take_stream(self, data: bytes) -> None:
        due = self._engine.clock.elapsed + self._engine.replication.lag
        commands = self._parser.feed(data)
        if self._parser.error is not None:
            raise Refused(f"Protocol error from the master: {self._parser.error}")
        for words in commands:
            size = _size(words)
            self._queue.append((due, size, words))
            self._queued += size
        self._play_soon()
        if self._queued > _MOST_QUEUED and self._wire is not None:
            self._wire.pause(True)

    def _play_soon(self) -> None:
        """Play in the next round: not in the callback of reading, which a script that does not end would keep from others."""
        if not self._scheduled and self._wire is not None:
            self._scheduled = True
            self._wire.soon(self.play)

    def play(self) -> None:
        """Play what is due of the stream, in slices."""
        self._scheduled = False
        if self.player is None or self._wire is None:
            return
        if self._engine.busy is not None:  # a script does not end
            self._play_soon()
            return
        for words in self.player.play(self._slice()):
            if len(words) > 1 and words[1].upper() == b"GETACK":
                self.acknowledge()
            if self._wire is None:
                return
        if self._wire is None:
            return
        if self._queued <= _MOST_QUEUED:
            self._wire.pause(False)
        if self._queue and self._queue[0][0] <= self._engine.clock.elapsed:
            self._play_soon()
        elif self._queue:
            self._engine.waits.set(self, self._queue[0][0])

    def _slice(self) -> Iterator[Words]:
        """What is due, until others have their turn."""
        now, queue = self._engine.clock.elapsed, self._queue
        ends = thread_time() + _TURN
        for _ in range(_SLICE):
            if not queue or queue[0][0] > now or thread_time() > ends:
                return
            _, size, words = queue.popleft()
            self._queued -= size
            yield words

    def set_lag(self, milliseconds: int) -> None:
        """Let nothing that has come wait for longer than that."""
        latest = self._engine.clock.elapsed + milliseconds
        self._queue = deque((min(due, latest), size, words) for due, size, words in self._queue)
        self._engine.waits.cancel(self)
        self.play()

    def fire(self) -> None:
        self.play()

    def acknowledge(self) -> None:
        """Tell the master how far we are."""
        if self._wire is None:
            return
        if self._wire.unsent > _MOST_UNSENT:
            self.lost("The MASTER does not read what it asks for")
            return
        words = [b"REPLCONF", b"ACK", b"%d" % self.offset]
        log = self._engine.persistence.log
        if log.state:
            words += [b"FACK", b"%d" % (self.offset if log.is_synced else 0)]
        self._say(words)

    # Each second

    def check(self) -> None:
        """Begin anew where there is no link, let go of one that is dead, and tell how far we are."""
        silent = self._engine.clock.elapsed - self.heard > _SECOND * self._engine.config.repl_timeout
        if self.state == CONNECT:
            self.connect()
        elif self.transfer is not None and self.transfer.is_loading:
            if self._wire is not None:
                self._wire.write(b"\n")
        elif silent:
            self.lost(f"Timeout {'connecting to' if self.state != CONNECTED else 'waiting for'} the MASTER...")
        elif self.state == CONNECTED:
            self.acknowledge()


def _size(words: Words) -> int:
    """The bytes of a command in the stream."""
    return sum(len(word) + len(str(len(word))) + 5 for word in words) + len(str(len(words))) + 3
