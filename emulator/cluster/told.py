"""How the log names nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.cluster.state import Node


def told(node: Node) -> str:
    """The id and in brackets the human name of a node."""
    return f"{node.id.decode('latin-1')} ({node.human_name.decode('utf-8', 'replace')})"
