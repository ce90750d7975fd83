"""What is wrong with a text that is no JSON, in the words of the real module: looked for once it is known to be wrong."""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import Final, NoReturn

from emulator.modules.json.number import INT32_MAX, OutOfRange, read_double, shape_of

MOST_LEVELS: Final = 127

_scan: Final = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=len).decode
"""Goes through a text without a care for what its numbers are."""
ESCAPE: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u([dD][89a-fA-F])[0-9a-fA-F]{2}|.)"
)
"""Any escape; one that is half of a character, the other half of which is not there, has a group."""

# Each is written so that what is of no interest is passed over by one repeated class, not by a choice for each byte.
_A_STRING: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_STRING: Final = re.compile(_A_STRING, re.DOTALL)
_OUTSIDE: Final = re.compile(rb"[^\"]*+(?:%b[^\"]*+)*+" % _A_STRING, re.DOTALL)
_STRUCTURE: Final = re.compile(rb"(?:[^\"\[\]{},:]*+(?:%b[^\"\[\]{},:]*+)*+[\[\]{},:])*+" % _A_STRING, re.DOTALL)
_NO_CONSTANT: Final = re.compile(rb"[^\"NI]*+(?:%b[^\"NI]*+)*+" % _A_STRING, re.DOTALL)
_TOKEN: Final = re.compile(rb"%b|(-?\d[\d.]*(?:[eE][+-]?\d+)?)" % _A_STRING, re.DOTALL)
_BRACKET: Final = re.compile(rb"%b|[\[\]{}]" % _A_STRING, re.DOTALL)
SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
"""What half of a character begins with."""
_LONG: Final = b"0" * 300
_DEPTH: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NOT_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in _DEPTH)

_SPACE: Final = re.compile(rb"[ \t\n\r]*")
_NUMBER: Final = re.compile(rb"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_PART_OF_STRING: Final = re.compile(rb'[^"\\\x00-\x1f]*+(?:\\["\\/bfnrt][^"\\\x00-\x1f]*+)*+')
_HEX: Final = re.compile(rb"[0-9a-fA-F]*")
_WORDS: Final = {b"t": b"true", b"f": b"false", b"n": b"null"}


class _Fault(Exception):
    """What is wrong, and before how many bytes."""


def fault(text: bytes) -> str:
    """The error of a text of UTF-8 that is not what it should be.  O(n)."""
    reader = _Reader(text)
    try:
        reader.document(*_restart(text, _hint(text)))
    except _Fault as found:
        what, position = found.args
        before = text[: min(position, len(text))]
        lines, column = before.count(b"\n"), len(before) - before.rfind(b"\n") - 1
        return f"{what} at line {lines + 1} column {column}"
    raise AssertionError("nothing is wrong")


# Where to look: all that is before is known to be right, and was gone through by the library and by single matches


def _hint(text: bytes) -> int:
    """A place that the first fault is not before."""
    end = len(text)
    try:
        _scan(text.decode())
    except json.JSONDecodeError as error:
        end = len(error.doc[: error.pos].encode())
    except RecursionError:
        end = _too_deep(text)
    constant = _NO_CONSTANT.match(text, 0, end)
    end = end if constant is None else min(end, constant.end())
    shape = shape_of(text[:end])
    if b"0e" in shape or _LONG in shape:
        end = min(end, _out_of_range(text[:end]))
    if SURROGATE.search(text, 0, end):
        halves = (escape.start() for escape in ESCAPE.finditer(text[:end].decode("latin-1")) if escape[1])
        end = min(end, next(halves, end))
    depths = accumulate(map(_DEPTH.__getitem__, _brackets(text[:end])))
    return _too_deep(text) if max(depths, default=0) > MOST_LEVELS else end


def _out_of_range(text: bytes) -> int:
    """Where the first number is that no double holds."""
    for number in _TOKEN.finditer(text):
        if number[1]:
            try:
                read_double(number[1].decode())
            except OutOfRange:
                return number.start()
    return len(text)


def _too_deep(text: bytes) -> int:
    """Where the first array or object is that is nested too deeply."""
    depth = 0
    for bracket in _BRACKET.finditer(text):
        depth += _DEPTH.get(text[bracket.start()], 0)
        if depth > MOST_LEVELS:
            return bracket.start()
    return len(text)


def _brackets(text: bytes) -> bytes:
    return _STRING.sub(b"", text).translate(None, _NOT_BRACKETS)


def _restart(text: bytes, hint: int) -> tuple[int, bool, list[bytes]]:
    """The last comma, colon or bracket before a place that is not within a string, whether a value begins there, and the ends
    that are awaited.
    """
    outside = _OUTSIDE.match(text, 0, hint)
    structure = _STRUCTURE.match(text, 0, hint if outside is None else outside.end())
    at = 0 if structure is None else structure.end()
    last = text[at - 1 : at] if at else b""
    at -= last in (b",", b"[", b"{")
    opened, before = _brackets(text[:at]), b""
    while opened != before:
        before, opened = opened, opened.replace(b"[]", b"").replace(b"{}", b"")
    return at, last in (b"", b":", b"[", b"{"), [b"]" if bracket == ord("[") else b"}" for bracket in opened]


class _Reader:
    """Goes through a text until something is wrong, and raises `_Fault`."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.at = 0

    def document(self, at: int, begins: bool, closers: list[bytes]) -> None:
        """One value and nothing behind it, from a place on where a value `begins` and at which these ends are awaited."""
        self.at = at
        if begins:
            self.value(closers)
        while closers:
            self.go_on(closers)
        if self.peek():
            self.wrong_here("trailing characters")

    def wrong(self, what: str) -> NoReturn:
        """What has been read last is wrong."""
        raise _Fault(what, self.at)

    def wrong_here(self, what: str) -> NoReturn:
        """The next byte is wrong."""
        raise _Fault(what, self.at + 1)

    def peek(self) -> bytes:
        """The next byte that is no space, nothing at the end."""
        match = _SPACE.match(self.text, self.at)
        assert match is not None
        self.at = match.end()
        return self.text[self.at : self.at + 1]

    def value(self, closers: list[bytes]) -> None:
        """A value, or the beginning of one, whose end is then noted in `closers`."""
        byte = self.peek()
        if byte == b'"':
            self.at += 1
            self.string()
        elif byte in (b"[", b"{") and byte:
            if len(closers) == MOST_LEVELS:
                self.wrong_here("recursion limit exceeded")
            self.at += 1
            self.opened(b"]" if byte == b"[" else b"}", closers)
        elif byte in _WORDS:
            self.word(_WORDS[byte])
        elif byte == b"-" or byte.isdigit():
            self.number()
        elif not byte:
            self.wrong("EOF while parsing a value")
        else:
            self.wrong_here("expected value")

    def opened(self, closer: bytes, closers: list[bytes]) -> None:
        """What comes first in an array or object."""
        if self.peek() == closer:
            self.at += 1
            return
        closers.append(closer)
        if not self.peek():
            self.wrong(f"EOF while parsing {'a list' if closer == b']' else 'an object'}")
        if closer == b"}":
            self.member()
        self.value(closers)

    def go_on(self, closers: list[bytes]) -> None:
        """What comes after a value in an array or object: its end, or another value."""
        closer, byte = closers[-1], self.peek()
        if byte == closer:
            self.at += 1
            closers.pop()
            return
        if not byte:
            self.wrong(f"EOF while parsing {'a list' if closer == b']' else 'an object'}")
        if byte != b",":
            self.wrong_here(f"expected `,` or `{closer.decode()}`")
        self.at += 1
        following = self.peek()
        if following == closer:
            self.wrong_here("trailing comma")
        if not following:
            self.wrong("EOF while parsing a value")
        if closer == b"}":
            self.member()
        self.value(closers)

    def member(self) -> None:
        """The name of a member and the colon."""
        if self.peek() != b'"':
            self.wrong_here("key must be a string")
        self.at += 1
        self.string()
        byte = self.peek()
        if not byte:
            self.wrong("EOF while parsing an object")
        if byte != b":":
            self.wrong_here("expected `:`")
        self.at += 1

    def word(self, expected: bytes) -> None:
        """``true``, ``false`` or ``null``."""
        for byte in expected:
            if self.at == len(self.text):
                self.wrong("EOF while parsing a value")
            self.at += 1
            if self.text[self.at - 1] != byte:
                self.wrong("expected ident")

    def number(self) -> None:
        """A number within the range of doubles."""
        match = _NUMBER.match(self.text, self.at)
        if match is None:
            self.at += 1  # a minus alone
            self.number_ends()
        else:
            number = match[0].decode()
            self.at = match.end()
            following = self.text[self.at : self.at + 1]
            if number.lstrip("-") == "0" and following.isdigit():
                self.wrong_here("invalid number")
            if following == b"." and "." not in number and "e" not in number.lower():
                self.at += 1
                self.number_ends_here()
            if following in (b"e", b"E") and "e" not in number.lower():
                self.at += 1
                self.at += self.text[self.at : self.at + 1] in (b"+", b"-") and self.at < len(self.text)
                self.number_ends()
            try:
                read_double(number)
            except OutOfRange:
                self.at -= self.beyond(number.lower().partition("e")[2])
                self.wrong("number out of range")

    @staticmethod
    def beyond(power: str) -> int:
        """How many digits of a power of ten come after it has become too large for 32 bits."""
        digits = power.lstrip("+-")
        taken = len(digits) - len(digits.lstrip("0")) + 10
        taken += int(digits[:taken] or "0") <= INT32_MAX
        return max(len(digits) - taken, 0)

    def number_ends(self) -> NoReturn:
        """A digit is missing, where the byte that came instead has been read."""
        if self.at == len(self.text):
            self.wrong("EOF while parsing a value")
        self.at += 1
        self.wrong("invalid number")

    def number_ends_here(self) -> NoReturn:
        """A digit is missing."""
        if self.at == len(self.text):
            self.wrong("EOF while parsing a value")
        self.wrong_here("invalid number")

    def string(self) -> None:
        """A string whose first quote has been read."""
        while True:
            match = _PART_OF_STRING.match(self.text, self.at)
            assert match is not None
            self.at = match.end()
            byte = self.text[self.at : self.at + 1]
            self.at += len(byte)
            if byte == b'"':
                return
            if not byte:
                self.wrong("EOF while parsing a string")
            if byte != b"\\":
                self.wrong("control character (\\u0000-\\u001F) found while parsing a string")
            self.escape()

    def escape(self) -> None:
        """What comes after a backslash."""
        byte = self.text[self.at : self.at + 1]
        self.at += len(byte)
        if not byte:
            self.wrong("EOF while parsing a string")
        if byte != b"u":
            if byte not in b'"\\/bfnrt':
                self.wrong("invalid escape")
            return
        code = self.hex()
        if 0xDC00 <= code <= 0xDFFF:
            self.wrong("lone leading surrogate in hex escape")
        if 0xD800 <= code <= 0xDBFF:
            for expected in b"\\u":
                if self.at == len(self.text):
                    self.wrong("EOF while parsing a string")
                self.at += 1
                if self.text[self.at - 1] != expected:
                    self.wrong("unexpected end of hex escape")
            if not 0xDC00 <= self.hex() <= 0xDFFF:
                self.wrong("lone leading surrogate in hex escape")

    def hex(self) -> int:
        """Four hexadecimal digits."""
        digits = self.text[self.at : self.at + 4]
        if len(digits) < 4:
            self.at = len(self.text)
            self.wrong("EOF while parsing a string")
        match = _HEX.match(digits)
        assert match is not None
        if match.end() < 4:
            self.at += match.end() + 1
            self.wrong("invalid escape")
        self.at += 4
        return int(digits, 16)
