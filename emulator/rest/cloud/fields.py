"""The fields of a request's body, read one by one; each raises BadRequest where it is not as it should be."""

from __future__ import annotations

import json
from typing import Any

from emulator.rest.requests import BadRequest

_NOT_JSON = 406
_LONGEST_TEXT = 256


class Fields:
    """The fields of a JSON object; nothing and ``null`` stand for an empty one.  Names may be given in several spellings."""

    def __init__(self, body: bytes) -> None:
        try:
            found = json.loads(body) if body.strip() else {}
        except (ValueError, RecursionError):
            raise BadRequest("the body is not JSON", _NOT_JSON) from None
        if not isinstance(found or {}, dict):
            raise BadRequest("the body must be a JSON object")
        self._found: dict[str, Any] = found or {}

    def _get(self, names: tuple[str, ...], kind: type, words: str) -> Any:
        """The value of the first name that is there, None where none is."""
        for name in names:
            value = self._found.get(name)
            if value is not None:
                if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
                    raise BadRequest(f"{name} must be {words}")
                return value
        return None

    def optional_text(self, *names: str) -> str | None:
        """A text that may be absent."""
        text: str | None = self._get(names, str, "a string")
        if text is not None and not 0 < len(text) <= _LONGEST_TEXT:
            raise BadRequest(f"{names[0]} must have from 1 to {_LONGEST_TEXT} characters")
        return text

    def text(self, *names: str) -> str:
        """A text."""
        text = self.optional_text(*names)
        if text is None:
            raise BadRequest(f"{names[0]} is required")
        return text

    def flag(self, name: str, default: bool = False) -> bool:
        """A truth value."""
        value: bool | None = self._get((name,), bool, "a boolean")
        return default if value is None else value

    def optional_number(self, name: str) -> int | None:
        """An integer from 0 on that may be absent."""
        number: int | None = self._get((name,), int, "an integer")
        if number is not None and not 0 <= number < 1 << 53:
            raise BadRequest(f"{name} must be an integer from 0 on")
        return number

    def number(self, name: str) -> int:
        """An integer from 0 on."""
        number = self.optional_number(name)
        if number is None:
            raise BadRequest(f"{name} is required")
        return number

    def optional_texts(self, name: str) -> list[str] | None:
        """A list of texts that may be absent."""
        texts: list[str] | None = self._get((name,), list, "an array of strings")
        if texts is not None and not all(isinstance(text, str) and 0 < len(text) <= _LONGEST_TEXT for text in texts):
            raise BadRequest(f"{name} must be an array of strings")
        return texts

    def texts(self, name: str) -> list[str]:
        """A list of texts."""
        texts = self.optional_texts(name)
        if texts is None:
            raise BadRequest(f"{name} is required")
        return texts
