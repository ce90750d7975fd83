"""Random Lua scripts: commands by the grammar within redis.call and redis.pcall."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

_PROTECTED = 0.7
_RESP3 = 0.2


def literal(word: bytes) -> str:
    """A string of Lua."""
    return '"' + "".join(chr(byte) if chr(byte).isalnum() and byte < 128 else f"\\{byte:03d}" for byte in word) + '"'


def script_of(random: Random, commands: Sequence[list[bytes]]) -> list[bytes]:
    """EVAL of a script that runs commands and returns what they answer."""
    lines = ["redis.setresp(3)"] if random.random() < _RESP3 else []
    names = []
    for number, words in enumerate(commands):
        call = "pcall" if random.random() < _PROTECTED else "call"
        names.append(f"r{number}")
        lines.append(f"local r{number} = redis.{call}({', '.join(map(literal, words))})")
    lines.append(f"return {{{', '.join(names)}}}" if random.random() < _PROTECTED else f"return {names[-1]}")
    return [b"EVAL", "\n".join(lines).encode(), b"0"]
