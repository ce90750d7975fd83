"""What the operating system has: forks and unix sockets, which Windows lacks, and free ports."""

from __future__ import annotations

import os
import socket
import sys

NO_FORK = "this system cannot put a server in the background (it has no fork): start it without --daemonize"
NO_UNIX_SOCKETS = "there are no unix sockets on this system: use a port"


def has_fork() -> bool:
    """Whether a process can go on as two."""
    return hasattr(os, "fork")


def has_unix_sockets() -> bool:
    """Whether an event loop can serve and use unix sockets."""
    return hasattr(socket, "AF_UNIX") and sys.platform != "win32"


def free_port() -> int:
    """A TCP port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def hush(*descriptors: int) -> None:
    """Let what is written to these descriptors go nowhere, and nothing come from them."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(null, descriptor)
    os.close(null)
