"""The configuration: every directive of Redis 8.2 with its default, its type and its bounds, one to a line.

`Config` has the value of each as an attribute (``config.maxclients``), text as ``str`` with surrogate escapes.
Source: CONFIG GET of Redis 8.2 and its redis.conf.
"""

from __future__ import annotations

import sys

from emulator.config.kinds import (
    INT_MAX,
    UINT_MAX,
    Boolean,
    Choice,
    Clamped,
    ConfigError,
    Integer,
    MemoryOrPercent,
    MemorySize,
    Octal,
    Secret,
    ShutdownOptions,
    SlotStats,
    Text,
)
from emulator.config.of_modules import Compactions, ModuleInteger, ModuleNumber
from emulator.config.of_valkey import OfValkey
from emulator.config.special import (
    Addresses,
    Directory,
    FileName,
    HostName,
    Locale,
    Master,
    Modules,
    NodeName,
    NotificationFlags,
    OomScores,
    OutputLimits,
    Percentiles,
    Save,
    TitleTemplate,
)
from emulator.config.store import Store
from emulator.protocol.numbers import INT64_MAX

__all__ = ["Config", "ConfigError"]


class Config(OfValkey, Store):
    """The configuration of one server, at first Redis's defaults."""

    acl_pubsub_default = Choice("resetchannels", "allchannels resetchannels")
    aclfile = Text(blank=True, immutable=True)
    acllog_max_len = Integer(128, 0, INT64_MAX)
    active_defrag_cycle_max = Integer(25, 1, 99)
    active_defrag_cycle_min = Integer(1, 1, 99)
    active_defrag_ignore_bytes = MemorySize(100 << 20, 1)
    active_defrag_max_scan_fields = Integer(1000, 1, INT64_MAX)
    active_defrag_threshold_lower = Integer(10, 0, 1000)
    active_defrag_threshold_upper = Integer(100, 0, 1000)
    active_expire_effort = Integer(1, 1, 10)
    activedefrag = Boolean(False)
    activerehashing = Boolean(True)
    always_show_logo = Boolean(False, immutable=True)
    aof_disable_auto_gc = Boolean(False, hidden=True)
    aof_load_corrupt_tail_max_size = Integer(0, 0, INT64_MAX, since="8.4.0")
    aof_load_truncated = Boolean(True)
    aof_rewrite_cpulist = Text(aliases="aof_rewrite_cpulist", immutable=True, named="7.4.0")
    aof_rewrite_incremental_fsync = Boolean(True)
    aof_timestamp_enabled = Boolean(False)
    aof_use_rdb_preamble = Boolean(True)
    appenddirname = FileName("appendonlydir", immutable=True)
    appendfilename = FileName("appendonly.aof", immutable=True)
    backup_sealed_ttl = Integer(0, 0, INT64_MAX, since="8.10.0")
    backupdirname = FileName("backupdir", immutable=True, since="8.10.0")
    appendfsync = Choice("everysec", "everysec always no")
    appendonly = Boolean(False)
    auto_aof_rewrite_min_size = MemorySize(64 << 20, unsigned=False)
    auto_aof_rewrite_percentage = Integer(100, 0, INT_MAX)
    backup_daily = Boolean(False, hidden=True)
    backup_dir = Text(blank=True, immutable=True, hidden=True)
    backup_retention = Integer(7, 0, INT_MAX, hidden=True)
    bgsave_cpulist = Text(aliases="bgsave_cpulist", immutable=True, named="7.4.0")
    bf_error_rate = ModuleNumber(0.01, 0, 1, open=True, module="bf")
    bf_expansion_factor = ModuleInteger(2, 0, 32768, module="bf")
    bf_initial_size = ModuleInteger(100, 1, 1 << 30, module="bf")
    bind = Addresses("127.0.0.1 -::1")
    bind_source_addr = Text()
    bio_cpulist = Text(aliases="bio_cpulist", immutable=True, named="7.4.0")
    busy_reply_threshold = Integer(5000, 0, INT64_MAX, aliases="lua-time-limit")
    cf_bucket_size = ModuleInteger(2, 1, 255, module="bf")
    cf_expansion_factor = ModuleInteger(1, 0, 32768, module="bf")
    cf_initial_size = ModuleInteger(1024, 4, 1 << 30, module="bf")
    cf_max_expansions = ModuleInteger(32, 1, 65535, module="bf")
    cf_max_iterations = ModuleInteger(20, 1, 65535, module="bf")
    client_output_buffer_limit = OutputLimits(
        {"normal": (0, 0, 0), "slave": (256 << 20, 64 << 20, 60), "pubsub": (32 << 20, 8 << 20, 60)}
    )
    client_query_buffer_limit = MemorySize(1 << 30, 1 << 20)
    cloud_account = Text(immutable=True, hidden=True)
    cloud_bind = Text("127.0.0.1 -::1", immutable=True, hidden=True)
    cloud_dir = Text(immutable=True, hidden=True)
    cloud_domain = Text(immutable=True, hidden=True)
    cloud_lag = Integer(0, 0, INT_MAX, immutable=True, hidden=True)
    cloud_port = Integer(0, 0, 65535, immutable=True, hidden=True)
    cloud_proxy = Integer(0, 0, 65535, immutable=True, hidden=True)
    cloud_readonly_key = Text(immutable=True, hidden=True)
    cloud_regions = Text(immutable=True, hidden=True)
    cluster_allow_pubsubshard_when_down = Boolean(True)
    cluster_allow_reads_when_down = Boolean(False)
    cluster_allow_replica_migration = Boolean(True)
    cluster_announce_bus_port = Integer(0, 0, 65535)
    cluster_announce_hostname = HostName()
    cluster_announce_human_nodename = NodeName(since="7.2.0")
    cluster_announce_ip = Text()
    cluster_announce_port = Integer(0, 0, 65535)
    cluster_announce_tls_port = Integer(0, 0, 65535)
    cluster_compatibility_sample_ratio = Integer(0, 0, 100, since="8.0.0")
    cluster_config_file = Text("nodes.conf", blank=True, immutable=True)
    cluster_enabled = Boolean(False, immutable=True)
    cluster_link_sendbuf_limit = MemorySize(0, wide_since="8.4.0")
    cluster_migration_barrier = Integer(1, 0, INT_MAX)
    cluster_node_timeout = Integer(15000, 0, INT64_MAX)
    cluster_ping_interval = Integer(0, 0, INT64_MAX, hidden=True)
    cluster_port = Integer(0, 0, 65535, immutable=True)
    cluster_preferred_endpoint_type = Choice("ip", "ip hostname unknown-endpoint")
    cluster_replica_no_failover = Boolean(False, aliases="cluster-slave-no-failover")
    cluster_replica_validity_factor = Integer(10, 0, INT_MAX, aliases="cluster-slave-validity-factor")
    cluster_require_full_coverage = Boolean(True)
    cluster_slot_migration_handoff_max_lag_bytes = MemorySize(1 << 20, since="8.4.0")
    cluster_slot_migration_write_pause_timeout = Integer(10000, 0, INT64_MAX, since="8.4.0")
    cluster_slot_stats_enabled = SlotStats(since="8.2.0")
    crash_log_enabled = Boolean(True)
    crash_memcheck_enabled = Boolean(True)
    daemonize = Boolean(False, immutable=True)
    databases = Integer(16, 1, INT_MAX, immutable=True)
    dbfilename = FileName("dump.rdb", protected=True, may_be_empty=True)
    dir = Directory("", protected=True)
    disable_thp = Boolean(True, immutable=True)
    dynamic_hz = Boolean(True)
    emulator_commands = Boolean(True, immutable=True, hidden=True)
    emulator_detach = Boolean(False, immutable=True, hidden=True)
    emulator_match = Text(immutable=True, hidden=True)
    emulator_max_keyspaces = Integer(1000, 1, INT_MAX, hidden=True)
    enable_debug_command = Choice("no", "no yes local", immutable=True)
    enable_module_command = Choice("no", "no yes local", immutable=True)
    enable_protected_configs = Choice("no", "no yes local", immutable=True)
    hash_max_listpack_entries = Integer(512, 0, INT64_MAX, unsigned=True, aliases="hash-max-ziplist-entries")
    hash_max_listpack_value = MemorySize(64, aliases="hash-max-ziplist-value")
    hide_user_data_from_log = Boolean(False, since="7.4.1")
    hll_sparse_max_bytes = MemorySize(3000)
    hz = Clamped(10, 0, INT_MAX, 1, 500)
    ignore_warnings = Text(blank=True)
    io_threads = Integer(1, 1, 128, immutable=True)
    io_threads_do_reads = Boolean(False, immutable=True, until="8.0.0")
    jemalloc_bg_thread = Boolean(True)
    key_load_delay = Integer(0, -INT_MAX - 1, INT_MAX, hidden=True)
    key_memory_histograms = Boolean(False, since="8.6.0")
    latency_monitor_threshold = Integer(0, 0, INT64_MAX)
    latency_tracking = Boolean(True)
    latency_tracking_info_percentiles = Percentiles((50.0, 99.0, 99.9))
    lazyexpire_nested_arbitrary_keys = Boolean(True, hidden=True, since="8.0.0")
    lazyfree_lazy_eviction = Boolean(False)
    lazyfree_lazy_expire = Boolean(False)
    lazyfree_lazy_server_del = Boolean(False)
    lazyfree_lazy_user_del = Boolean(False)
    lazyfree_lazy_user_flush = Boolean(False)
    lfu_decay_time = Integer(1, 0, INT_MAX)
    lfu_log_factor = Integer(10, 0, INT_MAX)
    list_compress_depth = Integer(0, 0, INT_MAX)
    list_max_listpack_size = Integer(-2, -INT_MAX - 1, INT_MAX, aliases="list-max-ziplist-size")
    loading_process_events_interval_bytes = Integer(
        512 << 10, 1 << 10, INT_MAX, hidden=True, earlier=("8.0.0", 2 << 20, 1 << 10, INT_MAX)
    )
    locale_collate = Locale(blank=True, since="7.2.0")
    logfile = Text(blank=True, immutable=True)
    loglevel = Choice("notice", "debug verbose notice warning nothing")
    lua_enable_deprecated_api = Boolean(False, immutable=True, hidden=True, since="8.2.0")
    masterauth = Secret()
    masteruser = Text()
    max_new_connections_per_cycle = Integer(10, 1, 1000, unsigned=True, since="7.4.0")
    max_new_tls_connections_per_cycle = Integer(1, 1, 1000, unsigned=True, since="7.4.0")
    lookahead = Integer(16, 1, INT_MAX, since="8.4.0")
    maxclients = Integer(10000, 1, UINT_MAX, unsigned=True)
    maxmemory = MemorySize(0, wide_since="8.4.0")
    maxmemory_clients = MemoryOrPercent(0)
    maxmemory_eviction_tenacity = Integer(10, 0, 100)
    maxmemory_policy = Choice(
        "noeviction",
        "volatile-lru volatile-lfu volatile-random volatile-ttl allkeys-lru allkeys-lfu allkeys-random noeviction",
        later=(
            "8.6.0",
            "volatile-lru volatile-lfu volatile-random volatile-ttl volatile-lrm "
            "allkeys-lru allkeys-lfu allkeys-random allkeys-lrm noeviction",
        ),
    )
    maxmemory_samples = Integer(5, 1, 64, earlier=("7.4.0", 5, 1, INT_MAX))
    min_replicas_max_lag = Integer(10, 0, INT_MAX, aliases="min-slaves-max-lag")
    min_replicas_to_write = Integer(0, 0, INT_MAX, aliases="min-slaves-to-write")
    no_appendfsync_on_rewrite = Boolean(False)
    modules = Modules(immutable=True, hidden=True)
    notify_keyspace_events = NotificationFlags(0)
    oom_score_adj = Choice("no", "no yes relative absolute")
    oom_score_adj_values = OomScores((0, 200, 800))
    pidfile = Text(immutable=True)
    port = Integer(6379, 0, 65535)
    prefetch_batch_max_size = Integer(16, 0, 128, hidden=True, since="8.0.0")
    proc_title_template = TitleTemplate("{title} {listen-addr} {server-mode}", blank=True)
    propagation_error_behavior = Choice("ignore", "ignore panic panic-on-replicas")
    protected_mode = Boolean(True)
    proto_max_bulk_len = MemorySize(512 << 20, 1 << 20, unsigned=False)
    rdb_del_sync_files = Boolean(False)
    rdb_key_save_delay = Integer(0, -INT_MAX - 1, INT_MAX, hidden=True)
    rdb_save_incremental_fsync = Boolean(True)
    rdbchecksum = Boolean(True, immutable=True)
    rdbcompression = Boolean(True)
    repl_backlog_size = MemorySize(1 << 20, 1, unsigned=False, lowest=16 << 10)
    repl_backlog_ttl = Integer(3600, 0, INT64_MAX)
    repl_disable_tcp_nodelay = Boolean(False)
    repl_diskless_load = Choice(
        "disabled",
        "disabled on-empty-db swapdb",
        later=("8.6.0", "disabled on-empty-db swapdb flushdb"),
    )
    repl_diskless_sync = Boolean(True)
    repl_diskless_sync_delay = Integer(5, 0, INT_MAX)
    repl_diskless_sync_max_replicas = Integer(0, 0, INT_MAX)
    repl_ping_replica_period = Integer(10, 1, INT_MAX, aliases="repl-ping-slave-period")
    repl_rdb_channel = Boolean(True, hidden=True, since="8.0.0")
    repl_timeout = Integer(60, 1, INT_MAX)
    replica_announce_ip = Text(aliases="slave-announce-ip")
    replica_announce_port = Integer(0, 0, 65535, aliases="slave-announce-port")
    replica_announced = Boolean(True)
    replica_full_sync_buffer_limit = MemorySize(0, unsigned=False, since="8.0.0")
    replica_ignore_disk_write_errors = Boolean(False)
    replica_ignore_maxmemory = Boolean(True, aliases="slave-ignore-maxmemory")
    replica_lazy_flush = Boolean(False, aliases="slave-lazy-flush")
    replica_priority = Integer(100, 0, INT_MAX, aliases="slave-priority")
    replica_read_only = Boolean(True, aliases="slave-read-only")
    replica_serve_stale_data = Boolean(True, aliases="slave-serve-stale-data")
    replicaof = Master(None, aliases="slaveof", immutable=True)
    requirepass = Secret()
    sanitize_dump_payload = Choice("no", "no yes clients")
    rest_bind = Text("127.0.0.1 -::1", immutable=True, hidden=True)
    rest_database = Text(immutable=True, hidden=True)
    rest_port = Integer(0, 0, 65535, immutable=True, hidden=True)
    rest_readonly_token = Text(immutable=True, hidden=True)
    rest_tls = Boolean(False, immutable=True, hidden=True)
    rest_token = Text(immutable=True, hidden=True)
    save = Save(((3600, 1), (300, 100), (60, 10000)))
    server_cpulist = Text(aliases="server_cpulist", immutable=True, named="7.4.0")
    seed = Text(immutable=True, hidden=True)
    set_max_intset_entries = Integer(512, 0, INT64_MAX, unsigned=True)
    set_max_listpack_entries = Integer(128, 0, INT64_MAX, unsigned=True, since="7.2.0")
    set_max_listpack_value = Integer(64, 0, INT64_MAX, unsigned=True, since="7.2.0")
    set_proc_title = Boolean(True, immutable=True)
    shutdown_on_sigint = ShutdownOptions()
    shutdown_on_sigterm = ShutdownOptions()
    shutdown_timeout = Integer(10, 0, INT_MAX)
    slowlog_log_slower_than = Integer(10000, -1, INT64_MAX)
    slowlog_max_len = Integer(128, 0, INT64_MAX)
    socket_mark_id = Integer(0, 0, UINT_MAX, unsigned=True, immutable=True)
    stop_writes_on_bgsave_error = Boolean(True)
    stream_idmp_duration = Integer(100, 1, 86400, since="8.6.0")
    stream_idmp_maxsize = Integer(100, 1, 10000, since="8.6.0")
    stream_node_max_bytes = MemorySize(4 << 10)
    stream_node_max_entries = Integer(100, 0, INT64_MAX)
    supervised = Choice("no", "upstart systemd auto no", immutable=True)
    syslog_enabled = Boolean(False, immutable=True)
    syslog_facility = Choice("local0", "user local0 local1 local2 local3 local4 local5 local6 local7", immutable=True)
    syslog_ident = Text("redis", blank=True, immutable=True)
    tcp_backlog = Integer(511, 0, INT_MAX, immutable=True)
    tcp_keepalive = Integer(300, 0, INT_MAX)
    timeout = Integer(0, 0, INT_MAX)
    tls_auth_clients = Choice("yes", "no yes optional")
    tls_auth_clients_user = Choice("off", "CN off", since="8.6.0")
    tls_ca_cert_dir = Text()
    tls_ca_cert_file = Text()
    tls_cert_file = Text()
    tls_ciphers = Text()
    tls_ciphersuites = Text()
    tls_client_cert_file = Text()
    tls_client_key_file = Text()
    tls_client_key_file_pass = Text()
    tls_cluster = Boolean(False)
    tls_dh_params_file = Text()
    tls_key_file = Text()
    tls_key_file_pass = Text()
    tls_port = Integer(0, 0, 65535)
    tls_prefer_server_ciphers = Boolean(False)
    tls_protocols = Text()
    tls_replication = Boolean(False)
    tls_session_cache_size = Integer(20 << 10, 0, INT_MAX)
    tls_session_cache_timeout = Integer(300, 0, INT_MAX)
    tls_session_caching = Boolean(True)
    tracking_table_max_keys = Integer(1_000_000, 0, INT64_MAX, unsigned=True)
    ts_chunk_size_bytes = ModuleInteger(4096, 48, 1 << 20, module="timeseries")
    ts_compaction_policy = Compactions(module="timeseries")
    ts_duplicate_policy = Choice("block", "block last first min max sum", module="timeseries")
    ts_encoding = Choice("compressed", "compressed uncompressed", module="timeseries")
    ts_ignore_max_time_diff = ModuleInteger(0, 0, INT64_MAX, module="timeseries")
    ts_ignore_max_val_diff = ModuleNumber(0.0, 0, sys.float_info.max, module="timeseries")
    ts_num_threads = ModuleInteger(3, 1, 16, module="timeseries", immutable=True)
    ts_retention_policy = ModuleInteger(0, 0, INT64_MAX, module="timeseries")
    unixsocket = Text(immutable=True)
    unixsocketperm = Octal(0, 0, 0o777, unsigned=True, immutable=True)
    use_exit_on_panic = Boolean(False, hidden=True)
    vset_force_single_threaded_execution = Boolean(False, since="8.0.0")
    upstash_limits = Boolean(False, immutable=True, hidden=True)
    upstash_strict = Boolean(False, immutable=True, hidden=True)
    watchdog_period = Integer(0, 0, INT_MAX, hidden=True)
    zset_max_listpack_entries = Integer(128, 0, INT64_MAX, unsigned=True, aliases="zset-max-ziplist-entries")
    zset_max_listpack_value = MemorySize(64, aliases="zset-max-ziplist-value")
