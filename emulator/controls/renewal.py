"""Renewal: an engine becomes as it was when it began, while the connections that do no harm stay.

Everything that a client can change for others goes back: data, settings, users, scripts and functions, pauses, statistics
and logs, and what EMULATOR did.  Clients that wait, listen or monitor are disconnected, since what they do would reach
whoever comes next.  The other connections stay, with their database and protocol, so that a pool of them goes on working;
clients learn nothing of it.  Snapshots stay, so that what was loaded once can come back in each test; other keyspaces are
Redises of their own and stay as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.clients.session import Session
    from emulator.core.engine import Engine


def renew(engine: Engine, client: Session) -> None:
    """Bring an engine back to its beginning on behalf of `client`, who stays.  O(commands and clients); data go in slices.

    Raises `CommandError` while a script runs that does not end, and where a setting cannot be brought back.
    """
    engine.scripting.check_quiet()
    for session in list(engine.sessions.values()):
        if session is not client and _reaches_others(session):
            session.abort_in_turn()
    engine.pause.clear()
    engine.faults.reset()
    engine.recording.forget()
    engine.timers.reset_clock()
    engine.config.reset()
    engine.replication.renew()
    engine.acl.reset()
    engine.scripting.reset()
    engine.expiration.switch(True)
    engine.skips_checksums = False
    for db in engine.databases:
        db.clear()
    for effect in ([b"FLUSHALL"], [b"FUNCTION", b"FLUSH"]):
        engine.propagation.add(0, effect)
    for log in (engine.slowlog, engine.sizes.requests, engine.sizes.replies):
        log.reset()
    engine.latency.events.clear()
    forget_statistics(engine)
    engine.random.seed(engine.config.seed or None)
    engine.dirty = 0
    engine.persistence.forget()
    engine.started = engine.clock.now


def _reaches_others(session: Session) -> bool:
    waits = session.blocked is not None or session.suspended
    return waits or bool(session.subscriptions) or session in session.engine.monitor.sessions


def forget_statistics(engine: Engine) -> None:
    """CONFIG RESETSTAT: the counters of the server and of each command begin anew."""
    engine.stats.reset()
    engine.rates.reset()
    engine.replication.synchronization.forget_statistics()
    if engine.cluster is not None:
        engine.cluster.usage.forget()
    engine.count_durations()
    for entry in engine.commands.used():
        entry.reset()


def restart(engine: Engine, keep: bool) -> None:
    """Restart an engine as clients see it, with its data or without; whoever asked for it gets an answer first.

    Connections end.  Gone are settings and users that were not written to a file, scripts, what clients waited for and
    watched, and statistics; the run id is another one.  Data and functions stay or go, as a file would or would not have had
    them.  Snapshots, faults and recordings stay, since they are the tester's.  Raises `CommandError` while a script runs that
    does not end.
    """
    engine.scripting.check_quiet()
    for session in list(engine.sessions.values()):
        session.abort_in_turn()
    engine.pause.clear()
    engine.scripting.flush()
    engine.config.reset()
    engine.acl.reset()
    if not keep:
        for db in engine.databases:
            db.clear()
        engine.scripting.reset()
    engine.slowlog.reset()
    engine.latency.events.clear()
    forget_statistics(engine)
    engine.run_id = engine.random.randbytes(20).hex()
    engine.started = engine.clock.tick()
    engine.replication.restart(keep)
