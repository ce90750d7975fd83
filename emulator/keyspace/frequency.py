"""What is known of the use of keys: one integer for each, its access.

Mostly it is the moment of the last use, in milliseconds.  With LFU it is how often the key is used, in 8 bits that grow
logarithmically and fade by the minute, with the minute of the last fading above them and `_OF_LFU` above all.  Redis keeps
either in the same 24 bits, and after a change of policy takes one for the other; so do we, which spares going through the
keys.
Source: https://redis.io/docs/latest/develop/reference/eviction/#lfu
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

from emulator.clock import Clock

if TYPE_CHECKING:
    from emulator.config.directives import Config
    from emulator.keyspace.observed import Observed

_NEW: Final = 5
_MOST: Final = 255
_MINUTES: Final = 0xFFFF
_ALL_BITS: Final = 0xFFFFFF
_OF_LFU: Final = 1 << 56
"""Tells an access of LFU from a moment, none of which is as great."""


def bits(access: int) -> int:
    """The 24 bits that the real server keeps of an access: those of the second, or of minute and counter."""
    return access & _ALL_BITS if access >= _OF_LFU else access // 1000 & _ALL_BITS


def idle(access: int, now: int) -> int:
    """Milliseconds since a key was used; what LFU has left is taken for a second."""
    if access < _OF_LFU:
        return now - access
    second, used = bits(now), bits(access)
    return 1000 * (second - used if used <= second else second + _ALL_BITS - used)


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
        return _OF_LFU | self._minute << 8 | counter

    def counter(self, access: int) -> int:
        """How often a key has been used, as it has faded until now."""
        period, kept = self._config.lfu_decay_time, bits(access)
        passed = (self._minute - (kept >> 8)) & _MINUTES
        return max((kept & _MOST) - (passed // period if period else 0), 0)

    def touched(self, access: int) -> int:
        """The access of a key that is used once more: the higher the counter, the less likely it grows."""
        counter = self.counter(access)
        if counter < _MOST:
            above = max(counter - _NEW, 0)
            if self._random.random() < 1 / (above * self._config.lfu_log_factor + 1):
                counter += 1
        return self.starting_at(counter)


class Modification:
    """LRM: when keys were last changed.  An access is that moment; to be told of each change, as a `Listener`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def fresh(self) -> int:
        """The access of a new key."""
        return self._clock.now

    def touched(self, access: int) -> int:
        """The access of a key that is looked up, which is no change."""
        return access

    def changed(self, db: Observed, key: bytes) -> None:
        """A key has changed."""
        entry = db.entries.get(key)
        if entry is not None:
            entry.access = self._clock.now


def uses_by(config: Config, clock: Clock, random: Random) -> Frequency | Modification | None:
    """What makes the accesses of keys under the policy that is configured; None where each use is one."""
    order = config.maxmemory_policy[-3:]
    if order == "lfu":
        return Frequency(config, clock, random)
    return Modification(clock) if order == "lrm" else None
