"""The commands of the module bf, a module for each type, and their types."""

from emulator.modules.bloom import types  # noqa: F401
from emulator.modules.bloom.commands import bf, cf, cms, tdigest, topk  # noqa: F401
