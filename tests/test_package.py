"""What is installed: one package, `emulator`, and where pytest finds the plugin; it works outside the checkout."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
VERSION = "1.2.3"


def built(folder, version):
    """The wheel of a tree without tags, which is told its version, as when the image is built, or with "" is not."""
    left_out = shutil.ignore_patterns(
        ".git", ".*_cache", ".venv", "__pycache__", "_version.py", "build", "dist", "site"
    )
    tree = shutil.copytree(ROOT, folder / "tree", symlinks=True, ignore=left_out)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(tree)]
    subprocess.run(command, check=True, env=os.environ | {"SETUPTOOLS_SCM_PRETEND_VERSION": version})
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return built(tmp_path_factory.mktemp("wheel"), VERSION)


def test_the_wheel_holds_emulator_and_the_way_in_for_pytest(wheel):
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
        names = set(archive.namelist())
    assert {top for top in tops if not top.endswith(".dist-info")} == {"emulator", "redis_emulator_pytest.py"}
    assert {"emulator/protocol/parser.py", "emulator/commands/string.py", "emulator/py.typed"} <= names


def test_its_page_on_pypi_has_no_link_that_leads_nowhere(wheel):
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"redis_emulator-{VERSION}.dist-info/METADATA").decode()
    links = re.findall(r"\]\(([^)]+)\)", metadata)
    assert links and all(link.startswith("https://") for link in links)


def test_a_tree_that_is_told_no_version_has_one_before_every_release(tmp_path):
    assert built(tmp_path, "").name == "redis_emulator-0.1.0.dev0-py3-none-any.whl"


def test_every_python_that_is_named_is_tested():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [line.rpartition(" ")[2] for line in project["classifiers"] if re.search(r"Python :: 3\.\d", line)]
    (tested,) = re.findall(r"python: (\[.*\])", (ROOT / ".github" / "workflows" / "test.yml").read_text())
    assert tested == str(named).replace("'", '"')


def test_it_runs_outside_the_checkout(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    command = [sys.executable, "-m", "emulator", "--version"]
    output = subprocess.run(command, check=True, cwd=tmp_path, env=environment, capture_output=True, text=True).stdout
    assert output.startswith(f"Redis server v=8.2.3 (redis-emulator {VERSION})")
    program = "import redis_emulator_pytest as way_in; print(way_in.pytest_plugins)"
    output = subprocess.run(
        [sys.executable, "-c", program], check=True, cwd=tmp_path, env=environment, capture_output=True, text=True
    ).stdout
    assert output == "['emulator.pytest_plugin']\n"
