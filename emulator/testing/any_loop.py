"""A client of redis.asyncio that can be made without a running loop, and is closed with whichever loop it was used on.

A connection belongs to the loop that it was opened on, and has to be closed while that loop lives.  A loop that ends closes
the asynchronous generators that were begun on it (``loop.shutdown_asyncgens``: `asyncio.run`, pytest-asyncio and anyio all
ask for it), so with the first connection on a loop one is begun that closes the connections when it is closed itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Any

from emulator.testing.handles import url_of_database
from emulator.testing.redis_py import AsyncClient, arguments


@contextmanager
def client_for_any_loop(url: str, **options: Any) -> Iterator[AsyncClient]:
    """A client of the server at `url`, with further arguments of ``redis.asyncio.Redis``.

    In the end its connections are closed on the loops that are there and at rest.
    """
    ends: dict[asyncio.AbstractEventLoop, AsyncGenerator[None, None]] = {}

    async def at_the_end() -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            await client.aclose()

    async def on_connect(connection: Any) -> None:
        loop = asyncio.get_running_loop()
        if loop not in ends:
            ends[loop] = at_the_end()
            await anext(ends[loop])
        await connection.on_connect()

    client = AsyncClient.from_url(
        url_of_database(url, options.pop("db", None)), **arguments({"redis_connect_func": on_connect} | options)
    )
    yield client
    for loop, end in ends.items():
        if not loop.is_closed() and not loop.is_running():
            loop.run_until_complete(end.aclose())
