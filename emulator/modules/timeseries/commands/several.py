"""Several series are looked at, found by their labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from emulator.commands.arguments import wrong_arity
from emulator.modules.timeseries.aggregation import AGGREGATIONS, Aggregation, Values
from emulator.modules.timeseries.commands.access import told, told_one
from emulator.modules.timeseries.commands.reading import last_sample, samples_in
from emulator.modules.timeseries.index import indices
from emulator.modules.timeseries.labels import matchers
from emulator.modules.timeseries.ranges import Range, asked
from emulator.modules.timeseries.series import Sample, Series
from emulator.protocol.errors import CommandError
from emulator.protocol.replies import Named, Reply, SetReply
from emulator.table.modules import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_NO_LABELS: Final = "ERR TSDB: missing labels for filter argument"
_NO_FILTER: Final = "ERR TSDB: missing FILTER argument"
_NO_PERMISSION: Final = (
    "NOPERM TSDB: current user doesn't have read permission to one or more keys that match the specified filter"
)
_MOST_SELECTED: Final = 50
_OPTIONS: Final = frozenset(
    b"LATEST FILTER FILTER_BY_TS FILTER_BY_VALUE WITHLABELS COUNT ALIGN AGGREGATION BUCKETTIMESTAMP EMPTY GROUPBY "
    b"REDUCE".split()
)

Found = list[tuple[bytes, Series]]


class Shown(NamedTuple):
    """Which labels are told: all, or those that are ``selected``."""

    all: bool
    selected: Sequence[bytes]


def _read(client: Session, filters: Sequence[bytes]) -> Found:
    """The series of this database whose labels fit, all of which the user has to be allowed to read."""
    if not filters:
        raise CommandError(_NO_LABELS)
    found, user = list(indices(client.engine).matching(client.db, matchers(filters))), client.user
    if not user.unrestricted and not all(user.reads(key) for key, _ in found):
        raise CommandError(_NO_PERMISSION)
    for key, _ in found:
        client.db.lookup_read_any(key)
    return found


def _shown(words: Sequence[bytes]) -> Shown:
    names = [word.upper() for word in words]
    whole = b"WITHLABELS" in names
    if b"SELECTED_LABELS" not in names:
        return Shown(whole, ())
    if whole:
        raise CommandError("ERR TSDB: cannot accept WITHLABELS and SELECT_LABELS together")
    selected: list[bytes] = []
    for word in words[names.index(b"SELECTED_LABELS") + 1 :]:
        if word.upper() in _OPTIONS:
            break
        selected.append(word)
    if not selected:
        raise CommandError("ERR TSDB: SELECT_LABELS should have at least 1 parameter")
    return Shown(False, selected[:_MOST_SELECTED])


def _pairs(series: Series, shown: Shown) -> list[tuple[bytes, Reply]]:
    """The labels of a series that are told."""
    if shown.all:
        return list(series.labels)
    known = dict(reversed(series.labels))
    return [(name, known.get(name)) for name in shown.selected]


def _told(client: Session, parts: Sequence[tuple[bytes, list[Reply]]]) -> Reply:
    """What is told of each series, behind its name."""
    if client.protocol == 3:
        return Named([(name, rest) for name, rest in parts])
    return [[name, *rest] for name, rest in parts]


@command
def ts_queryindex(client: Session, filter: bytes, *more: bytes) -> Reply:
    """The keys of series by their labels."""
    names = indices(client.engine).keys(matchers((filter, *more)))
    for name in names:
        client.db.lookup_write_entry(name)  # a use, but neither a hit nor a miss
    return SetReply(names)


@command
def ts_mget(client: Session, word: bytes, another: bytes, *more: bytes) -> Reply:
    """The last samples of series by their labels."""
    words = (word, another, *more)
    names = [one.upper() for one in words]
    if b"FILTER" not in names:
        raise CommandError(_NO_FILTER)
    place = names.index(b"FILTER")
    shown = _shown(words)
    latest = b"LATEST" in names[:place]
    parts = []
    for key, series in _read(client, words[place + 1 :]):
        last = told_one(client, last_sample(client.db, series, latest))
        parts.append((key, [Named(_pairs(series, shown)), last]))
    return _told(client, parts)


# Ranges


@command
def ts_mrange(client: Session, from_timestamp: bytes, to_timestamp: bytes, word: bytes, *more: bytes) -> Reply:
    """The samples of a span of time of series by their labels, or their aggregations."""
    return _ranges(client, "ts.mrange", (from_timestamp, to_timestamp, word, *more), backwards=False)


@command
def ts_mrevrange(client: Session, from_timestamp: bytes, to_timestamp: bytes, word: bytes, *more: bytes) -> Reply:
    """The samples of a span of time of series by their labels, or their aggregations, the last first."""
    return _ranges(client, "ts.mrevrange", (from_timestamp, to_timestamp, word, *more), backwards=True)


class Grouping(NamedTuple):
    """Series with the same value of a label become one."""

    label: bytes
    reducer: Aggregation


def _ranges(client: Session, command: str, words: Sequence[bytes], backwards: bool) -> Reply:
    names = [word.upper() for word in words]
    end = names.index(b"GROUPBY") if b"GROUPBY" in names else len(words)
    wanted = asked(words, command)
    if b"FILTER" not in names:
        raise CommandError(_NO_FILTER)
    place = names.index(b"FILTER")
    shown = _shown(words)
    if end < place:
        raise CommandError("ERR TSDB: GROUPBY should always come after filter")
    series = _read(client, words[place + 1 : end])
    grouping = _grouping(words[end:], command)
    if grouping is not None:
        return _grouped(client, series, wanted, grouping, shown, backwards)
    parts = []
    for key, one in series:
        samples = told(client, samples_in(client.db, one, wanted, backwards))
        rest: list[Reply] = [Named(_pairs(one, shown))]
        if client.protocol == 3:
            rest.append({b"aggregators": [wanted.named] if wanted.named else []})
        parts.append((key, [*rest, samples]))
    return _told(client, parts)


def _grouping(words: Sequence[bytes], command: str) -> Grouping | None:
    """What ``GROUPBY label REDUCE reducer`` says."""
    if not words:
        return None
    if len(words) != 4 or words[2].upper() != b"REDUCE":
        raise wrong_arity(command)
    reducer = AGGREGATIONS.get(words[3].lower())
    if reducer is None or not reducer.reduces:
        raise CommandError("ERR TSDB: Invalid reducer type")
    return Grouping(words[1], reducer)


def _grouped(client: Session, series: Found, wanted: Range, grouping: Grouping, shown: Shown, backwards: bool) -> Reply:
    groups: dict[bytes, Found] = {}
    for key, one in series:
        value = dict(reversed(one.labels)).get(grouping.label)
        if value is not None:
            groups.setdefault(value, []).append((key, one))
    parts = []
    for value, members in sorted(groups.items()):
        samples = _reduced(client, members, wanted, grouping.reducer, backwards)
        described = _described(client, value, members, grouping, shown)
        parts.append((grouping.label + b"=" + value, [*described, told(client, samples)]))
    return _told(client, parts)


def _described(client: Session, value: bytes, members: Found, grouping: Grouping, shown: Shown) -> list[Reply]:
    """What is told of a group before its samples."""
    name, sources = grouping.reducer.name, [key for key, _ in members]
    pairs: list[tuple[bytes, Reply]] = [(grouping.label, value)] if shown.all else []
    pairs += [(label, value if label == grouping.label else None) for label in shown.selected]
    if client.protocol == 3:
        return [Named(pairs), {b"reducers": [name]}, {b"sources": sources}]
    if shown.all:
        pairs += [(b"__reducer__", name), (b"__source__", b",".join(sources))]
    return [Named(pairs)]


def _reduced(client: Session, members: Found, wanted: Range, reducer: Aggregation, backwards: bool) -> list[Sample]:
    """The samples of several series, those of the same moment made into one."""
    values: dict[int, list[float]] = {}
    whole = replace(wanted, count=-1)
    for _, one in members:
        for moment, value in samples_in(client.db, one, whole, backwards=False):
            values.setdefault(moment, []).append(value)
    assert reducer.of is not None
    samples = [(moment, _joined(values[moment], reducer.of)) for moment in sorted(values, reverse=backwards)]
    return samples if wanted.count < 0 else samples[: wanted.count]


def _joined(values: list[float], of: Callable[[Values], float]) -> float:
    """Several numbers made into one; empty buckets do not count."""
    known = [value for value in values if not math.isnan(value)]
    return of(known) if known else math.nan
