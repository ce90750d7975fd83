"""Splits and quotes words as inline commands, redis.conf and redis-cli do.

White space separates words; vertical tabs and form feeds count as white space only where a word could begin.  In double
quotes ``\\n \\r \\t \\b \\a \\xHH`` and a backslash before any other byte are escapes; in single quotes only ``\\'`` is.
White space or the end must follow a closing quote, where the reader is strict.
"""

from __future__ import annotations

_SPACE = b" \t\n\v\f\r"
_END = b" \t\n\r"
_SPECIAL = (b'"', b"'", b"\v", b"\f")
_ESCAPES = {0x6E: 0x0A, 0x72: 0x0D, 0x74: 0x09, 0x62: 0x08, 0x61: 0x07}
_BACKSLASH, _DOUBLE, _SINGLE = 0x5C, 0x22, 0x27


def split_inline(line: bytes, strict: bool = True) -> list[bytes] | None:
    """Return the words of a line, None if its quotes are not balanced."""
    line = line.partition(b"\0")[0]
    if not any(byte in line for byte in _SPECIAL):
        return line.split()
    words: list[bytes] = []
    position = 0
    while True:
        while position < len(line) and line[position] in _SPACE:
            position += 1
        if position == len(line):
            return words
        word = bytearray()
        while position < len(line) and line[position] not in _END:
            byte = line[position]
            if byte in (_DOUBLE, _SINGLE):
                position = _quoted(line, position + 1, byte, word, strict)
                if position < 0:
                    return None
                if strict:
                    break
                continue
            word.append(byte)
            position += 1
        words.append(bytes(word))


def _quoted(line: bytes, position: int, quote: int, word: bytearray, strict: bool) -> int:
    """Append the text inside the quotes; return the position after them, -1 if they are not closed properly."""
    size = len(line)
    while position < size:
        byte = line[position]
        if byte == quote:
            position += 1
            return position if not strict or position == size or line[position] in _SPACE else -1
        if byte == _BACKSLASH and position + 1 < size:
            if quote == _SINGLE:
                if line[position + 1] == _SINGLE:
                    byte, position = _SINGLE, position + 1
            elif line[position + 1] == 0x78 and (code := _hexadecimal(line[position + 2 : position + 4])) is not None:
                byte, position = code, position + 3
            else:
                byte, position = _ESCAPES.get(line[position + 1], line[position + 1]), position + 1
        word.append(byte)
        position += 1
    return -1


def _hexadecimal(digits: bytes) -> int | None:
    if len(digits) == 2 and all(digit in b"0123456789abcdefABCDEF" for digit in digits):
        return int(digits, 16)
    return None


_NAMED = {0x5C: b"\\\\", 0x22: b'\\"', 0x0A: b"\\n", 0x0D: b"\\r", 0x09: b"\\t", 0x07: b"\\a", 0x08: b"\\b"}
_SHOWN = [_NAMED.get(byte) or (b"%c" % byte if 0x20 <= byte < 0x7F else b"\\x%02x" % byte) for byte in range(256)]
"""How each byte is shown in quotes."""
_AS_THEY_ARE = bytes(byte for byte, shown in enumerate(_SHOWN) if len(shown) == 1)


def quoted(word: bytes) -> bytes:
    """Return a word in double quotes, printable and readable by `split_inline`."""
    if word.translate(None, _AS_THEY_ARE):
        word = b"".join(map(_SHOWN.__getitem__, word))
    return b'"' + word + b'"'
