"""Counters that INFO reports and CONFIG RESETSTAT sets back."""

from __future__ import annotations

from typing import Final

_SPACES: Final = str.maketrans("\r\n", "  ")
_MOST_CODES: Final = 128
_DISABLED: Final = "ERRORSTATS_DISABLED"
_OVERFLOW: Final = "ERRORSTATS_OVERFLOW"


class Stats:
    """The counters of INFO's sections stats and errorstats.

    Scripts make up codes of errors: beyond 128 of them Redis tells none any more, while Valkey counts others together, where
    `overflows`.
    """

    __slots__ = (
        "_overflows",
        "_tells_codes",
        "acl_denied",
        "commands_processed",
        "connections_received",
        "errors",
        "evicted_clients",
        "evicted_keys",
        "expired_fields",
        "expired_fields_active",
        "expired_keys",
        "expired_keys_active",
        "keyspace_hits",
        "keyspace_misses",
        "lazily_freed",
        "net_input_bytes",
        "net_output_bytes",
        "output_limit_disconnections",
        "peak_memory",
        "peak_moment",
        "query_limit_disconnections",
        "reads",
        "rejected_connections",
        "total_error_replies",
        "unexpected_errors",
        "writes",
    )

    def __init__(self, overflows: bool = False) -> None:
        self._overflows = overflows
        self.reset()

    def reset(self) -> None:
        """Set every counter back to zero."""
        self.commands_processed = self.connections_received = self.rejected_connections = 0
        self.net_input_bytes = self.net_output_bytes = self.reads = self.writes = 0
        self.keyspace_hits = self.keyspace_misses = self.lazily_freed = 0
        self.expired_keys_active = self.expired_fields_active = 0
        self.expired_keys = self.expired_fields = self.evicted_keys = self.evicted_clients = 0
        self.output_limit_disconnections = self.query_limit_disconnections = 0
        self.total_error_replies = self.unexpected_errors = 0
        self.errors: dict[str, int] = {}
        self._tells_codes = True
        self.peak_memory = self.peak_moment = 0
        self.acl_denied = {b"auth": 0, b"command": 0, b"key": 0, b"channel": 0, b"database": 0}

    def count_error(self, text: str) -> None:
        """Count an error reply by its code, which is ``ERR`` where the text does not begin with one."""
        self.total_error_replies += 1
        code, space, _ = text.rstrip("\r\n")[:31].translate(_SPACES).partition(" ")
        if not space:
            code = "ERR"
        errors = self.errors
        if code not in errors and len(errors) >= _MOST_CODES:
            if self._overflows:
                code = _OVERFLOW
            else:
                self.errors, self._tells_codes = {_DISABLED: 1}, False
        if self._tells_codes:
            errors[code] = errors.get(code, 0) + 1
