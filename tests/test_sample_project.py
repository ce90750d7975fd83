"""A project as users have them, tested with the plugin as they do it: alone, by two workers, and against a real server."""

import shutil

import pytest

from conformance import servers
from tests.test_pytest_plugin import ROOT, pytest_on

BESIDE = ("anyio", "xdist")


@pytest.fixture
def project(tmp_path):
    pytest.importorskip("fastapi")
    pytest.importorskip("httpx")
    return shutil.copytree(ROOT / "tests" / "sample_project", tmp_path / "project")


@pytest.mark.parametrize(
    "options",
    [[], ["-n", "2"], ["-n", "2", "--redis-emulator-keyspaces=test"], ["--redis-emulator-strict", "-k", "listens"]],
    ids=["alone", "two workers", "a keyspace for each test", "strict"],
)
def test_by_the_plugin(project, options):
    if "-n" in options:
        pytest.importorskip("xdist")
    output, status = pytest_on(project, *options, beside=BESIDE)
    if "--redis-emulator-strict" in options:  # the stock has no expiry, and the report says so
        assert status == 1 and "keys without an expiry" in output, output
    else:
        assert status == 0 and "7 passed" in output, output


def test_against_a_real_server(project):
    try:
        with servers.oracle() as (host, port):
            output, status = pytest_on(project, f"--redis-emulator-url=redis://{host}:{port}", beside=BESIDE)
    except servers.NoOracle as error:
        pytest.skip(str(error))
    assert status == 0 and "7 passed" in output, output
