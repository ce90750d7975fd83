"""Stream ids as arguments.  Source: https://redis.io/docs/latest/develop/data-types/streams/#entry-ids"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from emulator.commands.arguments import bounded
from emulator.commands.options import FLAG, Options, last_given, once, read_options
from emulator.datatypes.stream import MAX_ID
from emulator.protocol.errors import SYNTAX, CommandError
from emulator.protocol.numbers import INT64_MAX, UINT64_MAX, parse_unsigned

INVALID: Final = "ERR Invalid stream ID specified as stream command argument"


def _unsigned(text: bytes) -> int:
    number = parse_unsigned(text)
    if number is None:
        raise CommandError(INVALID)
    return number


def exact_id(text: bytes, missing: int = 0) -> int:
    """Return the id ``ms-seq``; `missing` is the sequence number if there is only ``ms``."""
    ms, dash, sequence = text.partition(b"-")
    if len(text) > 127:
        raise CommandError(INVALID)
    if not ms.isdigit() or len(ms) > 19 or (dash and (not sequence.isdigit() or len(sequence) > 19)):
        ms, dash, sequence = text.partition(b"\0")[0].partition(b"-")
        return _unsigned(ms) << 64 | (_unsigned(sequence) if dash else missing)
    return int(ms) << 64 | (int(sequence) if dash else missing)


def bound(text: bytes, missing: int = 0) -> int:
    """Return an end of an interval: an id, ``-`` or ``+``."""
    if text == b"-":
        return 0
    if text == b"+":
        return MAX_ID
    return exact_id(text, missing)


def start_of_interval(text: bytes) -> int:
    """Return the first id of an interval; ``(`` excludes the given one."""
    if text[:1] != b"(":
        return bound(text)
    start = exact_id(text[1:]) + 1
    if start > MAX_ID:
        raise CommandError("ERR invalid start ID for the interval")
    return start


def end_of_interval(text: bytes) -> int:
    """Return the last id of an interval; ``(`` excludes the given one."""
    if text[:1] != b"(":
        return bound(text, UINT64_MAX)
    end = exact_id(text[1:], UINT64_MAX) - 1
    if end < 0:
        raise CommandError("ERR invalid end ID for the interval")
    return end


KEEPREF: Final = b"KEEPREF"
DELREF: Final = b"DELREF"
ACKED: Final = b"ACKED"
STRATEGIES: Final = (KEEPREF, DELREF, ACKED)
"""The treatment of an entry that consumer groups refer to: it is deleted and the references stay, it is deleted with the
references, or it is deleted only if no group needs it any more."""


def _counted(words: Sequence[bytes]) -> int:
    """Return the number of words of ``numids id ...``."""
    if not words:
        return 1
    size = 1 + bounded(words[0], 1, INT64_MAX, "ERR Number of IDs must be a positive integer")
    if size > len(words):
        raise CommandError("ERR The `numids` parameter must match the number of arguments")
    return size


_DELETION_OPTIONS: Final[Options] = {
    **dict.fromkeys(STRATEGIES, FLAG),
    b"IDS": (_counted, lambda count, *ids: ids),
}


def ids_to_delete(words: Sequence[bytes]) -> tuple[bytes, Sequence[bytes]]:
    """Return the strategy and the unparsed ids in the arguments of XDELEX and XACKDEL."""
    given = read_options(words, _DELETION_OPTIONS, once(*STRATEGIES))
    ids = given.get(b"IDS", ())
    if not ids:
        raise CommandError(SYNTAX)
    return last_given(given, STRATEGIES, KEEPREF), ids
