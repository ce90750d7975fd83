"""A pure-Python, in-memory Redis 8.2: the engine, its network server and what tests need round it."""

from emulator.version import __version__

__all__ = ["__version__"]
