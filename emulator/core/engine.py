"""The whole in-memory Redis: databases, clock, configuration, clients and the subsystems that they share.

An engine has no socket and no event loop.  Sessions are attached to it, `dispatch.run` executes their commands, and
whoever owns the engine calls `advance` when the wheel's alarm is due.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from itertools import count
from typing import TYPE_CHECKING, Final

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
from emulator.config.notifications import KEYEVENT, KEYSPACE, SUBKEYS, of_subkeys
from emulator.controls.faults import Faults
from emulator.controls.instances import Keyspaces
from emulator.controls.recording import Recording
from emulator.controls.snapshots import Snapshots
from emulator.core import dispatch
from emulator.core.expiration import Expiration
from emulator.core.propagation import Propagation
from emulator.core.rates import Rates
from emulator.datatypes.list import List
from emulator.datatypes.quicklist import NONE_LARGE, fill_with
from emulator.datatypes.wheel import NEVER, Wheel
from emulator.keyspace.database import Database, number_of_databases
from emulator.keyspace.eviction import Eviction
from emulator.keyspace.frequency import Frequency, Modification, uses_by
from emulator.keyspace.lazyfree import LazyFree
from emulator.keyspace.memory import used_memory
from emulator.keyspace.observed import Listener
from emulator.persistence.host import InBackground, StreamPosition
from emulator.persistence.persistence import Persistence
from emulator.protocol.numbers import parse_decimal, parse_double, read_c_double, read_double
from emulator.protocol.text import to_bytes
from emulator.replication.host import Dial
from emulator.replication.replication import Replication
from emulator.scripting.scripts import Scripting
from emulator.stats.counters import Stats
from emulator.stats.latency import GATHERED_AT_MOST, Latency
from emulator.stats.slowlog import CommandLog
from emulator.table.registry import Command, Commands
from emulator.wall import behind_wall

if TYPE_CHECKING:
    from emulator.clients.hotkeys import HotKeys
    from emulator.cluster.cluster import Cluster
    from emulator.scripting.invocation import Invocation
    from emulator.sentinel.sentinel import Sentinel

_STEPS_A_SLICE = 250
_OF_A_TENANT: Final = {
    "aclfile": "",
    "backup_daily": False,
    "backup_dir": "",
    "emulator_max_keyspaces": 0,
    "maxmemory": 0,
    "maxmemory_policy": "noeviction",
    "replicaof": None,
    "requirepass": "",
}
_NOT_FOR_TENANTS: Final = frozenset(
    b"bgrewriteaof bgsave config debug failover migrate module psync replconf replicaof save shutdown slaveof sync".split()
)
"""The commands that reach the server's settings, its files or other servers."""


def at_once(work: Callable[[], object]) -> object:
    """Does something now: what `Engine.soon` is where there is no loop."""
    return work()


class Engine:
    """One Redis.

    ``dispatch`` runs commands for EXEC, scripts and waiters; ``commands`` has them by the names that clients use,
    ``original_commands`` by Redis's, which the rules of ACL go by; ``dirty`` counts changes; ``current`` is the session
    whose commands run; ``pending_work`` says that `work` has something to do after the command; ``busy`` is the script that
    runs for too long, and ``on_busy`` lets the owner serve the others meanwhile; ``in_background`` lets it do in a thread
    what takes long, and then go on with the outcome or the error; it may be None. ``soon`` does
    something in the next round of its loop, or at once where there is none.  ``sentinel`` is there where it is
    one.  ``dial`` opens connections to other servers, ``dial_node`` to the bus of other nodes, where the owner can.
    ``cluster`` is there in cluster mode, in which databases know the slots of their keys (``has_slots``).  ``on_shutdown``
    tells the owner that it is to end.  ``unwritten`` is what the append-only file has still to get before replies leave.
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
        self._for_tenants: dict[bytes, Command] | None = None
        self._set_up_statistics()
        self._set_up_clients()
        self._set_up_scripts()
        self._set_up_controls()
        self._set_up_data()
        self._set_up_cluster()
        self._follow_config()
        self.replication.count_good()
        self.acl.started()

    def _set_up_statistics(self) -> None:
        self.stats = Stats()
        self.slowlog = CommandLog()
        self.sizes: Sizes = Sizes(self)
        self.has_large_reply = False
        self.meters: list[Meter] = []
        self.slow_seconds = 0.0
        self.latency = Latency(self.clock)
        self.count_at = GATHERED_AT_MOST
        self.rates = Rates(self)
        self.hotkeys: HotKeys | None = None
        self._latency_tracking = self.config.latency_tracking

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
        self.lazyfree = LazyFree()
        self.eviction = Eviction(self)
        self.out_of_memory = False
        self.lacks_replicas = False
        self.expiration = Expiration(self)
        self.notify_flags = 0
        self._usual_packed_threshold = NONE_LARGE if self.config.edition.precedes("7.4.0") else 0
        self._packed_threshold = self._usual_packed_threshold
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

    def _follow_config(self) -> None:
        """Take over the settings whose effect is kept elsewhere, now and whenever one changes."""
        followers: list[tuple[Callable[[], None], tuple[str, ...]]] = [
            (self._apply_notifications, ("notify-keyspace-events",)),
            (self._apply_slowness, ("slowlog-log-slower-than", "latency-monitor-threshold")),
            (self._apply_policy, ("maxmemory-policy",)),
            (self._apply_packed_threshold, ("list-max-listpack-size",)),
        ]
        for follow, names in followers:
            for name in names:
                self.config.on_change(name, follow)
            follow()
        if self.config.edition.is_valkey:
            for name in ("commandlog-request-larger-than", "commandlog-reply-larger-than"):
                self.config.on_change(name, self.sizes.configure)
            self.sizes.configure()
            self.config.on_change("import-mode", self.expiration.refresh)
        self.config.on_change("latency-tracking", self._apply_latency_tracking)
        self.config.on_change("maxmemory", self._apply_memory_limit)
        for name in ("maxmemory", "maxmemory-clients"):
            self.config.on_change(name, self.client_eviction.configure)
        self.client_eviction.configure()
        self.config.on_change("client-output-buffer-limit", self.refresh_sessions)
        self.config.on_change("tracking-table-max-keys", self.tracking.check_limit)
        self.config.on_change("requirepass", self._apply_password)
        if self.config.requirepass:
            self._apply_password()

    def sibling(self) -> Engine:
        """An empty engine with the settings, commands, users and time of this one; they share nothing."""
        other = Engine(self.config.copy(), copy(self.clock))
        other.commands = Commands(self.commands.known, self.commands.tells_no_words)
        other.keyspaces = self.keyspaces
        other.acl.copy_from(self.acl)
        other.acl.started()
        return other

    def tenant(self, **settings: object) -> Engine:
        """An empty engine for somebody who has nothing to do with this one's users: `settings` by attribute, the rest of them
        and the time as they are here.  It lacks the commands that reach beyond its data."""
        config = self.config.copy()
        for name, value in (_OF_A_TENANT | settings).items():
            setattr(config, name, value)
        other = Engine(config, copy(self.clock))
        if self._for_tenants is None:
            known = self.commands.known.items()
            self._for_tenants = {name: entry for name, entry in known if name not in _NOT_FOR_TENANTS}
        other.commands = Commands(self._for_tenants, self.commands.tells_no_words)
        return other

    def listen(self, listener: Listener) -> None:
        """Tell `listener` of each change of a key from now on, with the database."""
        self.listeners.append(listener)
        self._observe()

    def leave(self, listener: Listener) -> None:
        """Tell it no more."""
        self.listeners.remove(listener)
        self._observe()

    def _observe(self) -> None:
        for db in self.databases:
            db.observe()

    def _apply_notifications(self) -> None:
        flags = self.config.notify_keyspace_events
        self.notify_flags = flags if flags & (KEYSPACE | KEYEVENT | SUBKEYS) else 0
        self._observe()

    def _apply_slowness(self) -> None:
        micros, millis = self.config.slowlog_log_slower_than, self.config.latency_monitor_threshold
        for_log = micros / 1e6 if micros >= 0 else float("inf")
        self.latency.threshold = millis
        self.slow_seconds = min(for_log, millis / 1e3 if millis else float("inf"))

    def _apply_latency_tracking(self) -> None:
        self.count_durations()
        self._latency_tracking = self.config.latency_tracking

    def _apply_password(self) -> None:
        self.acl.set_password(to_bytes(self.config.requirepass))

    def _apply_memory_limit(self) -> None:
        self.refresh_sessions()
        self.out_of_memory = self.eviction.make_room()

    def _apply_policy(self) -> None:
        """What is known of the use of keys is how often or when; where that changes it is forgotten of the keys there are."""
        self.eviction.forget()
        before, uses = self.databases[0].uses, uses_by(self.config, self.clock, self.random)
        if type(before) is type(uses):
            return
        if isinstance(before, Modification):
            self.leave(before.changed)
        if isinstance(uses, Modification):
            self.listen(uses.changed)
        for db in self.databases:
            db.uses = uses
            if isinstance(before, Frequency) or isinstance(uses, Frequency):
                for entry in db.entries.values():
                    entry.access = self.clock.now if uses is None else uses.fresh()

    def set_packed_threshold(self, size: int) -> None:
        """From which size on values of lists have nodes for themselves; 0 for the usual one, by which the limit of nodes says
        it, and in 7.2 a gigabyte.  O(keys)."""
        self._packed_threshold = size or self._usual_packed_threshold
        self._apply_packed_threshold()
        for db in self.databases:
            for entry in db.entries.values():
                if isinstance(entry.value, List):
                    entry.value.fill = fill_with(entry.value.fill, self._packed_threshold)

    def _apply_packed_threshold(self) -> None:
        self.config.list_max_listpack_size = fill_with(self.config.list_max_listpack_size, self._packed_threshold)

    @property
    def ignores_memory_limit(self) -> bool:
        """Whether ``maxmemory`` is the master's business."""
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
                entry.durations.count(self._latency_tracking)
        self.count_at = self.stats.commands_processed + GATHERED_AT_MOST

    def runs_script_in(self, session: Session) -> bool:
        """Whether a session is not a client's, but that in which the commands of scripts run."""
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

    def advance(self) -> bool:
        """Let happen what is due, in one bounded slice; whether more is due already.

        `seconds_until_due` tells when to call again.
        """
        more = self._expire()
        more |= self.waits.advance(self.clock.elapsed, _STEPS_A_SLICE)
        if self.pending_work:
            self.work()
        if self.tracking.changed:
            behind_wall(self.tracking.broadcast, "what is told to clients that cache")
        self._set_alarms()
        return more

    def _expire(self) -> bool:
        """Let a slice of what is due expire; whether there is more."""
        now = self.clock.tick()
        if not self.latency.threshold:
            return self.wheel.advance(now, _STEPS_A_SLICE)
        with self.latency.watch(b"expire-cycle"):
            return self.wheel.advance(now, _STEPS_A_SLICE)

    def seconds_until_due(self) -> float | None:
        """How long it is until `advance` has something to do; None while it has nothing, or time stands still."""
        if self.clock.frozen:
            return None
        next_deadline, next_wait = self.wheel.next_moment(), self.waits.next_moment()
        due = []
        if next_deadline is not None:
            due.append(next_deadline / 1000 - self.clock.micros() / 1e6)
        if next_wait is not None:
            due.append((next_wait - self.clock.elapsed) / 1000)
        return max(min(due), 0.0) if due else None

    def turn_clock(self, moment: int) -> None:
        """Show another time, in milliseconds since the epoch; what is due until then happens in order, each at its time."""
        clock = self.clock
        if moment < clock.now:
            clock.show(moment)
        while (due := self._next_due()) <= moment:
            clock.show(max(due, clock.now))
            self.wheel.advance(clock.now, _STEPS_A_SLICE)
            self.waits.advance(clock.elapsed, _STEPS_A_SLICE)
            if self.pending_work:
                self.work()
        clock.show(moment)
        self._set_alarms()
        self._tell_of_alarm()

    def _next_due(self) -> int:
        """When the next timer of either wheel is due, in milliseconds since the epoch."""
        deadline, wait = self.wheel.next_moment(), self.waits.next_moment()
        wait = NEVER if wait is None else self.clock.now + max(wait - self.clock.elapsed, 0)
        return wait if deadline is None else min(deadline, wait)

    def freeze_clock(self) -> None:
        """Let time stand still: nothing expires until it is turned or goes on."""
        self.clock.freeze()

    def resume_clock(self) -> None:
        """Let time go on from where it stands."""
        self.clock.resume()
        self._tell_of_alarm()

    def reset_clock(self) -> None:
        """Let the clock follow the machine's again; nothing happens that would have been due meanwhile."""
        if self.clock.turned:
            self.clock.reset()
            self._tell_of_alarm()

    def follow_patched_time(self, patched: bool) -> None:
        """Let the clock go by Python's time as freezegun and time-machine patch it, or by the machine's whatever they do."""
        self.clock.follow(patched)
        self._set_alarms()
        self._tell_of_alarm()

    def _set_alarms(self) -> None:
        for wheel in (self.wheel, self.waits):
            moment = wheel.next_moment()
            wheel.alarm = NEVER if moment is None else moment

    def _tell_of_alarm(self) -> None:
        """The owner's alarm goes by a time that has changed."""
        if self.wheel.on_earlier is not None:
            self.wheel.on_earlier()

    def on_earlier(self, listener: Callable[[], None] | None) -> None:
        """Whom to tell when something is due earlier than `seconds_until_due` has told."""
        self.wheel.on_earlier = self.waits.on_earlier = listener

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
        """All data are others now, which nobody was told of."""
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
