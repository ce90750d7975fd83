"""Filters of series by their labels: ``area=1``, ``area!=1``, ``area=``, ``area!=``, ``area=(1,2)``, ``area!=(1,2)``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from emulator.protocol.errors import CommandError

_FAILED: Final = "ERR TSDB: failed parsing labels"


class Matcher(NamedTuple):
    """One filter: the label ``name`` has one of the ``values``, or none of them; no values ask for no label, or any."""

    name: bytes
    values: tuple[bytes, ...] | None
    equal: bool

    @property
    def selects(self) -> bool:
        """Whether it names what it wants, so that a search may begin with it."""
        return self.equal and self.values is not None

    def accepts(self, labels: Iterable[tuple[bytes, bytes]]) -> bool:
        """Whether a series with these labels fits, which may have one twice."""
        given = [value for name, value in labels if name == self.name]
        if self.values is None:
            return bool(given) is not self.equal
        return any(value in self.values for value in given) is self.equal


def matcher(text: bytes) -> Matcher:
    """The filter that a text says."""
    different = b"!=" in text
    if not different and b"=" not in text:
        raise CommandError(_FAILED)
    words = [word for word in re.split(rb"[!=]" if different else b"=", text) if word]
    if not words:
        raise CommandError(_FAILED)
    name, value = words[0], words[1] if len(words) > 1 else None
    if value is None:
        return Matcher(name, None, not different)
    if value.startswith(b"(") and (b"=(" in text):
        return Matcher(name, _listed(value), not different)
    return Matcher(name, (value,), not different)


def _listed(text: bytes) -> tuple[bytes, ...]:
    """The values of a list in brackets."""
    if not text.endswith(b")"):
        raise CommandError(_FAILED)
    words = text[1:-1].split(b",") if len(text) > len(b"()") else []
    if not all(words):
        raise CommandError(_FAILED)
    return tuple(words)


def matchers(texts: Sequence[bytes]) -> list[Matcher]:
    """The filters of a query, one of which must select."""
    found = [matcher(text) for text in texts]
    if not any(one.selects for one in found):
        raise CommandError("ERR TSDB: please provide at least one matcher")
    return found
