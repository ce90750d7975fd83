"""What a configuration asks for and does not get: said in the log, one line for each directive, instead of kept silent."""

from __future__ import annotations

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


def warnings(config: Config) -> list[str]:
    """A line for each directive that has no effect."""
    return [line for name in REASONS if (line := warning(config, name)) is not None]


def warning(config: Config, name: str) -> str | None:
    """The line for one directive; None where it asks for nothing."""
    directive = config.directives[name]
    value = getattr(config, directive.attribute)
    return f"WARNING: '{directive.name}' has no effect: {REASONS[name]}" if value != directive.default else None
