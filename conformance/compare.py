"""When are two replies equal?  To the byte, unless the step says how loosely."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise, zip_longest
from json import loads

from conformance.cases import Step
from conformance.resp import Reply

_FIELD = re.compile(rb"([^\s,:=]+)[:=]([^\s,=]*(?=[\s,]|$))?")
_ORDERED_TYPES = tuple(bytes([number]) for number in (0, 5, 11, 16, 17, 18))
_SMALL_SET, _COMPRESSED = b"\x14", b"\xc3"
_CHECKSUM = 8
_OLD_PATH_ERROR = b"Error occurred on position "
_OLD_PATH = re.compile(rb'Error occurred on position (\d+), ".*", (expected .*?)\.(?= script: |$)', re.DOTALL)
_ID = re.compile(rb"\b[0-9a-f]{40}\b")
_TIMES = re.compile(rb"^(\S+ \S+ \S+ \S+) \d+ \d+ (\d+) (?:dis)?connected")
_NUMBERS = (b":", b",", b"$", b"+")


def equal(one: Sequence[Reply], other: Sequence[Reply], step: Step) -> bool:
    """Whether the subject's replies to one step agree with the oracle's."""
    if len(one) != len(other):
        return False
    return all(_equal(a, _of_8_2(b), step) for a, b in zip(one, other, strict=True))


def _of_8_2(reply: Reply) -> Reply:
    """The oracle's reply, but errors of its older module for JSON paths as 8.2 words them."""
    if isinstance(reply.value, list):
        return Reply(reply.kind, [_of_8_2(part) for part in reply.value])
    if reply.kind != b"-" or not isinstance(reply.value, bytes) or not reply.value.startswith(_OLD_PATH_ERROR):
        return reply
    return Reply(reply.kind, _OLD_PATH.sub(rb"Error at position \1: \2", reply.value))


def _equal(one: Reply, other: Reply, step: Step) -> bool:
    if _same(one, other):
        return True
    if step.hidden and isinstance(one.value, list):
        return _same(_without(one, step.hidden), _without(other, step.hidden))
    if step.fields or step.hidden:
        return _told(one, step) == _told(other, step) is not None
    loose = step.looseness
    if "type" in loose:
        return one.kind == other.kind and (one.value is None) == (other.value is None)
    if "whole" in loose:
        return _deep(one) == _deep(other) if _ended(one) and _ended(other) else one.kind == other.kind
    if "payload" in loose:
        return one.kind == other.kind and _are_payloads_alike(one.value, other.value)
    if "members" in loose:
        return one.kind == other.kind and _members(one.value) == _members(other.value) is not None
    if "shape" in loose:
        return _shape(one) == _shape(other)
    if loose & {"ids", "nodes"}:
        return _of_nodes(one, loose) == _of_nodes(other, loose)
    if "digits" in loose:
        return _without_digits(one) == _without_digits(other)
    if step.about or "rounded" in loose:
        return _near(one, other, step)
    if "deep" in loose:
        return _deep(one) == _deep(other)
    if isinstance(one.value, list) and isinstance(other.value, list) and one.kind == other.kind:
        if "pairs" in loose:
            return _pairs(one) == _pairs(other)
        if "unordered" in loose:
            if one.kind == b"%":
                return _pairs(one) == _pairs(other)
            return sorted(map(repr, one.value)) == sorted(map(repr, other.value))
    return False


def _same(one: Reply, other: Reply) -> bool:
    """Whether they are equal to the byte; lists may be nested deeper than Python compares."""
    pairs = [(one, other)]
    while pairs:
        a, b = pairs.pop()
        if isinstance(a.value, list) and isinstance(b.value, list):
            if (a.kind, len(a.value)) != (b.kind, len(b.value)):
                return False
            pairs.extend(zip(a.value, b.value, strict=True))
        elif a != b:
            return False
    return True


def _told(reply: Reply, step: Step) -> object:
    """What a text of names and values (of CLIENT LIST, of INFO) tells of the fields asked for; None where it lacks one.

    A name that opens a line asks for all of it.  The order of lines does not count: in INFO commandstats a hash table has it.
    """
    if not isinstance(reply.value, bytes):
        return None
    told, names = [], set()
    for line in (_text(reply) or b"").splitlines():
        pairs = _FIELD.findall(line)
        if step.fields and pairs and pairs[0][0] not in step.fields:
            pairs = [pair for pair in pairs if pair[0] in step.fields]
            if not pairs:
                continue
        names |= {name for name, _ in pairs}
        told.append([(name, b"" if name in step.hidden else value) for name, value in pairs])
    return (reply.kind, sorted(told)) if step.fields <= names else None


def _without(reply: Reply, hidden: frozenset[bytes]) -> Reply:
    """A reply without the values that follow these names, in a map or in an array of names and values."""
    if not isinstance(reply.value, list):
        return reply
    parts = [_without(part, hidden) for part in reply.value]
    for place, part in enumerate(parts[:-1]):
        if isinstance(part.value, bytes) and part.value in hidden:
            parts[place + 1] = Reply(parts[place + 1].kind, None)
    return Reply(reply.kind, parts)


def _pairs(reply: Reply) -> list[str]:
    """A map's or a flat array's pairs, sorted; on RESP3 an array holds pairs as arrays already."""
    assert isinstance(reply.value, list)
    items = reply.value
    if items and isinstance(items[0].value, list):
        return sorted(map(repr, items))
    return [str(len(items)), *sorted(repr(pair) for pair in list(pairwise(items))[::2])]


def _ended(reply: Reply) -> bool:
    """Whether a scan has come to its end."""
    return isinstance(reply.value, list) and bool(reply.value) and reply.value[0].value == b"0"


def _members(text: object) -> object:
    """What a text of JSON is made of: members have no order, all else is as it is written; None where it is no JSON."""
    try:
        return (len(text), loads(text, parse_float=str, parse_int=str)) if isinstance(text, bytes) else None
    except ValueError:
        return None


def _are_payloads_alike(one: object, other: object) -> bool:
    """Whether two values in the form of DUMP, which are not equal, are of one type, and of one that may have been written in
    another order: a hash table, a stream, a module's, or a small set, which has its order of a hash table it was made of."""
    if not (isinstance(one, bytes) and isinstance(other, bytes) and one[:1] == other[:1]):
        return False
    if one[:1] != _SMALL_SET or _COMPRESSED in (one[1:2], other[1:2]):
        return one[:1] not in _ORDERED_TYPES
    return sorted(one[:-_CHECKSUM]) == sorted(other[:-_CHECKSUM])


def _deep(reply: Reply) -> object:
    if not isinstance(reply.value, list):
        return reply
    if reply.kind == b"%":
        items = [_deep(item) for item in reply.value]
        return (reply.kind, sorted(repr(pair) for pair in zip(items[::2], items[1::2], strict=True)))
    return (reply.kind, sorted(repr(_deep(item)) for item in reply.value))


def _shape(reply: Reply) -> object:
    if isinstance(reply.value, list):
        return (reply.kind, [_shape(item) for item in reply.value])
    return (reply.kind, reply.value is None)


def _without_digits(reply: Reply) -> object:
    """The reply with every run of digits the same: times, ports, identifiers."""
    if isinstance(reply.value, list):
        return (reply.kind, [_without_digits(item) for item in reply.value])
    return (reply.kind, reply.value and re.sub(rb"\d+", b"0", reply.value))


def _text(reply: Reply) -> bytes | None:
    """A text without what says of which format it is."""
    if not isinstance(reply.value, bytes):
        return None
    return reply.value.removeprefix(b"txt:") if reply.kind == b"=" else reply.value


def _of_nodes(reply: Reply, loose: frozenset[str]) -> object:
    """The reply with every id of a node or shard the same (``ids``), or with nodes in any order, at any time (``nodes``)."""
    if isinstance(reply.value, list):
        parts = [_of_nodes(item, loose) for item in reply.value]
        return (reply.kind, sorted(parts, key=repr) if "nodes" in loose else parts)
    text = _text(reply)
    if text is None:
        return (reply.kind, None)
    if "ids" in loose:
        text = _ID.sub(b"id", text)
    if "nodes" in loose:
        return (reply.kind, sorted(_TIMES.sub(rb"\1 - - \2", line) for line in text.splitlines()))
    return (reply.kind, text)


def _number(reply: Reply) -> float | None:
    if reply.kind not in _NUMBERS or not isinstance(reply.value, bytes):
        return None
    if re.fullmatch(rb"-?\d+", reply.value):
        return int(reply.value)  # as a double one of 64 bits is known to thousands only
    try:
        return float(reply.value)
    except ValueError:
        return None


def _near(one: Reply, other: Reply, step: Step) -> bool:
    if one.kind != other.kind:
        return False
    if isinstance(one.value, list) and isinstance(other.value, list):
        return len(one.value) == len(other.value) and all(
            _near(a, b, step) for a, b in zip_longest(one.value, other.value)
        )
    a, b = _number(one), _number(other)
    if one == other or a is None or b is None:
        return one == other
    if step.about:
        return abs(a - b) <= step.about
    return abs(a - b) <= 1e-9 * max(abs(a), abs(b), 1.0)
