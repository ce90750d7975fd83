"""A listener that keeps the effects of commands."""

from emulator.core.propagation import Listener


class Heard(Listener):
    """What a listener of effects has been told, as units."""

    def __init__(self):
        self.units = []

    def take(self, unit):
        self.units.append(unit)
