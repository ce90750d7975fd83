"""Rooms and the arrows between them: an import goes down the list of rooms or sideways, never up (ARCHITECTURE.md)."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "emulator"

ROOMS = (
    "ground",
    "protocol",
    "wall",
    "datatypes",
    "config",
    "rdb",
    "stats",
    "table",
    "acl",
    "clients",
    "keyspace",
    "controls",
    "scripting",
    "persistence",
    "replication",
    "cluster",
    "commands",
    "modules",
    "sentinel",
    "core",
    "sockets",
    "rest",
    "server",
    "testing",
    "cli",
    "ways in",
)
"""The folders of the package, the lowest first; the modules at its root are the ground, the wall or the ways in."""

GROUND = frozenset(("_version", "clock", "lua", "suggestions", "system", "version"))

WITHOUT_A_LOOP = ROOMS[: ROOMS.index("sockets")]

MOST_AT_THE_ROOT = 14
MOST_LINES = 500
MOST_TYPES_UP = 10
"""Pairs of a room's module and one above it that it names for its types only."""


def room_of(module: str) -> str:
    """The room of a module named relative to the package."""
    top = module.partition(".")[0]
    if top in GROUND:
        return "ground"
    if top == "wall":
        return top
    if (PACKAGE / top).is_dir() and top:
        assert top in ROOMS, f"{top} is no room yet: enter it in tests/test_layers.py and in ARCHITECTURE.md"
        return top
    return "ways in"


def floor_of(module: str) -> int:
    return ROOMS.index(room_of(module))


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def is_module(name: str) -> bool:
    path = PACKAGE / name.replace(".", "/")
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


@cache
def statements(path: Path) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """The imports of a file that are done at run time, and those under TYPE_CHECKING; looked for once for all tests."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    typed = set()
    for node in nodes:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            typed.update(id(inner) for inner in ast.walk(node))
    found = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    return [node for node in found if id(node) not in typed], [node for node in found if id(node) in typed]


def imports(path: Path, for_types: bool = False):
    """Names imported at run time, or under TYPE_CHECKING, relative to the package."""
    for node in statements(path)[for_types]:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "emulator":
            base = node.module.partition(".")[2]
            for alias in node.names:
                inner = f"{base}.{alias.name}".lstrip(".")
                yield inner if is_module(inner) else base
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] == "emulator":
                    yield alias.name.partition(".")[2]


def test_no_import_goes_up():
    for module, path in modules():
        for imported in imports(path):
            assert floor_of(imported) <= floor_of(module), f"{module or 'emulator'} imports {imported}"


def test_few_types_are_named_from_above():
    up = {
        (module, imported)
        for module, path in modules()
        for imported in imports(path, for_types=True)
        if floor_of(imported) > floor_of(module)
    }
    assert len(up) <= MOST_TYPES_UP, sorted(up)


def test_the_architecture_names_every_room():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    missing = [room for room in ROOMS if room not in ("ground", "wall", "ways in") and f"`{room}/`" not in text]
    assert not missing


def test_the_root_holds_what_users_import_or_run():
    assert len(list(PACKAGE.glob("*.py"))) <= MOST_AT_THE_ROOT


def test_no_file_is_too_long():
    for module, path in modules():
        lines = [line for line in path.read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")]
        assert len(lines) <= MOST_LINES, module


def test_the_engine_knows_nothing_of_asyncio():
    for module, path in modules():
        if room_of(module) in WITHOUT_A_LOOP:
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
