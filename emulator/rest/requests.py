"""From an HTTP request to commands: by the path, by the query and by a JSON body, which counts whatever its Content-Type."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, NoReturn
from urllib.parse import unquote_to_bytes

from emulator.protocol.text import to_text
from emulator.rest.texts import (
    EMPTY_BODY,
    EMPTY_COMMAND,
    EMPTY_PIPELINE,
    NOT_AN_ARRAY,
    NULL_ARGUMENT,
    bad_argument,
)

Words = list[bytes]
LARGE = 1024 * 1024
"""The bytes from which on a body is looked through in turns."""

_ELEMENTS_A_TURN = 1000
_WHITESPACE = " \t\r\n"
_SPACES = tuple(_WHITESPACE)


class BadRequest(Exception):
    """A request that is answered with an error; the arguments are its text and the status."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.text = text
        self.status = status


class Request(NamedTuple):
    """An HTTP request: the path's segments as they came, the query's pairs (no value: a bare name), headers by lower name."""

    method: bytes
    segments: list[bytes]
    query: list[tuple[bytes, bytes | None]]
    headers: dict[bytes, bytes]
    body: bytes
    address: bytes

    @classmethod
    def of(cls, method: bytes, target: bytes, headers: dict[bytes, bytes], body: bytes, address: bytes) -> Request:
        """The request for a target such as ``/set/k?EX=5``."""
        path, _, query = target.partition(b"?")
        if path.startswith((b"http://", b"https://")):
            path = b"/" + path.partition(b"://")[2].partition(b"/")[2]
        segments = path.removeprefix(b"/").removesuffix(b"/").split(b"/")
        pairs = [_pair(part) for part in query.split(b"&") if part]
        return cls(method, segments, pairs, headers, body, address)

    @property
    def words(self) -> Words:
        """The path's segments, decoded: ``%2F`` stays within one, ``+`` is a plus."""
        return [unquote_to_bytes(segment) for segment in self.segments]

    @property
    def token(self) -> str | None:
        """The token: ``_token`` of the query, or that of the header Authorization with or without ``Bearer``."""
        for name, value in self.query:
            if name == b"_token":
                return to_text(value or b"")
        given = self.headers.get(b"authorization", b"").strip()
        scheme, _, token = given.partition(b" ")
        found = token.strip() if scheme.lower() == b"bearer" else given
        return to_text(found) or None


def _pair(part: bytes) -> tuple[bytes, bytes | None]:
    name, equals, value = part.replace(b"+", b" ").partition(b"=")
    return unquote_to_bytes(name), unquote_to_bytes(value) if equals else None


def command_of_path(request: Request) -> Words:
    """``/set/k?EX=5`` with the body as the last argument but those of the query."""
    words = request.words
    if request.body and request.method in (b"POST", b"PUT"):
        words.append(request.body)
    for name, value in request.query:
        if name != b"_token":
            words += [name] if value is None else [name, value]
    return words


def command_of_body(elements: Sequence[Any]) -> Words:
    """The command of ``["SET","k","v"]``.  Raises BadRequest."""
    if not elements:
        raise BadRequest(EMPTY_COMMAND)
    return _command(elements)


def commands_of_body(elements: Sequence[Any]) -> list[Words]:
    """The commands of ``[["SET","k","v"],["GET","k"]]``; an empty one stays an empty list.  Raises BadRequest."""
    if not elements:
        raise BadRequest(EMPTY_PIPELINE)
    commands = []
    for row in elements:
        if row.__class__ is not list:
            raise BadRequest(NOT_AN_ARRAY)
        commands.append(_command(row))
    return commands


def elements_of_body(body: bytes, problem: str) -> list[Any]:
    """The elements of a JSON array, numbers as their text.  Raises BadRequest, with `problem` where it is no JSON."""
    text = _text(body)
    try:
        found = _DECODER.decode(text)
    except (ValueError, RecursionError):
        raise BadRequest(problem) from None
    if found.__class__ is not list:
        raise BadRequest(NOT_AN_ARRAY)
    return found


async def elements_of_large_body(body: bytes, problem: str) -> list[Any]:
    """As `elements_of_body`, but others have their turn meanwhile."""
    text = _text(body)
    found: list[Any] = []
    try:
        for element in _elements(text):
            found.append(element)
            if len(found) % _ELEMENTS_A_TURN == 0:
                await asyncio.sleep(0)
    except (ValueError, RecursionError):
        raise BadRequest(problem) from None
    return found


def _text(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    if not text.strip(_WHITESPACE):
        raise BadRequest(EMPTY_BODY)
    return text


def _elements(text: str) -> Iterator[Any]:
    """The elements of a JSON array, one after the other.  Raises ValueError, and BadRequest for what is no array."""
    place = _after_space(text, 0)
    if text[place] != "[":
        _DECODER.decode(text)
        raise BadRequest(NOT_AN_ARRAY)
    place = _after_space(text, place + 1)
    more = not text.startswith("]", place)
    while more:
        element, place = _DECODER.raw_decode(text, place)
        yield element
        place = _after_space(text, place)
        more = text.startswith(",", place)
        if more:
            place = _after_space(text, place + 1)
    if not text.startswith("]", place) or _after_space(text, place + 1) != len(text):
        raise ValueError("an array does not end where it should")


def _after_space(text: str, place: int) -> int:
    while text.startswith(_SPACES, place):
        place += 1
    return place


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_no_constant)
"""Numbers keep their literal text, with every digit."""


def _command(row: Sequence[Any]) -> Words:
    """The words of a command; numbers are their text already."""
    try:
        return [word.encode() for word in row]
    except (AttributeError, UnicodeEncodeError):
        return [_word(word) for word in row]


def _word(value: Any) -> bytes:
    if value is None:
        raise BadRequest(NULL_ARGUMENT)
    if value.__class__ is bool:
        return b"true" if value else b"false"
    if value.__class__ is not str:
        raise BadRequest(bad_argument("[" if value.__class__ is list else "{"))
    paired: str = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return paired.encode()
