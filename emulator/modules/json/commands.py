"""The commands of JSON: importing this module imports each group, and the type."""

from emulator.modules.json import arrays, getting, scalars, setting, sizes, whole  # noqa: F401
