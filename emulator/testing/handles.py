"""Handles: what a program or a test holds of a Redis that may be in another thread or on another machine.

A `Handle` performs commands; the clock, the faults, snapshots and recordings are words of EMULATOR.  So they are the same for
a server of this process (`emulator.testing.embedded`), an engine in it (`emulator.testing.local`) and one elsewhere
(`emulator.testing.remote`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import quote, urlsplit, urlunsplit

from emulator.clients.session import Session
from emulator.clock import in_milliseconds, since_epoch
from emulator.commands.table import table
from emulator.controls.faults import DELAY, EFFECTS, ERROR
from emulator.controls.recording import Calls, Recorded
from emulator.suggestions import did_you_mean
from emulator.table.lookup import check_arity, find

if TYPE_CHECKING:
    from emulator.config.edition import Edition
    from emulator.core.engine import Engine
    from emulator.table.registry import Command, Commands

Words = Sequence[object]


class Handle(ABC):
    """A Redis of the emulator: its clock, faults, backups, snapshots, recordings; commands that count in no statistics."""

    def __init__(self) -> None:
        self.clock = TurnableClock(self)
        """Its time, and how it is turned."""
        self.faults = FaultHandles(self)
        """What strikes the calls of its clients."""
        self.backups = BackupHandles(self)
        """Its backups, where ``backup_dir`` names a folder for them."""

    @property
    def is_emulator(self) -> bool:
        """Whether it can do what no real Redis can."""
        return True

    @abstractmethod
    def perform(self, *calls: Words) -> list[Any]:
        """The replies to commands of one client, with nobody else's between: RESP3's values as Python's, strings as bytes."""

    def command(self, *words: object) -> Any:
        """The reply to one command."""
        return self.perform(words)[0]

    @property
    def commands(self) -> Calls:
        """The calls that clients have sent since `record` began: a list of `emulator.controls.recording.Recorded`."""
        return Calls(
            Recorded(
                call[b"time"] / 1000,
                call[b"client"],
                call[b"name"],
                call[b"db"],
                tuple(call[b"words"]),
                tuple(call[b"keys"]),
                call[b"protocol"],
                call[b"answer"],
            )
            for call in self.command("EMULATOR", "RECORD", "GET")
        )

    @contextmanager
    def record(self) -> Iterator[RecordingHandle]:
        """Record what clients send while the context lasts."""
        self.command("EMULATOR", "RECORD", "START")
        try:
            yield RecordingHandle(self)
        finally:
            self.command("EMULATOR", "RECORD", "STOP")

    def reset(self) -> None:
        """Bring everything that clients can change back to what it was when it began (`emulator.controls.renewal`)."""
        self.command("EMULATOR", "RESET")

    def snapshot(self) -> SnapshotHandle:
        """The data set as it is now, to come back to."""
        return SnapshotHandle(self)


def keyspace_url(url: str, name: str, password: str) -> str:
    """The URL of a keyspace of the server at `url`."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://keyspace.{quote(name, '')}:{quote(password, '')}@{rest.rpartition('@')[2]}"


def url_of_database(url: str, db: int | None) -> str:
    """The URL of another database of the server at `url`; with None the same."""
    if db is None:
        return url
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return urlunsplit(parts._replace(path=f"/{db}"))
    query = [pair for pair in parts.query.split("&") if pair and not pair.startswith("db=")]
    return f"{url.partition('?')[0]}?{'&'.join([*query, f'db={db}'])}"


@cache
def _commands(edition: Edition) -> Commands:
    """The commands under their own names, none left out; what they note of their use interests nobody."""
    return table(edition)


def _run(session: Session, command: Command, words: Sequence[bytes]) -> Any:
    assert command.fn is not None
    return command.fn(session, *words[command.skip :])


def perform(engine: Engine, calls: Sequence[Words]) -> list[Any]:
    """Perform commands on an engine, as a client that no rule of ACL, no fault and no name given to a command stops."""
    session = Session(engine)
    session.deny_blocking = True
    replies = []
    try:
        for call in calls:
            words = [word if isinstance(word, bytes) else str(word).encode() for word in call]
            own = _commands(engine.config.edition) if engine.sentinel is None else engine.commands
            command = find(own, words)
            check_arity(command, words)
            session.words = words
            if engine.propagation.active:
                replies.append(engine.propagation.follow(session, command, words, _run))
            else:
                replies.append(_run(session, command, words))
            if engine.pending_work:
                engine.work()
        if engine.tracking.changed:
            engine.tracking.broadcast()
    finally:
        session.forget()
    return replies


class RecordingHandle:
    """What clients have sent since the recording began."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    @property
    def commands(self) -> Calls:
        """The calls, with client, words, keys and answer."""
        return self._handle.commands

    @property
    def lines(self) -> list[str]:
        """The calls as lines of redis-cli, which read well where an assertion fails."""
        return self.commands.lines


class SnapshotHandle:
    """The data set of a moment.  As a context manager it is restored at the end, and forgotten."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._name = f"snapshot {id(self)}"
        handle.command("EMULATOR", "SNAPSHOT", "SAVE", self._name)

    def restore(self) -> None:
        """Bring the data set back, in time proportional to what has changed."""
        self._handle.command("EMULATOR", "SNAPSHOT", "RESTORE", self._name)

    def drop(self) -> None:
        """Forget it."""
        self._handle.command("EMULATOR", "SNAPSHOT", "DROP", self._name)

    def __enter__(self) -> SnapshotHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.restore()
        self.drop()


class FaultHandle:
    """A fault that was ordered."""

    def __init__(self, handle: Handle, number: int) -> None:
        self._handle = handle
        self.id = number

    def _count(self, of: bytes) -> int:
        faults = self._handle.command("EMULATOR", "FAULT", "LIST")
        return next((int(fault[of]) for fault in faults if fault[b"id"] == self.id), 0)

    @property
    def met(self) -> int:
        """How many calls it was for."""
        return self._count(b"met")

    @property
    def fired(self) -> int:
        """How many of them it has struck."""
        return self._count(b"fired")

    def clear(self) -> None:
        """Take it away."""
        self._handle.command("EMULATOR", "FAULT", "CLEAR", self.id)


class BackupHandle(NamedTuple):
    """A backup: its name, the moment in seconds since the epoch whose data it has, and its size in bytes."""

    name: str
    moment: float
    size: int


class BackupHandles:
    """The backups of a server.  Each raises `emulator.protocol.errors.CommandError` where the server refuses."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    def _backup(self, *words: object) -> Any:
        return self._handle.command("EMULATOR", "BACKUP", *words)

    def create(self, name: str | None = None) -> str:
        """Write the data to a backup, which is named for the moment unless a `name` is given; the name."""
        return bytes(self._backup("CREATE", *([] if name is None else [name]))).decode()

    def list(self) -> Sequence[BackupHandle]:
        """The backups, the oldest first."""
        return [
            BackupHandle(backup[b"name"].decode(), backup[b"moment"] / 1000, backup[b"size"])
            for backup in self._backup("LIST")
        ]

    def restore(self, name: str | None = None, *, at: float | datetime | None = None) -> int:
        """Let all data be those of a backup, or what they were `at` a moment, by the append-only file; how many keys.

        Raises TypeError where neither or both are given.
        """
        if (name is None) == (at is None):
            raise TypeError("restore takes the name of a backup, or a moment: restore(at=...)")
        return int(self._backup("RESTORE", name) if at is None else self._backup("RESTORE", "AT", since_epoch(at)))

    def delete(self, name: str) -> bool:
        """Delete a backup; whether there was one."""
        return bool(self._backup("DELETE", name))


Effect = Literal["error", "delay", "drop-before", "drop-after", "half", "stall", "refuse"]


class FaultHandles:
    """The faults of a server; each tells how often it was met and how often it has fired."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    def add(
        self,
        effect: Effect,
        *,
        error: str | None = None,
        seconds: float | timedelta | None = None,
        command: str | bytes | None = None,
        key: str | bytes | None = None,
        client: str | bytes | None = None,
        nth: int | None = None,
        times: int | None = None,
        probability: float | None = None,
        seed: int | None = None,
    ) -> FaultHandle:
        """Let a fault strike from now on, each call that meets all of the conditions.

        The `effect` ``"error"`` takes the text of the `error`, ``"delay"`` takes `seconds`; ``"drop-before"`` and
        ``"drop-after"`` end the connection, ``"half"`` ends it after half a reply, ``"stall"`` listens to the client no
        longer, ``"refuse"`` refuses new connections.

        `command`, `key` and `client` (its name) are globs; without one it is for all. The name of a command that holds
        others (``config``) is for all of them. Of the calls that it is for, only every `nth` is struck, only so many
        `times`, and only by a `probability` from 0 to 1, whose chance a `seed` repeats.

        ``add("error", error="OOM ...", command="set")``, ``add("delay", seconds=0.2, nth=3)``, ``add("drop-after")``.
        Raises ValueError where an argument is not as it should be or does not go with the effect; the server refuses a
        `command` that is none.
        """
        words = _effect(effect, error, seconds)
        numbers = {"nth": nth, "times": times, "seed": seed}
        for name, number in numbers.items():
            if number is not None and number < 1:
                raise ValueError(f"{name}={number!r}: a number from 1 on is wanted")
        if probability is not None and not 0 <= probability <= 1:
            raise ValueError(f"probability={probability!r}: a number from 0 to 1 is wanted")
        conditions = {"command": command, "key": key, "client": client, "probability": probability, **numbers}
        words += [word for name, value in conditions.items() if value is not None for word in (name, value)]
        return FaultHandle(self._handle, self._handle.command("EMULATOR", "FAULT", "ADD", *words))

    def clear(self) -> None:
        """Take all of them away."""
        self._handle.command("EMULATOR", "FAULT", "CLEAR")


def _effect(effect: str, error: str | None, seconds: float | timedelta | None) -> list[object]:
    """The words of EMULATOR FAULT ADD for an effect."""
    if effect not in EFFECTS:
        raise ValueError(f"there is no effect {effect!r}.{did_you_mean(effect, EFFECTS)}")
    if error is not None and effect != ERROR:
        raise ValueError(f"error={error!r} goes with the effect 'error', not with {effect!r}")
    if seconds is not None and effect != DELAY:
        raise ValueError(f"seconds={seconds!r} goes with the effect 'delay', not with {effect!r}")
    if seconds is None and effect == DELAY:
        raise ValueError("the effect 'delay' takes seconds")
    if effect == ERROR:
        return [effect, error or "ERR injected fault"]
    return [effect] if seconds is None else [effect, in_milliseconds(seconds)]


class TurnableClock:
    """The clock of a server, in seconds.  What is due on the way happens in order, each thing at its own time."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    def _clock(self, *words: object) -> Any:
        return self._handle.command("EMULATOR", "CLOCK", *words)

    @property
    def now(self) -> float:
        """Seconds since the epoch, in whole milliseconds."""
        return float(self._clock("GET")[b"now"] / 1000)

    @property
    def frozen(self) -> bool:
        """Whether it stands still."""
        return bool(self._clock("GET")[b"frozen"])

    def advance(self, time: float | timedelta) -> None:
        """Turn it forward, by seconds or a ``timedelta``."""
        self._clock("ADVANCE", in_milliseconds(time))

    def set(self, moment: float | datetime) -> None:
        """Turn it to a moment: seconds since the epoch, or a date and time."""
        self._clock("SET", since_epoch(moment))

    def freeze(self) -> None:
        """Let it stand still."""
        self._clock("FREEZE")

    def resume(self) -> None:
        """Let it go on."""
        self._clock("RESUME")

    def reset(self) -> None:
        """Let it follow the machine's clock again; what would have been due meanwhile does not happen."""
        self._clock("RESET")
