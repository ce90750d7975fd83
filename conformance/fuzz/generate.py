"""Random commands by the grammar: mostly valid, sometimes spoilt."""

from __future__ import annotations

from random import Random

from conformance.fuzz import values
from conformance.fuzz.grammar import Argument, Syntax

_FILLERS = frozenset(
    "set append hset rpush lpush sadd zadd xadd geoadd pfadd setbit bitfield copy xgroup|create xreadgroup vadd".split()
)
_COUNTS = frozenset(("numkeys", "numfields", "numids"))

_WEIGHTS = {"transactions": 0.6, "stream": 2.0}
_FILLING = 4
_OPTIONAL = 0.3
_SPOILT = 0.04
_KEYS_ONLY = 0.02
_GETKEYS = (b"COMMAND", b"GETKEYSANDFLAGS")
_FOREIGN_KEY = 0.12
_MOST_REPEATS = 3
_AGAIN = 0.4
_MISCOUNTED = 0.05
_BY_CLOCK = "auto-id"
_SPANS = ("seconds", "milliseconds", "ttl", "timeout")


class Generator:
    """Makes commands from a seed."""

    def __init__(self, random: Random, grammar: list[Syntax]) -> None:
        self.random = random
        self.grammar = grammar
        self.weights = [
            _WEIGHTS.get(syntax.group, 1.0) * (_FILLING if syntax.name in _FILLERS else 1) for syntax in grammar
        ]

    def command(self) -> list[bytes]:
        """A command, as words."""
        syntax = self.random.choices(self.grammar, self.weights)[0]
        words = [word.encode("latin-1") for word in (*syntax.words, *self._sequence(syntax, syntax.arguments))]
        if self.random.random() < _SPOILT:
            self._spoil(words, with_junk=not _is_delicate(syntax))
        elif self.random.random() < _KEYS_ONLY:
            return [*_GETKEYS, *words]
        return words

    def _sequence(self, syntax: Syntax, parts: list[Argument]) -> list[str]:
        """Arguments one after another: what is repeated in one of them is mostly repeated as often in the others."""
        repeats = 1
        while repeats < _MOST_REPEATS and self.random.random() < _AGAIN:
            repeats += 1
        words: list[str] = []
        for part in parts:
            if part.name in _COUNTS:
                words += [part.token, str(repeats)] if part.token else [str(repeats)]
            else:
                often = repeats if self.random.random() > _MISCOUNTED else self.random.randint(1, _MOST_REPEATS)
                words += self._argument(syntax, part, often)
        return words

    def _argument(self, syntax: Syntax, argument: Argument, repeats: int = 1) -> list[str]:
        if "optional" in argument.flags and self.random.random() > _OPTIONAL:
            return []
        words: list[str] = []
        for turn in range(repeats if "multiple" in argument.flags else 1):
            if argument.token and (turn == 0 or "multiple_token" in argument.flags):
                words.append(argument.token)
            words += self._once(syntax, argument)
        return words

    def _once(self, syntax: Syntax, argument: Argument) -> list[str]:
        if argument.type == "pure-token":
            return []
        if argument.type == "oneof":
            return self._argument(
                syntax, self.random.choice([part for part in argument.parts if part.name != _BY_CLOCK])
            )
        if argument.type == "block":
            return self._sequence(syntax, argument.parts)
        if argument.type == "vector":
            return self._vector()
        return [self._value(syntax, argument)]

    def _vector(self) -> list[str]:
        """A vector of two numbers, now and then of another size."""
        size = 2 if self.random.random() > _MISCOUNTED else self.random.randint(1, _MOST_REPEATS)
        return ["VALUES", str(size), *(str(self.random.randint(-9, 9)) for _ in range(size))]

    def _value(self, syntax: Syntax, argument: Argument) -> str:
        if argument.type == "key":
            return self._key(syntax.group)
        pick = (
            values.BY_COMMAND.get((syntax.name, argument.name))
            or values.BY_NAME.get(argument.name)
            or values.BY_TYPE[argument.type]
        )
        return pick(self.random)

    def _key(self, group: str) -> str:
        if group in values.KEYS and self.random.random() > _FOREIGN_KEY:
            return self.random.choice(values.KEYS[group])
        return self.random.choice(values.EVERY_KEY)

    def _spoil(self, words: list[bytes], with_junk: bool) -> None:
        """Leave out a word, say it twice, or put in junk."""
        place = self.random.randrange(len(words))
        how = self.random.randrange(4 if with_junk else 2)
        if how == 0 and len(words) > 1:
            del words[place]
        elif how == 1:
            words.insert(place + 1, words[place])
        elif how == 2:
            words.insert(place + 1, values.junk(self.random).encode("latin-1"))
        elif place:
            words[place] = values.junk(self.random).encode("latin-1")


_OF_MODULES = frozenset("module json bloom cuckoo cms topk tdigest timeseries".split())


def _is_delicate(syntax: Syntax) -> bool:
    """Whether junk may do harm: an expiry within the next milliseconds, or a number of which the real server dies."""
    return syntax.group in _OF_MODULES or _takes_time(syntax.arguments)


def _takes_time(arguments: list[Argument]) -> bool:
    """Whether there is an argument that is a moment or a span of time."""
    return any(part.type == "unix-time" or part.name in _SPANS or _takes_time(part.parts) for part in arguments)
