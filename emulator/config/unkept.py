"""What a configuration asks for and does not get: said in the log, one line for each directive, instead of kept silent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from emulator.config.directives import Config

_NO_PLACE: Final = "processes and threads stay where the system puts them"

REASONS: Final = {
    "activedefrag": "memory is not defragmented",
    "io-threads": "one thread does all the work",
    "oom-score-adj": "the system's out-of-memory score is left alone",
    "supervised": "no supervisor is notified",
    "syslog-enabled": "nothing is sent to the system log",
    "tls-ciphersuites": "the cipher suites of TLS 1.3 cannot be chosen",
    "server_cpulist": _NO_PLACE,
    "bio_cpulist": _NO_PLACE,
    "aof_rewrite_cpulist": _NO_PLACE,
    "bgsave_cpulist": _NO_PLACE,
}
"""Why a directive, by a name that every edition knows, has no effect where it is not at its default."""
_REST: Final = ("rest-port", "cloud-port")
_CLOUD: Final = ("cloud-port",)
_NEEDS: Final = {
    "rest-token": _REST,
    "rest-readonly-token": _REST,
    "rest-database": _REST,
    "rest-tls": _REST,
    "upstash-limits": _REST,
    "upstash-strict": _REST,
    "cloud-account": _CLOUD,
    "cloud-readonly-key": _CLOUD,
    "cloud-dir": _CLOUD,
    "cloud-proxy": _CLOUD,
    "cloud-regions": _CLOUD,
    "cloud-lag": _CLOUD,
    "backup-daily": ("backup-dir",),
}
"""Directives that have no effect where none of these others is there."""


def warnings(config: Config) -> list[str]:
    """A line for each directive that has no effect."""
    lines = [warning(config, name) for name in REASONS]
    lines += [_missing(config, name, needed) for name, needed in _NEEDS.items()]
    return [line for line in lines if line is not None]


def _missing(config: Config, name: str, needed: Sequence[str]) -> str | None:
    """The line for a directive that needs another one; None where it asks for nothing or has that."""
    if not _is_given(config, name) or any(_is_given(config, other) for other in needed):
        return None
    return f"WARNING: '{name}' has no effect without '{needed[0]}'"


def _is_given(config: Config, name: str) -> bool:
    directive = config.directives[name]
    return bool(getattr(config, directive.attribute) != directive.default)


def warning(config: Config, name: str) -> str | None:
    """The line for one directive; None where it asks for nothing."""
    if not _is_given(config, name):
        return None
    return f"WARNING: '{config.directives[name].name}' has no effect: {REASONS[name]}"
