"""The directives that Valkey has otherwise than Redis, and those that Redis lacks; Redis's own that it has not."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from typing import Any, Final

from emulator.config.kinds import (
    INT_MAX,
    Boolean,
    Choice,
    ConfigError,
    Directive,
    Integer,
    MemorySize,
    Secret,
    ShutdownOptions,
    SlotStats,
    Text,
)
from emulator.config.special import NotificationFlags, Percentiles
from emulator.protocol.numbers import INT64_MAX, UINT64_MAX, parse_integer
from emulator.protocol.text import to_bytes

_NO_DEFRAGMENTATION: Final = (
    "Active defragmentation cannot be enabled: it requires a server compiled with a modified Jemalloc like the one "
    "shipped by default with the source distribution"
)


class _NoDefragmentation(Boolean):
    def parse(self, words: Sequence[str], current: bool) -> bool:
        if super().parse(words, current):
            raise ConfigError(_NO_DEFRAGMENTATION)
        return False


class _Address(Text):
    """An address of one kind, or nothing."""

    def __init__(self, read: Callable[[str], object], kind: str) -> None:
        super().__init__()
        self._read = read
        self._kind = kind

    def parse(self, words: Sequence[str], current: str) -> str:
        try:
            if words[0]:
                self._read(words[0])
        except ValueError:
            raise ConfigError(f"Invalid {self._kind} address") from None
        return words[0]


class _Announced(Text):
    """What other nodes are told, of few signs but letters and digits."""

    binary = True

    def __init__(self, error: str) -> None:
        super().__init__()
        self._error = error

    def parse(self, words: Sequence[str], current: str) -> str:
        if any(letter not in "-./:_`" and letter.isascii() and not letter.isalnum() for letter in words[0]):
            raise ConfigError(self._error)
        return words[0]


class _Signed(MemorySize):
    """Bytes, or a negative number of another meaning."""

    def _number(self, word: str) -> int:
        number = parse_integer(to_bytes(word))
        return super()._number(word) if number is None else number


class _Unsigned(MemorySize):
    """Bytes up to all that 64 bits can tell."""

    def _number(self, word: str) -> int:
        return super()._number(word) & UINT64_MAX


class OfValkey:
    """Each directive by its attribute, with a default, a type and bounds of its own."""

    active_defrag_cycle_us = Integer(500, 0, 100_000)
    activedefrag = _NoDefragmentation(False)
    availability_zone = Text(blank=True)
    cluster_announce_client_ipv4 = _Address(ipaddress.IPv4Address, "IPv4")
    cluster_announce_client_ipv6 = _Address(ipaddress.IPv6Address, "IPv6")
    cluster_announce_client_port = Integer(0, 0, 65535)
    cluster_announce_client_tls_port = Integer(0, 0, 65535)
    cluster_announce_human_nodename = _Announced("Announced human node name contained invalid character")
    cluster_announce_ip = _Announced("cluster-announce-ip contains invalid character")
    cluster_blacklist_ttl = Integer(60, -INT64_MAX - 1, INT64_MAX)
    cluster_config_save_behavior = Choice("sync", "sync best-effort")
    cluster_databases = Integer(1, 1, INT_MAX, immutable=True)
    cluster_link_sendbuf_limit = _Unsigned(0, most=UINT64_MAX)
    cluster_manual_failover_timeout = Integer(5000, 1, INT_MAX)
    cluster_slot_migration_log_max_len = Integer(1000, 0, INT64_MAX)
    cluster_slot_stats_enabled = SlotStats()
    commandlog_large_reply_max_len = Integer(128, 0, INT64_MAX)
    commandlog_large_request_max_len = Integer(128, 0, INT64_MAX)
    commandlog_reply_larger_than = Integer(1 << 20, -1, INT64_MAX)
    commandlog_request_larger_than = Integer(1 << 20, -1, INT64_MAX)
    dual_channel_replication_enabled = Boolean(False)
    extended_redis_compatibility = Boolean(False)
    hash_seed = Text(blank=True, immutable=True)
    hide_user_data_from_log = Boolean(True)
    import_mode = Boolean(False)
    io_threads = Integer(1, 1, 256)
    latency_tracking_info_percentiles = Percentiles((50.0, 99.0, 99.9), decimal=True)
    lazyfree_lazy_eviction = Boolean(True)
    lazyfree_lazy_expire = Boolean(True)
    lazyfree_lazy_server_del = Boolean(True)
    lazyfree_lazy_user_del = Boolean(True)
    lazyfree_lazy_user_flush = Boolean(True)
    loading_process_events_interval_bytes = Integer(2 << 20, 1 << 10, INT_MAX, hidden=True)
    log_format = Choice("legacy", "legacy logfmt json")
    log_timestamp_format = Choice("legacy", "legacy iso8601 milliseconds")
    lua_enable_deprecated_api = Boolean(False, protected=True, hidden=True)
    masterauth = Secret(aliases="primaryauth")
    masteruser = Text(aliases="primaryuser")
    max_new_connections_per_cycle = Integer(10, 1, 1000)
    max_new_tls_connections_per_cycle = Integer(1, 1, 1000)
    maxmemory = _Unsigned(0, most=UINT64_MAX)
    mptcp = Boolean(False, immutable=True)
    notify_keyspace_events = NotificationFlags(0, without="oc")
    prefetch_batch_max_size = Integer(16, 0, 128)
    rdb_version_check = Choice("strict", "strict relaxed")
    rdma_bind = Text()
    rdma_completion_vector = Integer(-1, -1, 1024, immutable=True)
    rdma_port = Integer(0, 0, 65535)
    rdma_rx_size = Integer(1 << 20, 64 << 10, 16 << 20, immutable=True)
    repl_backlog_size = MemorySize(10 << 20, 1, unsigned=False, lowest=16 << 10)
    repl_diskless_load = Choice("disabled", "disabled on-empty-db swapdb flush-before-load")
    repl_mptcp = Boolean(False, immutable=True)
    replica_lazy_flush = Boolean(True, aliases="slave-lazy-flush")
    shutdown_on_sigint = ShutdownOptions("safe failover")
    shutdown_on_sigterm = ShutdownOptions("safe failover")
    slot_migration_max_failover_repl_bytes = _Signed(0, -1, lowest=-1, unsigned=False)
    slowlog_log_slower_than = Integer(10000, -1, INT64_MAX, aliases="commandlog-execution-slower-than")
    slowlog_max_len = Integer(128, 0, INT64_MAX, aliases="commandlog-slow-execution-max-len")
    syslog_ident = Text("valkey", blank=True, immutable=True)
    tls_auth_clients_user = Choice("off", "CN URI off")
    tls_auto_reload_interval = Integer(0, 0, INT_MAX)
    unixsocketgroup = Text(immutable=True)


OF_VALKEY: Final[dict[str, Directive[Any]]] = {
    attribute: directive for attribute, directive in vars(OfValkey).items() if isinstance(directive, Directive)
}
NOT_OF_VALKEY: Final = frozenset(
    (
        "dynamic_hz",
        "io_threads_do_reads",
        "sanitize_dump_payload",
    )
)
