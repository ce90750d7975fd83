"""From words to a reply: past the guards, to the call, into the statistics.

`run` executes a batch for a session.  Its short way serves sessions for which nothing special holds: one lookup, one
test, one call, one encode.  Everything else (other spellings of a name, sub-commands, wrong arity, authentication,
transactions, subscribers, a paused server) goes through `execute`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from time import perf_counter, thread_time
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from emulator.clients.blocking import Block
from emulator.clients.description import kind_of
from emulator.clients.session import Session
from emulator.clients.sizes import log_call
from emulator.controls.faults import DELAY, DROP_AFTER, DROP_BEFORE, ERROR, STALL
from emulator.controls.instances import Moved
from emulator.core import alike
from emulator.core.alike import UNKNOWN, run_alike
from emulator.core.guards import CROSS_PROTOCOL, check, found
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import NO_REPLY, QUEUED, REPLY_ON, Push, Replies, Reply
from emulator.stats.latency import GATHERED_AT_MOST, OFFSET
from emulator.table.lookup import find
from emulator.table.registry import (
    FAST,
    NEEDS_GUARDS,
    NOT_QUEUED,
    READONLY,
    RUNS_SCRIPT,
    SKIP_SLOWLOG,
    Command,
)
from emulator.wall import internal_error

if TYPE_CHECKING:
    from emulator.clients.host import HostOfClients
    from emulator.core.engine import Engine

logger = logging.getLogger("emulator")

_LOOK: Final = 0.005
"""Seconds after which it is looked at, again and again, whether a client has had its turn."""
_TURN: Final = 0.01
"""Seconds of the processor's time that it has for its turn; those that other programs take do not count."""
_LARGE: Final = 1 << 20
"""Bytes of a reply that end a turn at the first look."""


class Postponed:
    """The answer of a command that must be run again later, because the server is paused."""


Outcome: TypeAlias = "Reply | Block | Moved | Postponed"
"""What comes of a command: a reply, or the news that it waits, comes again, or has taken its client elsewhere."""

_POSTPONED: Final = Postponed()


def run(session: Session, commands: Sequence[list[bytes]], position: int, most: int, sent: bytes | None = None) -> int:
    """Execute up to `most` commands from `position` on, replies going to ``session.out``; where to go on.

    `sent` is what the client has sent as `commands`, if it is just that: where all of them are logged as they are, they need
    not be encoded for it.

    It stops early when the session has to wait (``session.blocked`` or ``session.suspended`` is set then), or when the
    other clients have waited long enough.  Commands on the short way are counted here, others by `call`, which those
    within EXEC and scripts come through too.
    """
    engine = session.engine
    lookup = engine.commands.get
    out = session.out
    first, end = position, min(len(commands), position + most)
    outer = engine.current  # a script that does not end lets others run within its own run
    otherwise = 0
    session.running = True
    engine.current = session
    started = perf_counter()
    elapsed, quick = UNKNOWN, alike.QUICK
    look_at, looked_at = started + _LOOK, 0.0
    try:
        while position < end:
            args = commands[position]
            command = lookup(args[0])
            words = len(args)
            if session.fast_path and command is not None and command.least <= words <= command.most:
                if command.in_one_go and command is session.last_command and position + 1 < end and elapsed < quick:
                    after = run_alike(session, command, commands, position, end)
                    if after > position:
                        position, started, elapsed = after, perf_counter(), UNKNOWN
                        continue
                    if not after:
                        quick = 0.0
                if followed := session.followed:
                    before = engine.propagation.begin(command)
                try:
                    if words == 2:  # a call is quicker where its arguments are spelt out
                        reply = command.fn(session, args[1])  # type: ignore[misc]
                    elif words == 3:
                        reply = command.fn(session, args[1], args[2])  # type: ignore[misc]
                    elif words == 4:
                        reply = command.fn(session, args[1], args[2], args[3])  # type: ignore[misc]
                    elif words == 1:
                        reply = command.fn(session)  # type: ignore[misc]
                    else:
                        reply = command.fn(session, *args[1:])  # type: ignore[misc]
                except Exception as error:
                    reply = failure(engine, command, error)
                except BaseException:
                    if followed:
                        engine.propagation.leave_unit()
                    raise
                if followed:
                    engine.propagation.end(session, command, args, reply, before)
                session.last_command = command
                finished = perf_counter()
                elapsed = finished - started
                command.note(elapsed + OFFSET)
                if elapsed >= engine.slow_seconds:
                    note_slow(session, command, args, elapsed)
                started = finished
            elif (
                session.plain_queue is not None
                and command is not None
                and command.least <= words <= command.most
                and command.is_just_queued
            ):
                otherwise += 1
                session.last_command = command
                session.plain_queue.append((command, args))
                reply = QUEUED
                started = perf_counter()
            else:
                uncounted = position - first - otherwise
                first, otherwise = position + 1, 0
                reply = _on_the_long_way(session, command, args, uncounted)
                started = perf_counter()
            encoder = session.encoders.get(reply.__class__)
            if encoder is not None:
                try:
                    out.append(encoder(reply))
                except Exception as error:
                    out.append(session.encoders[CommandError](failure(engine, command, error)))
            elif reply.__class__ is Postponed:
                otherwise -= 1  # it comes again
                break
            elif reply.__class__ is Moved:
                out.append(reply.session.encoders[reply.reply.__class__](reply.reply))
                position += 1
                break
            else:
                otherwise += _waits(session, command, args, reply)
            position += 1
            if engine.pending_work:
                if engine.has_large_reply:
                    engine.sizes.note_reply(session, args, reply)
                engine.work()
            if session.blocked is not None:
                break
            if started > look_at:
                spent = thread_time()
                if (looked_at and spent - looked_at > _TURN) or (out and len(out[-1]) >= _LARGE):
                    break
                look_at, looked_at = started + _LOOK, looked_at or spent
    finally:
        if session.followed:
            gathered = engine.propagation.gathered
            engine.propagation.deliver(sent if len(gathered) == len(commands) else None)
        engine.current = outer
        _leave(session, position - first - otherwise)
    if engine.tracking.changed:
        engine.tracking.broadcast_soon()
    if engine.stats.commands_processed >= engine.count_at:
        engine.count_durations()
    return position


def _leave(session: Session, uncounted: int) -> None:
    """A session is no longer running; so many commands that it ran are not counted yet."""
    session.running = False
    if session.words and session.blocked is None and not session.suspended:
        session.words = ()  # they may be long, and the client silent for long
    _count_quick(session, uncounted)


def _count_quick(session: Session, count: int) -> None:
    """Count so many commands that have taken the short way."""
    session.total_commands += count
    session.engine.stats.commands_processed += count


def _on_the_long_way(session: Session, command: Command | None, args: Sequence[bytes], uncounted: int) -> Outcome:
    """What comes of one command with all the guards, whatever it raises.

    Such a command may tell how many were run (CLIENT LIST), of which so many before it are still to be counted.
    """
    engine = session.engine
    _count_quick(session, uncounted)
    if session.followed:
        engine.propagation.deliver()
    try:
        return execute(session, args)
    except Exception as error:
        return failure(engine, command, error)


def _waits(session: Session, command: Command | None, args: Sequence[bytes], outcome: object) -> bool:
    """A command waits, and is counted when it has its answer; whether it came by the short way.  Anything else is a bug."""
    if not isinstance(outcome, Block):
        bug = TypeError(f"{type(outcome).__name__} is no reply")
        session.out.append(session.encoders[CommandError](failure(session.engine, command, bug)))
        return False
    session.words = args
    if command is None or outcome.spent:
        return False
    outcome.spent = command.durations.noted.pop() - OFFSET
    return True


def execute(session: Session, args: Sequence[bytes]) -> Outcome:
    """One command with all the guards; what CLIENT REPLY asks for is done to the reply."""
    if session.closing:
        return NO_REPLY
    if (command := _unguarded(session, args)) is not None:
        session.last_command = command
        reply = call(session, command, args)
        if session.fast_path:  # nothing of what follows is so
            return reply
        _note_request(session, command, args)
    else:
        reply = _guarded(session, args) if not session.engine.faults.faults else _with_faults(session, args)
    if session.asking and session.queue is None:
        session.asking = session.last_command is not None and session.last_command.name == b"asking"
    if session.large_requests and reply.__class__ is not Postponed:
        session.end_large_request(args)
    if session.output_limit and reply.__class__ in session.encoders:
        reply = session.within_limit(reply)
    if session.engine.recording.active and reply.__class__ is not Postponed:
        _record(session, args, reply)
    if session.peer is not None and reply is not NO_REPLY and kind_of(session) == b"replica":
        return _answered_by_mistake(session)
    tracked = session.tracked
    if tracked is not None and session.queue is None and args[0].lower() != b"client":
        tracked.caching = False
    if session.reply_mode == REPLY_ON or reply.__class__ is Postponed or isinstance(reply, Block):
        return reply
    is_push = reply.__class__ is Push or reply.__class__ is Replies
    return NO_REPLY if session.drops_reply() and not is_push else reply


def _answered_by_mistake(session: Session) -> Reply:
    """A replica hears nothing but the stream: an answer in it would be taken for a command."""
    name = b"unknown" if session.last_command is None else session.last_command.full_name
    logger.warning("Replica generated a reply to command '%s', disconnecting it", name.decode())
    session.abort_in_turn()
    return NO_REPLY


def _record(session: Session, args: Sequence[bytes], reply: Outcome) -> None:
    """Keep what was sent and what is answered."""
    try:
        command: Command | None = find(session.engine.commands, args)
    except CommandError:
        command = None
    encoder = session.encoders.get(reply.__class__)
    session.engine.recording.add(session, command, args, b"" if encoder is None else encoder(reply))


def _with_faults(session: Session, args: Sequence[bytes]) -> Outcome:
    """One command, and what a fault does to it."""
    faults = session.engine.faults
    if session.fault_passed:
        session.fault_passed = False
        return _guarded(session, args)
    try:
        fault = faults.find(session, find(session.engine.commands, args), args)
    except CommandError:
        fault = None
    if fault is None:
        return _guarded(session, args)
    if fault.effect == ERROR:
        session.engine.stats.count_error(fault.text)
        return CommandError(fault.text)
    if fault.effect in (DELAY, STALL):
        faults.suspend(session, fault)
        session.fault_passed = True
        return _POSTPONED
    if fault.effect == DROP_BEFORE:
        session.abort()
        return NO_REPLY
    reply = _guarded(session, args)
    if fault.effect == DROP_AFTER:
        session.abort()
    elif reply.__class__ in session.encoders:
        whole = session.encoders[reply.__class__](reply)
        session.out.append(whole[: max(len(whole) // 2, 1)])
        session.close()
    return NO_REPLY


def _unguarded(session: Session, args: Sequence[bytes]) -> Command | None:
    """The command of a call that no guard could refuse: a sub-command of a `fast_path` session, or EXEC and its like."""
    command = session.engine.commands.get(args[0])
    if command is None:
        return None
    if session.fast_path:
        command = command.subcommand(args[1].lower()) if len(args) > 1 else None
        if command is None:
            return None
    elif session.plain_queue is None or command.full_name not in NOT_QUEUED:
        return None
    fits = command.least <= len(args) <= command.most and not command.flags & NEEDS_GUARDS
    return command if fits else None


def _guarded(session: Session, args: Sequence[bytes]) -> Outcome:
    engine = session.engine
    command = session.last_command = None
    try:
        command = session.last_command = found(session, args)
        flags = command.flags
        if flags & RUNS_SCRIPT and command.least <= len(args):
            flags = engine.scripting.flags_of(command, args)
        check(session, command, flags, args)
        if engine.pause.suspends(command, flags, session):
            engine.pause.hold(session)
            return _POSTPONED
    except CommandError as error:
        if command is None and args[0].lower() in CROSS_PROTOCOL:
            return _cut_off(session)
        if command is not None and command.name == b"exec":
            return _refused(engine, command, _abort_transaction(session, error))
        _refused(engine, command, error)
        session.fail_queue()
        return error
    if session.queue is not None and command.full_name not in NOT_QUEUED:
        if not session.must_abort:
            session.queue.add(command, list(args))
        return QUEUED
    return _called(session, command, args)


def _called(session: Session, command: Command, args: Sequence[bytes]) -> Outcome:
    """The outcome of a call that nothing refuses."""
    outcome = _call_without_touch(session, command, args) if session.no_touch else call(session, command, args)
    _note_request(session, command, args)
    return outcome


def _note_request(session: Session, command: Command, args: Sequence[bytes]) -> None:
    """A call was made; it may be one that changes what is noted of requests."""
    sizes = session.engine.sizes
    if session.large_requests or sizes.needs_guards:
        sizes.note_request(session, command, args)


def _cut_off(session: Session) -> Reply:
    """A browser was made to speak to us: what follows in its request must not be run."""
    logger.warning(
        "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Redis. This is "
        "likely due to an attacker attempting to use Cross Protocol Scripting to compromise your Redis instance. "
        "Connection from %s aborted.",
        session.address.decode(),
    )
    session.abort()
    return NO_REPLY


def _abort_transaction(session: Session, error: CommandError) -> CommandError:
    """EXEC itself was refused: the transaction is gone."""
    session.close_queue()
    if error.redirects:
        return error
    text = str(error).removeprefix("ERR ")
    return CommandError(f"EXECABORT Transaction discarded because of: {text}")


def call(session: Session, command: Command, args: Sequence[bytes]) -> Outcome:
    """Run a command that has passed the guards, alone or within a transaction."""
    propagation = session.engine.propagation
    if propagation.active:
        return propagation.follow(session, command, args, _call)
    return _call(session, command, args)


nested = cast("Callable[[Session, Command, Sequence[bytes]], Reply]", call)
"""The same where nothing waits: in a transaction or a script."""


def _call(session: Session, command: Command, args: Sequence[bytes]) -> Outcome:
    session.words = args
    engine = session.engine
    monitor = engine.monitor
    if monitor.sessions and command.flags & RUNS_SCRIPT:
        monitor.show_always(session, args)
    started = perf_counter()
    try:
        reply: Outcome = command.fn(session, *args[command.skip :])  # type: ignore[misc]
    except Exception as error:
        reply = failure(engine, command, error)
    elapsed = perf_counter() - started
    if session.tracked is not None and command.flags & READONLY:
        engine.tracking.remember(session.tracked, command, args)
    if monitor.sessions:
        monitor.show(session, command, args)
    for meter in engine.meters:
        meter(session, command, args, reply, elapsed)
    if isinstance(reply, Block):
        reply.spent = elapsed
    else:
        count(engine.current or session, session, command, args, elapsed)
    return reply


def count(client: Session, session: Session, command: Command, args: Sequence[bytes], elapsed: float) -> None:
    """Enter a call of a session (it may be a script's own) in the statistics; for the client whose turn it is."""
    client.total_commands += 1
    session.engine.stats.commands_processed += 1
    command.note(elapsed + OFFSET)
    if len(command.durations.noted) >= GATHERED_AT_MOST:
        session.engine.count_durations()
    if elapsed >= session.engine.slow_seconds:
        note_slow(session, command, args, elapsed)


def unblocked(session: Session, elapsed: float, reply: Reply) -> None:
    """Enter the call of a client that has waited, which has its answer now, in the statistics."""
    command = session.last_command
    if command is not None:
        if reply.__class__ is CommandError:
            rejects = session.engine.config.edition.is_valkey and str(reply).startswith("UNBLOCKED")
            (_refused if rejects else failure)(session.engine, command, reply)
        count(session, session, command, session.words, elapsed)
        session.engine.sizes.note_late(session, reply)
    session.words = ()


def refusal(session: Session) -> CommandError | None:
    """The error of a call that waits, where it would be refused by now."""
    command = session.last_command
    try:
        if command is not None:
            check(session, command, command.flags, session.words)
    except CommandError as error:
        return _refused(session.engine, command, error)
    return None


def _refused(engine: Engine, command: Command | None, error: CommandError) -> CommandError:
    """Enter a call that was refused in the statistics; its error."""
    engine.stats.count_error(str(error))
    error.refused = True
    if command is not None:
        command.rejected += 1
    return error.alone()


def _call_without_touch(session: Session, command: Command, args: Sequence[bytes]) -> Outcome:
    """For CLIENT NO-TOUCH: the access times of the command's keys are what they were."""
    db = session.db
    entries = db.entries
    kept = {key: entries[key].access for spec in command.keys for key in spec.words(args) if key in entries}
    reply = call(session, command, args)
    if command.name != b"touch":
        for key, access in kept.items():
            if (entry := db.entries.get(key)) is not None:
                entry.access = access
    return reply


def failure(engine: HostOfClients, command: Command | None, error: Exception) -> CommandError:
    """The reply to a command that raised: its own error, or for a bug the news that there is one."""
    if command is not None:
        command.failed += 1
    if not isinstance(error, CommandError):
        engine.stats.unexpected_errors += 1
        error = internal_error(error, "a command")
    if not error.counted:
        engine.stats.count_error(str(error))
    return error.alone()


def note_slow(session: Session, command: Command, args: Sequence[bytes], seconds: float) -> None:
    """Enter a command that took long in the slow log, and in the events of LATENCY."""
    engine = session.engine
    micros, config = int(seconds * 1e6), engine.config
    engine.latency.note(b"fast-command" if command.flags & FAST else b"command", seconds)
    if not command.flags & SKIP_SLOWLOG and 0 <= config.slowlog_log_slower_than <= micros:
        log_call(session, engine.slowlog, args, micros, config.slowlog_max_len)
