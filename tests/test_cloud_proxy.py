"""The proxy: unmodified clients that know only the service's own names, and what it refuses."""

import json
import socket
import ssl

import httpx
import pytest
from upstash_redis import Redis

import emulator
from tests.cloud import EMAIL, KEY, NEW, SETTINGS

pytest.importorskip("h11")
pytest.importorskip("trustme")


@pytest.fixture(scope="module")
def server():
    with emulator.Server(cloud_proxy="auto", **SETTINGS) as server:
        yield server


@pytest.fixture(scope="module")
def environ(server):
    return dict(line.split("=", 1) for line in server.run(lambda _: server._server.cloud.lines))


@pytest.fixture
def client(environ):
    trusted = ssl.create_default_context(cafile=environ["SSL_CERT_FILE"])
    with httpx.Client(proxy=environ["HTTPS_PROXY"], verify=trusted, auth=(EMAIL, KEY)) as client:
        yield client


@pytest.fixture
def ask(environ):
    """The first line that the proxy answers to some bytes, and whether it hangs up then."""

    def ask(data):
        address = environ["HTTPS_PROXY"].removeprefix("http://").split(":")
        with socket.create_connection(address, 10) as connection:
            connection.sendall(data)
            with connection.makefile("rb") as file:
                return file.readline().decode().strip()

    return ask


def bearing(database):
    return {"Authorization": f"Bearer {database['rest_token']}"}


def test_the_service_by_its_own_names(client):
    made = client.post("https://api.upstash.com/v2/redis/database", json=NEW).json()
    assert made["endpoint"].endswith(".upstash.io")
    answer = client.post(f"https://{made['endpoint']}", json=["SET", "k", "v"], headers=bearing(made), auth=None)
    assert (answer.status_code, answer.json()) == (200, {"result": "OK"})
    page = client.post("https://upstash.com/start-redis", headers={"Idempotency-Key": "k"})
    assert "UPSTASH_REDIS_REST_URL=https://" in page.text


def test_an_unmodified_sdk(client, environ, monkeypatch):
    made = client.post("https://api.upstash.com/v2/redis/database", json=NEW).json()
    for name in ("HTTPS_PROXY", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, environ[name])
    redis = Redis(url=f"https://{made['endpoint']}", token=made["rest_token"])
    assert redis.set("k", "v") is True
    assert redis.get("k") == "v"


def test_a_large_body_and_many_requests_by_one_connection(client):
    made = client.post("https://api.upstash.com/v2/redis/database", json=NEW).json()
    value = "x" * 3_000_000
    assert client.post(
        f"https://{made['endpoint']}", json=["SET", "k", value], headers=bearing(made), auth=None
    ).json() == {"result": "OK"}
    found = client.post(f"https://{made['endpoint']}", json=["GET", "k"], headers=bearing(made), auth=None)
    assert found.json() == {"result": value}


@pytest.mark.parametrize(
    "place",
    [
        "example.com:443",
        "api.upstash.com:80",
        "upstash.com.evil.example:443",
        "evilupstash.io:443",
        "127.0.0.1:443",
        ":443",
    ],
)
def test_every_other_place_is_refused(ask, place):
    assert ask(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode()) == "HTTP/1.1 403 Forbidden"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET http://api.upstash.com/v2/teams HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
        (b"CONNECT api.upstash.com:443\r\n\r\n", "405 Method Not Allowed"),
        (b"CONNECT api.upstash.com:443 HTTP/1.1\r\n\r\nearly", "400 Bad Request"),
        (b"CONNECT " + b"x" * 10_000, "431 Request Header Fields Too Large"),
    ],
)
def test_what_is_no_wish_for_a_way(ask, data, status):
    assert ask(data) == f"HTTP/1.1 {status}"


def test_its_certificate_is_for_the_services_names_only(client, environ):
    trusted = ssl.create_default_context(cafile=environ["SSL_CERT_FILE"])
    address = environ["HTTPS_PROXY"].removeprefix("http://").split(":")
    with socket.create_connection(address, 10) as plain:
        plain.sendall(b"CONNECT api.upstash.com:443 HTTP/1.1\r\n\r\n")
        assert plain.recv(100).startswith(b"HTTP/1.1 200")
        with pytest.raises(ssl.SSLCertVerificationError):
            trusted.wrap_socket(plain, server_hostname="example.com")


def test_a_stranger_is_one_here_too(environ):
    trusted = ssl.create_default_context(cafile=environ["SSL_CERT_FILE"])
    with httpx.Client(proxy=environ["HTTPS_PROXY"], verify=trusted, auth=(EMAIL, "wrong")) as client:
        answer = client.get("https://api.upstash.com/v2/redis/databases")
        assert (answer.status_code, json.loads(answer.text)) == (401, "Unauthorized")
