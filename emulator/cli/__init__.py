"""A redis-cli, for where there is no other: ``python -m emulator.cli [options] [command ...]``.

Its options, its answers and its exit codes are those of Redis's own; what is not there says so.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Run the program; its exit status."""
    import signal

    signal.signal(
        signal.SIGINT, signal.SIG_DFL
    )  # Ctrl-C ends it, without a word, until there is a prompt to go back to
    from emulator.cli.program import run

    return run(arguments)
