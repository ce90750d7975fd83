"""Calls of one command that follow one another in a pipeline: they run in one go, an eighth less of its time.

They do so behind such a call that was quick and had a short reply, where nobody hears of each and each need not be timed.
The duration of each is the mean.  Calls of one key, to which a queue or a log of events is filled, some commands run at once:
the key is looked up once, the options are read once (`Command.together`), and that takes a third less.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from time import perf_counter
from typing import Final

from emulator.clients.session import Session
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import Reply
from emulator.stats.latency import OFFSET
from emulator.table.registry import Command

QUICK: Final = 0.00005
"""Seconds within which a quick command is done whose like may follow at once,"""
_SHORT: Final = 1 << 12
"""and the bytes of its reply."""
UNKNOWN: Final = float("inf")
"""How long a call took that was not timed by itself."""
_AT_ONCE: Final = 16
"""Calls that are run in one go: an array of as many replies can be asked for by one command as well."""
_FEW_WORDS: Final = 24
"""So many words are never much work for a quick command."""
_NEVER_SLOW: Final = 0.001
"""Seconds that a quick command does not take: where less is slow each is timed by itself."""


def run_alike(session: Session, command: Command, commands: Sequence[list[bytes]], position: int, end: int) -> int:
    """Run those calls of a command from `position` on, before `end`, that have equally many words; where to go on.

    A single one is not run, and none where that must not be: the answer is 0 then.
    """
    if len(commands[position]) > _FEW_WORDS or not _may_run(session):
        return 0
    calls = commands[position : min(position + _AT_ONCE, end)]
    columns = _columns(calls)
    if len(columns[0]) < 2:
        return position
    if not _run(session, command, calls, columns):
        return 0
    if session.engine.pending_work:
        session.engine.work()
    return position + len(columns[0])


def _may_run(session: Session) -> bool:
    """Whether the reply before is short, nobody hears of each call and none need be timed by itself."""
    if not session.out or len(session.out[-1]) > _SHORT or session.followed:
        return False
    return not session.db.has_listeners and session.engine.slow_seconds >= _NEVER_SLOW


def _columns(calls: Sequence[list[bytes]]) -> list[tuple[bytes, ...]]:
    """The names and then each of the other words of the calls that are like the first, up to one that is not."""
    first = calls[0]
    try:
        columns = list(zip(*calls, strict=True))
        if columns[0].count(first[0]) == len(calls):
            return columns
    except ValueError:  # not all have equally many words
        pass
    kinds = [(args[0], len(args)) for args in calls]
    end = next(place for place, kind in enumerate(kinds) if kind != kinds[0])
    return list(zip(*calls[:end], strict=True))


def _run(
    session: Session, command: Command, calls: Sequence[list[bytes]], columns: Sequence[tuple[bytes, ...]]
) -> bool:
    """Run those of the calls that the columns have the words of; whether that was done, and each answered."""
    many, engine = len(columns[0]), session.engine
    started = perf_counter()
    replies = None if command.together is None else _together(session, command, columns)
    if replies is None:
        if not command.is_quick:
            return False
        replies = _each(session, command, columns)
    spent = perf_counter() - started
    command.durations.noted.extend(repeat(spent / many + OFFSET, many))
    session.last_command = command
    if spent >= engine.slow_seconds:  # one of them was slow after all, most likely the first, which the others are like
        engine.dispatch.note_slow(session, command, calls[0], spent)
    _answer(session, command, calls, replies)
    return True


def _together(session: Session, command: Command, columns: Sequence[tuple[bytes, ...]]) -> Sequence[Reply] | None:
    """The replies of calls that name one key, which the command runs at once; None where it does not."""
    engine, keys = session.engine, columns[1]
    assert command.together is not None
    if keys.count(keys[0]) < len(keys) or session.db.frequency is not None:  # each use of the key would count there
        return None
    try:
        return command.together(session, keys[0], *columns[2:])
    except CommandError:  # before anything has changed; each call is to have its own
        return None
    except Exception as error:
        return [engine.dispatch.failure(engine, command, error) for _ in keys]


def _each(session: Session, command: Command, columns: Sequence[tuple[bytes, ...]]) -> Sequence[Reply]:
    """The replies of calls that are run one by one, whatever they raise."""
    engine, fn, many = session.engine, command.fn, len(columns[0])
    assert fn is not None
    replies: list[Reply] = []
    outcomes = map(fn, repeat(session, many), *columns[1:])
    while len(replies) < many:
        try:
            replies.extend(outcomes)
            if len(replies) < many:
                raise RuntimeError("StopIteration")
        except Exception as error:  # those before have been added, and `outcomes` goes on with the next
            replies.append(engine.dispatch.failure(engine, command, error))
    return replies


def _answer(session: Session, command: Command, calls: Sequence[list[bytes]], replies: Sequence[Reply]) -> None:
    engine, encoders = session.engine, session.encoders
    try:
        session.out += [encoders[reply.__class__](reply) for reply in replies]
    except Exception as error:
        session.out += [encoders[CommandError](engine.dispatch.failure(engine, command, error)) for _ in replies]
    if engine.has_large_reply:
        for args, reply in zip(calls, replies, strict=False):
            engine.sizes.note_reply(session, args, reply)
