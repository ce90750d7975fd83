"""An import goes down the staircase or sideways, never up (ARCHITECTURE.md, "Layers")."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "emulator"

GROUND = (
    "protocol",
    "datatypes",
    "clock",
    "version",
    "_version",
    "glob",
    "partial_sort",
    "suggestions",
    "system",
    "wall",
)
TABLES = ("commands", "commands.registry", "commands.keyspec")
SUBSYSTEMS = (
    *TABLES,
    "acl",
    "blocking",
    "client_info",
    "client_memory",
    "reply_buffer",
    "rates",
    "digest",
    "config",
    "configuration",
    "effects",
    "eviction",
    "expiry",
    "faults",
    "frequency",
    "keyspace",
    "keyspaces",
    "latency",
    "lazyfree",
    "log",
    "memory",
    "monitor",
    "notifications",
    "pause",
    "persistence",
    "propagation",
    "pubsub",
    "recording",
    "renewal",
    "slowlog",
    "snapshots",
    "stats",
    "tracking",
    "weight",
)
CORE = ("engine", "session", "dispatch", "commands.table", "scripting")
SHELL = ("server", "connection", "driver", "flow_control", "listeners", "nested_loop", "rest", "tls", "unkept")
WAYS_IN = (
    "",
    "__main__",
    "any_loop",
    "cli",
    "client",
    "daemon",
    "embedded",
    "handles",
    "local",
    "options",
    "places",
    "pytest_marker",
    "pytest_plugin",
    "pytest_redis_compat",
    "redis_py",
    "remote",
    "replay",
    "settings",
    "watch",
)


def layer_of(module: str) -> int:
    """The layer of a module named relative to the package."""
    for number, names in enumerate((GROUND, SUBSYSTEMS, (), CORE, SHELL, WAYS_IN)):
        if module in names or module.partition(".")[0] in {name for name in names if "." not in name} - {"commands"}:
            return number
    if module.startswith("commands."):
        return 2
    raise AssertionError(f"{module} has no layer: enter it in tests/test_layers.py and in ARCHITECTURE.md")


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path: Path):
    """Names imported at run time (not under TYPE_CHECKING), relative to the package."""
    tree = ast.parse(path.read_text())
    for_types = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for_types.update(id(inner) for inner in ast.walk(node))
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "emulator":
            base = node.module.partition(".")[2]
            for alias in node.names:
                inner = f"{base}.{alias.name}".lstrip(".")
                is_module = (PACKAGE / inner.replace(".", "/")).with_suffix(".py").exists()
                yield inner if is_module else base
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] == "emulator":
                    yield alias.name.partition(".")[2]


@pytest.mark.parametrize(("module", "path"), list(modules()))
def test_no_import_goes_up(module, path):
    own = layer_of(module)
    for imported in imports(path):
        if module == "commands.table":
            continue
        assert layer_of(imported) <= own, f"{module or 'emulator'} (layer {own}) imports {imported}"


def test_the_ground_knows_nothing_of_asyncio():
    for module, path in modules():
        if layer_of(module) <= 3:
            assert "import asyncio" not in path.read_text(), f"{module} must not know of an event loop"


def test_the_links_at_the_top_point_into_the_package():
    for name in ("protocol", "commands"):
        link = ROOT / name
        assert link.is_symlink()
        assert link.readlink() == Path("emulator") / name


def test_the_conformance_suite_knows_servers_by_their_sockets_only():
    for path in (ROOT / "conformance").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names.append(node.module or "")
            assert not [name for name in names if name.split(".")[0] == "emulator"], path
