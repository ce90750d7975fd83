"""``--stat``: a line of figures about the server every so often."""

from __future__ import annotations

import re
import time
from itertools import count

from emulator.cli.conversation import Conversation, Failed
from emulator.protocol.errors import CommandError

_LINES_BELOW_A_HEAD = 20
_HEAD = (
    "------- data ------ --------------------- load -------------------- - child -\n"
    "keys       mem      clients blocked requests            connections          \n"
)
_CHILDREN = {
    "rdb_bgsave_in_progress": "SAVE",
    "aof_rewrite_in_progress": "AOF",
    "loading": "LOAD",
}


def show_statistics(conversation: Conversation) -> int:
    """Print figures until somebody ends the program."""
    connection = conversation.connection
    assert connection is not None
    requests = 0
    for line in count():
        answer = connection.ask([b"INFO"])
        if isinstance(answer, CommandError):
            raise Failed(f"ERROR: {answer}")
        figures = dict(line.split(":", 1) for line in answer.decode("utf-8", "replace").splitlines() if ":" in line)
        before, requests = requests, int(figures.get("total_commands_processed", 0))
        head = "" if line % _LINES_BELOW_A_HEAD else _HEAD
        conversation.write((head + _row(figures, requests, requests - before if line else 0)).encode())
        time.sleep(conversation.options.interval or 1)
    return 0


def _row(figures: dict[str, str], requests: int, more: int) -> str:
    keys = sum(int(found[1]) for name in figures if (found := re.match(r"keys=(\d+)", figures[name])))
    child = "".join(word for name, word in _CHILDREN.items() if figures.get(name, "0") != "0")
    columns = (
        f"{keys:<11}",
        f"{_short(int(figures.get('used_memory', 0))):<9}",
        f"{figures.get('connected_clients', ''):<8}",
        f"{figures.get('blocked_clients', ''):<8}",
        f"{f'{requests} (+{more})':<20}",
        f"{figures.get('total_connections_received', ''):<12}",
        child,
    )
    return "".join(columns) + "\n"


def _short(size: int) -> str:
    """A number of bytes with a unit."""
    if size < 1024:
        return f"{size}B"
    unit = "K" if size < 1 << 20 else "M" if size < 1 << 30 else "G"
    return f"{size / {'K': 1 << 10, 'M': 1 << 20, 'G': 1 << 30}[unit]:.2f}{unit}"
