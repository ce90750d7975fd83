"""Versions: this distribution's own and the Redis it stands in for."""

from typing import Any

__version__ = "0.1.0"

REDIS_VERSION = "8.2.3"
REDIS_VERSION_NUM = 0x00080203

MODULES: tuple[dict[bytes, Any], ...] = ({b"name": b"vectorset", b"ver": 1, b"path": b"", b"args": []},)
"""What Redis 8 has built in and yet calls a module."""
