"""The shop's own tests; of the plugin they only know the names of its fixtures."""

import asyncio
import json

import pytest
import redis
import redis.asyncio
from fastapi.testclient import TestClient
from shop import CACHED_SECONDS, REQUESTS_A_MINUTE, create_app, ship


@pytest.fixture
def shop(redis_url):
    with TestClient(create_app(redis_url)) as client:
        yield client


def test_an_article_is_looked_up_once(shop, redis_client):
    assert shop.get("/articles/tea").json() == shop.get("/articles/tea").json() == {"article": "tea", "price": 300}
    assert shop.app.state.lookups == 1
    assert 0 < redis_client.ttl("article:tea") <= CACHED_SECONDS
    redis_client.delete("article:tea")
    shop.get("/articles/tea")
    assert shop.app.state.lookups == 2


def test_an_order_takes_from_the_stock(shop, redis_client):
    redis_client.hset("stock", "tea", 1)
    assert shop.post("/orders/tea").status_code == 200
    assert shop.post("/orders/tea").status_code == 409
    assert redis_client.hget("stock", "tea") == b"0" and redis_client.xlen("orders") == 1


def test_who_orders_while_somebody_else_has_the_lock_waits_for_it(shop, redis_client):
    redis_client.hset("stock", "tea", 1)
    redis_client.set("lock:tea", "somebody", px=50)
    assert shop.post("/orders/tea").status_code == 200


def test_a_worker_ships_each_order_once(shop, redis_client, redis_url):
    redis_client.hset("stock", mapping={"tea": 2, "jam": 1})
    for article in ("tea", "jam", "tea"):
        shop.post(f"/orders/{article}", headers={"x-user": article})

    async def work():
        async with redis.asyncio.Redis.from_url(redis_url, decode_responses=True) as client:
            return await ship(client, 2), await ship(client), await ship(client)

    assert asyncio.run(work()) == (["tea", "jam"], ["tea"], [])
    assert redis_client.xpending("orders", "shipping")["pending"] == 0


def test_orders_are_limited_for_each_user(shop, redis_client):
    redis_client.hset("stock", "tea", 100)
    statuses = [shop.post("/orders/tea", headers={"x-user": "ann"}).status_code for _ in range(REQUESTS_A_MINUTE + 1)]
    assert statuses == [200] * REQUESTS_A_MINUTE + [429]
    assert shop.post("/orders/tea", headers={"x-user": "bob"}).status_code == 200


def test_the_limit_is_over_when_the_key_is_gone(shop, redis_client):
    redis_client.hset("stock", "tea", 100)
    redis_client.set("limit:anybody", REQUESTS_A_MINUTE, ex=60)
    assert shop.post("/orders/tea").headers["retry-after"] == "60"
    redis_client.delete("limit:anybody")
    assert shop.post("/orders/tea").status_code == 200


def test_whoever_listens_hears_of_an_order(shop, redis_client):
    redis_client.hset("stock", "tea", 1)
    with redis_client.pubsub(ignore_subscribe_messages=True) as listening:
        listening.subscribe("orders")
        while redis_client.pubsub_numsub("orders") != [(b"orders", 1)]:
            pass
        number = shop.post("/orders/tea").json()["number"]
        message = next(message for message in iter(lambda: listening.get_message(timeout=5), 0) if message)
        assert json.loads(message["data"]) == {"number": number}
