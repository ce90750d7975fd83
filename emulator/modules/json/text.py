"""JSON as text: reading it as strictly as the real module, with its errors, and writing it with its digits.

The standard library's scanner reads and writes what it does alike; where the real module differs (numbers of many digits,
exponents, nesting) it is told so.  What it refuses is read once more by `emulator.modules.json.fault` for the error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import groupby, islice
from typing import Any, Final

from emulator.modules.json.fault import ESCAPE, MOST_LEVELS, SURROGATE, fault
from emulator.modules.json.measure import Json, measure
from emulator.modules.json.number import number_text, read_double, read_integer, shape_of
from emulator.protocol.errors import CommandError

_LONG: Final = b"0" * 17
_LONG_EXPONENT: Final = re.compile(r"\de[+-]")
_STRING_OR_EXPONENT: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"|-?\d(?:\.\d+)?e[+-]\d+')


def _no_constant(name: str) -> None:
    raise ValueError(name)


_plain: Final = json.JSONDecoder(parse_constant=_no_constant).decode
_exact: Final = json.JSONDecoder(parse_float=read_double, parse_int=read_integer, parse_constant=_no_constant).decode
_MANY: Final = 200
_encode: Final = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


def decoded(data: bytes) -> str:
    """An argument as text; raises the error of what is no UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise CommandError("Couldn't parse as UTF-8 string") from None


def parse(data: bytes) -> Json:
    """The value that a text has; raises the error of what is no JSON.  O(n)."""
    text = decoded(data)
    try:
        value = (_exact if _may_be_peculiar(data) else _plain)(text)
    except (ValueError, RecursionError):
        raise CommandError(fault(data)) from None
    if text.count("[") + text.count("{") > MOST_LEVELS and measure(value, data).levels > MOST_LEVELS:
        raise CommandError(fault(data))
    if SURROGATE.search(data) and any(escape[1] for escape in ESCAPE.finditer(text)):
        raise CommandError(fault(data))
    return value


def _may_be_peculiar(data: bytes) -> bool:
    """Whether a text may have numbers that the real module reads otherwise than Python: long ones, powers of ten, ``-0``."""
    shape = shape_of(data)
    return _LONG in shape or b"0e" in shape or b"-0" in data


def parse_argument(data: bytes) -> Json:
    """The same for an argument that is no text of a document: its errors have a code."""
    try:
        return parse(data)
    except CommandError as error:
        raise CommandError(f"ERR {error}") from None


def copied(value: Json) -> Json:
    """A value of its own that is the same.  O(n)."""
    return _plain(_encode(value)) if value.__class__ in (dict, list) else value


def written(value: Json) -> bytes:
    """The shortest text of a value.  O(n)."""
    return text_of(value).encode()


def written_in_pieces(value: Json) -> Iterator[bytes]:
    """The same, some elements at a time; a part that has many is looked into."""
    if value.__class__ not in (dict, list):
        yield written(value)
        return
    named = isinstance(value, dict)
    items: Iterator[Any] = iter(value.items() if isinstance(value, dict) else value)
    before = b"{" if named else b"["
    while batch := list(islice(items, _MANY)):
        for large, group in groupby(batch, key=_has_many if named else _is_many):
            some = list(group)
            if not large:
                yield before + written(dict(some) if named else some)[1:-1]
            else:
                for item in some:
                    yield before + (written(item[0]) + b":" if named else b"")
                    yield from written_in_pieces(item[1] if named else item)
                    before = b","
            before = b","
    yield (before if before != b"," else b"") + (b"}" if named else b"]")


def _is_many(value: Json) -> bool:
    return value.__class__ in (dict, list) and len(value) > _MANY


def _has_many(item: tuple[str, Json]) -> bool:
    return _is_many(item[1])


def text_of(value: Json) -> str:
    """The same as `str`."""
    return _mended(_encode(value))


def _mended(text: str) -> str:
    """Where the library has written doubles with an exponent, the real module's digits."""
    if ("e+" in text or "e-" in text) and _LONG_EXPONENT.search(text):
        return _STRING_OR_EXPONENT.sub(_as_number, text)
    return text


def _as_number(match: re.Match[str]) -> str:
    return match[0] if match[0][0] == '"' else number_text(float(match[0]))


def laid_out(value: Json, indent: str, newline: str, space: str) -> str:
    """The text of a value with each element in a line of its own.  O(n)."""
    return "".join(_pieces(value, indent, f":{space}", newline))


def _pieces(value: Json, indent: str, colon: str, outer: str) -> Iterator[str]:
    """The text in pieces, where `outer` is the end of a line and the indent of the next one."""
    if not value or not isinstance(value, dict | list):
        yield text_of(value)
        return
    inner = outer + indent
    named = isinstance(value, dict)
    separator = "{" if named else "["
    for key, part in value.items() if isinstance(value, dict) else enumerate(value):
        yield separator + inner
        if named:
            yield _encode(key) + colon
        yield from _pieces(part, indent, colon, inner)
        separator = ","
    yield outer + ("}" if named else "]")
