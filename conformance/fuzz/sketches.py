"""The grammar of the module bf, and the words for its commands.

What the oracle's older module says otherwise than 8.2, answers by chance or does not survive does not come up: BF.RESERVE
and the options of BF.INSERT, chunks, a Top-K so narrow that items meet in a cell, and TOPK.INCRBY of several items, whose
array comes short of its length after a bad increment and leaves the server's Lua unusable.
"""

from __future__ import annotations

from random import Random

from conformance.fuzz.grammar import Argument, Syntax
from conformance.fuzz.values import BY_COMMAND, KEYS, one_of

_KEY = Argument("key", "key")
_OPTIONAL, _MANY = frozenset(("optional",)), frozenset(("multiple",))


def _word(name: str, token: str = "", flags: frozenset[str] = frozenset()) -> Argument:
    return Argument(name, "string", token, flags)


def _block(*parts: Argument) -> Argument:
    """Words that come together, time and again."""
    return Argument("each", "block", "", _MANY, list(parts))


_item = one_of(["a", "b", "c", "foo", "item", "1", "2", "3", "42", "x" * 9, "y" * 100, "\x7f\xff\x00"])
_capacity = one_of(["4", "8", "10", "33", "100", "1000"], odd=["x", "1.5", ""])
_error = one_of(["0.1", "0.01", "0.001", "0.2"], odd=["x", ""])
_iterator = one_of(["0", "1", "2", "145", "-1"], odd=["x", ""])
_width = one_of(["1", "5", "50", "1000"], odd=["0", "-1", "x"])
_rows = one_of(["1", "2", "7"], odd=["0", "-1", "x"])
_count = one_of(["1", "2", "5", "100", "0"], odd=["-1", "x", "1.5"])
_weight = one_of(["1", "2", "3", "0", "-1"], odd=["x"])
_length = one_of(["1", "2", "3", "5", "50"], odd=["0", "-1", "x"])
_cells = one_of(["8192"], odd=["0", "-1", "x"])
_lines = one_of(["1", "2"], odd=["0", "-1", "x"])
_decay = one_of(["0.9", "0.5", "1"], odd=["0", "1.1", "-1", "nan", "x"])
_compression = one_of(["1", "10", "100", "500"], odd=["0", "-1", "x"])
_fraction = one_of(["0", "0.1", "0.25", "0.5", "0.9", "0.99", "1"], odd=["1.1", "-0.1", "x"])
_rank = one_of(["0", "1", "2", "5", "100"], odd=["-1", "x"])


def _number(random: Random) -> str:
    kind = random.random()
    if kind < 0.05:
        return random.choice(["x", "inf", "-inf", "nan", ""])
    return str(random.randrange(10)) if kind < 0.5 else repr(round(random.gauss(0, 100), 3))


_ITEM, _ITEMS, _NUMBERS = _word("item"), _word("item", flags=_MANY), _word("number", flags=_MANY)
_CALLS = {
    "bloom": {
        "BF.ADD": [_KEY, _ITEM],
        "BF.MADD": [_KEY, _ITEMS],
        "BF.INSERT": [_KEY, Argument("items", "block", "ITEMS", parts=[_ITEMS])],
        "BF.EXISTS": [_KEY, _ITEM],
        "BF.MEXISTS": [_KEY, _ITEMS],
        "BF.CARD": [_KEY],
        "BF.INFO": [_KEY],
        "BF.DEBUG": [_KEY],
        "BF.SCANDUMP": [_KEY, _word("iterator")],
    },
    "cuckoo": {
        "CF.RESERVE": [_KEY, _word("capacity")],
        "CF.ADD": [_KEY, _ITEM],
        "CF.ADDNX": [_KEY, _ITEM],
        "CF.INSERT": [_KEY, Argument("items", "block", "ITEMS", parts=[_ITEMS])],
        "CF.INSERTNX": [_KEY, Argument("items", "block", "ITEMS", parts=[_ITEMS])],
        "CF.EXISTS": [_KEY, _ITEM],
        "CF.MEXISTS": [_KEY, _ITEMS],
        "CF.COUNT": [_KEY, _ITEM],
        "CF.DEL": [_KEY, _ITEM],
        "CF.COMPACT": [_KEY],
        "CF.INFO": [_KEY],
        "CF.DEBUG": [_KEY],
    },
    "cms": {
        "CMS.INITBYDIM": [_KEY, _word("width"), _word("rows")],
        "CMS.INITBYPROB": [_KEY, _word("error"), _word("error")],
        "CMS.INCRBY": [_KEY, _block(_ITEM, _word("count"))],
        "CMS.QUERY": [_KEY, _ITEMS],
        "CMS.INFO": [_KEY],
        "CMS.MERGE": [_KEY, Argument("one", "pure-token", "1"), _KEY, _word("weight", "WEIGHTS", _OPTIONAL)],
    },
    "topk": {
        "TOPK.RESERVE": [_KEY, _word("length"), *(_word(word) for word in ("cells", "lines", "decay"))],
        "TOPK.ADD": [_KEY, _ITEMS],
        "TOPK.INCRBY": [_KEY, _ITEM, _word("count")],
        "TOPK.QUERY": [_KEY, _ITEMS],
        "TOPK.COUNT": [_KEY, _ITEMS],
        "TOPK.LIST": [_KEY, Argument("withcount", "pure-token", "WITHCOUNT", _OPTIONAL)],
        "TOPK.INFO": [_KEY],
    },
    "tdigest": {
        "TDIGEST.CREATE": [_KEY, _word("compression", "COMPRESSION", _OPTIONAL)],
        "TDIGEST.ADD": [_KEY, _NUMBERS],
        "TDIGEST.RESET": [_KEY],
        "TDIGEST.MERGE": [
            _KEY,
            Argument("one", "pure-token", "1"),
            _KEY,
            _word("compression", "COMPRESSION", _OPTIONAL),
        ],
        "TDIGEST.QUANTILE": [_KEY, _word("fraction", flags=_MANY)],
        "TDIGEST.CDF": [_KEY, _NUMBERS],
        "TDIGEST.RANK": [_KEY, _NUMBERS],
        "TDIGEST.REVRANK": [_KEY, _NUMBERS],
        "TDIGEST.BYRANK": [_KEY, _word("rank", flags=_MANY)],
        "TDIGEST.BYREVRANK": [_KEY, _word("rank", flags=_MANY)],
        "TDIGEST.TRIMMED_MEAN": [_KEY, _word("fraction"), _word("fraction")],
        "TDIGEST.MIN": [_KEY],
        "TDIGEST.MAX": [_KEY],
        "TDIGEST.INFO": [_KEY],
    },
}
_WORDS = {
    "item": _item,
    "capacity": _capacity,
    "error": _error,
    "iterator": _iterator,
    "width": _width,
    "rows": _rows,
    "count": _count,
    "weight": _weight,
    "length": _length,
    "cells": _cells,
    "lines": _lines,
    "decay": _decay,
    "compression": _compression,
    "fraction": _fraction,
    "rank": _rank,
    "number": _number,
}


def sketches(group: str) -> list[Syntax]:
    """The commands of a group."""
    return [Syntax([name], group, arguments) for name, arguments in _CALLS[group].items()]


for _group, _calls in _CALLS.items():
    KEYS[_group] = [f"{_group}1", f"{_group}2"]
    for _name in _calls:
        for _argument, _pick in _WORDS.items():
            BY_COMMAND[_name.lower(), _argument] = _pick
