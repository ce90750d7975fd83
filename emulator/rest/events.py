"""Server-sent events: ``data: message,channel,payload``, ended by a bare empty line."""

from __future__ import annotations

from emulator.protocol.replies import Push


def event(line: bytes) -> bytes:
    """A server-sent event; a line break within begins another line of data."""
    lines = line.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    return b"".join([b"data: %b\n" % part for part in lines]) + b"\n"


def push_event(push: Push) -> bytes:
    """What a subscription has to say: kind, channel and payload, joined by commas."""
    return event(b",".join([part if isinstance(part, bytes) else str(part).encode() for part in push]))


def monitor_event(line: bytes) -> bytes:
    """``"OK"`` in the beginning, then a line for each command."""
    return event(b'"OK"' if line == b"OK" else line)
