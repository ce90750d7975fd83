"""What is logged of a command in place of its own words, where these would not do the same again.

Times become absolute, chance and what was found become what came of it, waiting becomes what ended it.  Each function is told
of a command after it has changed something: it reads the words, the reply, and the data as they are now.

Source: the stream that Redis 8.2 sends to its replicas.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from emulator.clients.blocking import Block
from emulator.commands.stream_claim import claim_of
from emulator.datatypes import geohash
from emulator.datatypes.hash import Hash
from emulator.datatypes.stream import MAX_ID, Stream, format_id, id_of
from emulator.protocol.numbers import parse_double
from emulator.protocol.replies import OK, Named
from emulator.wall import internal_error

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.table.registry import Command

Words = Sequence[bytes]
Effects = Iterator[Words]

_TIMES: Final = frozenset((b"EX", b"PX", b"EXAT", b"PXAT"))
_NEW: Final = frozenset((b">", b"18446744073709551615-18446744073709551615"))
_PIECE: Final = 1024
_ID: Final = re.compile(rb"\d+-\d+").fullmatch
_XADD_OPTIONS: Final = frozenset((b"NOMKSTREAM", b"MAXLEN", b"MINID", b"LIMIT", b"KEEPREF", b"DELREF", b"ACKED"))


def effects_of(session: Session, command: Command, words: Words, reply: Any) -> Sequence[Words]:
    """The commands to be logged for one of `OTHERWISE_FROM` that has changed something; none where it goes on waiting.

    The data have changed already: after an error of ours its own words are the nearest there is.
    """
    instead = _INSTEAD[command.full_name]
    if isinstance(reply, Block):
        return ()
    try:
        return list(instead(session, words, reply))
    except Exception as error:
        internal_error(error, f"the effects of {command.full_name.decode()}")
        return [words]


def _gone(session: Session, key: bytes) -> Words:
    return [b"UNLINK" if session.engine.config.lazyfree_lazy_expire else b"DEL", key]


def _deadline(session: Session, key: bytes) -> Words:
    """The command that gives a key the deadline that it has now: none at all, or gone with it."""
    entry = session.db.entries.get(key)
    if entry is None:
        return _gone(session, key)
    return [b"PERSIST", key] if entry.deadline is None else [b"PEXPIREAT", key, b"%d" % entry.deadline]


# Keys and strings


def _expire(session: Session, words: Words, reply: Any) -> Effects:
    yield [*_deadline(session, words[1]), *words[3:]] if words[1] in session.db.entries else _gone(session, words[1])


def _getex(session: Session, words: Words, reply: Any) -> Effects:
    yield _deadline(session, words[1])


def _set(session: Session, words: Words, reply: Any) -> Effects:
    options = [word.upper() for word in words[3:]]
    if not _TIMES.isdisjoint(options):
        yield from _set_with_deadline(session, words[1], words[2])
    else:
        yield [word for place, word in enumerate(words) if place < 3 or options[place - 3] != b"GET"]


def _set_with_deadline(session: Session, key: bytes, value: bytes) -> Effects:
    entry = session.db.entries.get(key)
    if entry is None:
        yield _gone(session, key)
    else:
        yield [b"SET", key, value, b"PXAT", b"%d" % (entry.deadline or 0)]


def _setex(session: Session, words: Words, reply: Any) -> Effects:
    yield from _set_with_deadline(session, words[1], words[3])


def _getset(session: Session, words: Words, reply: Any) -> Effects:
    yield [b"SET", words[1], words[2]]


def _getdel(session: Session, words: Words, reply: Any) -> Effects:
    yield [b"DEL", words[1]]


def _incrbyfloat(session: Session, words: Words, reply: Any) -> Effects:
    yield [b"SET", words[1], reply, b"KEEPTTL"]


def _restore(session: Session, words: Words, reply: Any) -> Effects:
    entry = session.db.entries.get(words[1])
    if entry is None:
        yield [b"DEL", words[1]]
    elif entry.deadline is None or b"ABSTTL" in map(bytes.upper, words[4:]):
        yield words
    else:
        yield [words[0], words[1], b"%d" % entry.deadline, *words[3:], b"ABSTTL"]


# Lists, sets and sorted sets


def _blocking_pop(session: Session, words: Words, reply: Any) -> Effects:
    """BLPOP, BRPOP, BZPOPMIN and BZPOPMAX: what they are called without the B."""
    yield [words[0][1:].upper(), reply[0]]


def _multi_pop(session: Session, words: Words, reply: Any) -> Effects:
    name, found = reply
    last = {word.upper() for word in words}
    if not words[0].upper().startswith((b"Z", b"BZ")):
        pop = b"LPOP" if b"LEFT" in last else b"RPOP"
    else:
        pop = b"ZPOPMIN" if b"MIN" in last else b"ZPOPMAX"
    yield [pop, name, b"%d" % len(found)]


def _blmove(session: Session, words: Words, reply: Any) -> Effects:
    yield [b"LMOVE", *words[1:5]]


def _blmovem(session: Session, words: Words, reply: Any) -> Effects:
    yield [b"LMOVEM", *words[1:5], *words[6:]]


def _increx(session: Session, words: Words, reply: Any) -> Effects:
    entry = session.db.entries.get(words[1])
    if entry is None:
        yield _gone(session, words[1])
    else:
        expiry = [] if entry.deadline is None else [b"PXAT", b"%d" % entry.deadline]
        yield [b"SET", words[1], bytes(entry.value), *expiry]  # type: ignore[arg-type]


def _himport_set(session: Session, words: Words, reply: Any) -> Effects:
    """The fieldsets are those of the connection, of which nobody else knows."""
    fields = (session.fieldsets or {})[words[3]]
    yield [b"DEL", words[2]]
    yield [b"HSET", words[2], *chain.from_iterable(zip(fields, words[4:], strict=True))]


def _brpoplpush(session: Session, words: Words, reply: Any) -> Effects:
    yield [b"RPOPLPUSH", *words[1:3]]


def _spop(session: Session, words: Words, reply: Any) -> Effects:
    key = words[1]
    if len(words) == 2:
        yield [b"SREM", key, reply]
    elif key not in session.db.entries:
        yield [b"UNLINK" if session.engine.config.lazyfree_lazy_server_del else b"DEL", key]
    else:
        members = list(reply)
        for start in range(0, len(members), _PIECE):
            yield [b"SREM", key, *members[start : start + _PIECE]]


def _geoadd(session: Session, words: Words, reply: Any) -> Effects:
    start = 2
    while words[start].upper() in (b"NX", b"XX", b"CH"):
        start += 1
    scored: list[bytes] = []
    for x, y, name in zip(words[start::3], words[start + 1 :: 3], words[start + 2 :: 3], strict=True):
        place = parse_double(x) or 0.0, parse_double(y) or 0.0
        scored += (b"%d" % geohash.encode(place), name)
    yield [b"zadd", words[1], *words[2:start], *scored]


# Hashes


def _hincrbyfloat(session: Session, words: Words, reply: Any) -> Effects:
    yield [b"HSETEX", words[1], b"KEEPTTL", b"FIELDS", b"1", words[2], reply]


def _fields_after(words: Words) -> Words:
    """The words after FIELDS and their number."""
    start = next(place for place in range(2, len(words)) if words[place].upper() == b"FIELDS")
    return words[start + 2 :]


def _split(session: Session, key: bytes, fields: Words) -> tuple[list[bytes], list[bytes], int]:
    """The fields that are there, those that have gone, and the deadline of the first ones."""
    target = session.db.peek(key)
    if not isinstance(target, Hash):
        return [], list(fields), 0
    there = [field for field in fields if field in target.fields]
    gone = [field for field in fields if field not in target.fields]
    deadlines = {} if target.deadlines is None else target.deadlines.by_field
    return there, gone, deadlines.get(there[0], 0) if there else 0


def _hexpire(session: Session, words: Words, reply: Any) -> Effects:
    key, fields = words[1], _fields_after(words)
    taken = [field for field, code in zip(fields, reply, strict=False) if code in (1, 2)]
    there, gone, deadline = _split(session, key, taken)
    if there:
        head = words[3 : len(words) - len(fields) - 1]
        yield [b"HPEXPIREAT", key, b"%d" % deadline, *head, b"%d" % len(there), *there]
    for field in gone:
        yield [b"HDEL", key, field]


def _hgetex(session: Session, words: Words, reply: Any) -> Effects:
    key, fields = words[1], _fields_after(words)
    count = b"%d" % len(fields)
    if any(word.upper() == b"PERSIST" for word in words[2:4]):
        yield [b"HPERSIST", key, b"FIELDS", count, *fields]
        return
    found = [field for field, value in zip(fields, reply, strict=False) if value is not None]
    _, gone, deadline = _split(session, key, found)
    if gone:
        for field in gone:
            yield [b"HDEL", key, field]
    else:
        yield [b"HPEXPIREAT", key, b"%d" % deadline, b"FIELDS", count, *fields]


def _hgetdel(session: Session, words: Words, reply: Any) -> Effects:
    yield [b"HDEL", words[1], *_fields_after(words)]


def _hsetex(session: Session, words: Words, reply: Any) -> Effects:
    key, pairs = words[1], _fields_after(words)
    head = list(words[2 : len(words) - len(pairs)])
    place = next((place for place, word in enumerate(head) if word.upper() in _TIMES), None)
    if place is None:
        yield words
        return
    _, gone, deadline = _split(session, key, pairs[::2])
    for field in gone:
        yield [b"HDEL", key, field]
    if not gone:
        name = head[place] if head[place].upper() == b"PXAT" else b"PXAT"
        head[place : place + 2] = [name, b"%d" % deadline]
        yield [words[0], key, *head, *pairs]


# Streams


def _stream(session: Session, key: bytes) -> Stream:
    stream = session.db.peek(key)
    assert isinstance(stream, Stream)
    return stream


def _xadd(session: Session, words: Words, reply: Any) -> Effects:
    stream = _stream(session, words[1])
    head = list(words[:2])
    place = 2
    while (option := words[place].upper()) in _XADD_OPTIONS:
        if option in (b"MAXLEN", b"MINID"):
            trimming = _trimming(stream, words, place)
            place += 2 + (words[place + 1] in (b"=", b"~"))
            head += trimming
        elif option == b"LIMIT":
            head += words[place : place + 2]
            place += 2
        else:
            head.append(words[place])
            place += 1
    yield [*head, reply if b"*" in words[place] else words[place], *words[place + 1 :]]


def _trimming(stream: Stream, words: Words, place: int) -> Words:
    """MAXLEN or MINID as it says exactly what was left."""
    if words[place + 1] != b"~":
        return words[place : place + 2 + (words[place + 1] == b"=")]
    first = stream.runs[0].first if stream.runs else MAX_ID  # as Redis says it: deleted entries count, and for none
    left = format_id(first) if words[place].upper() == b"MINID" else b"%d" % len(stream)
    return [words[place], b"=", left]


def _xtrim(session: Session, words: Words, reply: Any) -> Effects:
    rest = words[4 + (words[3] in (b"=", b"~")) :]
    yield [*words[:2], *_trimming(_stream(session, words[1]), words, 2), *rest]


def _xreadgroup(session: Session, words: Words, reply: Any) -> Effects:
    start = next(place for place in range(4, len(words)) if words[place].upper() == b"STREAMS") + 1
    acknowledged = any(word.upper() == b"NOACK" for word in words[4:start])
    half = (start + len(words)) // 2
    name = words[2]
    delivered: Sequence[Any] = reply if isinstance(reply, Named) else ()
    for key, entries in _new(words[start:half], words[half:], delivered):
        group = _stream(session, key).groups[name]
        for text, *_ in entries:
            if id_of(text) in group.pending:
                yield claim_of(key, name, group, id_of(text), text)
        if acknowledged or not session.engine.config.edition.precedes("7.4.0"):
            yield [b"XGROUP", b"SETID", key, name, format_id(group.last_id), b"ENTRIESREAD", b"%d" % group.read]


def _new(keys: Words, texts: Words, delivered: Sequence[Any]) -> Iterator[tuple[bytes, Any]]:
    """Of what was delivered the entries that are new, by stream; a stream may be asked for more than once.

    An answer is left out where there was nothing new, while what is pending is always answered.
    """
    answers = Counter(key for key, _ in delivered)
    answers.subtract(key for key, text in zip(keys, texts, strict=True) if text not in _NEW)
    left = iter(delivered)
    for key, text in zip(keys, texts, strict=True):
        if text not in _NEW:
            next(left, None)
        elif answers[key] > 0:
            answers[key] -= 1
            yield next(left)


def _told_already(session: Session, words: Words, reply: Any) -> Effects:
    """The command has entered its effects itself, since they cannot be seen afterwards."""
    return iter(())


# Time series


def _ts_add(session: Session, words: Words, reply: Any) -> Effects:
    yield [*words[:2], b"%d" % reply, *words[3:]]


def _ts_madd(session: Session, words: Words, reply: Any) -> Effects:
    """Only the samples that were added are told of."""
    told: list[bytes] = []
    for place, moment in zip(range(2, len(words), 3), reply, strict=True):
        if moment.__class__ is int and words[place] in (b"*", b"%d" % moment):
            told += (words[place - 1], b"%d" % moment, words[place + 1])
    yield [b"TS.MADD", *told]


def _ts_incrby(session: Session, words: Words, reply: Any) -> Effects:
    name, names = words[0].lower(), [word.upper() for word in words]
    if b"TIMESTAMP" not in names[3:]:
        yield [name, *words[1:3], b"TIMESTAMP", b"%d" % reply, *words[3:]]
        return
    place = names.index(b"TIMESTAMP", 3) + 1
    moment = b"%d" % reply if words[place] == b"*" else words[place]
    yield [name, *words[1:place], moment, *words[place + 1 :]]


_INSTEAD: Final[dict[bytes, Callable[[Session, Words, Any], Effects]]] = {
    **dict.fromkeys((b"expire", b"pexpire", b"expireat", b"pexpireat"), _expire),
    b"getex": _getex,
    b"ts.add": _ts_add,
    b"ts.madd": _ts_madd,
    **dict.fromkeys((b"ts.incrby", b"ts.decrby"), _ts_incrby),
    b"set": _set,
    **dict.fromkeys((b"setex", b"psetex"), _setex),
    b"getset": _getset,
    b"getdel": _getdel,
    b"incrbyfloat": _incrbyfloat,
    b"restore": _restore,
    b"restore-asking": _restore,
    **dict.fromkeys((b"blpop", b"brpop", b"bzpopmin", b"bzpopmax"), _blocking_pop),
    **dict.fromkeys((b"lmpop", b"blmpop", b"zmpop", b"bzmpop"), _multi_pop),
    b"blmove": _blmove,
    b"blmovem": _blmovem,
    b"increx": _increx,
    b"himport|set": _himport_set,
    b"brpoplpush": _brpoplpush,
    b"spop": _spop,
    b"geoadd": _geoadd,
    b"hincrbyfloat": _hincrbyfloat,
    **dict.fromkeys((b"hexpire", b"hpexpire", b"hexpireat", b"hpexpireat"), _hexpire),
    b"hgetex": _hgetex,
    b"hgetdel": _hgetdel,
    b"hsetex": _hsetex,
    b"xadd": _xadd,
    b"xtrim": _xtrim,
    b"xreadgroup": _xreadgroup,
    **dict.fromkeys((b"xclaim", b"xautoclaim"), _told_already),
}
ALWAYS: Final[dict[bytes, Callable[[object], bool]]] = {
    **dict.fromkeys((b"flushall", b"flushdb", b"json.mset"), lambda reply: reply is OK),
    **dict.fromkeys((b"ts.del", b"ts.incrby", b"ts.decrby"), lambda reply: isinstance(reply, int)),
    b"json.arrpop": lambda reply: reply is None,
}
"""Commands that are logged also where there was nothing to change, by the replies to which they are."""
OTHERWISE_FROM: Final = {name: 4 if name == b"set" else 0 for name in _INSTEAD}
"""The commands that may be logged as others, and from how many words on; of all the rest, and SET without options, it is
their own words."""
