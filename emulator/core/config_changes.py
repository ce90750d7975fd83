"""The settings whose effect is kept elsewhere in an engine: what each brings about, at the start and by CONFIG SET."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from emulator.config.notifications import KEYEVENT, KEYSPACE, SUBKEYS
from emulator.keyspace.frequency import Modification, uses_by
from emulator.protocol.text import to_bytes

if TYPE_CHECKING:
    from emulator.core.engine import Engine


def follow(engine: Engine) -> None:
    """Take over the settings, now and whenever one changes."""
    config = engine.config
    for names, take_over in _FROM_THE_START:
        for name in names:
            config.on_change(name, partial(take_over, engine))
        take_over(engine)
    if config.edition.is_valkey:
        for name in ("commandlog-request-larger-than", "commandlog-reply-larger-than"):
            config.on_change(name, engine.sizes.configure)
        engine.sizes.configure()
        config.on_change("import-mode", engine.expiration.refresh)
    config.on_change("latency-tracking", partial(_latency_tracking, engine))
    config.on_change("maxmemory", partial(_memory_limit, engine))
    for name in ("maxmemory", "maxmemory-clients"):
        config.on_change(name, engine.client_eviction.configure)
    engine.client_eviction.configure()
    config.on_change("client-output-buffer-limit", engine.refresh_sessions)
    config.on_change("tracking-table-max-keys", engine.tracking.check_limit)
    config.on_change("requirepass", partial(_password, engine))
    if config.requirepass:
        _password(engine)


def _notifications(engine: Engine) -> None:
    flags = engine.config.notify_keyspace_events
    engine.notify_flags = flags if flags & (KEYSPACE | KEYEVENT | SUBKEYS) else 0
    engine.refresh_databases()


def _slowness(engine: Engine) -> None:
    micros, millis = engine.config.slowlog_log_slower_than, engine.config.latency_monitor_threshold
    for_log = micros / 1e6 if micros >= 0 else float("inf")
    engine.latency.threshold = millis
    engine.slow_seconds = min(for_log, millis / 1e3 if millis else float("inf"))


def _policy(engine: Engine) -> None:
    """What is noted of the use of keys from now on is how often, or when they were used or changed."""
    engine.eviction.forget()
    before, uses = engine.databases[0].uses, uses_by(engine.config, engine.clock, engine.random)
    if type(before) is type(uses):
        return
    if isinstance(before, Modification):
        engine.leave(before.changed)
    if isinstance(uses, Modification):
        engine.listen(uses.changed)
    for db in engine.databases:
        db.uses = uses


def _list_nodes(engine: Engine) -> None:
    engine.packed_threshold.configure()


def _latency_tracking(engine: Engine) -> None:
    engine.count_durations()  # those until now by the old setting
    engine.tracks_latency = engine.config.latency_tracking


def _memory_limit(engine: Engine) -> None:
    engine.refresh_sessions()
    engine.out_of_memory = engine.eviction.make_room()


def _password(engine: Engine) -> None:
    engine.acl.set_password(to_bytes(engine.config.requirepass))


_FROM_THE_START: Final[tuple[tuple[tuple[str, ...], Callable[[Engine], None]], ...]] = (
    (("notify-keyspace-events",), _notifications),
    (("slowlog-log-slower-than", "latency-monitor-threshold"), _slowness),
    (("maxmemory-policy",), _policy),
    (("list-max-listpack-size",), _list_nodes),
)
"""What has to be taken over at the start too, whatever the setting is."""
