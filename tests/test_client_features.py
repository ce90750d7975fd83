"""What clients do on their own side: caches fed by pushes, handlers of pushes, retries, users, TLS."""

import asyncio

import pytest
import redis
import trustme
from redis.backoff import ConstantBackoff
from redis.cache import CacheConfig
from redis.retry import Retry

from conformance import servers
from conformance.servers import free_port
from tests import node
from tests.test_main import port_of, running
from tests.waiting import until


@pytest.fixture(scope="module")
def port():
    with servers.emulator() as address:
        yield address[1]


@pytest.fixture
def client(port):
    with redis.Redis(port=port, decode_responses=True) as client:
        client.flushall()
        yield client


def test_redis_py_caches_what_it_has_read(client, port):
    with redis.Redis(port=port, protocol=3, decode_responses=True, cache_config=CacheConfig()) as caching:
        client.set("k", "1")
        assert caching.get("k") == "1"
        client.execute_command("CONFIG", "RESETSTAT")
        assert [caching.get("k") for _ in range(100)] == ["1"] * 100
        assert "cmdstat_get" not in client.info("commandstats")
        client.set("k", "2")
        until(lambda: caching.get("k") == "2")
        client.flushall()
        until(lambda: caching.get("k") is None)


def test_redis_py_hands_pushes_to_its_handlers(client, port):
    with redis.Redis(port=port, protocol=3, decode_responses=True) as listening:
        heard = []
        pubsub = listening.pubsub(push_handler_func=heard.append)
        pubsub.subscribe("news")
        until(lambda: pubsub.get_message() is None and heard)
        client.publish("news", "today")
        until(lambda: pubsub.get_message() is None and len(heard) > 1)
        assert heard == [["subscribe", "news", 1], ["message", "news", "today"]]


def test_asyncio_clients_on_resp3(client, port):
    async def scenario():
        async with redis.asyncio.Redis(port=port, protocol=3, decode_responses=True) as own, own.pubsub() as pubsub:
            await pubsub.subscribe("c")
            assert (await pubsub.get_message(timeout=60))["type"] == "subscribe"
            await own.publish("c", "x")
            assert (await pubsub.get_message(timeout=60))["data"] == "x"

    asyncio.run(scenario())


def test_redis_py_connects_anew_after_its_connection_was_killed(client, port):
    retry = Retry(ConstantBackoff(0.01), 3)
    with redis.Redis(port=port, retry=retry, client_name="victim") as victim:
        assert victim.ping()
        assert client.client_kill_filter(_id=victim.client_id()) == 1
        assert victim.ping()
        assert victim.client_getname() == "victim"


def test_node_redis_and_ioredis(tmp_path_factory, tmp_path):
    folder = node.install(tmp_path_factory.mktemp("features"), "redis@5", "ioredis@5")
    authority, tls_port = trustme.CA(), free_port()
    own = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    own.private_key_pem.write_to_path(tmp_path / "key.pem")
    own.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    files = ("--tls-cert-file", str(tmp_path / "cert.pem"), "--tls-key-file", str(tmp_path / "key.pem"))
    options = ("--port", "auto", "--save", "", "--tls-port", str(tls_port), "--tls-auth-clients", "no", *files)
    with running(*options) as (_, lines):
        assert node.run(folder, "users/features.mjs", port_of(lines), tls_port, tmp_path / "ca.pem") == {
            "cached": ["1", "1", 1],
            "invalidated": "2",
            "refused": "NOPERM",
            "whoami": "default",
            "ioRefused": "NOPERM",
            "heard": ["hello", "1"],
            "monitored": True,
            "tls": ["2", "2"],
        }
