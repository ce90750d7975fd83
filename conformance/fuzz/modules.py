"""The grammar of modules' commands, of which COMMAND DOCS tells nothing, and the words for them.

What 8.2 answers otherwise than the oracle's older modules does not come up: the words are chosen so.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from conformance.fuzz.grammar import Argument, Syntax
from conformance.fuzz.series import series
from conformance.fuzz.sketches import sketches
from conformance.fuzz.values import BY_COMMAND, KEYS, Pick, one_of

_MANY, _OPTIONAL = frozenset(("multiple",)), frozenset(("optional",))


def _part(name: str, kind: str = "string", token: str = "", flags: frozenset[str] = frozenset()) -> Argument:
    return Argument(name, kind, token, flags)


_KEY = _part("key", "key")


# JSON

_NAMES = ["a", "b", "c", "x", "y"]
"""Plain letters: with others the older module loses its way."""
_SCALARS: list[Any] = [0, 1, -1, 5, 1.5, -0.25, 1e20, "", "x", "e\n", 'q"', True, False, None, 10**6]
_ONE_PLACE = [
    "$.a",
    ".b",
    "c",
    "$.a.x",
    ".a.b",
    "$['y']",
    "$.a[0]",
    ".b[-1]",
    "$.c[1]",
    "$.nope",
    ".nope",
    "$.a[7]",
]
_MANY_PLACES = [
    "$.*",
    "$..a",
    "..b",
    "$..x",
    "$.a[*]",
    "$.b[0:2]",
    "$.c[0,1]",
    "$.*.*",
    "$[?(@.a)]",
    "$.*[?(@==1)]",
]
_FILTERS = [
    '$[?(@.x=="x")]',
    "$.a[?(@>=1&&@<6)]",
    "$.*[?(@!=null)]",
    "$..[?(@.b||@.c)]",
    "$.a[?(@==$.keep)]",
    '$.*[?(@=~"^x")]',
]


def _value(random: Random, levels: int = 2) -> Any:
    kind = random.random()
    if not levels or kind < 0.5:
        return random.choice(_SCALARS)
    if kind < 0.75:
        return [_value(random, levels - 1) for _ in range(random.randint(0, 4))]
    return {random.choice(_NAMES): _value(random, levels - 1) for _ in range(random.randint(0, 3))}


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).encode().decode("latin-1")


def _any_value(random: Random) -> str:
    return random.choice(["bad", "", "{", "[1,", "nul", "01"]) if random.random() < 0.05 else _text(_value(random))


def _document(random: Random) -> str:
    """A document from which nothing takes its last member."""
    return _text({"keep": 1} | {name: _value(random) for name in random.sample(_NAMES, 4)})


def _patch(random: Random) -> str:
    return _text({random.choice(_NAMES): _value(random) for _ in range(random.randint(1, 3))})


def _encoded(words: list[str]) -> list[str]:
    return [word.encode().decode("latin-1") for word in words]


_where = one_of(_encoded(_ONE_PLACE), _encoded(_MANY_PLACES), _encoded(_FILTERS), ["$", "."])
_one_place = one_of(_encoded(_ONE_PLACE))
_inner_place = one_of(["$.a.x", ".a.b", "$.a[0]", ".b[-1]", "$.c[1]", "$.a[7]"])
"""With the last member of a document 8.2 deletes the key, which the older module does not."""
_changed = one_of(_encoded(_ONE_PLACE), ["$.*", "$.*.*", "$.a[*]", "$.b[0:2]", "$.c[0,1]"])
"""Where the older module does not lose its way when it changes something."""
_number = one_of(["0", "1", "-1", "3", "0.5", "-2.25", "1e3"], odd=["x", '"1"', "null", "1x", ""])
_small = one_of(["0", "1", "2", "-1", "-2", "5", "-7"], odd=["x", "1.5", ""])
_string = one_of(_encoded(['"x"', '""', '"a\\n"']), odd=["x", "5", "null", "[1]"])

_PATH = _part("path")
_AT_MOST_ONCE = _part("path", flags=_OPTIONAL)
_JSON: dict[str, list[Argument]] = {
    "JSON.SET": [
        _KEY,
        _part("path"),
        _part("value"),
        Argument(
            "if", "oneof", flags=_OPTIONAL, parts=[_part("nx", "pure-token", "NX"), _part("xx", "pure-token", "XX")]
        ),
    ],
    "JSON.GET": [_KEY, _AT_MOST_ONCE],
    "JSON.MGET": [_part("key", "key", flags=_MANY), _PATH],
    "JSON.MERGE": [_KEY, _PATH, _part("value")],
    "JSON.DEL": [_KEY, _PATH],
    "JSON.CLEAR": [_KEY, _PATH],
    "JSON.TYPE": [_KEY, _AT_MOST_ONCE],
    "JSON.RESP": [_KEY, _AT_MOST_ONCE],
    "JSON.NUMINCRBY": [_KEY, _PATH, _part("number")],
    "JSON.NUMMULTBY": [_KEY, _PATH, _part("number")],
    "JSON.STRAPPEND": [_KEY, _PATH, _part("string")],
    "JSON.STRLEN": [_KEY, _AT_MOST_ONCE],
    "JSON.TOGGLE": [_KEY, _PATH],
    "JSON.ARRAPPEND": [_KEY, _PATH, _part("value", flags=_MANY)],
    "JSON.ARRINSERT": [_KEY, _PATH, _part("place"), _part("value", flags=_MANY)],
    "JSON.ARRINDEX": [_KEY, _PATH, _part("value"), _part("place", flags=_OPTIONAL)],
    "JSON.ARRLEN": [_KEY, _AT_MOST_ONCE],
    "JSON.ARRPOP": [_KEY, _PATH, _part("place", flags=_OPTIONAL)],
    "JSON.ARRTRIM": [_KEY, _PATH, _part("place"), _part("place")],
    "JSON.OBJKEYS": [_KEY, _AT_MOST_ONCE],
    "JSON.OBJLEN": [_KEY, _AT_MOST_ONCE],
    "JSON.DEBUG": [_part("memory", "pure-token", "MEMORY"), _KEY, _AT_MOST_ONCE],
}
_CHANGES = frozenset(
    f"JSON.{name}"
    for name in "SET MERGE CLEAR ARRPOP ARRTRIM ARRINSERT ARRAPPEND NUMINCRBY NUMMULTBY STRAPPEND TOGGLE".split()
)
_FIRST = "JSON.SET"
_DOCUMENT = [_KEY, _part("root", "pure-token", "$"), _part("document")]


def _pick(command: str, argument: str) -> Pick:
    """The words for an argument of JSON's."""
    if argument == "path":
        if command == "JSON.DEL":
            return _inner_place
        if command == "JSON.ARRINSERT":
            return _one_place
        return _changed if command in _CHANGES else _where
    return {
        "value": _patch if command == "JSON.MERGE" else _any_value,
        "number": _number,
        "string": _string,
        "place": _small,
        "document": _document,
    }[argument]


def _of_json() -> list[Syntax]:
    calls = [*_JSON.items(), *[(_FIRST, _DOCUMENT)] * 3]
    return [Syntax([name], "json", arguments) for name, arguments in calls]


MODULES: dict[str, Callable[[], list[Syntax]]] = {
    "json": _of_json,
    "timeseries": series,
    **{group: partial(sketches, group) for group in ("bloom", "cuckoo", "cms", "topk", "tdigest")},
}
"""The commands of a group that a module has."""

KEYS["json"] = ["j1", "j2"]
for _name, _arguments in [*_JSON.items(), (_FIRST, _DOCUMENT)]:
    for _argument in _arguments:
        if _argument.type == "string":
            BY_COMMAND[_name.lower(), _argument.name] = _pick(_name, _argument.name)
