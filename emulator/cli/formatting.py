"""Replies as redis-cli prints them: for people, for programs, as CSV and as JSON."""

from __future__ import annotations

from typing import Final

from emulator.protocol.client_side import Double, LargeNumber
from emulator.protocol.errors import CommandError
from emulator.protocol.inline import quoted
from emulator.protocol.replies import Attributed, Named, Received, SetReply, Status, Verbatim
from emulator.protocol.text import to_bytes

STANDARD: Final = "standard"
RAW: Final = "raw"
CSV: Final = "csv"
JSON: Final = "json"
QUOTED_JSON: Final = "quoted-json"


def shown(reply: Received, output: str, delimiter: bytes = b"\n", end: bytes = b"\n") -> bytes:
    """A reply in the format `output`, its end included; `delimiter` parts elements and `end` replies where it is raw."""
    if output == STANDARD:
        return readable(reply)
    if output == RAW:
        return raw(reply, delimiter) + end
    if output == CSV:
        return _csv(reply) + b"\n"
    return _json(reply, output) + b"\n"


def text_of(error: CommandError) -> bytes:
    """An error's own bytes."""
    return to_bytes(str(error))


def _truth(value: bool) -> bytes:
    return b"true" if value else b"false"


# For people


def readable(reply: Received, indent: bytes = b"") -> bytes:
    """A reply for people to read; its further lines are indented."""
    if reply is None:
        return b"(nil)\n"
    if isinstance(reply, Verbatim | Status | LargeNumber):
        return bytes(reply) + b"\n"
    if isinstance(reply, Double):
        return b"(double) " + reply + b"\n"
    if isinstance(reply, bytes):
        return quoted(reply) + b"\n"
    if isinstance(reply, bool):
        return b"(" + _truth(reply) + b")\n"
    if isinstance(reply, int):
        return b"(integer) %d\n" % reply
    if isinstance(reply, CommandError):
        return b"(error) " + text_of(reply) + b"\n"
    if isinstance(reply, Named):
        return _pairs(reply, b"#", indent) if reply else b"(empty hash)\n"
    if isinstance(reply, Attributed):
        return _pairs(reply.attributes, b"|", indent) + indent + readable(reply.reply, indent)
    if not reply:
        return b"(empty set)\n" if isinstance(reply, SetReply) else b"(empty array)\n"
    return _numbered(reply, b"~" if isinstance(reply, SetReply) else b")", indent)


def _numbered(items: list[Received], mark: bytes, indent: bytes) -> bytes:
    width = len(str(len(items)))
    deeper = indent + b" " * (width + 2)
    lines = [b"%*d%b " % (width, number, mark) + readable(item, deeper) for number, item in enumerate(items, 1)]
    return indent.join(lines)


def _pairs(pairs: Named, mark: bytes, indent: bytes) -> bytes:
    width = len(str(len(pairs)))
    deeper = indent + b" " * (width + 2)
    lines = []
    for number, (name, value) in enumerate(pairs, 1):
        text = readable(value, deeper)
        if b"\n" in text[:-1]:
            text = b"\n" + deeper + text
        lines.append(b"%*d%b " % (width, number, mark) + readable(name, deeper)[:-1] + b" => " + text)
    return indent.join(lines)


# For programs


def raw(reply: Received, delimiter: bytes = b"\n") -> bytes:
    """A reply's bare bytes, without a last line's end."""
    if reply is None:
        return b""
    if isinstance(reply, bytes):
        return bytes(reply)
    if isinstance(reply, bool):
        return b"(" + _truth(reply) + b")"
    if isinstance(reply, int):
        return b"%d" % reply
    if isinstance(reply, CommandError):
        return text_of(reply) + b"\n"
    if isinstance(reply, Named):
        return delimiter.join(raw(name, delimiter) + b" " + raw(value, delimiter) for name, value in reply)
    if isinstance(reply, Attributed):
        return raw(reply.reply, delimiter)
    return delimiter.join(raw(item, delimiter) for item in reply)


def _csv(reply: Received) -> bytes:
    if reply is None:
        return b"NULL"
    if isinstance(reply, Double | LargeNumber):
        return bytes(reply)
    if isinstance(reply, bytes):
        return quoted(reply)
    if isinstance(reply, bool):
        return _truth(reply)
    if isinstance(reply, CommandError):
        return b"ERROR," + quoted(text_of(reply))
    if isinstance(reply, Named):
        return b",".join(_csv(name) + b"," + _csv(value) for name, value in reply)
    if isinstance(reply, Attributed):
        return _csv(reply.reply)
    if isinstance(reply, list):
        return b",".join(map(_csv, reply))
    return b"%d" % reply


_ESCAPES: Final = {0x22: b'\\"', 0x5C: b"\\\\", 0x08: b"\\b", 0x0C: b"\\f", 0x0A: b"\\n", 0x0D: b"\\r", 0x09: b"\\t"}


def _json(reply: Received, output: str) -> bytes:
    if reply is None:
        return b"null"
    if isinstance(reply, Double | LargeNumber):
        return bytes(reply)
    if isinstance(reply, bytes):
        return _json_string(reply, output)
    if isinstance(reply, bool):
        return _truth(reply)
    if isinstance(reply, CommandError):
        return b"error:" + _json_string(text_of(reply), output)
    if isinstance(reply, Named):
        return b"{" + b",".join(_json_name(name, output) + b":" + _json(value, output) for name, value in reply) + b"}"
    if isinstance(reply, Attributed):
        return _json(reply.reply, output)
    if isinstance(reply, list):
        return b"[" + b",".join(_json(item, output) for item in reply) + b"]"
    return b"%d" % reply


def _json_name(name: Received, output: str) -> bytes:
    text = _json(name, output)
    return text if text.startswith(b'"') else b'"' + text + b'"'


def _json_string(text: bytes, output: str) -> bytes:
    if output == QUOTED_JSON:  # ASCII, and quoted as for people first
        return quoted(text).replace(b"\\", b"\\\\")
    escaped = (_ESCAPES.get(byte) or (b"\\u%04x" % byte if byte < 0x20 else b"%c" % byte) for byte in text)
    return b'"' + b"".join(escaped) + b'"'
