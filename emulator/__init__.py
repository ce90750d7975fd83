"""A pure-Python, in-memory Redis 8.2: the engine, its network server and what tests need round it.

`connect` and `aconnect` give clients of redis-py on an engine of this process; `Local` is such an engine, `Server` one that
listens on a port, `Sentinel` several that watch one another, `Cluster` several that divide the keys. `Redis` and `AsyncRedis`
are redis-py's classes in this process, to be patched in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.version import __version__

if TYPE_CHECKING:
    from emulator.testing.client import AsyncRedis, Redis, StrictRedis, aconnect, connect
    from emulator.testing.cluster import Cluster
    from emulator.testing.embedded import Server
    from emulator.testing.local import Local
    from emulator.testing.places import forget
    from emulator.testing.sentinel import Sentinel

__all__ = [
    "AsyncRedis",
    "Cluster",
    "Local",
    "Redis",
    "Sentinel",
    "Server",
    "StrictRedis",
    "__version__",
    "aconnect",
    "connect",
    "forget",
]

_PLACES = {
    "AsyncRedis": "emulator.testing.client",
    "Cluster": "emulator.testing.cluster",
    "Local": "emulator.testing.local",
    "Redis": "emulator.testing.client",
    "Sentinel": "emulator.testing.sentinel",
    "Server": "emulator.testing.embedded",
    "StrictRedis": "emulator.testing.client",
    "aconnect": "emulator.testing.client",
    "connect": "emulator.testing.client",
    "forget": "emulator.testing.places",
}


def __getattr__(name: str) -> Any:
    """What is offered here is imported when it is first asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module 'emulator' has no attribute {name!r}")
    import gc
    from importlib import import_module

    collects = gc.isenabled()
    gc.disable()  # nothing of what is imported is garbage; among all the objects of pytest it would take 40 % longer
    try:
        return getattr(import_module(_PLACES[name]), name)
    finally:
        if collects:
            gc.enable()
