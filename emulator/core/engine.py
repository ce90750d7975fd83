"""The whole in-memory Redis: databases, clock, configuration, clients and the subsystems that they share.

An engine has no socket and no event loop.  Sessions are attached to it, `dispatch.run` executes their commands, and
whoever owns the engine lets its timers advance when something is due (`emulator.core.timers`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from itertools import count
from typing import TYPE_CHECKING

from emulator.acl.users import Users
from emulator.clients.blocking import Blocking
from emulator.clients.host import Dispatch, Meter
from emulator.clients.memory import ClientEviction, ClientMemory
from emulator.clients.monitor import Monitor
from emulator.clients.pause import Pause
from emulator.clients.pubsub import PubSub
from emulator.clients.reply_buffer import ReplyBuffers
from emulator.clients.session import Session
from emulator.clients.sizes import Sizes
from emulator.clients.tracking import Tracking
from emulator.clock import Clock
from emulator.commands.table import table
from emulator.config.directives import Config
from emulator.config.notifications import KEYEVENT, KEYSPACE, of_subkeys
from emulator.controls.faults import Faults
from emulator.controls.instances import Keyspaces
from emulator.controls.recording import Recording
from emulator.controls.snapshots import Snapshots
from emulator.core import config_changes, dispatch
from emulator.core.expiration import Expiration
from emulator.core.propagation import Propagation
from emulator.core.rates import Rates
from emulator.core.timers import Timers
from emulator.datatypes.wheel import Wheel
from emulator.keyspace.database import Database, number_of_databases
from emulator.keyspace.eviction import Eviction
from emulator.keyspace.lazyfree import LazyFree
from emulator.keyspace.memory import used_memory
from emulator.keyspace.observed import Listener
from emulator.keyspace.packed_threshold import PackedThreshold
from emulator.persistence.host import InBackground, StreamPosition
from emulator.persistence.persistence import Persistence
from emulator.protocol.numbers import parse_decimal, parse_double, read_c_double, read_double
from emulator.replication.host import Dial
from emulator.replication.replication import Replication
from emulator.scripting.scripts import Scripting
from emulator.stats.counters import Stats
from emulator.stats.latency import GATHERED_AT_MOST, Latency
from emulator.stats.slowlog import CommandLog
from emulator.table.registry import Commands

if TYPE_CHECKING:
    from emulator.clients.hotkeys import HotKeys
    from emulator.cluster.cluster import Cluster
    from emulator.scripting.invocation import Invocation
    from emulator.sentinel.sentinel import Sentinel


def at_once(work: Callable[[], object]) -> object:
    """Does something now: what `Engine.soon` is where there is no loop."""
    return work()


class Engine:
    """One Redis.

    ``dispatch`` runs commands for EXEC, scripts and waiters; ``commands`` has them by the names that clients use,
    ``original_commands`` by Redis's, which the rules of ACL go by; ``dirty`` counts changes; ``current`` is the session
    whose commands run; ``pending_work`` says that `work` has something to do after the command; ``busy`` is the script that
    runs for too long, and ``on_busy`` lets the owner serve the others meanwhile.  ``in_background`` does in a thread what
    takes long, and then goes on with the outcome or the error; it may be None.  ``soon`` does something in the next round of
    the owner's loop, or at once where there is none.  ``dial`` opens connections to other servers, ``dial_node`` to the bus
    of other nodes, where the owner can.  ``sentinel`` and ``cluster`` are there where it is a sentinel or a node, whose
    databases know the slots of their keys (``has_slots``).  ``of_modules`` has what a module knows of all data, by its class.
    ``on_shutdown`` tells the owner that it is to end.  ``unwritten`` is what the append-only file has still to get before
    replies leave.
    """

    dispatch: Dispatch = dispatch
    clock: Clock
    config: Config
    databases: list[Database]
    sessions: dict[int, Session]
    waits: Wheel
    stats: Stats
    reply_buffers: ReplyBuffers
    acl: Users
    propagation: Propagation
    persistence: Persistence
    replication: Replication
    scripting: Scripting

    def __init__(self, config: Config | None = None, clock: Clock | None = None) -> None:
        self.config = config or Config()
        self.config.settle_modules(self.config.modules)
        if not isinstance(clock, Clock | None):
            raise TypeError(f"clock={clock!r}: a Clock of emulator.clock is wanted")
        self.clock = clock or Clock()
        self.random = random.Random(self.config.seed or None)
        self.run_id = self.random.randbytes(20).hex()
        self.started = self.clock.now
        self.wheel = Wheel(self.clock.now)
        self.waits = Wheel(self.clock.elapsed)
        self.timers = Timers(self)
        self.clock.on_back = self.wheel.rewind
        self.current: Session | None = None
        self.dirty = 0
        self.pending_work = False
        self.on_shutdown: Callable[[], None] | None = None
        self.on_other_data: Callable[[], None] | None = None
        self.in_background: InBackground | None = None
        self.dial: Dial | None = None
        self.dial_node: Dial | None = None
        self.soon: Callable[[Callable[[], object]], object] = at_once
        self.parse_double = parse_decimal if self.config.edition.is_valkey else parse_double
        self.read_double = read_c_double if self.config.edition.precedes("8.0.0") else read_double
        self.commands = table(self.config.edition, hidden=self.config.emulator_commands)
        self.original_commands = self.commands.known
        self._set_up_statistics()
        self._set_up_clients()
        self._set_up_scripts()
        self._set_up_controls()
        self._set_up_data()
        self._set_up_cluster()
        config_changes.follow(self)
        self.replication.count_good()
        self.acl.started()

    def _set_up_statistics(self) -> None:
        self.stats = Stats(overflows=self.config.edition.is_valkey)
        self.slowlog = CommandLog()
        self.sizes: Sizes = Sizes(self)
        self.has_large_reply = False
        self.meters: list[Meter] = []
        self.slow_seconds = 0.0
        self.latency = Latency(self.clock)
        self.count_at = GATHERED_AT_MOST
        self.rates = Rates(self)
        self.hotkeys: HotKeys | None = None
        self.tracks_latency = self.config.latency_tracking

    def _set_up_clients(self) -> None:
        self.sessions = {}
        self._last_client_id = 0
        self._deferred: list[tuple[Session, bytes]] = []
        self.reply_buffers = ReplyBuffers(1000 // self.config.hz)
        self.pubsub = PubSub()
        self.blocking = Blocking(self)
        self.pause = Pause(self)
        self.tracking = Tracking(self)
        self.monitor = Monitor(self)
        self.client_eviction = ClientEviction(self)
        self.client_memory = ClientMemory(self)
        self.acl = Users(self)

    def _set_up_scripts(self) -> None:
        self.scripting = Scripting(self)
        self.busy: Invocation | None = None
        self.on_busy: Callable[[], None] | None = None

    def _set_up_controls(self) -> None:
        self.faults = Faults(self)
        self.snapshots = Snapshots(self)
        self.recording = Recording(self)
        self.keyspaces = Keyspaces(self)

    def _set_up_data(self) -> None:
        self.vector_uids: Iterator[int] = count(1)
        self.of_modules: dict[type, object] = {}
        self.skips_checksums = False
        self.lazyfree = LazyFree()
        self.eviction = Eviction(self)
        self.out_of_memory = False
        self.lacks_replicas = False
        self.expiration = Expiration(self)
        self.notify_flags = 0
        self.packed_threshold = PackedThreshold(self)
        self.listeners: list[Listener] = []
        self.propagation = Propagation(self)
        self.persistence = Persistence(self)
        self.unwritten = self.persistence.log.unwritten
        self.replication = Replication(self)
        self.sentinel: Sentinel | None = None
        self.has_slots = self.config.cluster_enabled
        self.databases = [Database(self, index) for index in range(number_of_databases(self.config))]

    def _set_up_cluster(self) -> None:
        self.cluster: Cluster | None = None
        if self.config.cluster_enabled:
            from emulator.cluster.cluster import Cluster  # a server that is no node starts sooner without

            self.cluster = Cluster(self)

    def sibling(self) -> Engine:
        """An empty engine with the settings, commands, users and time of this one; they share nothing."""
        other = Engine(self.config.copy(), copy(self.clock))
        other.commands = Commands(self.commands.known, self.commands.tells_no_words)
        other.keyspaces = self.keyspaces
        other.acl.copy_from(self.acl)
        other.acl.started()
        return other

    def listen(self, listener: Listener) -> None:
        """Tell `listener` of each change of a key from now on, with the database."""
        self.listeners.append(listener)
        self.refresh_databases()

    def leave(self, listener: Listener) -> None:
        """Stop telling `listener`."""
        self.listeners.remove(listener)
        self.refresh_databases()

    def refresh_databases(self) -> None:
        """Something that counts for all databases has changed."""
        for db in self.databases:
            db.observe()

    @property
    def ignores_memory_limit(self) -> bool:
        """Whether ``maxmemory`` is left to the master."""
        return self.replication.link is not None and self.config.replica_ignore_maxmemory

    @property
    def used_memory(self) -> int:
        """Bytes that count against ``maxmemory``."""
        used = used_memory(self)
        if used > self.stats.peak_memory:
            self.stats.peak_memory = used
            self.stats.peak_moment = self.clock.now
        return used

    @property
    def mode(self) -> str:
        """What kind of server it is: ``standalone``, ``cluster`` or ``sentinel``."""
        if self.sentinel is not None:
            return "sentinel"
        return "standalone" if self.cluster is None else "cluster"

    @property
    def needs_guards(self) -> bool:
        """Whether every command of every session has to take the long way."""
        return (
            self.cluster is not None
            or self.pause.active
            or self.busy is not None
            or bool(self.monitor.sessions)
            or (self.hotkeys is not None and self.hotkeys.active)
            or self.config.maxmemory > 0
            or self.lacks_replicas
            or self.tracking.crowded
            or bool(self.faults.faults)
            or self.recording.active
            or self.sizes.needs_guards
            or self.persistence.needs_guards
            or self.replication.needs_guards
        )

    def next_client_id(self) -> int:
        """Ids of clients count up from 1."""
        self._last_client_id += 1
        return self._last_client_id

    def count_durations(self) -> None:
        """Bring the durations of all commands up to date with what dispatch has noted."""
        for entry in self.commands.used():
            if entry.durations.noted:
                entry.durations.count(self.tracks_latency)
        self.count_at = self.stats.commands_processed + GATHERED_AT_MOST

    def runs_script_in(self, session: Session) -> bool:
        """Whether a session is no client's, but the one in which the commands of scripts run."""
        return self.scripting.owns(session)

    def refresh_sessions(self) -> None:
        """Something that counts for all sessions has changed."""
        for session in list(self.sessions.values()):
            session.refresh()

    def defer(self, session: Session, data: bytes) -> None:
        """Send data to a session after the reply to the command that it is running."""
        self._deferred.append((session, data))
        self.pending_work = True

    def bytes_put_off(self, session: Session) -> int:
        """How much a session is to be sent after the reply to its command."""
        return sum([len(data) for receiver, data in self._deferred if receiver is session])

    @contextmanager
    def turn_of(self, session: Session) -> Iterator[None]:
        """Let a session that has waited run its command, within the turn of the one that serves it."""
        before, self.current = self.current, session
        session.running = True
        try:
            yield
        finally:
            session.running = False
            self.current = before

    def deliver(self) -> None:
        """Send what was put off."""
        deferred, self._deferred = self._deferred, []
        for session, data in deferred:
            session.out.append(data)

    def tell_what_was_done(self) -> None:
        """Send a client what it is to learn of its own command."""
        self.tracking.tell_own()
        self.deliver()

    def deliver_all(self) -> None:
        """Send what was put off, and then what the running client is to learn of its own command."""
        self.deliver()
        self.tell_what_was_done()

    def work(self) -> None:
        """What is due after a command: what was put off is sent, blocked clients try again."""
        while self._deferred or self.tracking.own or self.blocking.ready:
            self.deliver_all()
            if self.blocking.ready:
                self.clock.tick()  # what has expired within a long command serves nobody
                self.blocking.serve()
        self.pending_work = False

    def request_shutdown(self, save: bool | None = None, force: bool = False) -> bool:
        """End, as SHUTDOWN does; false where that would lose data that cannot be saved, which `force` does not mind.

        `save` is whether to save first; None does where there are save points.  A script that runs is stopped.
        """
        if not all(engine.persistence.prepare_to_end(save, force) for engine in self.keyspaces):
            return False
        self.scripting.end()
        if self.on_shutdown is not None:
            self.on_shutdown()
        return True

    @property
    def stream_position(self) -> StreamPosition | None:
        """Where the stream to replicas is, for files."""
        return self.replication.stream.position

    def resume_stream(self, position: StreamPosition) -> None:
        """A file has been loaded that tells where the stream was."""
        self.replication.resume(position)

    def begin_stream_anew(self) -> None:
        """All data were replaced, of which the stream to replicas does not tell."""
        self.replication.begin_anew()
        if self.on_other_data is not None:
            self.on_other_data()

    def publish_event(self, event_class: int, event: bytes, key: bytes, index: int) -> None:
        """Publish a keyspace notification."""
        if self.notify_flags & KEYSPACE:
            self.pubsub.publish(b"__keyspace@%d__:%b" % (index, key), event)
        if self.notify_flags & KEYEVENT:
            self.pubsub.publish(b"__keyevent@%d__:%b" % (index, event), key)

    def publish_subkeys(self, event: bytes, key: bytes, subkeys: Sequence[bytes], index: int) -> None:
        """Publish the notifications of certain fields of a key."""
        for channel, message in of_subkeys(self.notify_flags, event, key, subkeys, index):
            self.pubsub.publish(channel, message)
