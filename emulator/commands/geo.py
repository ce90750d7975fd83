"""Geospatial indexes: sorted sets whose scores are geohashes of 52 bits."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from emulator.commands.arguments import INT32_MAX, bounded, core_double
from emulator.commands.options import (
    FLAG,
    TEXT,
    Given,
    Options,
    Rule,
    at_least,
    last_given,
    leading_options,
    read_options,
    rivals,
)
from emulator.commands.zset import add_scores
from emulator.config.notifications import ZSET
from emulator.datatypes import geohash
from emulator.datatypes.geohash import LATITUDE_LIMIT, LONGITUDE_LIMIT, Place, Polygon, Shape
from emulator.datatypes.partial_sort import partial_sort
from emulator.datatypes.zset import ZSet
from emulator.protocol.errors import NOT_INTEGER, SYNTAX, CommandError, as_text
from emulator.protocol.numbers import parse_integer
from emulator.protocol.replies import NULL_ARRAY, PlainDouble, Reply, Rows
from emulator.table.keyspec import KeySpec, keys, keyword
from emulator.table.registry import command

if TYPE_CHECKING:
    from emulator.clients.session import Session

_UNITS: Final = {b"m": 1.0, b"km": 1000.0, b"ft": 0.3048, b"mi": 1609.34}


def _unit(text: bytes) -> float:
    metres = _UNITS.get(text) or _UNITS.get(text.lower())
    if metres is None:
        raise CommandError("ERR unsupported unit provided. please use M, KM, FT, MI")
    return metres


def _place(client: Session, longitude: bytes, latitude: bytes) -> Place:
    x, y = core_double(client, longitude), core_double(client, latitude)
    if not (-LONGITUDE_LIMIT <= x <= LONGITUDE_LIMIT and -LATITUDE_LIMIT <= y <= LATITUDE_LIMIT):
        raise CommandError(f"ERR invalid longitude,latitude pair {x:f},{y:f}")
    return x, y


def _place_of(members: ZSet | None, member: bytes) -> Place | None:
    score = None if members is None else members.scores.get(member)
    return None if score is None else geohash.place_of(score)


# Adding and looking up

_ADD_OPTIONS: Final = dict.fromkeys((b"NX", b"XX", b"CH"), FLAG)


@command(
    "geo",
    since="3.2.0",
    flags="write denyoom",
    keys=[keys("RW update", 1)],
    complexity="O(log N) a member",
)
def geoadd(client: Session, key: bytes, longitude: bytes, latitude: bytes, member: bytes, *more: bytes) -> Reply:
    """Adds members with their positions; returns how many are new (with CH: new or moved)."""
    given, rest = leading_options((longitude, latitude, member, *more), _ADD_OPTIONS)
    if not rest or len(rest) % 3 or {b"NX", b"XX"} <= given.keys():
        raise CommandError(SYNTAX)
    places = [_place(client, x, y) for x, y in zip(rest[::3], rest[1::3], strict=True)]
    scores = [float(geohash.encode(place)) for place in places]
    return add_scores(client, key, scores, rest[2::3], given.keys())


@command("geo", since="3.2.0", flags="readonly", keys=[keys("RO access", 1)], complexity="O(1)")
def geodist(client: Session, key: bytes, member1: bytes, member2: bytes, *unit: bytes) -> bytes | None:
    """Returns the distance between two members, or null if one is missing."""
    if len(unit) > 1:
        raise CommandError(SYNTAX)
    metres = _unit(unit[0]) if unit else 1.0
    members = client.db.lookup_read(key, ZSet)
    scores = {} if members is None else members.scores
    one, other = scores.get(member1), scores.get(member2)
    if one is None or other is None:
        return None
    return _distance_text(geohash.distance(geohash.place_of(one), geohash.place_of(other)) / metres)


def _distance_text(number: float) -> bytes:
    return b"%.4f" % (round(number * 10000) / 10000)


@command("geo", since="3.2.0", flags="readonly", keys=[keys("RO access", 1)], complexity="O(1) a member")
def geohash_(client: Session, key: bytes, *member: bytes) -> list[bytes | None]:
    """Returns the positions of members as geohash strings of 11 characters."""
    members = client.db.lookup_read(key, ZSet)
    scores = [None if members is None else members.scores.get(name) for name in member]
    return [None if score is None else geohash.as_text(geohash.number_of(score)) for score in scores]


@command("geo", since="3.2.0", flags="readonly", keys=[keys("RO access", 1)], complexity="O(1) a member")
def geopos(client: Session, key: bytes, *member: bytes) -> list[Reply]:
    """Returns longitude and latitude of members."""
    members = client.db.lookup_read(key, ZSet)
    places = [_place_of(members, name) for name in member]
    return [NULL_ARRAY if place is None else _told(client, place) for place in places]


def _told(client: Session, numbers: Sequence[float]) -> list[Reply]:
    """Longitudes and latitudes as doubles, which up to 7.2 and in Valkey have all their digits."""
    return list(numbers) if client.engine.config.edition.includes("8.0.0") else list(map(PlainDouble, numbers))


# Searching


_PORTION: Final = 4096
"""Members that a search looks at together; fewer where it needs only a few that lie anywhere in the shape."""
_FEWEST: Final = 16

_Found = tuple[bytes, float, float]
"""A member, its score, the metres from the centre: a plain tuple, since each search makes many."""
_metres_of: Final[Callable[[_Found], float]] = itemgetter(2)


_OPTIONS: Final = {
    **dict.fromkeys((b"WITHDIST", b"WITHHASH", b"WITHCOORD", b"ANY", b"ASC", b"DESC"), FLAG),
    b"COUNT": at_least(1, "ERR COUNT must be > 0", NOT_INTEGER),
}
_STORES: Final = (b"STORE", b"STOREDIST")
_STORING_OPTIONS: Final = {**_OPTIONS, **dict.fromkeys(_STORES, TEXT)}
_RULES: Final = {
    **rivals(b"FROMMEMBER", b"FROMLONLAT", b"BYPOLYGON"),
    **rivals(b"BYRADIUS", b"BYBOX", b"BYPOLYGON"),
    b"BYPOLYGON": Rule({b"FROMMEMBER", b"FROMLONLAT", b"BYRADIUS", b"BYBOX"}, ""),
}
_FEWEST_VERTICES: Final = 3


def _vertices(words: Sequence[bytes]) -> int:
    """How many words BYPOLYGON takes: the number of vertices, and two for each; too few are left for it to refuse."""
    if not words:
        return 1
    count = parse_integer(words[0])
    return 1 if count is None or count > INT32_MAX else min(1 + 2 * max(count, 0), len(words))


class _Search:
    """The arguments of a search, read in Redis's order; ``target`` is the key for the result, None to return it."""

    def __init__(self, client: Session, key: bytes, target: bytes | None = None) -> None:
        self.client = client
        self.wording = client.engine.config.edition.wording
        self.name = "GEOSEARCH" if target is None else "GEOSEARCHSTORE"
        self.members = client.db.lookup_read(key, ZSet)
        self.target = target
        self.centre: Place | None = None
        self.box: tuple[float, float] | None = None
        self.radius: float | None = None
        self.polygon: Polygon | None = None
        self.unit = 1.0

    def centre_on(self, member: bytes) -> None:
        """Search around a member; raise if it is missing, unless the whole key is."""
        if self.members is None:
            return
        self.centre = _place_of(self.members, member)
        if self.centre is None:
            raise CommandError(self.wording.no_member.format(as_text(member)))

    def centre_at(self, longitude: bytes, latitude: bytes) -> None:
        self.centre = _place(self.client, longitude, latitude)

    def take_radius(self, radius: bytes, unit: bytes) -> None:
        self.radius = core_double(self.client, radius, "ERR need numeric radius")
        if self.radius < 0:
            raise CommandError("ERR radius cannot be negative")
        self.unit = _unit(unit)

    def take_box(self, width: bytes, height: bytes, unit: bytes) -> None:
        self.box = (
            core_double(self.client, width, "ERR need numeric width"),
            core_double(self.client, height, "ERR need numeric height"),
        )
        if min(self.box) < 0:
            raise CommandError("ERR height or width cannot be negative")
        self.unit = _unit(unit)

    def take_polygon(self, count: bytes, *numbers: bytes) -> None:
        vertices = bounded(count, -INT32_MAX, INT32_MAX, "ERR invalid number of vertices")
        if len(numbers) < 2 * _FEWEST_VERTICES or len(numbers) != 2 * vertices:
            raise CommandError("ERR GEOSEARCH BYPOLYGON must have at least 3 vertices")
        places = [_place(self.client, x, y) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
        self.polygon = Polygon(tuple(places))

    def options(self, words: Sequence[bytes], may_store: bool) -> None:
        """Read the options of GEORADIUS and GEORADIUSBYMEMBER."""
        given = self._read(words, _STORING_OPTIONS if may_store else _OPTIONS)
        self.target = given.get(last_given(given, _STORES))
        self._check()

    def search_options(self, words: Sequence[bytes]) -> None:
        """Read the options of GEOSEARCH and GEOSEARCHSTORE."""
        known: Options = {
            **_OPTIONS,
            b"FROMMEMBER": (1, self.centre_on),
            b"FROMLONLAT": (2, self.centre_at),
            b"BYRADIUS": (2, self.take_radius),
            b"BYBOX": (3, self.take_box),
        }
        if self.target is not None:
            known[b"STOREDIST"] = FLAG
        if self.client.engine.config.edition.includes("", "9.0.0"):
            known[b"BYPOLYGON"] = (_vertices, self.take_polygon)
        given = self._read(words, known)
        self._check()
        if self.polygon is None and b"FROMMEMBER" not in given and b"FROMLONLAT" not in given:
            raise CommandError(self.wording.no_centre.format(self.name))
        if self.radius is None and self.box is None and self.polygon is None:
            raise CommandError(self.wording.no_shape.format(self.name))

    def _read(self, words: Sequence[bytes], known: Options) -> Given:
        given = read_options(words, known, _RULES)
        self.with_distance, self.with_hash = b"WITHDIST" in given, b"WITHHASH" in given
        self.with_place, self.any = b"WITHCOORD" in given, b"ANY" in given
        self.order = last_given(given, (b"ASC", b"DESC"))
        self.count = given.get(b"COUNT", 0)
        self.stores_distance = last_given(given, _STORES) == b"STOREDIST"
        return given

    def _check(self) -> None:
        if self.target is not None and (self.with_distance or self.with_hash or self.with_place):
            name = self.name if self.name == "GEOSEARCHSTORE" else "STORE option in GEORADIUS"
            raise CommandError(f"ERR {name} is not compatible with WITHDIST, WITHHASH and WITHCOORD options")

    def answer(self, client: Session) -> Reply:
        """Search, then return or store the result."""
        if self.any and not self.count:
            raise CommandError("ERR the ANY argument requires COUNT argument")
        found = self._found()
        if self.target is not None:
            return self._store(client, self.target, found)
        if not (self.with_distance or self.with_hash or self.with_place):
            return [item[0] for item in found]
        return self._described(found)

    def _found(self) -> list[_Found]:
        shape = self._shape()
        if self.members is None or shape is None:
            return []
        if self.any:
            at_a_time = min(max(self.count, _FEWEST), _PORTION)
            found = list(islice(_within(self.members, shape, at_a_time), self.count))
        else:
            found = list(_within(self.members, shape, _PORTION))
        most = self.count or len(found)
        if self.order or (self.count and not self.any):
            return partial_sort(found, _metres_of, self.order == b"DESC", most)
        return found[:most]

    def _shape(self) -> Shape | Polygon | None:
        if self.polygon is not None or self.centre is None:
            return self.polygon
        width, height = self.box if self.box is not None else (self.radius or 0.0, None)
        return Shape(self.centre, width, height, self.unit)

    def _described(self, found: list[_Found]) -> Reply:
        """What was found, each with as much as the options ask for."""
        columns: list[Collection[Reply]] = [[item[0] for item in found]]
        if self.with_distance:
            columns.append([_distance_text(metres / self.unit) for _, _, metres in found])
        if self.with_hash:
            columns.append([int(score) for _, score, _ in found])
        if self.with_place:
            places = geohash.places_of([score for _, score, _ in found])
            columns.append(Rows(*(_told(self.client, [place[side] for place in places]) for side in (0, 1))))
        return Rows(*columns)

    def _store(self, client: Session, target: bytes, found: list[_Found]) -> int:
        db = client.db
        if not found:
            db.delete(target)
            return 0
        scores = {member: metres / self.unit if self.stores_distance else score for member, score, metres in found}
        event = b"geosearchstore" if self.name == "GEOSEARCHSTORE" else b"georadiusstore"
        db.put(target, ZSet.of(scores, client.engine.config), ZSET, event)
        client.engine.dirty += len(found) - 1
        return len(found)


def _within(members: ZSet, shape: Shape | Polygon, at_a_time: int) -> Iterator[_Found]:
    """Yield the members in a shape, cell by cell."""
    scored = members.between(shape.ranges())
    while portion := list(islice(scored, at_a_time)):
        far = shape.metres_to([score for score, _ in portion])
        yield from [
            (member, score, metres) for (score, member), metres in zip(portion, far, strict=True) if metres >= 0
        ]


def _stores(start: int) -> list[KeySpec]:
    return [
        keys("RO access", 1),
        keyword("OW update", b"STORE", start),
        keyword("OW update", b"STOREDIST", start),
    ]


def _by_place(client: Session, key: bytes, words: Sequence[bytes], may_store: bool) -> Reply:
    search = _Search(client, key)
    search.centre = _place(client, words[0], words[1])
    search.take_radius(words[2], words[3])
    search.options(words[4:], may_store)
    return search.answer(client)


def _by_member(client: Session, key: bytes, words: Sequence[bytes], may_store: bool) -> Reply:
    search = _Search(client, key)
    if search.members is not None:
        search.centre_on(words[0])
        search.take_radius(words[1], words[2])
    search.options(words[3:], may_store)
    return search.answer(client)


_COST: Final = "O(N+log M) for N members in the bounding box and M in all"


@command("geo", since="3.2.0", flags="write denyoom", keys=_stores(6), complexity=_COST)
def georadius(
    client: Session, key: bytes, longitude: bytes, latitude: bytes, radius: bytes, unit: bytes, *options: bytes
) -> Reply:
    """Returns or stores the members within a distance of a position."""
    return _by_place(client, key, (longitude, latitude, radius, unit, *options), may_store=True)


@command("geo", since="3.2.10", flags="readonly", keys=[keys("RO access", 1)], complexity=_COST)
def georadius_ro(
    client: Session, key: bytes, longitude: bytes, latitude: bytes, radius: bytes, unit: bytes, *options: bytes
) -> Reply:
    """Returns the members within a distance of a position."""
    return _by_place(client, key, (longitude, latitude, radius, unit, *options), may_store=False)


@command("geo", since="3.2.0", flags="write denyoom", keys=_stores(5), complexity=_COST)
def georadiusbymember(client: Session, key: bytes, member: bytes, radius: bytes, unit: bytes, *options: bytes) -> Reply:
    """Returns or stores the members within a distance of a member."""
    return _by_member(client, key, (member, radius, unit, *options), may_store=True)


@command("geo", since="3.2.10", flags="readonly", keys=[keys("RO access", 1)], complexity=_COST)
def georadiusbymember_ro(
    client: Session, key: bytes, member: bytes, radius: bytes, unit: bytes, *options: bytes
) -> Reply:
    """Returns the members within a distance of a member."""
    return _by_member(client, key, (member, radius, unit, *options), may_store=False)


@command("geo", since="6.2.0", flags="readonly", keys=[keys("RO access", 1)], complexity=_COST)
def geosearch(
    client: Session, key: bytes, centre: bytes, at: bytes, shape: bytes, size: bytes, unit: bytes, *options: bytes
) -> Reply:
    """Returns the members within a circle or a box around a position or a member."""
    search = _Search(client, key)
    search.search_options((centre, at, shape, size, unit, *options))
    return search.answer(client)


@command(
    "geo",
    since="6.2.0",
    flags="write denyoom",
    keys=[keys("OW update", 1), keys("RO access", 2)],
    complexity=_COST,
)
def geosearchstore(
    client: Session,
    destination: bytes,
    source: bytes,
    centre: bytes,
    at: bytes,
    shape: bytes,
    size: bytes,
    unit: bytes,
    *options: bytes,
) -> Reply:
    """Stores the members within a circle or a box around a position or a member; returns how many."""
    search = _Search(client, source, destination)
    search.search_options((centre, at, shape, size, unit, *options))
    return search.answer(client)
