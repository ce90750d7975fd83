"""``async_redis_client`` with the plugins that run asynchronous tests, and with none."""

import pytest

from tests.test_pytest_plugin import pytest_on

TESTS = """
import asyncio
import pytest
import redis.asyncio


@pytest.fixture
async def waiting(async_redis_client):
    await async_redis_client.set("begun", "yes", ex=100)
    yield async_redis_client
    assert await async_redis_client.get("ended") == b"yes"


@MARK
async def test_it_is_there_and_empty(async_redis_client):
    assert isinstance(async_redis_client, redis.asyncio.Redis)
    assert await async_redis_client.dbsize() == 0
    await async_redis_client.set("k", "v", ex=100)
    popping = asyncio.create_task(async_redis_client.blpop("q", 10))
    await async_redis_client.rpush("q", "x")
    assert list(await popping) == [b"q", b"x"]


@MARK
async def test_it_is_empty_again(async_redis_client, redis_client):
    assert await async_redis_client.dbsize() == redis_client.dbsize() == 0


@MARK
async def test_in_a_fixture_of_somebody_else(waiting):
    assert await waiting.get("begun") == b"yes"
    await waiting.set("ended", "yes", ex=100)


@MARK
async def test_with_publish_and_subscribe(async_redis_client):
    async with async_redis_client.pubsub() as pubsub:
        await pubsub.subscribe("c")
        await async_redis_client.publish("c", "x")
        kinds = [(await pubsub.get_message(timeout=60))["type"] for _ in range(2)]
        assert kinds == ["subscribe", "message"]


def test_without_any_plugin(async_redis_client):
    for expected in (1, 2):
        assert asyncio.run(async_redis_client.incr("n")) == expected
    asyncio.run(async_redis_client.delete("n"))


def test_not_used_at_all(async_redis_client):
    pass
"""

# What nobody closed would tell so when it is collected: that fails a test here.
WARNINGS = (
    *("-W", "error::ResourceWarning", "-W", "error::pytest.PytestUnraisableExceptionWarning"),
    "--redis-emulator-strict",
)


def passes(folder, tests, *arguments, beside):
    (folder / "test_it.py").write_text(tests)
    output, status = pytest_on(folder, *WARNINGS, *arguments, beside=beside)
    assert status == 0 and "6 passed" in output and "ResourceWarning" not in output, output


@pytest.mark.parametrize(
    ("mode", "mark", "fixture"),
    [
        ("auto", "", "@pytest.fixture"),
        ("strict", "@pytest.mark.asyncio", "@__import__('pytest_asyncio').fixture"),
        (
            "strict",
            "@pytest.mark.asyncio(loop_scope='module')",
            "@__import__('pytest_asyncio').fixture(loop_scope='module')",
        ),
    ],
    ids=["auto", "strict", "strict with a loop for the module"],
)
def test_with_pytest_asyncio(tmp_path, mode, mark, fixture):
    pytest.importorskip("pytest_asyncio")
    options = f"--asyncio-mode={mode}", "-o", "asyncio_default_fixture_loop_scope=function"
    tests = TESTS.replace("@MARK", mark).replace("@pytest.fixture", fixture)
    passes(tmp_path, tests, *options, beside=("asyncio",))


def test_with_anyio(tmp_path):
    pytest.importorskip("anyio")
    backend = "\n\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
    passes(tmp_path, TESTS.replace("@MARK", "@pytest.mark.anyio") + backend, beside=("anyio",))
