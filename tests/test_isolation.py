"""Two engines side by side share nothing that changes, and what is kept worked out beforehand is never stale."""

import gc
import importlib
import logging
import pkgutil
import sys
import types
import weakref
from collections import deque
from functools import cached_property

import pytest

import emulator.modules
from emulator.clock import ManualClock
from emulator.config.directives import Config
from emulator.core.dispatch import run
from emulator.core.engine import Engine

from .cases import check_group, commands, groups_of, playable

CASES = playable()
_OTHERS = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType, logging.Logger)
"""What is nobody's state: code, and the log, by which all of pytest is reached."""
_OF_IMPORTS = ("__loader__", "__spec__")
"""By which a module that pytest imports holds all of pytest, every test of the run included."""
OF_VALUES = frozenset(
    f"emulator.{name}"
    for name in """
    datatypes.consumers datatypes.hash datatypes.list datatypes.run datatypes.set datatypes.stream datatypes.two_ended
    datatypes.vectorset datatypes.zset modules.json.document modules.timeseries.series
    """.split()
)
"""Modules of what keys hold, and of its parts."""
_CONTAINERS = (dict, list, set, deque, bytearray)


def play(engine, case):
    """Play a case; each command after it was run."""
    for session, step in commands(case, engine):
        run(session, [list(step.words)], 0, 1)
        session.out.clear()
        yield step


def reached(*roots):
    """What hangs on some things and could change, by identity: containers and objects of ours."""
    seen, stack = {}, list(roots)
    while stack:
        thing = stack.pop()
        if id(thing) in seen or isinstance(thing, _OTHERS) or "cython" in type(thing).__name__:
            continue
        seen[id(thing)] = thing
        stack += gc.get_referents(thing)
    return {
        place: thing
        for place, thing in seen.items()
        if isinstance(thing, _CONTAINERS) or type(thing).__module__.startswith("emulator")
    }


def parts(thing):
    return [id(part) for part in gc.get_referents(thing)]


def constants():
    """What our modules and classes hold, those too that are imported when they are used."""
    for found in pkgutil.walk_packages(emulator.modules.__path__, "emulator.modules."):
        importlib.import_module(found.name)
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == "emulator"]
    classes = [found for module in modules for found in vars(module).values() if isinstance(found, type)]
    held = [value for owner in (*modules, *classes) for name, value in vars(owner).items() if name not in _OF_IMPORTS]
    for thing in reached(*held).values():
        for name, attribute in vars(type(thing)).items():
            if isinstance(attribute, cached_property):
                getattr(thing, name)  # worked out once for good
    return reached(*held)


def test_two_engines_share_nothing_that_changes():
    one, other = Engine(Config(), ManualClock()), Engine(Config(), ManualClock())
    before = {place: (thing, parts(thing)) for place, thing in constants().items()}
    for case in CASES[::20]:
        for engine in (one, other):
            for _ in play(engine, case):
                pass
    held = reached(other)
    common = [thing for place, thing in reached(one).items() if place in held]
    assert common  # the commands as they are in the registry, at least
    for thing in common:
        assert id(thing) in before, f"both have come to hold {thing!r}"
        assert parts(thing) == before[id(thing)][1], f"both hold {thing!r}, which has changed"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("group", groups_of(CASES))
def test_nothing_is_stale_and_nothing_is_left(group):
    """Values go without the garbage collector, which does not look at what has been there for long; engines with it."""
    gc.collect()
    gc.disable()
    try:
        engines = played(group)
        assert [thing for thing in gc.get_objects() if type(thing).__module__ in OF_VALUES] == []
    finally:
        gc.enable()
    gc.collect()
    assert not engines


def played(group):
    """The engines on which the cases of a group were played, without data now, and without anybody who holds them."""
    engines = []

    def check(case):
        engines.append(Engine(Config(), ManualClock()))
        nothing_is_stale(engines[-1], case)

    check_group(CASES, group, check)
    for engine in engines:
        for db in engine.databases:
            db.clear()
    return weakref.WeakSet(engines)


def nothing_is_stale(engine, case):
    """`Session.fast_path` and `Database.has_listeners`: after each command they are what they would be if worked out anew."""
    for step in play(engine, case):
        for session in list(engine.sessions.values()):
            kept = session.fast_path, session.plain_queue, session.output_limit
            session.refresh()
            assert kept == (session.fast_path, session.plain_queue, session.output_limit), step.text
        for db in engine.databases:
            told = db.has_listeners, list(db.listeners)
            db.observe()
            assert told == (db.has_listeners, list(db.listeners)), step.text
