"""Every change goes through the funnel.

After each command of every conformance case, a key whose value differs from before has been announced to
`Database.touch`, by which WATCH and blocked clients hear of it; and what each key was last weighed at is what it weighs.
"""

import pytest

from emulator.clock import ManualClock
from emulator.config.directives import Config
from emulator.core.dispatch import run
from emulator.core.engine import Engine
from emulator.datatypes.digest import Digest
from emulator.datatypes.hash import Hash
from emulator.datatypes.types import TYPES, type_name
from emulator.keyspace.database import Database
from emulator.keyspace.weight import weigh

from .cases import check_group, commands, groups_of, playable

UNANNOUNCED = {b"FLUSHALL", b"FLUSHDB", b"SWAPDB", b"PFDEBUG"}
"""What changes whole databases tells the watchers in its own way; of a sketch that PFDEBUG makes dense Redis tells nobody."""


def picture(engine):
    """Every key of every database with its value and deadline."""
    return {
        (db.index, entry.key): (freeze(entry.value), entry.deadline) for db in filled(engine) for entry in db.live()
    }


def filled(engine):
    """The databases that have keys."""
    return [db for db in engine.databases if db.entries]


def freeze(value):
    """What clients can see of a value."""
    seen = Digest(type_name(value))
    TYPES[value.__class__].digest(value, seen)
    deadlines = {field: value.deadline(field) for field in value.fields} if isinstance(value, Hash) else {}
    return bytes(seen), deadlines


CASES = playable(without=("config", "protocol"))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("group", groups_of(CASES))
def test_no_change_goes_unannounced(group, monkeypatch):
    touched = set()
    original = Database.touch

    def touch(self, key):
        touched.add((self.index, key))
        original(self, key)

    monkeypatch.setattr(Database, "touch", touch)
    monkeypatch.setattr(Database, "observe", lambda self: setattr(self, "has_listeners", True))
    check_group(CASES, group, lambda case: every_change_is_announced(case, touched))


def every_change_is_announced(case, touched):
    """`touched` has the keys that were announced."""
    engine = Engine(Config(), ManualClock())
    for db in engine.databases:
        db.has_listeners = True
    before = picture(engine)
    for session, step in commands(case, engine):
        touched.clear()
        names = {step.words[0].upper(), *(words[0].upper() for _, words in session.queue or ())}
        run(session, [step.words], 0, 1)
        session.out.clear()
        after = picture(engine)
        changed = {place for place in before.keys() | after.keys() if before.get(place) != after.get(place)}
        if names.isdisjoint(UNANNOUNCED) and session.queue is None:
            assert changed <= touched, step.text
        assert mistaken_weights(engine) == [], step.text
        before = after


def mistaken_weights(engine):
    """The keys that weigh something else than the databases know."""
    for db in filled(engine):
        db.weigh()
    entries = [entry for db in filled(engine) for entry in db.entries.values()]
    return [
        entry.key for entry in entries if entry.weight[0] != weigh(entry.key, entry.value, entry.deadline is not None)
    ]
