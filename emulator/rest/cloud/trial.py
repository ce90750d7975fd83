"""``POST /start-redis``: a database without an account, which ends by itself.

Whoever reaches the port may ask for one, so there are only so many at a time; a page in a browser may not.  With the header
Idempotency-Key, which may be the id of such a database, the same one is told again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emulator.rest.answers import Answer
from emulator.rest.cloud.record import Record, label
from emulator.rest.requests import BadRequest

if TYPE_CHECKING:
    from emulator.rest.cloud.cloud import Cloud
    from emulator.rest.requests import Request

HOURS: Final = 72
_MOST: Final = 100
_LONGEST_KEY: Final = 128
_REGION: Final = "us-east-1"


def start_redis(cloud: Cloud, request: Request) -> Answer:
    """A new database told in Markdown; the same one for the same key.  Raises BadRequest."""
    if b"origin" in request.headers:
        raise BadRequest("not for pages in a browser", 403)
    key = request.headers.get(b"idempotency-key", b"").decode("utf-8", "replace")
    if len(key) > _LONGEST_KEY:
        raise BadRequest("the header Idempotency-Key is too long")
    trials = [database.record for database in cloud.databases.by_id.values() if database.record.expires]
    known = next((record for record in trials if key and key in (record.idempotency_key, record.database_id)), None)
    if known is None:
        if len(trials) >= _MOST:
            raise BadRequest("too many databases without an account", 429)
        known = Record("start-redis", _REGION, [], cloud.now, label(cloud.engine.random))
        known.expires, known.idempotency_key = cloud.now + HOURS * 3600, key
        known.renew_secrets()
        cloud.databases.create(known)
        cloud.log("Start Redis", known.database_name, request.address)
    return Answer(200, _page(cloud, known).encode(), [(b"Content-Type", b"text/markdown; charset=utf-8")])


def _page(cloud: Cloud, record: Record) -> str:
    told = cloud.told(record)
    return f"""\
# A Redis database is ready

It lives for {HOURS} hours by the server's clock.

- Its id, by which this page is told again: `{record.database_id}`

    UPSTASH_REDIS_REST_URL={cloud.url(record)}
    UPSTASH_REDIS_REST_TOKEN={record.rest_token}

- By RESP: `redis://default:{record.password}@{told["endpoint"]}:{told["port"]}`
- One that stays is made with an account, by the management API.

```sh
curl {cloud.url(record)}/set/greeting/hello -H "Authorization: Bearer {record.rest_token}"
```
"""
