"""Clients of redis-py in this process, where users find them: see `emulator.testing.client`."""

from emulator.testing.client import (
    AsyncLocalConnection,
    AsyncRedis,
    LocalConnection,
    LocalPool,
    Redis,
    StrictRedis,
    aconnect,
    connect,
)

__all__ = [
    "AsyncLocalConnection",
    "AsyncRedis",
    "LocalConnection",
    "LocalPool",
    "Redis",
    "StrictRedis",
    "aconnect",
    "connect",
]
