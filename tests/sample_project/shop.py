"""A small shop: what web applications use Redis for, each in a few lines."""

import json
import uuid
from typing import Annotated

import redis.asyncio
from fastapi import Depends, FastAPI, HTTPException, Request

REQUESTS_A_MINUTE = 5
CACHED_SECONDS = 60


def create_app(url: str) -> FastAPI:
    app = FastAPI()

    async def connection():
        async with redis.asyncio.Redis.from_url(url, decode_responses=True) as client:
            yield client

    Client = Annotated[redis.asyncio.Redis, Depends(connection)]

    def looked_up_in_the_catalogue(article: str) -> dict:
        app.state.lookups += 1
        return {"article": article, "price": len(article) * 100}

    async def limited(request: Request, client: Client):
        key = f"limit:{request.headers.get('x-user', 'anybody')}"
        async with client.pipeline() as pipeline:
            count, _ = await pipeline.incr(key).expire(key, 60, nx=True).execute()
        if count > REQUESTS_A_MINUTE:
            raise HTTPException(429, headers={"Retry-After": str(await client.ttl(key))})

    app.state.lookups = 0

    @app.get("/articles/{article}")
    async def show(article: str, client: Client):
        """A page that is cached."""
        cached = await client.get(f"article:{article}")
        if cached is not None:
            return json.loads(cached)
        found = looked_up_in_the_catalogue(article)
        await client.set(f"article:{article}", json.dumps(found), ex=CACHED_SECONDS)
        return found

    @app.post("/orders/{article}", dependencies=[Depends(limited)])
    async def order(article: str, client: Client):
        """An order: the stock is taken from under a lock, the job goes into a queue, whoever listens hears of it."""
        async with client.lock(f"lock:{article}", timeout=10, blocking_timeout=1):
            left = int(await client.hget("stock", article) or 0)
            if not left:
                raise HTTPException(409, "sold out")
            await client.hset("stock", article, left - 1)
        number = uuid.uuid4().hex
        await client.xadd("orders", {"number": number, "article": article})
        await client.publish("orders", json.dumps({"number": number}))
        return {"number": number}

    return app


async def ship(client, most: int = 10) -> list[str]:
    """What a worker does: it takes orders from the queue, and says that they have been dealt with."""
    try:
        await client.xgroup_create("orders", "shipping", id="0", mkstream=True)
    except redis.ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise
    replies = await client.xreadgroup("shipping", "worker", {"orders": ">"}, count=most)
    shipped = []
    for _, entries in replies:
        for entry, fields in entries:
            await client.xack("orders", "shipping", entry)
            shipped.append(fields["article"])
    return shipped
