"""No test depends on how quick the machine is: time is the injected clock, and what comes by itself has a minute."""

import ast
from pathlib import Path

import pytest

_CLOCKS = ("time", "monotonic", "perf_counter", "process_time", "thread_time")
_READING = frozenset(name + unit for name in _CLOCKS for unit in ("", "_ns"))
_TESTS = sorted(Path(__file__).parent.glob("test_*.py"))


def clocks_read(source):
    """The names by which a module asks the machine for the time."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "time":
            yield from _READING & {node.attr}
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from _READING & {name.name for name in node.names}


@pytest.mark.parametrize("path", _TESTS, ids=lambda path: path.stem)
def test_no_test_asks_how_long_something_took(path):
    assert list(clocks_read(path.read_text(encoding="utf-8"))) == []


def test_clocks_are_found():
    assert list(clocks_read("import time\nfrom time import perf_counter, sleep\ntime.monotonic_ns()")) == [
        "perf_counter",
        "monotonic_ns",
    ]
