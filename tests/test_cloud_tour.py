"""The tour of docs/cloud.md, as it stands there: a database by the command line, used, broken and restored."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.servers import free_port
from tests import node

pytest.importorskip("h11")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="the tour is for a shell")

PAGE = Path(__file__).parent.parent / "docs" / "cloud.md"


def tour():
    """The commands of the page's section."""
    section = re.search(r"^## A tour$(.*?)^## ", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return "\n".join(re.findall(r"```sh\n(.*?)```", section[1], re.DOTALL))


def test_the_tour(tmp_path):
    node.install(tmp_path, "@upstash/cli@1.0.2", "@upstash/redis@1.39.0")
    port = free_port()
    script = tour().replace("--daemonize yes", f"--daemonize yes --save '' --port {port}")
    for number in ("8079", "8080"):
        script = script.replace(number, str(free_port()))
    path = os.pathsep.join(
        (str(tmp_path / "node_modules" / ".bin"), str(Path(sys.executable).parent), os.environ["PATH"])
    )
    try:
        done = subprocess.run(
            ["sh", "-e", "-c", script],
            cwd=tmp_path,
            env=os.environ | {"PATH": path, "UPSTASH_CONFIG_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    finally:
        subprocess.run([sys.executable, "-m", "emulator.cli", "-p", str(port), "SHUTDOWN", "NOSAVE"], check=False)
    assert done.returncode == 0, done.stderr
    assert re.findall('"result": "42"|five minutes ago: .*', done.stdout) == ['"result": "42"', "five minutes ago: 42"]
