"""One field of a JSON object, as filters read it: leniently, and no further than needed.

Values are numbers (``float``; true is 1, false 0), strings (``bytes``), null (``None``) and arrays of these (``list``).
"""

from __future__ import annotations

import re
from typing import Any, Final

Value = Any
"""``float``, ``bytes``, ``None`` or ``list``."""

MISSING: Final = object()
"""No such field, or no value that filters know, or no JSON."""

_SPACE: Final = rb"[ \t\n\v\f\r]*"
_TEXT: Final = rb'"((?:[^"\\]++|\\.)*+)"'
_OPENING: Final = re.compile(_SPACE + rb"\{")
_KEY: Final = re.compile(_SPACE + _TEXT + _SPACE + rb":" + _SPACE, re.DOTALL)
_COMMA: Final = re.compile(_SPACE + rb"," + _SPACE)
_STRING: Final = re.compile(_TEXT, re.DOTALL)
_NUMBER: Final = re.compile(rb"[-+0-9][-+0-9.eE]*")
_SKIPPED_NUMBER: Final = re.compile(rb"[-+.0-9][-+0-9.eE]*")
_LITERAL: Final = re.compile(rb"(true|false|null)(?![^ \t\n\v\f\r,\]}])")
_LITERALS: Final = {b"true": 1.0, b"false": 0.0, b"null": None}
_SPACES: Final = re.compile(_SPACE)
_STRUCTURE: Final = {
    b"{": re.compile(_TEXT + rb"|[\"{}]", re.DOTALL),
    b"[": re.compile(_TEXT + rb"|[\"\[\]]", re.DOTALL),
}
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)
_ESCAPES: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


class _NoJson(Exception):
    pass


def member(text: bytes, name: bytes) -> Value:
    """The value of a field, the first where there are several; `MISSING` where there is none."""
    opening = _OPENING.match(text)
    position = opening.end() if opening else len(text)
    try:
        while key := _KEY.match(text, position):
            if key[1] == name != b"":
                return _read(text, key.end())[0]
            comma = _COMMA.match(text, _skip(text, key.end()))
            if comma is None:
                break
            position = comma.end()
    except _NoJson:
        pass
    return MISSING


def _skip(text: bytes, position: int) -> int:
    """Where a value ends."""
    start = text[position : position + 1]
    if start in _STRUCTURE:
        depth = 0
        for found in _STRUCTURE[start].finditer(text, position):
            if found[0] == b'"':  # of a string that does not end
                break
            depth += (found[0] == start) - (found[0] in (b"}", b"]"))
            if not depth:
                return found.end()
        raise _NoJson
    for pattern in (_STRING, _SKIPPED_NUMBER, _LITERAL):
        if whole := pattern.match(text, position):
            return whole.end()
    raise _NoJson


def _read(text: bytes, position: int) -> tuple[Value, int]:
    """A value and where it ends; raises `_NoJson` for an object and what is no value."""
    if text[position : position + 1] == b"[":
        return _read_array(text, position)
    if found := _STRING.match(text, position):
        return _ESCAPED.sub(lambda escape: _ESCAPES.get(escape[1], escape[1]), found[1]), found.end()
    if found := _LITERAL.match(text, position):
        return _LITERALS[found[1]], found.end()
    if found := _NUMBER.match(text, position):
        try:
            return float(found[0]), found.end()
        except ValueError:
            raise _NoJson from None
    raise _NoJson


def _read_array(text: bytes, position: int) -> tuple[list[Value], int]:
    """An array and where it ends; those within it are kept on a stack, since they may be nested deeper than calls."""
    outer: list[list[Value]] = []
    elements: list[Value] = []
    position, mark = _mark(text, position + 1)
    while True:
        if mark == b"[":
            outer.append(elements)
            elements = []
            position, mark = _mark(text, position + 1)
            continue
        if mark != b"]" or elements:
            element, position = _read(text, position)
            elements.append(element)
            position, mark = _mark(text, position)
        while mark == b"]":
            if not outer:
                return elements, position + 1
            outer[-1].append(elements)
            elements = outer.pop()
            position, mark = _mark(text, position + 1)
        if mark != b",":
            raise _NoJson
        position, mark = _mark(text, position + 1)


def _mark(text: bytes, position: int) -> tuple[int, bytes]:
    """The next character but spaces, and where it is."""
    spaces = _SPACES.match(text, position)
    assert spaces is not None
    return spaces.end(), text[spaces.end() : spaces.end() + 1]
