"""Regular expressions of filters."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache


@lru_cache(64)
def searcher(pattern: str) -> Callable[[str], bool] | None:
    """A function that says whether a text has what the pattern describes; None where the pattern is none."""
    try:
        found = re.compile(pattern).search
    except re.error:
        return None
    return lambda text: found(text) is not None
