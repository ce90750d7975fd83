"""The effects of commands: played into another engine they give the same data, and they are what the real server logs."""

import itertools
import time

import pytest

from conformance import servers
from conformance.__main__ import HERE, select
from conformance.cases import Case, groups, parse_step
from conformance.replicate.canonical import same
from conformance.replicate.streams import OPTIONS, compare
from conformance.resp import Connection
from conformance.runner import Side
from emulator.clients.session import Session
from emulator.core.engine import Engine
from emulator.core.propagation import Listener
from emulator.datatypes.stream import Stream
from emulator.persistence.replay import Log
from emulator.protocol.errors import CommandError
from emulator.table.lookup import find
from emulator.testing.handles import perform
from emulator.testing.local import Local
from tests.test_conformance import play_cases

STARTING = {case.group for case, _ in select([], "", [2]) if case.restarts}
GROUPS = [group for group in groups(HERE / "cases") if group not in STARTING]


class ToEngine(Connection):
    """A connection to an engine of this process: what is sent has been run when `send` returns."""

    def _dialled(self, local):
        return local.socket()


class SideInProcess(Side):
    dial = ToEngine

    def _is_blocked(self, connection):
        return True


def play(case, side):
    """Play a case on one server, whatever it answers; what it has set goes by `reset`."""
    side.begin(2)
    try:
        for step in case.steps:
            if step.action == "sleep":
                time.sleep(int(step.words[0]) / 1000)
                continue
            side.start(step)
            side.finish(step)
    finally:
        side.end()


LOST_BY_REDIS_TOO = {
    "timeseries/TS.INCRBY and TS.DECRBY": "a series that was created before an error is not logged",
    "debug/The words of DEBUG": "what DEBUG makes is not logged",
    "changes/keys that DEBUG makes do not count": "as above",
    "stream/XREADGROUP reads new entries once": "what is read again is delivered once more, which is not logged",
    "stream/a group set back delivers anew what is pending with another": "as above",
    "stream/more entries were added than a signed number counts": "a negative count is refused by whoever follows",
    "bitmap/BITFIELD OVERFLOW": "a string that has grown for writes that then all failed is not logged",
    "vectorset/VADD: options, their values and their order": "a new vector for an element that is there is not logged",
    "vectorset/VADD of a known element keeps the attribute unless another is given": "as above",
}


@pytest.fixture(autouse=True)
def no_internal_error(caplog):
    """Of an effect that cannot be said the command's own words are logged, which may do the same by luck."""
    yield
    assert not [record.getMessage() for record in caplog.get_records("call") if record.exc_info]


class Replica(Listener):
    """An engine that has nothing but the effects of a server, with the same settings and the same clock."""

    def __init__(self, main):
        self.engine = Engine(main.config, main.clock)
        self.session = Session(self.engine)
        self.session.peer = Log()
        self.failures = []
        main.propagation.listen(self)

    def take(self, unit):
        for effect in unit:
            for words in ([b"SELECT", b"%d" % effect.db], effect.words):
                before = self.engine.dirty
                reply = self.engine.dispatch.nested(self.session, find(self.engine.commands, words), words)
                if isinstance(reply, CommandError) and self.engine.dirty == before:
                    self.failures.append((effect, reply))
            if self.engine.pending_work:
                self.engine.work()

    def end(self, main):
        """Follow no more; what it has."""
        main.propagation.leave(self)
        return seen(self.engine)


def groups(stream):
    """What each group has read, and what is pending with whom, since when and how often."""
    return {
        name: (
            group.last_id,
            group.read,
            {id: (each.consumer, each.delivered, each.count) for id, each in group.pending.items()},
        )
        for name, group in stream.groups.items()
    }


def seen(engine):
    """The data set: digest, functions, the deadlines of each key and of its fields."""
    engine.timers.advance()
    found = {"digest": perform(engine, [["DEBUG", "DIGEST"], ["FUNCTION", "LIST", "WITHCODE"]])}
    for db in engine.databases:
        for entry in db.live():
            fields = getattr(entry.value, "deadlines", None)
            found[db.index, entry.key] = entry.deadline, {} if fields is None else dict(fields.by_field)
            if isinstance(entry.value, Stream):
                found[db.index, entry.key] += (entry.value.last_id, groups(entry.value))
    return found


LATEST = "8.10"
OF_LATER_EDITIONS = ["stream_claim", "stream_messages", "string_conditions"]


@pytest.mark.parametrize("group", OF_LATER_EDITIONS)
def test_effects_of_later_editions_give_the_same_data(group):
    follow(select([group], "", [2], "8.6"), LATEST)


def test_effects_by_documentation_give_the_same_data():
    lines = """
        ARSET a 5 x y
        ARMSET a 1 x 2 y
        ARINSERT a z
        ARSEEK a 9
        ARRING r 3 a b c d
        ARDEL a 1
        ARDELRANGE a 2 9
        INCREX k BYINT 5 UBOUND 3 SATURATE EX 100
        INCREX f BYFLOAT 0.1
        INCREX k BYINT 9 UBOUND 3
        HIMPORT PREPARE u f g
        HIMPORT SET h u 1 2
        RPUSH l 1 2 3
        LMOVEM l m RIGHT LEFT COUNT 2 BULK
        BLMOVEM l m LEFT LEFT 0 EXACTLY 1 OBO
        XADD s 1-1 f v
        XGROUP CREATE s g 0
        XREADGROUP GROUP g c MAXCOUNT 1 STREAMS s >
        XNACK s g FAIL IDS 1 1-1
        XREADGROUP GROUP g d CLAIM 0 STREAMS s >
    """
    case = Case(
        "later",
        "by documentation",
        HERE,
        0,
        steps=[parse_step(line.strip()) for line in lines.split("\n") if line.strip()],
    )
    follow([(case, 2)], LATEST)


ENDLESS = {"scripting/a slow script", "scripting/a slow function"}
"""Only another client ends them, for which an engine without a loop has no time; their streams are compared."""


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("group", GROUPS)
def test_effects_give_the_same_data(group):
    follow([(case, protocol) for case, protocol in select([group], "", [2]) if case.id not in ENDLESS])


def follow(cases, edition="8.2"):
    for case, _ in cases:
        local = Local(compat=edition, enable_debug_command="yes")
        replica = Replica(local.engine)
        play(case, SideInProcess(local))
        local.engine.clock.freeze()  # a key with milliseconds to live is there for both, or for neither
        ours, theirs = seen(local.engine), replica.end(local.engine)
        assert not replica.failures or case.id in LOST_BY_REDIS_TOO, replica.failures
        assert (ours == theirs) != (case.id in LOST_BY_REDIS_TOO), case.id


def differences(ours, real):
    """The commands of one stream and the other that are not the same, None where one has ended."""
    pairs = itertools.zip_longest(ours, real)
    return [(one, other) for one, other in pairs if one is None or other is None or not same([one], [other])]


TRIES = 3
"""A machine that is busy with other tests lets deadlines pass between two commands."""


@pytest.mark.parametrize("group", GROUPS)
def test_replicas_are_sent_what_the_real_server_sends(group, pairs):
    """And clients are answered as by it: with a replica or, where that changes the answers, without."""
    addresses = pairs(servers.modules_of(group), options=OPTIONS)
    cases, answered_otherwise = select([group], "", [2]), {}
    for _ in range(TRIES):
        sent_otherwise = []
        for case, difference, ours, real in compare(cases, *addresses):
            if difference is not None:
                answered_otherwise[case.id] = case, 2
            if not (ours is real is None or same(ours, real)):
                sent_otherwise.append((case, differences(ours, real)))
        cases = [(case, 2) for case, _ in sent_otherwise]
    assert not sent_otherwise, [(case.id, found) for case, found in sent_otherwise]
    play_cases(addresses, answered_otherwise.values())
