"""INFO: facts and figures about the server, in sections of ``field:value`` lines.

Fields about things that this server lacks (forks, a fragmenting allocator) are included if clients read them, with the
values of an idle server.  Long sections have modules of their own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from emulator.commands import info_valkey
from emulator.commands.info_memory import memory
from emulator.commands.info_persistence import persistence
from emulator.commands.info_replication import replication
from emulator.commands.info_stats import stats
from emulator.keyspace.weight import describe_sizes
from emulator.protocol.replies import Verbatim
from emulator.protocol.text import to_bytes
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.core.engine import Engine as Engine
    from emulator.table.registry import Command

Fields = Iterable[tuple[str, object] | tuple[str, object, str]]
"""Names and values; what a later version than 7.2 has brought is followed by that version."""


def _server(engine: Engine) -> Fields:
    import platform  # takes 1 ms to be imported

    uptime = (engine.clock.now - engine.started) // 1000
    config = engine.config
    return [
        ("redis_version", engine.config.edition.redis_version),
        ("redis_git_sha1", "00000000"),
        ("redis_git_dirty", 0),
        ("redis_build_id", "0"),
        ("redis_mode", engine.mode),
        ("os", f"{platform.system()} {platform.release()} {platform.machine()}"),
        ("arch_bits", 64 if sys.maxsize > 2**32 else 32),
        ("monotonic_clock", "POSIX clock_gettime"),
        ("multiplexing_api", "asyncio"),
        ("atomicvar_api", "none"),
        ("gcc_version", "0.0.0"),
        ("process_id", os.getpid()),
        ("process_supervised", "no"),
        ("run_id", engine.run_id),
        ("tcp_port", config.port),
        ("server_time_usec", engine.clock.micros()),
        ("uptime_in_seconds", uptime),
        ("uptime_in_days", uptime // 86400),
        ("hz", config.hz),
        ("configured_hz", config.hz),
        ("lru_clock", engine.clock.now // 1000 & 0xFFFFFF),
        ("executable", sys.executable),
        ("config_file", config.file),
        ("io_threads_active", 0),
        *_shutdown(engine),
        *_listeners(engine),
    ]


def _shutdown(engine: Engine) -> Fields:
    shutdown = engine.replication.shutdown
    return [("shutdown_in_milliseconds", shutdown.milliseconds_left)] if shutdown.is_under_way else []


def _listeners(engine: Engine) -> Fields:
    config = engine.config
    addresses = ",".join(f"bind={address}" for address in config.bind.split())
    kinds = [(name, addresses, port) for name, port in (("tcp", config.port), ("tls", config.tls_port)) if port]
    told = [f"name={name},{where},port={port}" for name, where, port in kinds]
    if config.unixsocket:
        told.append(f"name=unix,bind={config.unixsocket}")
    return [(f"listener{number}", text) for number, text in enumerate(told)]


def _clients(engine: Engine) -> Fields:
    sessions = list(engine.sessions.values())
    totals = engine.client_memory.totals()
    return [
        ("connected_clients", sum(session.peer is None for session in sessions)),
        ("cluster_connections", 0),
        ("maxclients", engine.config.maxclients),
        ("client_recent_max_input_buffer", totals.query_buffer),
        ("client_recent_max_output_buffer", totals.output),
        ("blocked_clients", len(engine.blocking.blocks) + sum(session.paused for session in sessions)),
        ("tracking_clients", len(engine.tracking.clients)),
        ("pubsub_clients", sum(1 for session in sessions if session.subscriptions), "7.4.0"),
        ("watching_clients", sum(1 for session in sessions if session.watched), "7.4.0"),
        ("clients_in_timeout_table", sum(1 for block in engine.blocking.blocks if block.deadline is not None)),
        ("total_watched_keys", sum(len(db.watchers) for db in engine.databases), "7.4.0"),
        ("total_blocking_keys", sum(len(db.blocked) for db in engine.databases)),
        ("total_blocking_keys_on_nokey", engine.blocking.keys_on_no_key),
    ]


def _threads(engine: Engine) -> Fields:
    stats = engine.stats
    return [("io_thread_0", f"clients={len(engine.sessions)},reads={stats.reads},writes={stats.writes}")]


def _cpu(engine: Engine) -> Fields:
    times = os.times()
    return [
        ("used_cpu_sys", f"{times.system:.6f}"),
        ("used_cpu_user", f"{times.user:.6f}"),
        ("used_cpu_sys_children", f"{times.children_system:.6f}"),
        ("used_cpu_user_children", f"{times.children_user:.6f}"),
        ("used_cpu_sys_main_thread", f"{times.system:.6f}"),
        ("used_cpu_user_main_thread", f"{times.user:.6f}"),
    ]


def _modules(engine: Engine) -> Fields:
    for module in engine.config.edition.modules:
        yield (
            "module",
            f"name={module.name},ver={module.version},api=1,filters=0,usedby=[],using=[],options=[{module.options}]",
        )


def _commandstats(engine: Engine) -> Fields:
    for entry in _called(engine):
        calls, micros = entry.durations.calls, int(entry.durations.seconds * 1e6)
        yield (
            f"cmdstat_{entry.full_name.decode()}",
            f"calls={calls},usec={micros},usec_per_call={micros / (calls or 1):.2f},"
            f"rejected_calls={entry.rejected},failed_calls={entry.failed}",
        )


def _called(engine: Engine) -> Iterator[Command]:
    for entry in engine.commands.used():
        if entry.durations.calls or entry.rejected or entry.failed:
            yield entry


_NO_MARKS: Final = str.maketrans("#:\r\n", "____")
"""What would be taken for more than a name in a line of INFO."""


def _errorstats(engine: Engine) -> Fields:
    for code, count in sorted(engine.stats.errors.items()):
        yield f"errorstat_{code.translate(_NO_MARKS)}", f"count={count}"


def _latencystats(engine: Engine) -> Fields:
    percentages = engine.config.latency_tracking_info_percentiles
    names = [f"p{percent:.6f}".rstrip("0").rstrip(".") for percent in percentages]
    for entry in engine.commands.used():
        durations = entry.durations
        if durations.buckets:
            found = durations.percentiles(percentages)
            told = [f"{name}={micros:.3f}" for name, micros in zip(names, found, strict=True)]
            yield f"latency_percentiles_usec_{entry.full_name.decode()}", ",".join(told)


def _cluster(engine: Engine) -> Fields:
    return [("cluster_enabled", int(engine.cluster is not None))]


def _keyspace(engine: Engine) -> Fields:
    edition = engine.config.edition
    with_deadlines = "keys_with_volatile_items" if edition.is_valkey else "subexpiry"
    for db in engine.databases:
        if len(db):
            yield (
                f"db{db.index}",
                f"keys={len(db)},expires={db.expiring},avg_ttl={db.average_ttl}"
                + ("" if edition.precedes("7.4.0") else f",{with_deadlines}={len(db.fields_with_expiry)}"),
            )


def _key_sizes(engine: Engine) -> Fields:
    for db in engine.databases:
        if len(db):
            db.weigh()
            for name, counts in describe_sizes(db.sizes):
                yield f"db{db.index}_distrib_{name}", counts


def _hotkeys(engine: Engine) -> Fields:
    if engine.hotkeys is not None:
        yield "hotkeys-tracking-active", int(engine.hotkeys.active)
        yield "hotkeys-cmd-cpu-time", 0


def _sentinel(engine: Engine) -> Fields:
    return () if engine.sentinel is None else engine.sentinel.figures()


_SECTIONS: dict[str, tuple[str, Callable[[Engine], Fields]]] = {
    "server": ("Server", _server),
    "clients": ("Clients", _clients),
    "memory": ("Memory", memory),
    "persistence": ("Persistence", persistence),
    "threads": ("Threads", _threads),
    "stats": ("Stats", stats),
    "replication": ("Replication", replication),
    "cpu": ("CPU", _cpu),
    "modules": ("Modules", _modules),
    "commandstats": ("Commandstats", _commandstats),
    "errorstats": ("Errorstats", _errorstats),
    "latencystats": ("Latencystats", _latencystats),
    "cluster": ("Cluster", _cluster),
    "keyspace": ("Keyspace", _keyspace),
    "keysizes": ("Keysizes", _key_sizes),
    "hotkeys": ("Hotkeys", _hotkeys),
}
_OF_VALKEY = info_valkey.sections(_SECTIONS)
_OF_SENTINEL = {name: _SECTIONS[name] for name in ("server", "clients", "cpu", "stats")} | {
    "sentinel": ("Sentinel", _sentinel)
}
_LATER_SECTIONS: Final = {"threads": "8.0.0", "keysizes": "8.0.0", "hotkeys": "8.6.0"}
_NOT_DEFAULT = frozenset(("commandstats", "latencystats", "hotkeys"))


@command(
    "server",
    since="1.0.0",
    flags="loading stale",
    acl="dangerous",
    tips="nondeterministic_output request_policy:all_shards response_policy:special",
    complexity="O(1)",
)
def info(client: Session, *sections: bytes) -> Verbatim:
    """Returns facts and figures about the server, by sections; ``all`` and ``everything`` ask for every section."""
    engine, edition = client.engine, client.engine.config.edition
    known = _OF_VALKEY if edition.is_valkey else _SECTIONS
    if engine.sentinel is not None:
        known = _OF_SENTINEL
    wanted: dict[str, None] = {}
    for word in sections or (b"default",):
        name = word.lower().decode("utf-8", "replace")
        if name in ("all", "everything"):
            wanted |= dict.fromkeys(name for name in known if name != "hotkeys")
        elif name == "default":
            wanted |= dict.fromkeys(name for name in known if name not in _NOT_DEFAULT)
        elif name in known:
            wanted[name] = None
    wanted = {name: None for name in wanted if edition.includes(_LATER_SECTIONS.get(name, "0.0.0"))}
    engine.count_durations()
    texts = []
    for name, (title, fields) in known.items():
        if name in wanted:
            told = [f"{told[0]}:{told[1]}" for told in fields(engine) if len(told) == 2 or edition.includes(told[2])]
            texts.append("\r\n".join([f"# {title}", *told]) + "\r\n")
    return Verbatim(to_bytes("\r\n".join(texts)))
