"""HTTP/1.1 on a connection, by h11: one request after the other, each answered before the next is looked at."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import h11

from emulator.rest.answers import Answer, Headers, Opening, failure
from emulator.rest.local import Dropped
from emulator.rest.requests import Request
from emulator.rest.texts import INTERNAL, TOO_MANY_CLIENTS, request_too_large

if TYPE_CHECKING:
    from emulator.rest.database import EventStream
    from emulator.rest.http_service import HttpService

logger = logging.getLogger("emulator")

MOST_BODY = 64 * 1024 * 1024
_SMALL_BODY = 64 * 1024
"""Bytes that are taken in before it is known whether the token opens anything."""
_MOST_HEAD = 256 * 1024
_IDLE_SECONDS = 90.0
_SECONDS_TO_SEND = 60.0
_LINGERING_SECONDS = 2.0
_KEEP_ALIVE_SECONDS = 15.0
_KEEP_ALIVE = b": keepalive\n\n"
_REQUESTS_A_TURN = 32
_PIECES_A_REQUEST = 8
"""Requests of one connection that are answered before others have their turn, and pieces of a body that count as much."""
_NOTHING = h11.Data(data=b"")
_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}


class HttpConnection(asyncio.Protocol):
    """A client's connection.  ``entered`` is true while requests of it are run."""

    def __init__(self, service: HttpService) -> None:
        self._service = service
        self._loop = asyncio.get_running_loop()
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_MOST_HEAD)
        self.transport: asyncio.Transport
        self._head: h11.Request | None = None
        self._body: list[bytes] = []
        self._size = self._turn = 0
        self._task: asyncio.Task[None] | None = None
        self._stream: EventStream | None = None
        self._receiving = self._ended = self._discarding = self._admitted = False
        self.entered = False
        self._since = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername") or ("", 0)
        host = f"[{peer[0]}]" if ":" in peer[0] else peer[0]
        self._address = f"{host}:{peer[1]}".encode()
        self._timer = self._loop.call_later(_IDLE_SECONDS, self._watch)
        if not self._service.has_room():
            self._refuse(failure(TOO_MANY_CLIENTS, 503))
        self._service.connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self._discarding or self._stream is not None:
            return
        self._turn = 0
        if not self._receiving:
            self._receiving = True
            self._since = self._loop.time()
        self._http.receive_data(data)
        self._advance()

    def eof_received(self) -> bool:
        if self._stream is None and not self._discarding:
            self._http.receive_data(b"")
            self._advance()
        return self._task is not None

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._service.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    # Requests

    @property
    def busy(self) -> bool:
        """Whether a request is being answered."""
        return self._task is not None

    def _advance(self) -> None:
        """Take what has arrived until there is nothing more, or a request that takes its time."""
        self.entered = True
        try:
            self._take_events()
        finally:
            self.entered = False

    def _take_events(self) -> None:
        while self._task is None and self._stream is None and not self._ended and not self._discarding:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                self._refuse(failure(f"ERR Protocol error: {error}", error.error_status_hint))
                error.__traceback__ = None  # by its frames it is tied to itself in a circle, and to all of this with it
                return
            if event is h11.NEED_DATA:
                if self._http.they_are_waiting_for_100_continue:
                    self._write(h11.InformationalResponse(status_code=100, headers=[]))
                return
            if event is h11.PAUSED:
                return
            if isinstance(event, h11.Request):
                self._begin(event)
            elif isinstance(event, h11.Data):
                self._take(event.data)
                self._turn += 1
            elif isinstance(event, h11.EndOfMessage):
                self._answer()
                self._turn += _PIECES_A_REQUEST
            else:
                self.transport.close()
                return
            if self._turn >= _REQUESTS_A_TURN * _PIECES_A_REQUEST:
                self.transport.pause_reading()
                self._loop.call_soon(self._next_turn)
                return

    def _next_turn(self) -> None:
        """Go on with what has arrived, after others have had their turn."""
        self._turn = 0
        if not self._ended:
            self.transport.resume_reading()
            self._advance()

    def _begin(self, head: h11.Request) -> None:
        self._head, self._body, self._size, self._admitted = head, [], 0, False
        if head.http_version not in (b"1.0", b"1.1"):
            self._refuse(failure("ERR Protocol error: HTTP/1.1 is spoken here", 505))
        names = [name for name, _ in head.headers]
        if b"transfer-encoding" in names and b"content-length" in names:
            self._refuse(failure("ERR Protocol error: both Content-Length and Transfer-Encoding", 400))
        for name, value in head.headers:
            if name == b"content-length":
                self._expect(int(value))

    def _take(self, data: bytes) -> None:
        self._body.append(bytes(data))
        self._size += len(data)
        self._expect(self._size)

    def _expect(self, size: int) -> None:
        """A body has or will have so many bytes: a large one is taken in only where the token opens something."""
        if self._discarding:
            return
        if size > self._service.most_body:
            self._refuse(failure(request_too_large(self._service.most_body, size), 413))
        elif size > _SMALL_BODY and not self._admitted:
            request = self._request()
            admitted = self._service.admits(request)
            if isinstance(admitted, bool):
                self._admit(request, admitted)
            else:
                self.transport.pause_reading()
                self._task = self._loop.create_task(self._admit_later(request, admitted))

    async def _admit_later(self, request: Request, admitted: Awaitable[bool]) -> None:
        try:
            found = await admitted
        except Exception as error:
            logger.error("internal error in a request", exc_info=error)
            found = False
        self._task = None
        if not self._ended:
            self.transport.resume_reading()
            self._admit(request, found)
            self._advance()

    def _admit(self, request: Request, admitted: bool) -> None:
        self._admitted = admitted
        if not admitted:
            self._body = []
            self._refuse(self._service.unauthorized(request))

    def _request(self) -> Request:
        """The request with as much of its body as has arrived."""
        head = self._head
        assert head is not None
        return Request.of(head.method, head.target, dict(head.headers), b"".join(self._body), self._address)

    def _answer(self) -> None:
        request = self._request()
        self._body = []
        outcome: Any
        try:
            outcome = self._service.respond(request)
        except Exception as error:
            outcome = self._mishap(error)
        if isinstance(outcome, Answer):
            self._send(outcome)
        elif isinstance(outcome, Opening):
            self._open(outcome)
        elif outcome is None:
            self.transport.abort()
        else:
            self.transport.pause_reading()
            self._task = self._loop.create_task(self._wait(outcome))

    async def _wait(self, outcome: Awaitable[Any]) -> None:
        found: Any
        try:
            found = await outcome
        except Exception as error:
            found = self._mishap(error)
        self._task = None
        if self._ended:
            return
        self.transport.resume_reading()
        if isinstance(found, Opening):
            self._open(found)
        elif found is None:
            self.transport.abort()
        else:
            self._send(found)
            self._advance()

    @staticmethod
    def _mishap(error: Exception) -> Answer | None:
        """The answer where something raised: a bug's, or none where the connection is to be dropped."""
        if isinstance(error, Dropped):
            return None
        logger.error("internal error in a request", exc_info=error)
        return failure(INTERNAL, 500)

    # Answers

    def _write(self, *events: Any) -> None:
        send = self._http.send
        self.transport.write(b"".join([send(event) or b"" for event in events]))

    def _send(self, answer: Answer) -> None:
        headers = [*answer.headers, (b"Content-Length", b"%d" % len(answer.body))]
        if self._service.closing:
            headers.append((b"Connection", b"close"))
        self._write(_head(answer.status, headers), self._data(answer), h11.EndOfMessage())
        self._head = None
        self._since = self._loop.time()
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            self._receiving = bool(self._http.trailing_data[0])
        else:
            self.transport.close()

    def _data(self, answer: Answer) -> h11.Data:
        """The body, which HEAD does not want to see."""
        return _NOTHING if self._head is not None and self._head.method == b"HEAD" else h11.Data(data=answer.body)

    def _refuse(self, answer: Answer) -> None:
        """Answer what cannot be gone on with, and close: what the client is still sending is let go by for a while."""
        self._discarding = True
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            headers = [*answer.headers, (b"Content-Length", b"%d" % len(answer.body)), (b"Connection", b"close")]
            self._write(_head(answer.status, headers), self._data(answer), h11.EndOfMessage())
        if self.transport.can_write_eof():
            self.transport.write_eof()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(_LINGERING_SECONDS, self.transport.abort)

    # Streams

    def _open(self, opening: Opening) -> None:
        """Send events until one side has enough."""
        self._write(_head(200, opening.headers))
        if self._head is not None and self._head.method == b"HEAD":
            opening.stream.close()
            self._write(h11.EndOfMessage())
            self.transport.close()
            return
        self._stream = opening.stream
        self._keep_alive_later()
        opening.stream.begin(self.send_event, self._end_stream, self.transport)

    def send_event(self, data: bytes) -> None:
        """Send something of a stream."""
        if not self._ended:
            self._write(h11.Data(data=data))

    def _keep_alive_later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(_KEEP_ALIVE_SECONDS, self._keep_alive)

    def _keep_alive(self) -> None:
        self.send_event(_KEEP_ALIVE)
        self._keep_alive_later()

    def _end_stream(self) -> None:
        if not self._ended and self._stream is not None:
            self._write(h11.EndOfMessage())
            self.transport.close()

    # Time

    def _watch(self) -> None:
        """Close what has been silent for too long, or takes too long to send a request."""
        limit = _SECONDS_TO_SEND if self._receiving else _IDLE_SECONDS
        left = self._since + limit - self._loop.time()
        if self._task is not None or self._stream is not None:
            left = limit
        elif left <= 0:
            if self._receiving:
                self._refuse(failure("ERR the request takes too long to arrive", 408))
            else:
                self.transport.close()
            return
        self._timer = self._loop.call_later(max(left, 1.0), self._watch)

    def end(self) -> None:
        """The service ends: close unless a request is being answered, which closes when that is done."""
        if self._stream is not None:
            self._end_stream()
        elif self._task is None:
            self.transport.close()


def _head(status: int, headers: Headers) -> h11.Response:
    return h11.Response(status_code=status, headers=headers, reason=_REASONS.get(status, b""))
