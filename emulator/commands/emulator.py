"""EMULATOR: functions that no real Redis has.  COMMAND LIST hides it, and ``--emulator-commands no`` removes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from emulator.commands.arguments import INT32_MAX, bounded, double, integer, positive, wrong_subcommand_arity
from emulator.controls.faults import DELAY, DROP_AFTER, DROP_BEFORE, ERROR, HALF, REFUSE, STALL, Fault
from emulator.controls.instances import Moved
from emulator.controls.renewal import renew
from emulator.protocol.errors import NOT_POSITIVE, CommandError, as_text
from emulator.protocol.replies import OK, Reply, Status
from emulator.protocol.text import to_bytes, to_text
from emulator.suggestions import did_you_mean
from emulator.table.registry import EMULATOR, command, container, every_command

if TYPE_CHECKING:
    from emulator.clients.session import Session

container(EMULATOR, group=EMULATOR, since="8.2.0", acl=EMULATOR, help_since="8.2.0", help_acl=EMULATOR)

_LATEST = 1 << 48
FLAGS: Final = "admin noscript loading stale no_multi"


def _unknown(what: str, word: bytes, known: Sequence[bytes]) -> CommandError:
    """Return the error for an unknown word, with a suggestion."""
    meant = did_you_mean(as_text(word), map(as_text, known))
    return CommandError(f"ERR there is no {what} '{as_text(word)}'.{meant}")


def known_action(action: bytes, *actions: bytes) -> bytes:
    """Return the action that a word names."""
    word = action.upper()
    if word not in actions:
        raise _unknown("action", word, actions)
    return word


@command(
    EMULATOR,
    container=EMULATOR,
    since="8.2.0",
    flags=f"write {FLAGS}",
    acl=EMULATOR,
    complexity="O(N) for N keys and clients whose time comes",
)
def emulator_clock(client: Session, action: bytes, *milliseconds: bytes) -> dict[bytes, Reply]:
    """FREEZE, RESUME, ADVANCE (by ms), SET (to ms since the epoch) or RESET the clock; returns the time, as GET does."""
    engine, word = client.engine, known_action(action, b"FREEZE", b"RESUME", b"RESET", b"ADVANCE", b"SET", b"GET")
    if len(milliseconds) != (word in (b"ADVANCE", b"SET")):
        raise wrong_subcommand_arity(client)
    if word == b"FREEZE":
        engine.timers.freeze_clock()
    elif word == b"RESUME":
        engine.timers.resume_clock()
    elif word == b"RESET":
        engine.timers.reset_clock()
    elif word != b"GET":
        number = positive(milliseconds[0], _LATEST)
        engine.timers.turn_clock(number if word == b"SET" else engine.clock.now + number)
    return {b"now": engine.clock.now, b"frozen": engine.clock.frozen}


@command(
    EMULATOR,
    container=EMULATOR,
    since="8.2.0",
    flags=f"write {FLAGS}",
    acl=EMULATOR,
    complexity="O(N) for N commands and clients",
)
def emulator_reset(client: Session) -> Status:
    """Restores everything that clients can change to its state at the start of the server."""
    renew(client.engine, client)
    return OK


_WORDS = {b"COMMAND": "command", b"KEY": "key", b"CLIENT": "client"}
_NUMBERS = {b"NTH": "nth", b"TIMES": "times", b"SEED": "seed"}
_EFFECTS = {
    b"DROP-BEFORE": DROP_BEFORE,
    b"DROP-AFTER": DROP_AFTER,
    b"HALF": HALF,
    b"STALL": STALL,
    b"REFUSE": REFUSE,
}


_TAKING = (*_WORDS, *_NUMBERS, b"PROBABILITY", b"ERROR", b"DELAY")
"""The words that a value follows."""


def _fault(words: Sequence[bytes]) -> Fault:
    """Return the fault that the words of EMULATOR FAULT ADD describe.

    The words are read here, not by `read_options`, since the errors make suggestions.
    """
    conditions: dict[str, Any] = {}
    effect = ""
    position = 0
    while position < len(words):
        word = words[position].upper()
        value = words[position + 1] if position + 1 < len(words) else None
        position += 1 if word in _EFFECTS else 2
        if word in _EFFECTS:
            effect = _EFFECTS[word]
        elif word not in _TAKING:
            raise _unknown("fault word", word, [*_EFFECTS, *_TAKING])
        elif value is None:
            raise CommandError(f"ERR {as_text(word)} of a fault needs a value")
        elif word in _WORDS:
            conditions[_WORDS[word]] = value
        elif word in _NUMBERS:
            conditions[_NUMBERS[word]] = bounded(value, 1, INT32_MAX, NOT_POSITIVE)
        elif word == b"PROBABILITY":
            conditions["probability"] = double(value)
        elif word == b"ERROR":
            effect, conditions["text"] = ERROR, to_text(value)
        else:
            number = positive(value, INT32_MAX)
            effect, conditions["milliseconds"] = DELAY, number
    if not effect:
        raise CommandError("ERR a fault needs an effect: ERROR, DELAY, DROP-BEFORE, DROP-AFTER, HALF, STALL or REFUSE")
    return Fault(effect, **conditions)


def _check_command(client: Session, fault: Fault) -> Fault:
    """Return the fault; raise where its glob is for no command, so that it would never strike."""
    known = list(every_command(client.engine.original_commands))
    if fault.command and not any(map(fault.names, known)):
        raise _unknown("command", fault.command, [entry.full_name for entry in known])
    return fault


def _described(fault: Fault) -> dict[bytes, Reply]:
    return {
        b"id": fault.id,
        b"effect": fault.effect.encode(),
        b"text": to_bytes(fault.text) if fault.effect == ERROR else b"",
        b"milliseconds": fault.milliseconds,
        b"command": fault.command,
        b"key": fault.key,
        b"client": fault.client,
        b"nth": fault.nth,
        b"times": fault.times,
        b"probability": fault.probability,
        b"met": fault.met,
        b"fired": fault.fired,
    }


@command(EMULATOR, container=EMULATOR, since="8.2.0", flags=FLAGS, acl=EMULATOR, complexity="O(N) for N faults")
def emulator_fault(client: Session, action: bytes, *words: bytes) -> Reply:
    """ADD a fault (returns its id), LIST the faults and how often each fired, or CLEAR one or all."""
    faults, word = client.engine.faults, known_action(action, b"ADD", b"LIST", b"CLEAR")
    if word == b"ADD":
        return faults.add(_check_command(client, _fault(words))).id
    if len(words) > (word == b"CLEAR"):
        raise wrong_subcommand_arity(client)
    if word == b"LIST":
        return [_described(fault) for fault in faults.faults.values()]
    return faults.clear(integer(words[0]) if words else None)


@command(
    EMULATOR,
    container=EMULATOR,
    since="8.2.0",
    flags=f"write {FLAGS}",
    acl=EMULATOR,
    complexity="O(N) for N keys",
)
def emulator_snapshot(client: Session, action: bytes, *name: bytes) -> Reply:
    """SAVE the data under a name, RESTORE them (returns the number of keys examined), DROP or LIST snapshots."""
    snapshots, word = client.engine.snapshots, known_action(action, b"SAVE", b"RESTORE", b"DROP", b"LIST")
    if len(name) != (word != b"LIST"):
        raise wrong_subcommand_arity(client)
    if word == b"LIST":
        return list(snapshots.snapshots)
    if word == b"SAVE":
        snapshots.save(name[0])
        return OK
    if name[0] not in snapshots.snapshots:
        raise CommandError("ERR no such snapshot")
    return snapshots.restore(name[0]) if word == b"RESTORE" else int(snapshots.drop(name[0]))


@command(
    EMULATOR,
    container=EMULATOR,
    since="8.2.0",
    flags=FLAGS,
    acl=f"{EMULATOR} write",
    complexity="O(N) for N clients or keyspaces",
)
def emulator_keyspace(client: Session, action: bytes, *name: bytes) -> Reply | Moved:
    """USE a keyspace ("" is the server's own) as the same user, DROP one, GET the current name, or LIST all names."""
    keyspaces, word = client.engine.keyspaces, known_action(action, b"USE", b"DROP", b"GET", b"LIST")
    if len(name) != (word in (b"USE", b"DROP")):
        raise wrong_subcommand_arity(client)
    if word == b"USE":
        engine = keyspaces.open(name[0])
        user = engine.acl.table.get(client.user.name)
        if user is None or not user.accepts_hash(client.proof):
            raise CommandError(f"NOPERM User {as_text(client.user.name)} has no permissions in that keyspace")
        return Moved(client.move(engine, user, client.proof), OK)
    if word == b"DROP":
        return int(keyspaces.drop(name[0]))
    return keyspaces.name_of(client.engine) if word == b"GET" else list(keyspaces.named)


@command(EMULATOR, container=EMULATOR, since="8.2.0", flags=FLAGS, acl=EMULATOR, complexity="O(1)")
def emulator_seed(client: Session, seed: bytes) -> Status:
    """Seeds all random choices (SPOP, RANDOMKEY, evictions, vectors and others), which makes them repeatable."""
    client.engine.random.seed(integer(seed))
    return OK


@command(EMULATOR, container=EMULATOR, since="8.2.0", flags=FLAGS, acl=EMULATOR, complexity="O(N) for N calls recorded")
def emulator_record(client: Session, action: bytes) -> Reply:
    """START or STOP recording calls; GET returns the recorded calls, LINES returns them as lines for redis-cli."""
    recording, word = client.engine.recording, known_action(action, b"START", b"STOP", b"GET", b"LINES")
    if word == b"START":
        recording.start()
        return OK
    if word == b"STOP":
        recording.stop()
        return len(recording.commands)
    if word == b"LINES":
        return [str(call).encode() for call in recording.commands]
    return [
        {
            b"time": round(call.moment * 1000),
            b"client": call.client,
            b"name": call.name,
            b"db": call.db,
            b"words": list(call.words),
            b"keys": list(call.keys),
            b"protocol": call.protocol,
            b"answer": call.answer,
        }
        for call in recording.commands
    ]
