"""The grammar of time series, and the words for their commands.

What the oracle's older module says otherwise than 8.2, or does not survive, does not come up: TS.DEL, TS.INFO, rules with
late samples, EMPTY from the end.
"""

from __future__ import annotations

from random import Random

from conformance.fuzz.grammar import Argument, Syntax
from conformance.fuzz.values import BY_COMMAND, KEYS, one_of

_KEY = Argument("key", "key")
_OPTIONAL, _MANY = frozenset(("optional",)), frozenset(("multiple",))


def _word(name: str, token: str = "", flags: frozenset[str] = frozenset()) -> Argument:
    return Argument(name, "string", token, flags)


def _moment(random: Random) -> str:
    return str(random.randrange(200)) if random.random() < 0.97 else random.choice(["x", "-1", "1.5", ""])


def _value(random: Random) -> str:
    if random.random() < 0.03:
        return random.choice(["x", "nan", "", "1e400"])
    return random.choice([str(random.randrange(-9, 9)), repr(round(random.uniform(-99, 99), 2)), repr(random.random())])


_aggregation = one_of("avg sum min max range count first last std.p std.s var.p var.s".split(), odd=["foo"])
_reducer = one_of("avg sum min max range count std.p std.s var.p var.s".split(), odd=["foo", "first"])
_WORDS = {
    "moment": _moment,
    "value": _value,
    "from": one_of(["-", "0", "10", "50"], odd=["x", "-1"]),
    "to": one_of(["+", "100", "150", "1000"], odd=["x", "-1"]),
    "aggregation": _aggregation,
    "reducer": _reducer,
    "duration": one_of(["1", "7", "10", "100"], odd=["0", "-1", "x"]),
    "number": one_of(["1", "2", "5", "100"], odd=["0", "-1", "x"]),
    "stamp": one_of(["-", "+", "~", "start", "end", "mid"], odd=["x"]),
    "policy": one_of(["last", "first", "min", "max", "sum", "block"], odd=["x"]),
    "label": one_of(["red", "blue", "green"]),
    "filter": one_of(
        ["color=red", "color=blue", "color=(red,blue)"], odd=["color!=red", "color=", "x", "color=(red", "kind="]
    ),
}
_COLOR = Argument("color", "pure-token", "color")
_LABELS = Argument("labels", "block", "LABELS", _OPTIONAL, [_COLOR, _word("label")])
_POLICY = _word("policy", "DUPLICATE_POLICY", _OPTIONAL)
_STAMP = _word("stamp", "BUCKETTIMESTAMP", _OPTIONAL)
_AGGREGATION = Argument("buckets", "block", "AGGREGATION", _OPTIONAL, [_word("aggregation"), _word("duration"), _STAMP])
_COUNT = _word("number", "COUNT", _OPTIONAL)
_MOMENTS = _word("moment", "FILTER_BY_TS", _OPTIONAL)
_SPAN = [_word("from"), _word("to")]
_GROUPED = Argument("group", "block", "GROUPBY", _OPTIONAL, [_COLOR, _word("reducer", "REDUCE")])
_CALLS: dict[str, list[Argument]] = {
    "TS.CREATE": [_KEY, _POLICY, _LABELS],
    "TS.ALTER": [_KEY, _POLICY, _LABELS],
    "TS.ADD": [_KEY, _word("moment"), _word("value"), _word("policy", "ON_DUPLICATE", _OPTIONAL)],
    "TS.MADD": [Argument("each", "block", "", _MANY, [_KEY, _word("moment"), _word("value")])],
    "TS.GET": [_KEY],
    "TS.RANGE": [_KEY, *_SPAN, _MOMENTS, _COUNT, _AGGREGATION],
    "TS.REVRANGE": [_KEY, *_SPAN, _MOMENTS, _COUNT, _AGGREGATION],
    "TS.MGET": [_word("filter", "FILTER")],
    "TS.QUERYINDEX": [_word("filter")],
    "TS.MRANGE": [*_SPAN, _COUNT, _AGGREGATION, _word("filter", "FILTER"), _GROUPED],
    "TS.MREVRANGE": [*_SPAN, _COUNT, _AGGREGATION, _word("filter", "FILTER"), _GROUPED],
}


def series() -> list[Syntax]:
    """The commands of time series."""
    return [Syntax([name], "timeseries", arguments) for name, arguments in _CALLS.items()]


KEYS["timeseries"] = ["t1", "t2", "t3"]
for _name in _CALLS:
    for _argument, _pick in _WORDS.items():
        BY_COMMAND[_name.lower(), _argument] = _pick
