"""The commands of the module timeseries, by what they do, and its type."""

from emulator.modules.timeseries import types  # noqa: F401
from emulator.modules.timeseries.commands import reading, rules, several, writing  # noqa: F401
