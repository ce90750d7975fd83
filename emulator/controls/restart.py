"""A restart as clients see it: their connections end, and what was not written to a file is gone.

Gone are settings and users that were not written to a file, scripts, what clients waited for and watched, and statistics; the
run id is another one.  Data and functions stay or go, as a file would or would not have had them.  Snapshots, faults and
recordings stay, since they are the tester's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.controls.renewal import forget_statistics

if TYPE_CHECKING:
    from emulator.core.engine import Engine


def restart(engine: Engine, keep: bool) -> None:
    """Restart an engine, with its data or without; whoever asked for it gets an answer first.

    Raises `CommandError` while a script runs that does not end.
    """
    engine.scripting.check_quiet()
    for session in list(engine.sessions.values()):
        session.abort_in_turn()
    engine.pause.stop()
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
