"""Versions: this distribution's own and the Redis it stands in for."""

from typing import Any

try:
    from emulator._version import __version__ as __version__
except ImportError:  # a tree that was never installed or built
    __version__ = "0+unknown"

REDIS_VERSION = "8.2.3"
REDIS_VERSION_NUM = 0x00080203

MODULES: tuple[dict[bytes, Any], ...] = ({b"name": b"vectorset", b"ver": 1, b"path": b"", b"args": []},)
"""What Redis 8 has built in and yet calls a module."""
