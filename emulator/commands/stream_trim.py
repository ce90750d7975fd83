"""Trimming streams: XTRIM, and the options that XADD has for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import integer
from emulator.commands.options import FLAG, Given, Options, at_least, last_given, once, read_options
from emulator.commands.stream_ids import ACKED, KEEPREF, STRATEGIES, exact_id
from emulator.config.edition import Edition
from emulator.config.notifications import STREAM
from emulator.datatypes.stream import Stream
from emulator.protocol.errors import NOT_INTEGER, CommandError
from emulator.table.keyspec import keys
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.keyspace.database import Database


@dataclass(slots=True)
class Trimming:
    """A trimming by MAXLEN (`length`) or MINID (`least_id`), with their options."""

    length: int | None = None
    least_id: int | None = None
    whole_runs: bool = False
    limit: int = 0
    strategy: bytes = KEEPREF

    def spares(self, many: int) -> bool:
        """Whether none of so many new entries can go: then it is the same to trim behind each and behind all of them."""
        return self.strategy == KEEPREF and self.length is not None and self.length >= many

    def apply(self, db: Database, key: bytes, stream: Stream) -> int:
        """Trim the stream of a key; return how many entries went.  DELREF and ACKED look at each entry, also with ``~``."""
        if self.strategy == KEEPREF:
            if self.length is not None:
                return stream.trim_to_length(self.length, self.whole_runs, self.limit)
            return stream.trim_to_id(self.least_id or 0, self.whole_runs, self.limit)

        def enough(id: int) -> bool:
            return len(stream) <= self.length if self.length is not None else id >= (self.least_id or 0)

        def may_go(id: int) -> bool:
            if self.strategy == ACKED:
                return not stream.is_referenced(id)
            db.reweigh(key, stream.forget(id))
            return True

        return stream.trim_one_by_one(enough, may_go, self.limit)


def _threshold(words: Sequence[bytes]) -> int:
    """Return the number of words of ``[=|~] threshold``."""
    return 2 if len(words) > 1 and words[0] in (b"~", b"=") else 1


def _max_length(*words: bytes) -> tuple[bool, int]:
    length = integer(words[-1])
    if length < 0:
        raise CommandError("ERR The MAXLEN argument must be >= 0.")
    return words[0] == b"~", length


def _least_id(*words: bytes) -> tuple[bool, int]:
    return words[0] == b"~", exact_id(words[-1])


TRIM_OPTIONS: Final[Options] = {
    **dict.fromkeys(STRATEGIES, FLAG),
    b"MAXLEN": (_threshold, _max_length),
    b"MINID": (_threshold, _least_id),
    b"LIMIT": at_least(0, "ERR The LIMIT argument must be >= 0.", NOT_INTEGER),
}
TRIM_RULES: Final = once(*STRATEGIES) | once(
    b"MAXLEN", b"MINID", error="ERR syntax error, MAXLEN and MINID options at the same time are not compatible"
)


def trim_options(edition: Edition, options: Options) -> Options:
    """The options in an edition: before 8.2 none says what becomes of entries that groups refer to."""
    if edition.includes("8.2.0"):
        return options
    return {word: option for word, option in options.items() if word not in STRATEGIES}


def read_trimming(given: Given, run: int, edition: Edition, for_adding: bool, obeyed: bool) -> Trimming | None:
    """The trimming that options ask for, with so many entries in a run; None if they ask for none, as only XADD may.

    The words of one who is `obeyed` have been rewritten, and may have a limit that is of no use.
    """
    limit: int | None = given.get(b"LIMIT")
    by_length, by_id = given.get(b"MAXLEN"), given.get(b"MINID")
    asked = by_length or by_id
    if limit and not asked:
        raise CommandError("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
    if not asked and not for_adding:
        raise CommandError("ERR syntax error, XTRIM must be called with a trimming strategy")
    whole_runs, threshold = asked or (False, 0)
    if limit is not None and not whole_runs and not obeyed:
        raise CommandError("ERR syntax error, LIMIT cannot be used without the special ~ option")
    if not asked:
        return None
    if limit is None and whole_runs:
        limit = min(100 * run, 1_000_000) or 10_000
    strategy = last_given(given, STRATEGIES, KEEPREF)
    if whole_runs and strategy != KEEPREF and not edition.includes("8.4.0"):  # ``~`` did nothing with them
        return Trimming(least_id=0)
    length, least_id = (threshold, None) if by_length else (None, threshold)
    return Trimming(length, least_id, whole_runs, limit or 0, strategy)


@command(
    "stream",
    since="5.0.0",
    flags="write",
    keys=[keys("RW delete", 1)],
    tips="nondeterministic_output",
    complexity="O(N) for N entries that go",
)
def xtrim(client: Session, key: bytes, strategy: bytes, threshold: bytes, *options: bytes) -> int:
    """Removes the oldest entries of a stream, by its length or by their ids; returns how many."""
    config = client.engine.config
    known, run = trim_options(config.edition, TRIM_OPTIONS), config.stream_node_max_entries
    given = read_options((strategy, threshold, *options), known, TRIM_RULES)
    trimming = read_trimming(given, run, config.edition, for_adding=False, obeyed=client.is_obeyed)
    stream = client.db.lookup_write(key, Stream)
    gone = trimming.apply(client.db, key, stream) if trimming and stream is not None else 0
    if gone:
        client.db.changed(key, STREAM, b"xtrim", gone)
    return gone
