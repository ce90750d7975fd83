"""Replies to JSON: tables of encoders, as `emulator.protocol.encoder` has them for RESP, keyed by the class of the value.

What is printed is the RESP2 reply: maps are flat, doubles are strings, booleans are 1 and 0.  A session whose ``encoders`` is
one of these tables answers each command with its ``{"result": …}`` or ``{"error": …}``.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable, Iterable
from json.encoder import encode_basestring
from typing import Any, NamedTuple

from emulator.protocol.encoder import RESP2, Encoders
from emulator.protocol.errors import CommandError
from emulator.protocol.numbers import format_double
from emulator.protocol.replies import (
    OK,
    Attributed,
    BigNumber,
    Entries,
    Head,
    MapHead,
    Named,
    Nested,
    NoReply,
    NullArray,
    Pairs,
    PlainDouble,
    Push,
    Replies,
    Reply,
    Rows,
    Samples,
    SetReply,
    Status,
    Verbatim,
)
from emulator.protocol.text import to_bytes
from emulator.rest.texts import in_rest

_OK = b'{"result":"OK"}'
_NULL = b'{"result":null}'


def text_of(error: CommandError) -> bytes:
    """An error's text as the service words it."""
    return to_bytes(in_rest(str(error)))


def json_text(value: bytes) -> bytes:
    """A JSON string; what is no UTF-8 becomes U+FFFD."""
    return encode_basestring(value.decode("utf-8", "replace")).encode()


def json_base64(value: bytes) -> bytes:
    """A JSON string of standard base64, with padding."""
    return b'"%b"' % b2a_base64(value, newline=False)


def json_error(error: CommandError) -> bytes:
    """What a command that failed is answered with."""
    return b'{"error":%b}' % json_text(text_of(error))


class _Json:
    """The encoders of values within arrays, and of those with which a command is answered."""

    def __init__(self, string: Callable[[bytes], bytes]) -> None:
        self._string = string
        nested: Encoders = {
            bytes: string,
            bytearray: string,
            Status: string,
            Verbatim: string,
            int: lambda value: b"%d" % value,
            bool: lambda value: b"1" if value else b"0",
            type(None): lambda _: b"null",
            NullArray: lambda _: b"null",
            float: lambda value: string(format_double(value)),
            PlainDouble: lambda value: string(value.text()),
            BigNumber: string,
            CommandError: lambda value: string(text_of(value)),
            dict: lambda value: self._array(_flat(value.items())),
            Pairs: lambda value: self._array(_flat(value)),
            Nested: self._parts,
            Attributed: lambda value: self.nested[value.reply.__class__](value.reply),
        }
        nested |= dict.fromkeys((list, tuple, Entries, set, SetReply, Push, Named, Replies, Rows, Samples), self._array)
        self.nested = nested
        self.answers: Encoders = {kind: self._answer(encoder) for kind, encoder in nested.items()}
        self.answers |= {
            bytes: self._answer_string,
            type(None): lambda _: _NULL,
            Status: lambda value: _OK if value == OK else b'{"result":%b}' % string(value),
            CommandError: json_error,
            NoReply: lambda _: b"",
        }

    def _answer_string(self, value: bytes) -> bytes:
        return b'{"result":%b}' % self._string(value)

    @staticmethod
    def _answer(encoder: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
        return lambda value: b'{"result":%b}' % encoder(value)

    def _array(self, values: Iterable[Reply]) -> bytes:
        nested = self.nested
        return b"[%b]" % b",".join([nested[value.__class__](value) for value in values])

    def _parts(self, values: Nested) -> bytes:
        texts: list[bytes] = []
        missing: list[int] = []
        for value in values:
            if texts and texts[-1] != b"[":
                texts.append(b",")
            if isinstance(value, Head):
                texts.append(b"[")
                missing.append(2 * value if value.__class__ is MapHead else value)
            else:
                texts.append(self.nested[value.__class__](value))
                if missing:
                    missing[-1] -= 1
            while missing and not missing[-1]:
                texts.append(b"]")
                missing.pop()
                if missing:
                    missing[-1] -= 1
        return b"".join(texts)


def _flat(pairs: Iterable[tuple[Reply, Reply]]) -> list[Reply]:
    return [value for pair in pairs for value in pair]


class Format(NamedTuple):
    """How a request is answered: the encoders for each command, and those for EXEC, whose reply is an array of answers."""

    answers: Encoders
    transaction: Encoders

    @classmethod
    def of(cls, answers: Encoders, of_transaction: Encoders) -> Format:
        """A format with the answers of a transaction in a table of their own."""

        def joined(replies: list[Reply]) -> bytes:
            return b"[%b]" % b",".join([of_transaction[reply.__class__](reply) for reply in replies])

        return cls(answers, of_transaction | {list: joined})


_JSON = _Json(json_text).answers
_BASE64 = _Json(json_base64).answers
JSON = Format.of(_JSON, _JSON)
BASE64 = Format.of(_BASE64, _BASE64)
RESP = Format.of(RESP2 | {CommandError: lambda error: b"-%b\r\n" % _one_line(text_of(error))}, _JSON)


def _one_line(text: bytes) -> bytes:
    return text.replace(b"\r", b" ").replace(b"\n", b" ")
