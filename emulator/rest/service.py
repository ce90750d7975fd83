"""The REST API over databases: the order in which a request is checked, and what all answers have."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from emulator.protocol.errors import CommandError
from emulator.protocol.text import to_text
from emulator.rest.answers import JSON_TYPE, Answer, Headers, Opening, failure
from emulator.rest.call import Call
from emulator.rest.encoding import text_of
from emulator.rest.http_service import HttpService
from emulator.rest.requests import BadRequest, Request
from emulator.rest.texts import UNAUTHORIZED

if TYPE_CHECKING:
    from emulator.rest.database import RestDatabase

_METHODS: Final = b"GET, POST, PUT, HEAD, OPTIONS"
_ALLOWED: Final = frozenset(_METHODS.split(b", "))
_EXPOSED: Final = (b"Access-Control-Expose-Headers", b"Upstash-Sync-Token")
_HEALTHY: Final = b'{"status":"ok"}'


Outcome = TypeVar("Outcome", Answer, Opening, Answer | Opening)


class RestService(HttpService):
    """Answers requests; `databases` are tried in their order for the one that a token opens.

    Those that are entered in ``by_host`` and ``by_token`` are found by the header Host, or by the token, alone; they are
    seen from the region that the header Emulator-Region names, else from ``region``.
    """

    region = b""

    def __init__(self, databases: Sequence[RestDatabase]) -> None:
        super().__init__()
        self.databases = databases
        self.by_host: dict[bytes, RestDatabase] = {}
        self.by_token: dict[str, RestDatabase] = {}

    def at(self, region: bytes) -> RestService:
        """The same databases, seen from a region."""
        other = RestService(self.databases)
        other.by_host, other.by_token, other.region = self.by_host, self.by_token, region
        return other

    def respond(self, request: Request) -> Answer | Opening | Awaitable[Answer | Opening]:
        if request.method == b"OPTIONS":
            return _preflight(request)
        if request.method not in _ALLOWED:
            return self._finished(request, Answer(405, b"", [(b"Allow", _METHODS)]))
        if request.segments == [b"-", b"health"]:
            return self._finished(request, Answer(200, _HEALTHY, [JSON_TYPE]))
        token = request.token or ""
        meant = self._meant(request, token) if token else []
        for place, database in enumerate(meant):
            access = database.access(token)
            if isawaitable(access):
                return self._enter_later(request, token, access, meant[place:])
            if access is not None:
                return self._serve(database, access, request)
        return self.unauthorized(request)

    async def _enter_later(
        self, request: Request, token: str, access: Any, meant: Sequence[RestDatabase]
    ) -> Answer | Opening:
        """As `respond`, from the first database on of which it is to be waited for whether the token opens it."""
        for place, database in enumerate(meant):
            found = await (access if place == 0 else _at_last(database.access(token)))
            if found is not None:
                outcome = self._serve(database, found, request)
                return outcome if isinstance(outcome, Answer | Opening) else await outcome
        return self.unauthorized(request)

    def admits(self, request: Request) -> bool | Awaitable[bool]:
        token = request.token or ""
        accesses = [database.access(token) for database in self._meant(request, token)] if token else []
        if any(map(isawaitable, accesses)):
            return _any_opens(accesses)
        return any(access is not None for access in accesses)

    def unauthorized(self, request: Request) -> Answer:
        return self._finished(request, failure(UNAUTHORIZED, 401))

    def _meant(self, request: Request, token: str) -> Sequence[RestDatabase]:
        """The databases that a request may mean: with ``Host: NAME.localhost`` the one of that name."""
        host = request.headers.get(b"host", b"")
        if self.by_token:
            found = self.by_host.get(host.partition(b":")[0].lower()) or self.by_token.get(token)
            if found is not None:
                return [self._seen(found, request)]
        name, dot, _ = host.partition(b".localhost")
        named = [database for database in self.databases if dot and database.name.encode() == name]
        return named or self.databases

    def _seen(self, database: RestDatabase, request: Request) -> RestDatabase:
        region = request.headers.get(b"emulator-region", self.region)
        if not region:
            return database
        return database.seen_from(to_text(region), request.headers.get(b"upstash-sync-token", b""))

    # One request

    def _serve(
        self, database: RestDatabase, access: Any, request: Request
    ) -> Answer | Opening | Awaitable[Answer | Opening]:
        try:
            outcome = Call(database, access, request).outcome()
        except (BadRequest, CommandError) as error:
            return self._failed(request, database, error)
        if isinstance(outcome, Answer | Opening):
            return self._finished(request, outcome, database)
        return self._later(database, request, outcome)

    async def _later(
        self, database: RestDatabase, request: Request, outcome: Awaitable[Answer | Opening]
    ) -> Answer | Opening:
        try:
            return self._finished(request, await outcome, database)
        except (BadRequest, CommandError) as error:
            return self._failed(request, database, error)

    def _failed(self, request: Request, database: RestDatabase, error: BadRequest | CommandError) -> Answer:
        if isinstance(error, BadRequest):
            return self._finished(request, failure(error.text, error.status), database)
        text = to_text(text_of(error))
        return self._finished(request, failure(text), database)

    # What all answers have

    def _finished(self, request: Request, outcome: Outcome, database: RestDatabase | None = None) -> Outcome:
        """The answer with the headers that browsers need, and where a database has answered its sync token."""
        origin = request.headers.get(b"origin", b"*")
        headers: Headers = [*outcome.headers, (b"Access-Control-Allow-Origin", origin), _EXPOSED]
        if database is not None:
            headers.append((b"Upstash-Sync-Token", database.sync_token))
        return outcome._replace(headers=headers)


async def _any_opens(accesses: Sequence[Any]) -> bool:
    found = [await _at_last(access) for access in accesses]
    return any(access is not None for access in found)


async def _at_last(value: Any) -> Any:
    return await value if isawaitable(value) else value


def _preflight(request: Request) -> Answer:
    """What a browser asks before it sends a request to another origin."""
    asked = request.headers
    headers = [
        (b"Access-Control-Allow-Origin", asked.get(b"origin", b"*")),
        (b"Access-Control-Allow-Methods", _METHODS),
        (b"Access-Control-Allow-Headers", asked.get(b"access-control-request-headers", b"*")),
        (b"Access-Control-Allow-Credentials", b"true"),
        (b"Access-Control-Max-Age", b"86400"),
    ]
    if b"access-control-request-private-network" in asked:
        headers.append((b"Access-Control-Allow-Private-Network", b"true"))
    return Answer(200, b"", headers)
