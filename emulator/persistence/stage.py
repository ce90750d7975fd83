"""A data set that is loaded beside the one that is served, and takes its place at once when it is whole.

What is loaded is in an engine of its own, which nobody sees.  Its deadlines are in the wheel of the engine that it is for,
where they are held until then: so it takes no longer to change over than to exchange the databases.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from emulator.keyspace.exchange import exchange_all
from emulator.persistence.work import Job

if TYPE_CHECKING:
    from emulator.persistence.host import HostOfFiles

_BUSY_MICROS: Final = 10_000

Loader = Callable[[Any], Job]
"""Loads into an engine."""


class Stage:
    """The engine beside `engine`.  It has to be closed at last."""

    def __init__(self, engine: HostOfFiles) -> None:
        self._engine = engine
        self.beside = beside = engine.sibling()
        beside.vector_uids = engine.vector_uids
        beside.expiration.switch(False)
        for db in beside.databases:
            db.wheel, db.lazyfree = engine.wheel, engine.lazyfree

    def exchange(self) -> None:
        """Let the data be those that are served, with the functions; those that were are let go.  Clients hear of it."""
        engine, beside = self._engine, self.beside
        exchange_all(engine, beside)
        self._exchange_functions()
        engine.expiration.refresh()
        engine.tracking.flushed()
        engine.begin_stream_anew()
        engine.dirty += 1 + sum(len(db) for db in engine.databases)
        engine.persistence.loaded_keys = sum(len(db) for db in engine.databases)

    def _exchange_functions(self) -> None:
        served, new = self._engine.scripting.libraries, self.beside.scripting.libraries
        codes = [library.code for library in new.libraries.values()]
        if codes != [library.code for library in served.libraries.values()]:
            served.flush()
            for code in codes:
                served.load(code, replace=False)

    def close(self) -> None:
        """Free what is not served, in slices."""
        for db in self.beside.databases:
            db.clear()
        self.beside.scripting.libraries.flush()


def take_over(engine: HostOfFiles, load: Loader) -> Job:
    """Load what then takes the place of all data, in memory and in the append-only file at one moment.

    Raises `BadFile` or OSError, and then nothing has changed.
    """
    with closing(Stage(engine)) as stage:
        yield from load(stage.beside)
        while engine.busy is not None:  # a script is at work on the data
            yield _BUSY_MICROS
        yield from engine.persistence.log.rewrite.begin_anew(stage.beside, stage.exchange)
