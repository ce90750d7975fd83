"""What scripts and functions declare of themselves: their flags, and the shebang line that has those of a script."""

from __future__ import annotations

from typing import Final

from emulator.protocol.errors import CommandError, as_text
from emulator.protocol.inline import split_inline

NO_WRITES: Final = b"no-writes"
ALLOW_OOM: Final = b"allow-oom"
NO_CLUSTER: Final = b"no-cluster"
CROSS_SLOT: Final = b"allow-cross-slot-keys"
FLAGS: Final = frozenset((NO_WRITES, ALLOW_OOM, b"allow-stale", NO_CLUSTER, CROSS_SLOT))
KEY_LOCKING: Final = b"allow-key-locking"
"""A flag of Upstash's: the script uses no keys but those that it was given."""
READ_ONLY_ONLY: Final = "ERR Can not execute a script with write flag using *_ro command."
"""The error of EVAL_RO and FCALL_RO for what may write."""


def read_shebang(
    source: bytes, allowed: frozenset[bytes], unknown_engine: str = ""
) -> tuple[bytes, frozenset[bytes] | None]:
    """The code without its shebang line (which still counts as a line), and the flags of that line; None where there is none.

    Raises `CommandError` for a line that is not understood.
    """
    if not source.startswith(b"#!"):
        return source, None
    line, newline, _ = source.partition(b"\n")
    if not newline:
        raise CommandError("ERR Invalid script shebang")
    words = split_inline(line)
    if not words:
        raise CommandError("ERR Invalid engine in script shebang")
    engine, *options = words
    if engine != b"#!lua":
        raise CommandError(unknown_engine.format(as_text(engine[2:])))
    flags: set[bytes] = set()
    for option in options:
        if not option.startswith(b"flags="):
            raise CommandError(f"ERR Unknown lua shebang option: {as_text(option)}")
        named = option.removeprefix(b"flags=")
        for flag in named.split(b",") if named else ():
            if flag not in allowed:
                raise CommandError(f"ERR Unexpected flag in script shebang: {as_text(flag)}")
            flags.add(flag)
    return source[len(line) :], frozenset(flags)
