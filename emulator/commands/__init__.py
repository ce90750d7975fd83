"""The commands, one module for each of Redis's groups.  Importing this package fills the table."""

from emulator.commands import client, connection, string
from emulator.commands.registry import table

__all__ = ["client", "connection", "string", "table"]
