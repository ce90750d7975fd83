"""Where pytest finds the plugin, which is `emulator.pytest_plugin`.

The name is one that no project has: where a project's own package is called ``emulator``, pytest starts nevertheless,
without our fixtures, and is told why.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_OURS = Path(__file__).resolve().parent / "emulator"
_SOURCES = ("emulator/__init__.py", "emulator.py", "src/emulator/__init__.py")
"""Where a project may have it that pytest does not see yet."""


def _other() -> Path | None:
    """A package ``emulator`` that is not ours and comes first, or will; nothing is imported."""
    spec = find_spec("emulator")
    found = [Path(spec.origin)] if spec is not None and spec.origin else []
    found += [path for name in _SOURCES if (path := Path.cwd() / name).exists()]
    return next((path for path in found if path.resolve().parent != _OURS), None)


_OTHER = _other()

if _OTHER is None:
    pytest_plugins = ["emulator.pytest_plugin"]
else:

    def pytest_terminal_summary(terminalreporter: "pytest.TerminalReporter") -> None:
        terminalreporter.write_line(
            f"redis-emulator: no fixtures here, since {_OTHER} hides the package 'emulator' that has them "
            "(-p no:redis-emulator)"
        )
