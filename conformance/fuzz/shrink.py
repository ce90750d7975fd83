"""Fewer commands that show the same: delta debugging, from large portions to single commands.

Source: A. Zeller, R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 28(2), 2002.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def shrink(steps: list[T], fails: Callable[[list[T]], bool]) -> list[T]:
    """A part of `steps` that still fails, of which no single step can be left out."""
    size = max(len(steps) // 2, 1)
    while size:
        start = 0
        while start < len(steps):
            rest = steps[:start] + steps[start + size :]
            if fails(rest):
                steps = rest
            else:
                start += size
        size //= 2
    return steps
