"""Waiting for what another process, or another round of a loop, comes to by itself."""

import gc
import time
from contextlib import contextmanager

SOON = 60.0
"""Seconds after which it is taken for not happening: far more than a busy machine needs."""


def until(check, what="it did not happen"):
    """Ask again and again until the answer is true; returns it."""
    deadline = time.monotonic() + SOON
    while not (found := check()):
        assert time.monotonic() < deadline, what
        time.sleep(0.01)
    return found


@contextmanager
def all_gone(*kinds):
    """See to it that nothing new of these classes is left in the end, without the help of the collector of garbage."""
    gc.disable()
    before = found_of(kinds)
    try:
        yield
        until(lambda: len(found_of(kinds)) <= len(before), "something is left")
    finally:
        gc.enable()


def found_of(kinds):
    return [thing for thing in gc.get_objects() if type(thing) in kinds]
