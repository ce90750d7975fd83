"""What INFO tells otherwise of a Valkey: fields that it has not, those that it has too, and its own sections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from emulator.config.edition import REDIS_8_2

if TYPE_CHECKING:
    from emulator.commands.info import Engine, Fields

Sections = dict[str, tuple[str, Callable[["Engine"], "Fields"]]]
"""Titles and fields by the names of sections."""

_RENAMED: Final = {
    "redis_mode": "server_mode",
    **dict.fromkeys(("expired_subkeys", "atomicvar_api", "used_memory_peak_time", "mem_replica_full_sync_buffer"), ""),
}
"""Names that are otherwise; empty for fields that are not there."""
_GONE_SECTIONS: Final = frozenset(("threads", "keysizes"))
_LUA_OVERHEAD: Final = 56


def _nothing(*names: str) -> Callable[[Engine], Fields]:
    return lambda engine: [(name, 0) for name in names]


def _version(engine: Engine) -> Fields:
    return [
        ("server_name", "valkey"),
        ("valkey_version", engine.config.edition.version),
        ("valkey_release_stage", "ga"),
    ]


def _pause(engine: Engine) -> Fields:
    pause = engine.pause
    if not pause.active:
        return [("paused_reason", "none"), ("paused_actions", "none"), ("paused_timeout_milliseconds", 0)]
    left = max((pause.deadline or 0) - engine.clock.elapsed, 0)
    actions = "write" if pause.writes_only else "all"
    return [("paused_reason", pause.reason), ("paused_actions", actions), ("paused_timeout_milliseconds", left)]


def _active_time(engine: Engine) -> Fields:
    return [("used_active_time_main_thread", f"{engine.commands.seconds_spent():.6f}")]


_AFTER: Final[dict[str, Callable[[Engine], Fields]]] = {
    "redis_version": _version,
    "configured_hz": lambda engine: [("clients_hz", engine.config.hz)],
    "io_threads_active": lambda engine: [("availability_zone", engine.config.availability_zone)],
    "total_blocking_keys_on_nokey": _pause,
    "mem_total_replication_buffers": _nothing("mem_replicas_repl_buffer"),
    "mem_cluster_links": _nothing("mem_cluster_slot_import", "mem_cluster_slot_export"),
    "module_fork_last_cow_size": _nothing("slot_migration_fork_in_progress"),
    "total_net_repl_output_bytes": _nothing(
        "total_net_cluster_slot_import_bytes", "total_net_cluster_slot_export_bytes"
    ),
    "expired_keys": lambda engine: [("expired_fields", engine.stats.expired_fields)],
    "expired_stale_perc": lambda engine: [("expired_keys_with_volatile_items_stale_perc", "0.00")],
    "io_threaded_writes_processed": _nothing(
        "io_threaded_freed_objects", "io_threaded_accept_processed", "io_threaded_poll_processed"
    ),
    "acl_access_denied_channel": lambda engine: [
        ("acl_access_denied_tls_cert", 0),
        ("acl_access_denied_db", engine.stats.acl_denied[b"database"]),
    ],
    "used_cpu_user_main_thread": _active_time,
}
"""Fields by the one that they stand behind."""


def _as_valkey(engine: Engine, fields: Fields) -> Iterator[tuple[str, object] | tuple[str, object, str]]:
    """The fields of a section of Redis's as Valkey has them."""
    for name, value, *since in fields:
        told = _RENAMED.get(name, name)
        if told and all(map(REDIS_8_2.includes, since)):
            yield told, value
        if name in _AFTER:
            yield from _AFTER[name](engine)


def _tls(engine: Engine) -> Fields:
    for kind in ("server", "client", "ca"):
        yield f"tls_{kind}_cert_serial", "none"
        yield f"tls_{kind}_cert_expires_in_seconds", 0


def _engines(engine: Engine) -> Fields:
    used = sum(engine.scripting.vm_memory)
    return [
        ("engines_count", 1),
        ("engines_total_used_memory", used),
        ("engines_total_memory_overhead", _LUA_OVERHEAD),
        ("engine_0", f"name=LUA,module=lua,abi_version=4,used_memory={used},memory_overhead={_LUA_OVERHEAD}"),
    ]


_OWN: Final[dict[str, Sections]] = {
    "server": {"tls": ("TLS", _tls)},
    "cluster": {"cluster_info": ("Cluster Info", _nothing()), "scriptingengines": ("Scripting Engines", _engines)},
}
"""Sections by the one that they stand behind; who asks for no section in particular is not told of them."""


def sections(known: Mapping[str, tuple[str, Callable[[Engine], Fields]]]) -> Sections:
    """The sections of a Valkey, made of those of Redis."""
    found: Sections = {}
    for name, (title, fields) in known.items():
        if name not in _GONE_SECTIONS:
            found[name] = title, partial(_changed, fields)
            found |= _OWN.get(name, {})
    return found


def _changed(fields: Callable[[Engine], Fields], engine: Engine) -> Fields:
    return _as_valkey(engine, fields(engine))
