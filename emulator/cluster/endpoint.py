"""Under which address clients are to reach a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from emulator.cluster.state import Node

_NO_HOSTNAME: Final = b"?"


def endpoint(node: Node, preferred: str) -> bytes:
    """The address of a node by ``cluster-preferred-endpoint-type``, empty where clients are to use the one that they have."""
    if preferred == "hostname":
        return node.hostname or _NO_HOSTNAME
    return node.ip if preferred == "ip" else b""
