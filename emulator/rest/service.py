"""The REST API over databases: which request is what, and in which order it is checked."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from emulator.protocol.errors import CommandError
from emulator.rest.answers import Answer, Headers, Opening, failure
from emulator.rest.encoding import BASE64, JSON, RESP, Format, text_of
from emulator.rest.limits import Oversized
from emulator.rest.requests import BadRequest, Command, Request, command_of_body, command_of_path, commands_of_body
from emulator.rest.texts import UNAUTHORIZED

if TYPE_CHECKING:
    from emulator.rest.database import Database
    from emulator.rest.http import HttpConnection

_METHODS: Final = b"GET, POST, PUT, HEAD, OPTIONS"
_ALLOWED: Final = frozenset(_METHODS.split(b", "))
_LISTENING: Final = frozenset((b"subscribe", b"psubscribe", b"monitor"))
_JSON_TYPE: Final = (b"Content-Type", b"application/json")
_BYTES_TYPE: Final = (b"Content-Type", b"application/octet-stream")
_EXPOSED: Final = (b"Access-Control-Expose-Headers", b"Upstash-Sync-Token")
_EVENTS: Final = [(b"Content-Type", b"text/event-stream"), (b"Cache-Control", b"no-cache")]
_HEALTHY: Final = b'{"status":"ok"}'


Outcome = TypeVar("Outcome", Answer, Opening, Answer | Opening)


class RestService:
    """Answers requests; `databases` are tried in their order for the one that a token opens."""

    def __init__(self, databases: Sequence[Database]) -> None:
        self.databases = databases
        self.connections: set[HttpConnection] = set()
        self.closing = False

    def respond(self, request: Request) -> Answer | Opening | Awaitable[Answer | Opening]:
        """The answer to a request, at once or to be waited for."""
        if request.method == b"OPTIONS":
            return _preflight(request)
        if request.method not in _ALLOWED:
            return self._finished(request, Answer(405, b"", [(b"Allow", _METHODS)]))
        if request.segments == [b"-", b"health"]:
            return self._finished(request, Answer(200, _HEALTHY, [_JSON_TYPE]))
        token = request.token or ""
        meant = list(self._meant(request)) if token else []
        for place, database in enumerate(meant):
            access = database.access(token)
            if isawaitable(access):
                return self._enter_later(request, token, access, meant[place:])
            if access is not None:
                return self._serve(database, access, request)
        return self._finished(request, failure(UNAUTHORIZED, 401))

    async def _enter_later(
        self, request: Request, token: str, access: Any, meant: Sequence[Database]
    ) -> Answer | Opening:
        """As `respond`, from the first database on of which it is to be waited for whether the token opens it."""
        for place, database in enumerate(meant):
            found = await (access if place == 0 else _at_last(database.access(token)))
            if found is not None:
                outcome = self._serve(database, found, request)
                return outcome if isinstance(outcome, Answer | Opening) else await outcome
        return self._finished(request, failure(UNAUTHORIZED, 401))

    def _meant(self, request: Request) -> Sequence[Database]:
        """The databases that a request may mean: with ``Host: NAME.localhost`` the one of that name."""
        name, dot, _ = request.headers.get(b"host", b"").partition(b".localhost")
        named = [database for database in self.databases if dot and database.name.encode() == name]
        return named or self.databases

    # One request

    def _serve(
        self, database: Database, access: Any, request: Request
    ) -> Answer | Opening | Awaitable[Answer | Opening]:
        try:
            outcome = self._outcome(database, access, request)
        except (BadRequest, CommandError) as error:
            return self._failed(request, database, error)
        if isinstance(outcome, Answer | Opening):
            return self._finished(request, outcome, database)
        return self._later(database, request, outcome)

    async def _later(
        self, database: Database, request: Request, outcome: Awaitable[Answer | Opening]
    ) -> Answer | Opening:
        try:
            return self._finished(request, await outcome, database)
        except (BadRequest, CommandError) as error:
            return self._failed(request, database, error)

    def _failed(self, request: Request, database: Database, error: BadRequest | CommandError) -> Answer:
        if isinstance(error, BadRequest):
            return self._finished(request, failure(error.text, error.status), database)
        text = text_of(error).decode("utf-8", "surrogateescape")
        return self._finished(request, failure(text), database)

    def _outcome(
        self, database: Database, access: Any, request: Request
    ) -> Answer | Opening | Awaitable[Answer | Opening]:
        format, kind = _format(request)
        first = request.segments[0]
        if first in _LISTENING:
            return self._listen(database, access, request)
        if len(request.segments) == 1 and first == b"pipeline":
            commands = commands_of_body(request.body)
            pieces = database.run(access, request.address, commands, format)
            if isinstance(pieces, list):
                return _of_pipeline(pieces, kind)
            return _waited(pieces, lambda pieces: _of_pipeline(pieces, kind))
        if len(request.segments) == 1 and first == b"multi-exec":
            commands = commands_of_body(request.body)
            body = database.transaction(access, request.address, commands, format)
            if isinstance(body, bytes):
                return Answer(200, body, [_JSON_TYPE])
            return _waited(body, lambda body: Answer(200, body, [_JSON_TYPE]))
        command = command_of_body(request.body) if request.segments == [b""] else command_of_path(request)
        pieces = database.run(access, request.address, [command], format)
        if isinstance(pieces, list):
            return _of_one(pieces, kind)
        return _waited(pieces, lambda pieces: _of_one(pieces, kind))

    def _listen(self, database: Database, access: Any, request: Request) -> Opening | Awaitable[Opening]:
        stream = database.listen(access, request.address, _listening(request))
        if isawaitable(stream):
            return _waited(stream, lambda stream: Opening(stream, _EVENTS))
        return Opening(stream, _EVENTS)

    # What all answers have

    def _finished(self, request: Request, outcome: Outcome, database: Database | None = None) -> Outcome:
        """The answer with the headers that browsers need, and where a database has answered its sync token."""
        origin = request.headers.get(b"origin", b"*")
        headers: Headers = [*outcome.headers, (b"Access-Control-Allow-Origin", origin), _EXPOSED]
        if database is not None:
            headers.append((b"Upstash-Sync-Token", database.sync_token))
        return outcome._replace(headers=headers)


async def _at_last(value: Any) -> Any:
    return await value if isawaitable(value) else value


async def _waited(answer: Awaitable[Any], finish: Any) -> Any:
    return finish(await answer)


def _format(request: Request) -> tuple[Format, tuple[bytes, bytes]]:
    """How the answer is to be printed, and its Content-Type."""
    encoding = request.headers.get(b"upstash-encoding", b"").strip().lower()
    if encoding not in (b"", b"base64"):
        raise BadRequest(f"ERR unsupported encoding: {encoding.decode('utf-8', 'replace')}")
    form = request.headers.get(b"upstash-response-format", b"json").strip().lower()
    if request.segments == [b"multi-exec"] and form == b"resp2":
        form = b"json"
    if form == b"resp2":
        if encoding:
            raise BadRequest("ERR resp2 and base64 do not go together")
        return RESP, _BYTES_TYPE
    if form != b"json":
        raise BadRequest(f"ERR unsupported response format: {form.decode('utf-8', 'replace')}")
    return BASE64 if encoding else JSON, _JSON_TYPE


def _of_one(pieces: list[bytes], kind: tuple[bytes, bytes]) -> Answer:
    piece = pieces[0]
    failed = piece.startswith((b'{"error"', b"-")) and not isinstance(piece, Oversized)
    return Answer(400 if failed else 200, piece, [kind])


def _of_pipeline(pieces: list[bytes], kind: tuple[bytes, bytes]) -> Answer:
    return Answer(200, b"".join(pieces) if kind is _BYTES_TYPE else b"[%b]" % b",".join(pieces), [kind])


def _listening(request: Request) -> Command:
    """The command of a stream; a query that follows a name was a ``?`` in it, which SDKs do not encode."""
    name, *rest = request.words
    for key, value in request.query:
        if key != b"_token" and rest:
            rest[-1] += b"?" + key + (b"" if value is None else b"=" + value)
    return [name.upper(), *(rest if name != b"monitor" else [])]


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
