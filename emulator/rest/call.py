"""An authenticated request: which commands it means, how they are run, and how the answer is printed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Final

from emulator.rest.answers import BYTES_TYPE, JSON_TYPE, Answer, Opening
from emulator.rest.encoding import BASE64, JSON, RESP, Format
from emulator.rest.limits import Oversized
from emulator.rest.requests import (
    LARGE,
    BadRequest,
    Request,
    Words,
    command_of_body,
    command_of_path,
    commands_of_body,
    elements_of_body,
    elements_of_large_body,
)
from emulator.rest.texts import BAD_COMMAND, BAD_PIPELINE

if TYPE_CHECKING:
    from emulator.rest.database import RestDatabase

_BY_BODY: Final = frozenset((b"", b"pipeline", b"multi-exec"))
_LISTENING: Final = frozenset((b"subscribe", b"psubscribe", b"monitor"))
_EVENTS: Final = [(b"Content-Type", b"text/event-stream"), (b"Cache-Control", b"no-cache")]


class Call:
    """A request to a database by somebody whom it lets in.  Raises BadRequest where its headers are not understood."""

    def __init__(self, database: RestDatabase, access: Any, request: Request) -> None:
        self._database = database
        self._access = access
        self._request = request
        self._format = _format(request)

    def outcome(self) -> Answer | Opening | Awaitable[Answer | Opening]:
        """The answer, at once or to be waited for.  Raises BadRequest and CommandError."""
        request = self._request
        form = request.segments[0]
        if form in _LISTENING:
            return self._listen()
        if len(request.segments) > 1 or form not in _BY_BODY:
            return self._run([command_of_path(request)])
        problem = BAD_PIPELINE if form else BAD_COMMAND
        if len(request.body) > LARGE:
            return self._run_large(problem)
        return self._run_elements(elements_of_body(request.body, problem))

    async def _run_large(self, problem: str) -> Answer:
        answer = self._run_elements(await elements_of_large_body(self._request.body, problem))
        return answer if isinstance(answer, Answer) else await answer

    def _run_elements(self, elements: list[Any]) -> Answer | Awaitable[Answer]:
        form = self._request.segments[0]
        if not form:
            return self._run([command_of_body(elements)])
        commands = commands_of_body(elements)
        return self._run(commands) if form == b"pipeline" else self._run_as_one(commands)

    def _run(self, commands: list[Words]) -> Answer | Awaitable[Answer]:
        pieces = self._database.run(self._access, self._request.address, commands, self._format)
        return self._printed(pieces) if isinstance(pieces, list) else _waited(pieces, self._printed)

    def _run_as_one(self, commands: list[Words]) -> Answer | Awaitable[Answer]:
        body = self._database.transaction(self._access, self._request.address, commands, self._format)
        return _of_transaction(body) if isinstance(body, bytes) else _waited(body, _of_transaction)

    def _listen(self) -> Opening | Awaitable[Opening]:
        stream = self._database.listen(self._access, self._request.address, _listening(self._request))
        return _waited(stream, _opening) if isawaitable(stream) else _opening(stream)

    def _printed(self, pieces: list[bytes]) -> Answer:
        """The answer with what each command was answered."""
        is_resp = self._format is RESP
        kind = [BYTES_TYPE if is_resp else JSON_TYPE]
        if self._request.segments == [b"pipeline"]:
            return Answer(200, b"".join(pieces) if is_resp else b"[%b]" % b",".join(pieces), kind)
        (piece,) = pieces
        failed = piece.startswith((b'{"error"', b"-")) and not isinstance(piece, Oversized)
        return Answer(400 if failed else 200, piece, kind)


def _of_transaction(body: bytes) -> Answer:
    """The answers as an array; or the error for which none was run."""
    return Answer(200 if body.startswith(b"[") else 400, body, [JSON_TYPE])


def _opening(stream: Any) -> Opening:
    return Opening(stream, _EVENTS)


async def _waited(asked: Awaitable[Any], finish: Callable[[Any], Any]) -> Any:
    return finish(await asked)


def _format(request: Request) -> Format:
    """How the answer is to be printed."""
    encoding = request.headers.get(b"upstash-encoding", b"").strip().lower()
    if encoding not in (b"", b"base64"):
        raise BadRequest(f"ERR unsupported encoding: {encoding.decode('utf-8', 'replace')}")
    form = request.headers.get(b"upstash-response-format", b"json").strip().lower()
    if form == b"resp2" and request.segments != [b"multi-exec"]:
        if encoding:
            raise BadRequest("ERR resp2 and base64 do not go together")
        return RESP
    if form not in (b"json", b"resp2"):
        raise BadRequest(f"ERR unsupported response format: {form.decode('utf-8', 'replace')}")
    return BASE64 if encoding else JSON


def _listening(request: Request) -> Words:
    """The command of a stream; a query that follows a name was a ``?`` in it, which SDKs do not encode."""
    name, *rest = request.words
    for key, value in request.query:
        if key != b"_token" and rest:
            rest[-1] += b"?" + key + (b"" if value is None else b"=" + value)
    return [name.upper(), *(rest if name != b"monitor" else [])]
