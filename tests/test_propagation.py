"""The effects of commands: played into another engine they give the same data, and they are what the real server logs."""

import time

import pytest

import emulator
from conformance.__main__ import HERE, select
from conformance.runner import Side
from emulator.engine import Engine
from emulator.handles import perform

GROUPS = sorted(path.stem for path in (HERE / "cases").glob("*.case"))


def play(case, side):
    """Play a case on one server, whatever it answers."""
    side.begin(2, any(step.words[:1] == [b"CONFIG"] for step in case.steps))
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
    "bitmap/BITFIELD OVERFLOW": "a string that has grown for writes that then all failed is not logged",
    "vectorset/VADD: options, their values and their order": "a new vector for an element that is there is not logged",
    "vectorset/VADD of a known element keeps the attribute unless another is given": "as above",
}


class Replica:
    """An engine that has nothing but the effects of a server, with the same settings; for it time stands still."""

    def __init__(self, main):
        self.engine = Engine(main.config)
        self.engine.freeze_clock()
        self.failures = []
        main.propagation.listen(self.take)

    def take(self, unit):
        for effect in unit:
            try:
                perform(self.engine, [["SELECT", effect.db], effect.words])
            except Exception as error:
                self.failures.append((effect, error))

    def end(self, main):
        """Follow no more; what it has."""
        main.propagation.leave(self.take)
        return seen(self.engine)


@pytest.fixture(scope="module")
def server():
    with emulator.Server(enable_debug_command="yes") as server:
        yield server


def seen(engine):
    """The data set: digest, functions, the deadlines of each key and of its fields."""
    engine.advance()
    found = {"digest": perform(engine, [["DEBUG", "DIGEST"], ["FUNCTION", "LIST", "WITHCODE"]])}
    for db in engine.databases:
        for entry in db.live():
            fields = getattr(entry.value, "deadlines", None)
            found[db.index, entry.key] = entry.deadline, {} if fields is None else dict(fields.by_field)
    return found


@pytest.mark.parametrize("group", GROUPS)
def test_effects_give_the_same_data(server, group):
    side = Side((server.host, server.port))
    for case, _ in select([group], "", [2]):
        server.reset()
        replica = server.run(Replica)
        play(case, side)

        ours, theirs = server.run(lambda main, replica=replica: (seen(main), replica.end(main)))
        assert not replica.failures, case.id
        assert (ours == theirs) != (case.id in LOST_BY_REDIS_TOO), case.id
