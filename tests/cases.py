"""Conformance cases in process: what can be played on an engine without a server, and its commands one by one."""

from conformance.__main__ import select
from emulator.clients.session import Session


def playable(protocols=(2,), without=()):
    """The cases, without some groups, and without those that only a connection ends, that hold 512 MB, or start servers."""
    return [
        case
        for case, _ in select([], "", list(protocols))
        if case.group not in without
        and not case.restarts
        and not any(words in case.name for words in ("slow", "client-output-buffer-limit", "the largest string"))
    ]


def groups_of(cases):
    """What a test that plays all of them is divided by: a test for each case would take longer to collect than to run."""
    return sorted({case.group for case in cases})


def check_group(cases, group, check):
    """Call `check` with each case of a group; a failure names the case."""
    for case in cases:
        if case.group == group:
            try:
                check(case)
            except BaseException as error:
                error.add_note(case.id)
                raise


def commands(case, engine):
    """The commands of a case, each with the session that it is for; a new one where the old would not take it."""
    sessions = {}
    for step in case.steps:
        if step.action != "command" or b"${" in b" ".join(step.words):
            continue
        session = sessions.get(step.connection)
        if session is None or session.closing or session.blocked:
            session = sessions[step.connection] = Session(engine)
        yield session, step
