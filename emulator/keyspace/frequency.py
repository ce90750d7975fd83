"""LFU: how often keys are used, in 8 bits that grow logarithmically and fade by the minute.

An access is one integer, the minute of the last fading in the upper bits and the counter in the lower 8, as in Redis.
Source: https://redis.io/docs/latest/develop/reference/eviction/#lfu
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

from emulator.clock import Clock

if TYPE_CHECKING:
    from emulator.config.directives import Config

_NEW: Final = 5
_MOST: Final = 255
_MINUTES: Final = 0xFFFF


class Frequency:
    """Reads and writes the accesses of keys while the policy is one of LFU."""

    def __init__(self, config: Config, clock: Clock, random: Random) -> None:
        self._config = config
        self._clock = clock
        self._random = random

    @property
    def _minute(self) -> int:
        return self._clock.now // 60_000 & _MINUTES

    def fresh(self) -> int:
        """The access of a new key, which must not be the first to go."""
        return self.starting_at(_NEW)

    def starting_at(self, counter: int) -> int:
        """The access of a key of which it is known how often it has been used."""
        return self._minute << 8 | counter

    def counter(self, access: int) -> int:
        """How often a key has been used, as it has faded until now."""
        period = self._config.lfu_decay_time
        passed = (self._minute - (access >> 8)) & _MINUTES
        return max((access & _MOST) - (passed // period if period else 0), 0)

    def touched(self, access: int) -> int:
        """The access of a key that is used once more: the higher the counter, the less likely it grows."""
        counter = self.counter(access)
        if counter < _MOST:
            above = max(counter - _NEW, 0)
            if self._random.random() < 1 / (above * self._config.lfu_log_factor + 1):
                counter += 1
        return self._minute << 8 | counter
