"""INFO persistence: saving, the append-only file, loading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.persistence.append_log import OFF

if TYPE_CHECKING:
    from emulator.commands.info import Engine, Fields
    from emulator.persistence.append_log import AppendLog
    from emulator.persistence.loading import Loading
    from emulator.persistence.replay import Replay


def persistence(engine: Engine) -> Fields:
    """The fields of the section."""
    files = engine.persistence
    dumps, log, loading = files.dumps, files.log, files.loading
    saved, total = (0, 0) if dumps.image is None else (dumps.image.saved, dumps.image.total)
    return [
        ("loading", int(loading is not None)),
        ("async_loading", int(files.loading_aside is not None)),
        ("current_cow_peak", 0),
        ("current_cow_size", 0),
        ("current_cow_size_age", 0),
        ("current_fork_perc", f"{saved * 100 / (total or 1):.2f}"),
        ("current_save_keys_processed", saved),
        ("current_save_keys_total", total),
        ("rdb_changes_since_last_save", dumps.changes),
        ("rdb_bgsave_in_progress", int(dumps.image is not None)),
        ("rdb_last_save_time", dumps.last_save),
        ("rdb_last_bgsave_status", "err" if dumps.failed else "ok"),
        ("rdb_last_bgsave_time_sec", dumps.last_duration),
        ("rdb_current_bgsave_time_sec", dumps.duration),
        ("rdb_saves", dumps.count),
        ("rdb_saves_consecutive_failures", dumps.failures, "8.4.0"),
        ("rdb_last_cow_size", 0),
        ("rdb_last_load_keys_expired", files.expired_keys),
        ("rdb_last_load_keys_loaded", files.loaded_keys),
        ("aof_enabled", int(log.state != OFF)),
        ("aof_rewrite_in_progress", int(log.rewrite.image is not None)),
        ("aof_rewrite_scheduled", int(log.rewrite.scheduled)),
        ("aof_last_rewrite_time_sec", log.rewrite.last_duration),
        ("aof_current_rewrite_time_sec", log.rewrite.duration),
        ("aof_last_bgrewrite_status", "err" if log.rewrite.failures else "ok"),
        ("aof_rewrites", log.rewrite.count),
        ("aof_rewrites_consecutive_failures", log.rewrite.failures),
        ("aof_last_write_status", "err" if log.error else "ok"),
        ("aof_last_cow_size", 0),
        ("module_fork_in_progress", 0),
        ("module_fork_last_cow_size", 0),
        ("backup_in_progress", int(files.backs_up_online), "8.10.0"),
        *([] if log.state == OFF else _log(log)),
        *([] if loading is None else _loading(engine, loading)),
    ]


def _log(log: AppendLog) -> Fields:
    return [
        ("aof_current_size", log.size),
        ("aof_base_size", log.base_size),
        ("aof_pending_rewrite", 0),
        ("aof_buffer_length", sum(map(len, log.unwritten))),
        ("aof_pending_bio_fsync", int(log.is_syncing)),
        ("aof_delayed_fsync", log.delayed_syncs),
    ]


def _loading(engine: Engine, loading: Loading | Replay) -> Fields:
    passed = engine.clock.now // 1000 - loading.began
    left = passed * (loading.total - loading.offset) // loading.offset if passed and loading.offset else 1
    return [
        ("loading_start_time", loading.began),
        ("loading_total_bytes", loading.total),
        ("loading_rdb_used_mem", loading.used_memory),
        ("loading_loaded_bytes", loading.offset),
        ("loading_loaded_perc", f"{loading.offset * 100 / (loading.total or 1):.2f}"),
        ("loading_eta_seconds", max(left, 0)),
    ]
