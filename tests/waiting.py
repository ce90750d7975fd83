"""Waiting for what another process, or another round of a loop, comes to by itself."""

import time

SOON = 60.0
"""Seconds after which it is taken for not happening: far more than a busy machine needs."""


def until(check, what="it did not happen"):
    """Ask again and again until the answer is true; returns it."""
    deadline = time.monotonic() + SOON
    while not (found := check()):
        assert time.monotonic() < deadline, what
        time.sleep(0.01)
    return found
