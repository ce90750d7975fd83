"""The management API: who asks, which endpoint is meant, what it answers."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any, Final

# The modules enter their endpoints where they are imported.
from emulator.rest.answers import JSON_TYPE, Answer
from emulator.rest.cloud import management, statistics, teams  # noqa: F401
from emulator.rest.cloud.account import Access
from emulator.rest.cloud.endpoints import ENDPOINTS, Ask, Endpoint
from emulator.rest.cloud.fields import Fields
from emulator.rest.cloud.trial import start_redis
from emulator.rest.http_service import HttpService
from emulator.rest.requests import BadRequest, Request

if TYPE_CHECKING:
    from emulator.rest.cloud.cloud import Cloud

_MOST_BODY: Final = 64 * 1024
_UNAUTHORIZED: Final = 401
_NOT_FOUND: Final = 404
_NOT_ALLOWED: Final = 405
_VERSION: Final = "v2"
_TRIAL: Final = b"start-redis"
_READ_ONLY: Final = "Readonly API key: this endpoint changes something"


class CloudService(HttpService):
    """Answers requests to the account's databases."""

    most_body = _MOST_BODY

    def __init__(self, cloud: Cloud) -> None:
        super().__init__()
        self._cloud = cloud

    def admits(self, request: Request) -> bool:
        return self._cloud.account.access(request.headers) is not None

    def unauthorized(self, request: Request) -> Answer:
        challenge = (b"WWW-Authenticate", b'Basic realm="emulator"')
        return _answer("Unauthorized", _UNAUTHORIZED)._replace(headers=[JSON_TYPE, challenge])

    def respond(self, request: Request) -> Answer | Awaitable[Answer]:
        try:
            if request.segments == [_TRIAL] and request.method == b"POST":
                return self._kept(start_redis(self._cloud, request))
            access = self._cloud.account.access(request.headers)
            return self.unauthorized(request) if access is None else self._serve(access, request)
        except BadRequest as error:
            told = error.text if error.status == _NOT_FOUND else {"error": error.text}
            return _answer(told, error.status)

    def _kept(self, answer: Answer) -> Answer | Awaitable[Answer]:
        """The answer to a change, once it is kept."""
        return self._after_saving(answer) if self._cloud.is_kept else answer

    async def _after_saving(self, answer: Answer) -> Answer:
        await self._cloud.save()
        return answer

    def _serve(self, access: Access, request: Request) -> Answer | Awaitable[Answer]:
        path = [word.decode("utf-8", "replace") for word in request.words]
        meant, parts = _find(request.method.decode(), path[1:] if path[0] == _VERSION else path)
        if meant.action and access is not Access.EVERYTHING:
            raise BadRequest(_READ_ONLY, 403)
        query = {
            name.decode("utf-8", "replace"): (value or b"").decode("utf-8", "replace") for name, value in request.query
        }
        ask = Ask(self._cloud, parts, query, Fields(request.body))
        database = self._cloud.databases.by_id.get(parts.get("database", ""))
        entity = database.record.database_name if database is not None else ""
        found = meant.run(ask)
        if not meant.action:
            return _answer(found)
        self._cloud.log(meant.action, entity or _name(found) or next(iter(parts.values()), ""), request.address)
        return self._kept(_answer(found))


def _name(found: Any) -> str:
    """The name of what an endpoint has made."""
    names: dict[str, str] = found if isinstance(found, dict) else {}
    return names.get("database_name") or names.get("team_name") or ""


def _find(method: str, path: Sequence[str]) -> tuple[Endpoint, dict[str, str]]:
    """The endpoint that is meant, with the parts of its path.  Raises BadRequest."""
    methods = []
    for known in ENDPOINTS:
        parts = known.parts(path)
        if parts is not None:
            if known.method == method:
                return known, parts
            methods.append(known.method)
    if methods:
        raise BadRequest(f"method not allowed: {' or '.join(methods)} is", _NOT_ALLOWED)
    raise BadRequest("not found", _NOT_FOUND)


def _answer(value: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode(), [JSON_TYPE])
