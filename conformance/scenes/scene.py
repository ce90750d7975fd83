"""What several clients do, by chance."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from typing import Final

from conformance.cases import split
from conformance.fuzz.program import quoted

Words = list[str]
Step = tuple[int, list[Words]]
"""A client, and the commands that it sends at once."""

CLIENTS: Final = 4
_POOLS: Final = {
    "list": ("l1", "l2", "l3"),
    "zset": ("z1", "z2"),
    "stream": ("x1", "x2"),
    "string": ("s1", "s2"),
    "key": ("l1", "l2", "l3", "z1", "z2", "x1", "x2", "s1", "s2", "h"),
    "word": ("a", "b", "c", "1", "2"),
    "channel": ("c1", "c2"),
    "client": tuple(f"<{number}>" for number in range(CLIENTS)),
}
_POOL: Final = re.compile(r"\{(\w+)\}")
_PIPELINES: Final = 0.25
_LONGEST_PIPELINE: Final = 4
_GREETINGS: Final = 0.03
"""Not within a transaction, in which the real server has answered by the protocol of before; ours answers as a whole."""


class Author:
    """Writes scenes, from the lines of `lines.txt`."""

    def __init__(self, random: Random) -> None:
        self._random = random
        lines = Path(__file__).with_name("lines.txt").read_text().splitlines()
        told = [line.split(" ", 1) for line in lines if not line.startswith("#")]
        self._weights = [int(weight) for weight, _ in told]
        self._lines = [[word.decode() for word in split(line)] for _, line in told]

    def scene(self) -> list[Step]:
        """A scene of some dozen steps."""
        return [self._step(number) for number in range(1, self._random.randint(20, 60))]

    def _step(self, number: int) -> Step:
        random = self._random
        client = random.randrange(CLIENTS)
        if random.random() < _GREETINGS:
            return client, [["DISCARD"], ["HELLO", random.choice("23")]]
        count = random.randint(2, _LONGEST_PIPELINE) if random.random() < _PIPELINES else 1
        return client, [self._command(number) for _ in range(count)]

    def _command(self, number: int) -> Words:
        line = self._random.choices(self._lines, self._weights)[0]
        return [word if " " in word else self._drawn(word, number) for word in line]

    def _drawn(self, word: str, number: int) -> str:
        word = self._random.choice(word.split("|"))
        return _POOL.sub(
            lambda match: str(number) if match[1] == "step" else self._random.choice(_POOLS[match[1]]), word
        )


def text_of(scene: list[Step]) -> str:
    """A scene as people read it."""
    return "\n".join(
        f"{client}: {' ; '.join(' '.join(quoted(word.encode()) for word in words) for words in commands)}"
        for client, commands in scene
    )
