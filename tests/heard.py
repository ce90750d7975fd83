"""Somebody who notes what has changed."""

from emulator.core.propagation import Listener


class Heard(Listener):
    """A listener of effects, and the units that it was told of."""

    def __init__(self):
        self.units = []

    def take(self, unit):
        self.units.append(unit)
