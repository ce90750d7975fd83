"""FILTER expressions of VSIM: a parser and an evaluator over the JSON that an element's attribute is.

An expression such as ``.year >= 1980 and .genre in ["drama", "war"]`` becomes a program in reverse Polish notation, by
the shunting-yard algorithm.  Values are numbers (all ``float``), strings (``bytes``), null (``None``) and tuples of these
(``list``).  The peculiarities are the real server's: ``not`` binds tighter than arithmetic, comparisons and ``in``
associate to the left with one precedence, nothing is short-circuited, words and symbols that follow each other without a
space may be taken for one word.

Source: https://redis.io/docs/latest/develop/data-types/vector-sets/filtered-search/
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import Final, NamedTuple

from emulator.datatypes.vector_attribute import MISSING, Value, member


class FilterError(Exception):
    """No expression; ``position`` is where that was noticed."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


# Operators


def number_of(value: Value) -> float:
    """A value as arithmetic takes it: a string that is no number, null and a tuple are 0."""
    if isinstance(value, float):
        return value
    return _parse_text(value) if isinstance(value, bytes) else 0.0


def _parse_text(text: bytes) -> float:
    """The number that a text wholly is, in the spellings of C, else 0."""
    digits = text.lstrip(b" \t\n\v\f\r")
    if b"_" in digits or digits[-1:].isspace():
        return 0.0
    try:
        return float.fromhex(digits.decode("latin-1")) if b"x" in digits.lower() else float(digits)
    except (ValueError, OverflowError):
        return 0.0


def is_true(value: Value) -> bool:
    """Zero, the empty string and null are false."""
    return isinstance(value, list) or bool(value)


def _equal(a: Value, b: Value) -> bool:
    if a is None or b is None:
        return a is b
    if isinstance(a, bytes) and isinstance(b, bytes):
        return a == b
    return number_of(a) == number_of(b)


def _contains(needle: Value, within: Value) -> bool:
    """Whether a value is in a tuple, or a string part of another."""
    if isinstance(within, list):
        return any(_equal(needle, element) for element in within)
    return isinstance(needle, bytes) and isinstance(within, bytes) and needle in within


def _divide(a: float, b: float) -> float:
    if b:
        return a / b
    return math.nan if not a or a != a else math.copysign(math.inf, a) * math.copysign(1, b)


def _remainder(a: float, b: float) -> float:
    return math.fmod(a, b) if b and not math.isinf(a) else math.nan


def _power(a: float, b: float) -> float:
    try:
        return math.pow(a, b)
    except OverflowError:
        return -math.inf if a < 0 and math.fmod(b, 2) else math.inf
    except ValueError:
        return math.inf if not a else math.nan


def _arithmetic(calculate: Callable[[float, float], float]) -> Callable[..., Value]:
    return lambda a, b: float(calculate(number_of(a), number_of(b)))


class Operator(NamedTuple):
    """What is done with as many values as ``operands``; brackets have no work to do."""

    precedence: int
    operands: int
    apply: Callable[..., Value]


_BRACKET: Final = Operator(9, 0, lambda: 0.0)
_NOT: Final = Operator(7, 1, lambda a: float(not is_true(a)))
_AND: Final = Operator(1, 2, lambda a, b: float(is_true(a) and is_true(b)))
_OR: Final = Operator(0, 2, lambda a, b: float(is_true(a) or is_true(b)))
_POWER: Final = Operator(6, 2, _arithmetic(_power))

_OPERATORS: Final = {
    b"(": _BRACKET,
    b")": _BRACKET,
    b"not": _NOT,
    b"!": _NOT,
    b"**": _POWER,
    b"*": Operator(5, 2, _arithmetic(operator.mul)),
    b"/": Operator(5, 2, _arithmetic(_divide)),
    b"%": Operator(5, 2, _arithmetic(_remainder)),
    b"+": Operator(4, 2, _arithmetic(operator.add)),
    b"-": Operator(4, 2, _arithmetic(operator.sub)),
    b">": Operator(3, 2, _arithmetic(operator.gt)),
    b">=": Operator(3, 2, _arithmetic(operator.ge)),
    b"<": Operator(3, 2, _arithmetic(operator.lt)),
    b"<=": Operator(3, 2, _arithmetic(operator.le)),
    b"==": Operator(3, 2, lambda a, b: float(_equal(a, b))),
    b"!=": Operator(3, 2, lambda a, b: float(not _equal(a, b))),
    b"in": Operator(3, 2, lambda a, b: float(_contains(a, b))),
    b"and": _AND,
    b"&&": _AND,
    b"or": _OR,
    b"||": _OR,
}

# Tokens


class FieldSelector(NamedTuple):
    """A field of the attribute."""

    name: bytes


class Constant(NamedTuple):
    """A value that stands in the expression."""

    value: Value


Token = FieldSelector | Constant | Operator

_SPACE: Final = re.compile(rb"[ \t\n\v\f\r]*")
_NUMBER: Final = re.compile(rb"-?[0-9.eE]*")
_STRING: Final = re.compile(rb"\"((?:[^\"\\]++|\\.)*+)\"|'((?:[^'\\]++|\\.)*+)'", re.DOTALL)
_SELECTOR: Final = re.compile(rb"\.(?:([A-Za-z0-9_-]+)|$)")
_WORD: Final = re.compile(rb"[A-Za-z+*/%!()<>=|&-]*")
_NULL: Final = re.compile(rb"null(?![A-Za-z+*/%!()<>=|&-])")
_OPERATOR: Final = re.compile(b"|".join(map(re.escape, sorted(_OPERATORS, key=len, reverse=True))))


class _Reader:
    """The tokens of an expression one after another."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.position = 0

    def _at(self) -> bytes:
        """The next character but spaces, empty at the end."""
        space = _SPACE.match(self.text, self.position)
        assert space is not None
        self.position = space.end()
        return self.text[self.position : self.position + 1]

    def token(self, after_operand: bool) -> tuple[bytes, Token] | None:
        """A token with its spelling, None at the end; a minus before a digit is a sign unless an operand precedes."""
        start = self._at()
        if not start:
            return None
        if start == b"." and (found := _SELECTOR.match(self.text, self.position)):
            self.position = found.end()
            return b"", FieldSelector(found[1] or b"")
        signed = start == b"-" and self.text[self.position + 1 : self.position + 2].isdigit()
        if start.isdigit() or (signed and not after_operand):
            return b"", Constant(self._number())
        if start in b"\"'":
            return b"", Constant(self._string())
        if start == b"[":
            return b"", Constant(self._tuple())
        return self._word()

    def _number(self) -> float:
        found = _NUMBER.match(self.text, self.position)
        assert found is not None
        self.position = found.end()
        try:
            return float(found[0])
        except ValueError:
            raise FilterError(self.position) from None

    def _string(self) -> bytes:
        """A string without its quotes; a backslash before a quote keeps its place."""
        found = _STRING.match(self.text, self.position)
        if found is None:
            raise FilterError(len(self.text))
        self.position = found.end()
        return found[1] if found[1] is not None else found[2]

    def _tuple(self) -> Value:
        elements: list[Value] = []
        self.position += 1
        while (start := self._at()) != b"]":
            if start.isdigit() or start == b"-":
                elements.append(self._number())
            elif start and start in b"\"'":
                elements.append(self._string())
            else:
                raise FilterError(self.position)
            if self._at() == b",":
                self.position += 1
            elif self._at() != b"]":
                raise FilterError(self.position)
        self.position += 1
        return elements

    def _word(self) -> tuple[bytes, Token]:
        """The longest operator that begins what follows, or ``null`` where that is all of it."""
        if found := _OPERATOR.match(self.text, self.position):
            self.position = found.end()
            return found[0], _OPERATORS[found[0]]
        if found := _NULL.match(self.text, self.position):
            self.position = found.end()
            return b"", Constant(None)
        word = _WORD.match(self.text, self.position)
        raise FilterError(word.end() if word else self.position)


# Compiling


def _compile(text: bytes) -> list[Token]:
    """The program of an expression, operands before their operator."""
    reader = _Reader(text)
    program: list[Token] = []
    waiting: list[Operator | None] = []
    after_operand = False
    while (read := reader.token(after_operand)) is not None:
        spelling, token = read
        after_operand = not isinstance(token, Operator) or spelling == b")"
        if not isinstance(token, Operator):
            program.append(token)
        elif spelling == b"(":
            waiting.append(None)
        elif spelling == b")":
            while (above := waiting.pop() if waiting else _unbalanced(text)) is not None:
                program.append(above)
        else:
            while waiting and (top := waiting[-1]) is not None:
                if top.precedence < token.precedence or top is token is _POWER:
                    break
                program.append(top)
                waiting.pop()
            waiting.append(token)
    for left in reversed(waiting):
        if left is None:
            raise FilterError(len(text))
        program.append(left)
    _check_balance(program, len(text))
    return program


def _unbalanced(text: bytes) -> Operator:
    raise FilterError(len(text))


def _check_balance(program: list[Token], end: int) -> None:
    """Raise unless every operator finds its operands and one value is left."""
    depth = 0
    for token in program:
        operands = token.operands if isinstance(token, Operator) else 0
        if depth < operands:
            raise FilterError(end)
        depth += 1 - operands
    if depth != 1:
        raise FilterError(end)


class Filter:
    """An expression ready to be asked; raises `FilterError` where it is none."""

    def __init__(self, text: bytes) -> None:
        self._program = _compile(text.partition(b"\0")[0])

    def __call__(self, attribute: bytes) -> bool:
        """Whether it holds for an attribute; it does not where a field that it names is missing."""
        stack: list[Value] = []
        for token in self._program:
            if isinstance(token, Constant):
                stack.append(token.value)
            elif isinstance(token, FieldSelector):
                value = member(attribute, token.name)
                if value is MISSING:
                    return False
                stack.append(value)
            else:
                operands = stack[-token.operands :]
                del stack[-token.operands :]
                stack.append(token.apply(*operands))
        return is_true(stack[0])
