"""Programs of Node with packages from npm; tests that need them are skipped visibly where there is no Node or no npm."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from conformance.oracles import CACHE, keep


def install(folder: Path, *packages: str) -> Path:
    """The folder with these packages for programs in it; they are kept for the next run, as the real servers are."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("needs Node")
    kept = CACHE / "npm" / "+".join(packages).replace("/", "-")
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as parts:
            made = Path(parts, "made")
            command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(made), *packages]
            installed = subprocess.run(command, capture_output=True, text=True, check=False)
            if installed.returncode:
                pytest.skip(f"npm cannot install {packages}: {installed.stderr[-500:]}")
            keep(made, kept)
    (folder / "node_modules").symlink_to(kept / "node_modules")
    return folder


def version() -> tuple[int, ...]:
    """The version of Node; empty where there is none."""
    node = shutil.which("node")
    told = (
        "" if node is None else subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    )
    return tuple(map(int, told.strip().removeprefix("v").split("."))) if told else ()


def run(folder: Path, program: str, *arguments: object, environ: dict[str, str] | None = None) -> object:
    """What a program, named below this folder, prints as JSON."""
    path = Path(__file__).parent / program
    shutil.copy(path, folder)
    done = subprocess.run(
        ["node", path.name, *map(str, arguments)],
        cwd=folder,
        env=os.environ | (environ or {}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def call(folder: Path, script: str, *arguments: str, environ: dict[str, str]) -> tuple[int, str, str]:
    """Status, output and errors of a script of an installed package, named below ``node_modules``."""
    command = ["node", str(folder / "node_modules" / script), *arguments]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environ, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout, done.stderr
