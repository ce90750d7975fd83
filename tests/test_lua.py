"""Lua beside other Luas of the same process."""

import subprocess
import sys

import pytest

PROGRAM = """
import lupa
with lupa.allow_lua_module_loading():
    from lupa import {build}
import emulator
from emulator.lua import is_quick
assert is_quick()
assert emulator.connect().eval("return _VERSION", 0) == b"Lua 5.1"
"""


@pytest.mark.parametrize("build", ["lua51", "lua54", "luajit20"])
def test_a_build_that_is_open_to_the_whole_process_changes_nothing(build):
    pytest.importorskip("lupa.luajit21")
    pytest.importorskip(f"lupa.{build}")
    subprocess.run([sys.executable, "-c", PROGRAM.format(build=build)], check=True)
