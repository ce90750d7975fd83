"""The service's own addresses, as applications have them: by the proxy, and by the preload where Node knows no proxies."""

import json

import pytest

import emulator
from tests import node
from tests.cloud import SETTINGS, Management

pytest.importorskip("h11")

KNOWS_PROXIES = (24,)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return node.install(tmp_path_factory.mktemp("production"), "@upstash/redis@1.39.0", "@upstash/cli@1.0.2")


@pytest.fixture(scope="module", params=["preload", "proxy"])
def place(request, folder):
    """A server with its management API, and the environment that it tells."""
    way = {"cloud_domain": "upstash.io"}
    if request.param == "proxy":
        pytest.importorskip("trustme")
        if node.version() < KNOWS_PROXIES:
            pytest.skip("needs Node 24: an older one takes the preload")
        way = {"cloud_proxy": "auto"}
    with emulator.Server(**SETTINGS, **way) as server:
        lines = dict(line.split("=", 1) for line in server.run(lambda _: server._server.cloud.lines))
        yield Management(server.cloud_url), lines | {"UPSTASH_CONFIG_HOME": str(folder / "config")}


def test_the_sdk(place, folder):
    cloud, environ = place
    made = cloud.create()
    assert made["endpoint"].endswith(".upstash.io")
    url = f"https://{made['endpoint']}"
    found = node.run(folder, "upstash/production.mjs", url, made["rest_token"], environ=environ)
    assert found == ["OK", {"a": "é"}, [1, 2], [3, 3], {"hello": "there"}, [{"a": "é"}, None]]


def test_the_command_line(place, folder):
    cloud, environ = place
    made = cloud.create()
    url = f"https://{made['endpoint']}"
    for words, expected in [
        (("redis", "get", "--db-id", made["database_id"]), made["endpoint"]),
        (("redis", "exec", "--db-url", url, "--db-token", made["rest_token"], "PING"), "PONG"),
    ]:
        status, out, err = node.call(folder, "@upstash/cli/dist/cli.js", *words, environ=environ)
        assert status == 0, err
        assert expected in json.loads(out).values()
