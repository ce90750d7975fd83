"""The management API: who asks, which endpoint is meant, what it answers."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Sequence
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

# The modules enter their endpoints where they are imported.
from emulator.rest.answers import JSON_TYPE, Answer
from emulator.rest.cloud import backups, management, statistics, teams  # noqa: F401
from emulator.rest.cloud.account import Access
from emulator.rest.cloud.endpoints import ENDPOINTS, Ask, Encoded, Endpoint
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


class Done(NamedTuple):
    """What somebody does: the action for the audit log, empty for reading; to what; from which address."""

    action: str
    entity: str
    address: bytes


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
            return _failed(error)

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
        if meant.action and database is not None:
            database.check_quiet()
        entity = database.record.database_name if database is not None else next(iter(parts.values()), "")
        done = Done(meant.action, entity, request.address)
        found = meant.run(ask)
        return self._finished_later(found, done) if isawaitable(found) else self._finished(found, done)

    async def _finished_later(self, found: Awaitable[Any], done: Done) -> Answer:
        try:
            answer = self._finished(await found, done)
        except BadRequest as error:
            return _failed(error)
        return answer if isinstance(answer, Answer) else await answer

    def _finished(self, found: Any, done: Done) -> Answer | Awaitable[Answer]:
        """The answer of an endpoint, which is kept and told in the audit log where it has changed something."""
        if not done.action:
            return _answer(found)
        self._cloud.log(done.action, done.entity or _name(found), done.address)
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


def _failed(error: BadRequest) -> Answer:
    return _answer(error.text if error.status == _NOT_FOUND else {"error": error.text}, error.status)


def _answer(value: Any, status: int = 200) -> Answer:
    body = value if isinstance(value, Encoded) else json.dumps(value).encode()
    return Answer(status, body, [JSON_TYPE])
