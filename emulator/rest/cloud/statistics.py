"""What the service tells of how a database is used: series of points, and totals.

A sample of the counters is taken when a database is made, each minute in which it was used, and when somebody asks.  What a
series tells as a rate is the mean between two samples.  Latencies are milliseconds, sizes bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from emulator.rest.cloud.endpoints import Ask, endpoint
from emulator.rest.requests import BadRequest
from emulator.stats.latency import Durations
from emulator.table.registry import FLAG, Command

if TYPE_CHECKING:
    from emulator.core.engine import Engine

_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR
_PERIODS: Final = {"1h": _HOUR, "3h": 3 * _HOUR, "12h": 12 * _HOUR, "1d": _DAY, "3d": 3 * _DAY, "7d": 7 * _DAY}
_MOST_SAMPLES: Final = 360
_DAYS_TOLD: Final = 5
_READS, _WRITES = FLAG["readonly"], FLAG["write"]


class Sample(NamedTuple):
    """The counters of a moment; ``second`` is since the epoch, ``calls`` are by the commands' names in capitals."""

    second: int
    connections: int = 0
    keys: int = 0
    storage: int = 0
    bandwidth: int = 0
    commands: int = 0
    hits: int = 0
    misses: int = 0
    reads: int = 0
    writes: int = 0
    read_seconds: float = 0.0
    write_seconds: float = 0.0
    latency_99: float = 0.0
    read_99: float = 0.0
    write_99: float = 0.0
    calls: dict[str, int] = {}  # noqa: RUF012  # which nobody changes


class Usage:
    """The samples of a database, the oldest first; where there are many, every second one of the older half goes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.samples = [Sample(self._now)]

    @property
    def _now(self) -> int:
        return self._engine.clock.tick() // 1000

    def take_if_used(self) -> None:
        """Take a sample, unless nothing was asked for since the last one."""
        if self._engine.stats.commands_processed != self.samples[-1].commands:
            self.take()

    def take(self) -> None:
        """Take a sample; those of one minute after the first are one."""
        latest = _sample(self._engine, self._now)
        if len(self.samples) > 1 and self.samples[-1].second // 60 == latest.second // 60:
            self.samples.pop()
        self.samples.append(latest)
        if len(self.samples) > _MOST_SAMPLES:
            self.samples[1 : _MOST_SAMPLES // 2] = self.samples[2 : _MOST_SAMPLES // 2 : 2]

    def since(self, second: int) -> list[Sample]:
        """The samples from a moment on, after the last one before it, with which the first is compared."""
        found = [sample for sample in self.samples if sample.second >= second]
        before = [sample for sample in self.samples if sample.second < second]
        return [*before[-1:], *found]


def _sample(engine: Engine, second: int) -> Sample:
    engine.count_durations()
    called = [entry for entry in engine.commands.used() if entry.durations.calls]
    reads = _together([entry for entry in called if entry.flags & _READS])
    writes = _together([entry for entry in called if entry.flags & _WRITES])
    stats, data = engine.stats, engine.databases
    return Sample(
        second,
        connections=len(engine.sessions),
        keys=sum(map(len, data)),
        storage=sum(db.weigh() for db in data),
        bandwidth=stats.net_input_bytes + stats.net_output_bytes,
        commands=stats.commands_processed,
        hits=stats.keyspace_hits,
        misses=stats.keyspace_misses,
        reads=reads.calls,
        writes=writes.calls,
        read_seconds=reads.seconds,
        write_seconds=writes.seconds,
        latency_99=_percentile(_together(called)),
        read_99=_percentile(reads),
        write_99=_percentile(writes),
        calls={entry.full_name.decode().upper(): entry.durations.calls for entry in called},
    )


def _together(entries: list[Command]) -> Durations:
    """The durations of several commands as if they were one."""
    total = Durations()
    for entry in entries:
        total.calls += entry.durations.calls
        total.seconds += entry.durations.seconds
        for first, count in entry.durations.buckets.items():
            total.buckets[first] = total.buckets.get(first, 0) + count
    return total


def _percentile(durations: Durations) -> float:
    return durations.percentiles([99.0])[0] / 1000 if durations.buckets else 0.0


Points = list[dict[str, Any]]


@endpoint("GET redis/stats/{database}")
def stats(ask: Ask) -> Any:
    """Returns the statistics of a period, ``1h`` unless another one is asked for."""
    usage = ask.database.usage
    period = ask.query.get("period", "1h")
    if period not in _PERIODS:
        raise BadRequest(f"period must be one of {', '.join(_PERIODS)}")
    usage.take()
    latest = usage.samples[-1]
    samples = usage.since(latest.second - _PERIODS[period])
    by_day = list(_by_day(usage))[-_DAYS_TOLD:]
    _, today = by_day[-1]
    month = latest.second - 30 * _DAY
    monthly = _since(usage.since(month)[0], latest)
    return {
        **_series(samples),
        "dailyrequests": [_point(second, day.commands) for second, day in by_day],
        "dailybilling": [_point(second, 0) for second, _ in by_day],
        "bandwidths": [_point(second, day.bandwidth) for second, day in by_day],
        "days": [datetime.fromtimestamp(second, UTC).strftime("%A") for second, _ in by_day],
        "daily_net_commands": today.commands,
        "daily_read_requests": today.reads,
        "daily_write_requests": today.writes,
        "dailybandwidth": today.bandwidth,
        "total_monthly_bandwidth": monthly.bandwidth,
        "total_monthly_requests": monthly.commands,
        "total_monthly_read_requests": monthly.reads,
        "total_monthly_write_requests": monthly.writes,
        "total_monthly_script_requests": sum(latest.calls.get(name, 0) for name in ("EVAL", "EVALSHA", "FCALL")),
        "total_monthly_storage": latest.storage,
        "current_storage": latest.storage,
        "total_monthly_billing": 0.0,
        "queue_optimized": False,
        "command_counts": [
            {"metric_identifier": name, "data_points": _points(samples, partial(_calls, name))} for name in latest.calls
        ],
    }


def _series(samples: list[Sample]) -> dict[str, Points]:
    pairs = list(pairwise(samples))
    means = [(pair[1].second, _since(*pair), max(pair[1].second - pair[0].second, 1)) for pair in pairs]

    def rate(field: str) -> Points:
        return [
            _point(samples[0].second, 0),
            *(_point(second, getattr(all_, field) / width) for second, all_, width in means),
        ]

    def latency(seconds: str, calls: str) -> Points:
        spent = [(second, getattr(each, seconds) * 1000, getattr(each, calls)) for second, each, _ in means]
        return [
            _point(samples[0].second, 0),
            *(_point(second, millis / (count or 1)) for second, millis, count in spent),
        ]

    return {
        "connection_count": _points(samples, lambda sample: sample.connections),
        "keyspace": _points(samples, lambda sample: sample.keys),
        "diskusage": _points(samples, lambda sample: sample.storage),
        "throughput": rate("commands"),
        "hits": rate("hits"),
        "misses": rate("misses"),
        "read": rate("reads"),
        "write": rate("writes"),
        "latencymean": latency("read_seconds", "reads"),
        "latency_99": _points(samples, lambda sample: sample.latency_99),
        "read_latency_mean": latency("read_seconds", "reads"),
        "read_latency_99": _points(samples, lambda sample: sample.read_99),
        "write_latency_mean": latency("write_seconds", "writes"),
        "write_latency_99": _points(samples, lambda sample: sample.write_99),
    }


def _calls(name: str, sample: Sample) -> int:
    return sample.calls.get(name, 0)


def _points(samples: list[Sample], value: Callable[[Sample], float]) -> Points:
    return [_point(sample.second, value(sample)) for sample in samples]


def _point(second: int, value: float) -> dict[str, Any]:
    return {"x": datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M:%S +0000 UTC"), "y": value}


def _since(earlier: Sample, later: Sample) -> Sample:
    """What was counted between two samples."""
    counted = ("bandwidth", "commands", "hits", "misses", "reads", "writes", "read_seconds", "write_seconds")
    return later._replace(**{name: max(getattr(later, name) - getattr(earlier, name), 0) for name in counted})


def _by_day(usage: Usage) -> Iterator[tuple[int, Sample]]:
    """The last second that was sampled of each day, and what was counted in it."""
    before = usage.samples[0]
    last_of_day = {sample.second // _DAY: sample for sample in usage.samples}
    for sample in last_of_day.values():
        yield sample.second, _since(before, sample)
        before = sample
