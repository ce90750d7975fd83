"""Regular expressions of filters, in time that grows with the text alone.

Python's own go back and forth and can take for ever, which a client could ask for.  Here an expression becomes states, and
all of them that a text can have led to are followed at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from emulator.modules.json.regex_syntax import (
    EDGE,
    END,
    LINE_END,
    LINE_START,
    NO_EDGE,
    START,
    Anchor,
    Broken,
    Choice,
    Letter,
    Node,
    Repeat,
    Test,
    is_word,
    read,
)

Spend = Callable[[int], None]

Search = Callable[[str, Spend], bool]

_SIGN: Final = re.compile(r"[\\.^$*+?()\[\]{}|]")
"""What stands for more than itself."""
_SHORT: Final = 1000
_LONGEST: Final = 100_000
_MOST_STATES: Final = 2000
_MOST_REMEMBERED: Final = 20_000
"""States of an expression in the sets that are remembered, with what follows on each letter."""


class _State(NamedTuple):
    """Leads to the following states by a letter that passes the test; without one at an anchor's place, or anywhere."""

    test: Test | None
    place: int | None
    following: list[int]


class _Part(NamedTuple):
    """States from one to those whose following ones are still open."""

    first: int
    open: Sequence[int]


class _Builder:
    """Makes states of a tree."""

    def __init__(self, tree: Node) -> None:
        self.states: list[_State] = []
        whole = self.build(tree)
        self.first = whole.first
        self.last = self.state()
        self.join(whole, self.last)

    def state(self, *following: int, test: Test | None = None, place: int | None = None) -> int:
        if len(self.states) >= _MOST_STATES:
            raise Broken
        self.states.append(_State(test, place, list(following)))
        return len(self.states) - 1

    def join(self, part: _Part, following: int) -> None:
        for state in part.open:
            self.states[state].following.append(following)

    def build(self, node: Node) -> _Part:
        if isinstance(node, Repeat):
            return self.repeat(node)
        if isinstance(node, Choice):
            parts = [self.build(part) for part in node.parts]
            fork = self.state(*(part.first for part in parts))
            return _Part(fork, [state for part in parts for state in part.open])
        if isinstance(node, Letter):
            made = self.state(test=node.test)
        elif isinstance(node, Anchor):
            made = self.state(place=node.place)
        else:
            return self.chain([self.build(part) for part in node.parts])
        return _Part(made, [made])

    def chain(self, parts: Sequence[_Part]) -> _Part:
        first = self.state()
        end = _Part(first, [first])
        for part in parts:
            self.join(end, part.first)
            end = part
        return _Part(first, end.open)

    def repeat(self, node: Repeat) -> _Part:
        """As many copies as are needed, and then a loop, or copies of which each may be the last."""
        copies = [self.build(node.part) for _ in range(node.least)]
        if node.most is None:
            loop = self.state()
            part = self.build(node.part)
            self.states[loop].following.append(part.first)
            self.join(part, loop)
            return self.chain([*copies, _Part(loop, [loop])])
        out: list[int] = []
        for _ in range(node.most - node.least):
            part = self.build(node.part)
            fork = self.state(part.first)
            out.append(fork)
            copies.append(_Part(fork, part.open))
        whole = self.chain(copies)
        return _Part(whole.first, [*whole.open, *out])


class _Machine:
    """The states of an expression, with what has been found out about them."""

    def __init__(self, built: _Builder) -> None:
        self.states = built.states
        self.start = frozenset((built.first,))
        self.last = built.last
        self.looks_at_words = any(state.place in (EDGE, NO_EDGE) for state in self.states)
        self.looks_at_lines = any(state.place in (LINE_START, LINE_END) for state in self.states)
        self._reached: dict[tuple[frozenset[int], frozenset[int]], frozenset[int]] = {}
        self._after: dict[tuple[frozenset[int], str], frozenset[int]] = {}
        self._remembered = 0

    def search(self, text: str, spend: Spend) -> bool:
        """Whether the text has a match anywhere.  O(n), counted by `spend`."""
        states = self.start
        spend(len(text))
        for at in range(len(text) + 1):
            reached = self.reached(states, self.anchors(text, at), spend)
            if self.last in reached:
                return True
            if at < len(text):
                states = self.after(reached, text[at], spend)
        return False

    def anchors(self, text: str, at: int) -> frozenset[int]:
        """Which anchors hold between two letters."""
        found = set()
        if at == 0:
            found |= {START, LINE_START}
        if at == len(text):
            found |= {END, LINE_END}
        if self.looks_at_lines:
            found |= {LINE_START} if at and text[at - 1] == "\n" else set()
            found |= {LINE_END} if text[at : at + 1] == "\n" else set()
        if self.looks_at_words:
            before = at > 0 and is_word(text[at - 1])
            found.add(EDGE if before != (at < len(text) and is_word(text[at])) else NO_EDGE)
        return frozenset(found)

    def reached(self, states: frozenset[int], anchors: frozenset[int], spend: Spend) -> frozenset[int]:
        """The states that these lead to without a letter."""
        known = self._reached.get((states, anchors))
        if known is None:
            found, waiting = set(states), list(states)
            while waiting:
                state = self.states[waiting.pop()]
                if state.test is None and (state.place is None or state.place in anchors):
                    new = [each for each in state.following if each not in found]
                    found.update(new)
                    waiting += new
            spend(len(found))
            known = frozenset(found)
            self.remember(states, known)
            self._reached[states, anchors] = known
        return known

    def after(self, states: frozenset[int], letter: str, spend: Spend) -> frozenset[int]:
        """The states behind a letter, and the first one: a match may begin anywhere."""
        known = self._after.get((states, letter))
        if known is None:
            found = set(self.start)
            for number in states:
                state = self.states[number]
                if state.test is not None and state.test(letter):
                    found.update(state.following)
            spend(len(states))
            known = frozenset(found)
            self.remember(states, known)
            self._after[states, letter] = known
        return known

    def remember(self, *sets: frozenset[int]) -> None:
        """Forget what is known where there would be too much with these."""
        size = sum(map(len, sets))
        self._remembered += size
        if self._remembered > _MOST_REMEMBERED:
            self._reached.clear()
            self._after.clear()
            self._remembered = size


def searcher(pattern: str) -> Search | None:
    """A function that says whether a text has what the pattern describes; None where the pattern is none, or too long."""
    if _SIGN.search(pattern) is None:
        return lambda text, spend: pattern in text
    if len(pattern) > _LONGEST:
        return None
    return (_kept if len(pattern) <= _SHORT else _kept_long)(pattern)


def _made(pattern: str) -> Search | None:
    try:
        return _Machine(_Builder(read(pattern))).search
    except (Broken, RecursionError):
        return None


_kept: Final = lru_cache(64)(_made)
_kept_long: Final = lru_cache(1)(_made)  # for one filter that looks at many values
