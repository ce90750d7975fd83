"""Queues, locks and rate limiters as published: their Lua scripts run unmodified.

Those that are not installed are skipped visibly, as is what needs Node where there is none.
"""

import contextlib
from pathlib import Path

import pytest
import redis

from conformance import servers
from tests import node

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def port():
    with servers.emulator() as address:
        yield address[1]


@pytest.fixture
def client(port):
    with contextlib.closing(redis.Redis(port=port)) as connection:
        connection.flushall()
        connection.script_flush()
        yield connection


def test_the_lock_of_redis_py(client):
    one, other = client.lock("name", timeout=100), client.lock("name", timeout=100)
    assert one.acquire(blocking=False)
    assert not other.acquire(blocking=False)
    assert one.extend(50)
    assert one.reacquire()
    assert 90 < client.ttl("name") <= 100
    one.release()
    assert other.acquire(blocking=False)
    with pytest.raises(redis.exceptions.LockError):
        one.release()


def test_scripts_of_redis_py(client):
    script = client.register_script("return {KEYS[1], ARGV[1], redis.call('incr', KEYS[1])}")
    assert script(["c"], ["x"]) == [b"c", b"x", 1]
    client.script_flush()
    assert script(["c"], ["y"]) == [b"c", b"y", 2]
    pipeline = client.pipeline()
    script(["c"], ["z"], client=pipeline)
    assert pipeline.execute() == [[b"c", b"z", 3]]
    client.function_load("#!lua name=lib\nredis.register_function('f', function(keys) return keys[1] end)")
    assert client.fcall("f", 1, "k") == b"k"


def test_rq(client):
    rq = pytest.importorskip("rq")
    queue = rq.Queue("jobs", connection=client)
    jobs = [queue.enqueue("operator.mul", number, 2) for number in range(50)]
    failing = queue.enqueue("operator.truediv", 1, 0, retry=rq.Retry(max=2))
    rq.SimpleWorker([queue], connection=client).work(burst=True)
    assert [job.return_value() for job in jobs] == [number * 2 for number in range(50)]
    assert failing.get_status(refresh=True) == "failed"
    assert queue.failed_job_registry.count == 1


def test_celery(client, port):
    celery = pytest.importorskip("celery")
    from celery.contrib.testing.worker import start_worker

    url = f"redis://127.0.0.1:{port}"
    app = celery.Celery("test", broker=f"{url}/2", backend=f"{url}/3")

    @app.task
    def add(x, y):
        return x + y

    @app.task
    def total(numbers):
        return sum(numbers)

    @app.task(bind=True, max_retries=2)
    def flaky(self):
        if self.request.retries < 2:
            raise self.retry(countdown=0)
        return "done"

    with start_worker(app, perform_ping_check=False, pool="solo"):
        assert add.delay(2, 3).get(timeout=120) == 5
        assert celery.group(add.s(number, number) for number in range(10))().get(timeout=120) == list(range(0, 20, 2))
        assert celery.chain(add.s(1, 2), add.s(3))().get(timeout=120) == 6
        assert celery.chord([add.s(number, 1) for number in range(5)])(total.s()).get(timeout=120) == 15
        assert flaky.delay().get(timeout=120) == "done"
        assert add.apply_async((1, 1), countdown=0.1).get(timeout=120) == 2


@pytest.mark.parametrize("name", ["FixedWindow", "MovingWindow", "SlidingWindowCounter"])
def test_limits(client, port, name):
    limits = pytest.importorskip("limits")
    storage = limits.storage.RedisStorage(f"redis://127.0.0.1:{port}")
    limiter = getattr(limits.strategies, f"{name}RateLimiter")(storage)
    limit = limits.parse("5/hour")
    assert [limiter.hit(limit, "user") for _ in range(7)] == [True] * 5 + [False] * 2
    assert limiter.get_window_stats(limit, "user").remaining == 0
    assert limiter.hit(limit, "another user")
    assert storage.reset() is not None


def test_redlock(client, port):
    redlock = pytest.importorskip("redlock")
    manager = redlock.Redlock([{"host": "127.0.0.1", "port": port, "db": number} for number in range(3)])
    lock = manager.lock("resource", 10_000)
    assert lock
    assert not manager.lock("resource", 10_000)
    manager.unlock(lock)
    assert manager.lock("resource", 10_000)


@pytest.fixture(scope="session")
def bullmq(tmp_path_factory):
    """A folder with BullMQ from npm."""
    return node.install(tmp_path_factory.mktemp("bullmq"), "bullmq@5", "ioredis@5")


def test_bullmq(client, port, bullmq):
    """500 jobs, some delayed, retried or of a priority, at a limited rate; a flow; a job that repeats; queue events."""
    expected = {"done": 500, "retried": 72, "sum": 45, "completed": True, "failed": 0, "active": 0}
    assert node.run(bullmq, "users/bullmq.mjs", port) == expected
