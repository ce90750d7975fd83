"""redis-om, unmodified: models as documents and as hashes are saved, read, changed and deleted."""

import subprocess
import sys
from importlib import import_module

import pytest

import emulator


@pytest.fixture(scope="module")
def redis_om(tmp_path_factory):
    """The library, without its type stubs for redis, which mypy would take for our own environment's.

    It reads the address of its server when it is first imported.
    """
    folder = str(tmp_path_factory.mktemp("redis-om"))
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", folder]
    subprocess.run([*pip, "redis-om>=1,<2", "python-ulid>=3,<5", "more-itertools"], check=True)
    with emulator.Server() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REDIS_OM_URL", server.url)
        patch.syspath_prepend(folder)
        yield import_module("redis_om")


@pytest.fixture
def models(redis_om):
    class Address(redis_om.EmbeddedJsonModel, index=True):
        city: str

    class Customer(redis_om.JsonModel, index=True):
        name: str
        age: int
        address: Address
        tags: tuple[str, ...] = ()

    class Visit(redis_om.HashModel, index=True):
        page: str
        seconds: int

    redis_om.get_redis_connection().flushall()
    return Customer, Address, Visit


def test_documents(redis_om, models):
    connection, (customer, address, _) = redis_om.get_redis_connection(), models
    ann = customer(name="Ann", age=41, address=address(city="Ghent"), tags=("a", "b")).save()
    assert customer.get(ann.pk) == ann
    assert connection.type(ann.key()) == "ReJSON-RL"
    ann.update(age=42, address__city="Bruges")
    found = customer.get(ann.pk)
    assert (found.age, found.address.city, found.tags) == (42, "Bruges", ("a", "b"))
    ann.expire(100)
    assert connection.ttl(ann.key()) == 100
    bob = customer(name="Bob", age=3, address=address(city="Ghent"))
    customer.add([bob])
    assert set(customer.all_pks()) == {ann.pk, bob.pk}
    assert customer.delete(ann.pk) == 1
    with pytest.raises(redis_om.NotFoundError):
        customer.get(ann.pk)


def test_hashes(redis_om, models):
    connection, visit = redis_om.get_redis_connection(), models[-1]
    first = visit(page="/", seconds=3).save()
    assert connection.hgetall(first.key()) == {"pk": first.pk, "page": "/", "seconds": "3"}
    first.seconds = 5
    first.save()
    assert visit.get(first.pk) == first
    assert list(visit.all_pks()) == [first.pk]
    visit.delete_many([first])
    assert not connection.exists(first.key())
