"""Geohashes: places on the earth as numbers of up to 52 bits, and the cells that cover an area.

The bits of latitude and longitude alternate, so that places close to each other mostly share their upper bits and a cell
is a range of numbers.  All arithmetic is in doubles and in Redis's order of operations, since clients see its last digits.

Source: https://redis.io/docs/latest/commands/geoadd/ ("How does it work?"), https://en.wikipedia.org/wiki/Geohash
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from functools import lru_cache
from math import asin, atan2, cos, isfinite, nan, pi, sin, sqrt
from struct import pack
from typing import Final, NamedTuple

from emulator.lua import function

LONGITUDE_LIMIT: Final = 180.0
LATITUDE_LIMIT: Final = 85.05112878
STEPS: Final = 26
"""Bits for each of latitude and longitude."""

_EARTH_RADIUS: Final = 6372797.560856
_RADIANS: Final = pi / 180.0
_MERCATOR_MAX: Final = 20037726.37
_ALPHABET: Final = b"0123456789bcdefghjkmnpqrstuvwxyz"
_LETTERS: Final = range(2 * STEPS - 5, 0, -5)
"""How far the bits of each letter are from the lowest one."""
_LONGITUDE_STEP: Final = 2 * LONGITUDE_LIMIT / (1 << STEPS)
_LATITUDE_STEP: Final = 2 * LATITUDE_LIMIT / (1 << STEPS)

_FEW: Final = 32
"""As many scores are as quickly looked at one by one."""

Place = tuple[float, float]
"""Longitude and latitude, in degrees."""

OUTSIDE: Final = -1.0
"""Instead of metres for a place that is not in a shape."""


# Numbers and places


def _interleave(x: int, y: int) -> int:
    """The bits of two numbers of up to 32 bits, those of x in the even places; both are spread in halves of 128 bits."""
    bits = x | y << 64
    bits = (bits | bits << 16) & 0x0000FFFF0000FFFF0000FFFF0000FFFF
    bits = (bits | bits << 8) & 0x00FF00FF00FF00FF00FF00FF00FF00FF
    bits = (bits | bits << 4) & 0x0F0F0F0F0F0F0F0F0F0F0F0F0F0F0F0F
    bits = (bits | bits << 2) & 0x33333333333333333333333333333333
    bits = (bits | bits << 1) & 0x55555555555555555555555555555555
    return (bits | bits >> 63) & 0xFFFFFFFFFFFFFFFF


_number_of_cell = lru_cache(maxsize=1024)(_interleave)
"""The same for the cells of searches, many of which look at the same ones."""


def _separate(number: int) -> tuple[int, int]:
    """The bits in the even places of a number of 64 bits, and those in the odd ones."""
    bits = (number | number << 63) & 0x55555555555555555555555555555555
    bits = (bits | bits >> 1) & 0x33333333333333333333333333333333
    bits = (bits | bits >> 2) & 0x0F0F0F0F0F0F0F0F0F0F0F0F0F0F0F0F
    bits = (bits | bits >> 4) & 0x00FF00FF00FF00FF00FF00FF00FF00FF
    bits = (bits | bits >> 8) & 0x0000FFFF0000FFFF0000FFFF0000FFFF
    bits = bits | bits >> 16
    return bits & 0xFFFFFFFF, bits >> 64 & 0xFFFFFFFF


def encode(place: Place, steps: int = STEPS, latitude_limit: float = LATITUDE_LIMIT) -> int:
    """The number of the cell in which a place lies."""
    return _interleave(*_cell_of(place, steps, latitude_limit))


def _cell_of(place: Place, steps: int, latitude_limit: float) -> Cell:
    longitude, latitude = place
    x = (latitude + latitude_limit) / (latitude_limit + latitude_limit)
    y = (longitude + LONGITUDE_LIMIT) / (LONGITUDE_LIMIT + LONGITUDE_LIMIT)
    return int(x * (1 << steps)) & 0xFFFFFFFF, int(y * (1 << steps)) & 0xFFFFFFFF


class Area(NamedTuple):
    """A part of the earth between two longitudes and two latitudes."""

    west: float
    south: float
    east: float
    north: float


Cell = tuple[int, int]
"""Where a cell lies from south to north and from west to east: the numbers whose bits alternate in that of the cell."""


def _latitude(x: int, steps: int) -> float:
    """The southern edge of the cells in a row."""
    return -LATITUDE_LIMIT + (x * 1.0 / (1 << steps)) * (LATITUDE_LIMIT + LATITUDE_LIMIT)


def _longitude(y: int, steps: int) -> float:
    """The western edge of the cells in a column."""
    return -LONGITUDE_LIMIT + (y * 1.0 / (1 << steps)) * (LONGITUDE_LIMIT + LONGITUDE_LIMIT)


def _area(cell: Cell, steps: int) -> Area:
    """What a cell covers."""
    x, y = cell
    return Area(_longitude(y, steps), _latitude(x, steps), _longitude(y + 1, steps), _latitude(x + 1, steps))


def number_of(score: float) -> int:
    """The number that any score stands for: as x86 converts a double to 64 bits without sign, which wraps or gives up."""
    if 0 <= score < 2.0**64:
        return int(score)
    if -(2.0**63) < score < 0:
        return int(score) & 0xFFFFFFFFFFFFFFFF
    return 0 if score > 0 else 1 << 63


@lru_cache(maxsize=4096)  # searches look at the same places time and again
def place_of(score: float) -> Place:
    """The middle of the cell that a score of 52 bits stands for; one with more bits is on the edge of the world."""
    x, y = _separate(number_of(score))
    longitude = ((-LONGITUDE_LIMIT + y * _LONGITUDE_STEP) + (-LONGITUDE_LIMIT + (y + 1) * _LONGITUDE_STEP)) / 2
    latitude = ((-LATITUDE_LIMIT + x * _LATITUDE_STEP) + (-LATITUDE_LIMIT + (x + 1) * _LATITUDE_STEP)) / 2
    return (
        LONGITUDE_LIMIT if longitude > LONGITUDE_LIMIT else longitude,
        LATITUDE_LIMIT if latitude > LATITUDE_LIMIT else latitude,
    )


def places_of(scores: Sequence[float]) -> Sequence[Place]:
    """The places of scores of up to 52 bits."""
    quick = function("datatypes/geohash", "places_of") if len(scores) > _FEW else None
    if quick is None:
        return list(map(place_of, scores))
    numbers = array("d", quick(pack(f"{len(scores)}d", *scores)))
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def as_text(number: int) -> bytes:
    """The usual geohash of 11 letters, which has the poles at 90 degrees; the last letter has no bits left and is 0."""
    bits = encode(place_of(number), latitude_limit=90.0)
    return bytes([_ALPHABET[bits >> shift & 31] for shift in _LETTERS]) + b"0"


# Distances


def distance(one: Place, other: Place) -> float:
    """Metres between two places, by the haversine formula."""
    v = sin((other[0] * _RADIANS - one[0] * _RADIANS) / 2)
    if v == 0.0:
        return _latitude_distance(one[1], other[1])
    latitude, other_latitude = one[1] * _RADIANS, other[1] * _RADIANS
    u = sin((other_latitude - latitude) / 2)
    return 2.0 * _EARTH_RADIUS * asin(sqrt(u * u + cos(latitude) * cos(other_latitude) * v * v))


def distance_from(one: Place) -> Callable[[Place], float]:
    """A function for the metres from one place to others; what depends on the one alone is worked out once."""
    longitude, latitude = one[0] * _RADIANS, one[1] * _RADIANS
    cosine = cos(latitude)

    def metres(other: Place) -> float:
        v = sin((other[0] * _RADIANS - longitude) / 2)
        if v == 0.0:
            return _latitude_distance(one[1], other[1])
        other_latitude = other[1] * _RADIANS
        u = sin((other_latitude - latitude) / 2)
        return 2.0 * _EARTH_RADIUS * asin(sqrt(u * u + cosine * cos(other_latitude) * v * v))

    return metres


def _latitude_distance(one: float, other: float) -> float:
    return _EARTH_RADIUS * abs(other * _RADIANS - one * _RADIANS)


# Areas to search


class Shape(NamedTuple):
    """A circle (`height` is None, `width` its radius) or a box round a place; `unit` is metres for one of the unit used."""

    centre: Place
    width: float
    height: float | None
    unit: float

    def measure(self) -> Callable[[Place], float]:
        """A function for the metres from the centre to a place in the shape; `OUTSIDE` for another one."""
        return self._in_circle() if self.height is None else self._in_box()

    def metres_to(self, scores: Sequence[float]) -> Sequence[float]:
        """The same for the places of scores of up to 52 bits."""
        quick = function("datatypes/geohash", self._quick) if len(scores) > _FEW else None
        if quick is None:
            return _one_by_one(self.measure(), scores)
        return array("d", quick(pack(f"{len(scores)}d", *scores), *self.centre, *self._reach()))

    @property
    def _quick(self) -> str:
        return "in_circle" if self.height is None else "in_box"

    def _reach(self) -> tuple[float, ...]:
        """The metres that a box reaches up and aside; of a circle all round, and the latitudes between which it lies."""
        if self.height is not None:
            return self.height * self.unit / 2, self.width * self.unit / 2
        reach = self.width * self.unit
        # Most places outside are so by their latitude alone; the margin leaves close ones to the exact distance.
        up = (reach * 1.000001 + 0.001) / _EARTH_RADIUS / _RADIANS
        return reach, self.centre[1] - up, self.centre[1] + up

    def _in_circle(self) -> Callable[[Place], float]:
        reach, south, north = self._reach()
        distance_of = distance_from(self.centre)

        def measure(place: Place) -> float:
            if not south <= place[1] <= north:
                return OUTSIDE
            metres = distance_of(place)
            return metres if metres <= reach else OUTSIDE

        return measure

    def _in_box(self) -> Callable[[Place], float]:
        centre, (up, aside) = self.centre, self._reach()
        longitude, distance_of = centre[0] * _RADIANS, distance_from(centre)

        def measure(place: Place) -> float:
            if _latitude_distance(place[1], centre[1]) > up:
                return OUTSIDE
            # `distance` from (centre[0], place[1]), where the latitudes are the same
            cosine, v = cos(place[1] * _RADIANS), sin((longitude - place[0] * _RADIANS) / 2)
            if 2.0 * _EARTH_RADIUS * asin(sqrt(cosine * cosine * v * v)) > aside:
                return OUTSIDE
            return distance_of(place)

        return measure

    def _bounds(self) -> Area:
        longitude, latitude = self.centre
        height = self.unit * (self.width if self.height is None else self.height / 2)
        width = self.unit * (self.width if self.height is None else self.width / 2)
        up = height / _EARTH_RADIUS / _RADIANS
        top = width / _EARTH_RADIUS / _cosine((latitude + up) * _RADIANS) / _RADIANS
        bottom = width / _EARTH_RADIUS / _cosine((latitude - up) * _RADIANS) / _RADIANS
        aside = bottom if latitude < 0 else top
        return Area(longitude - aside, latitude - up, longitude + aside, latitude + up)

    def _radius(self) -> float:
        if self.height is None:
            return self.width * self.unit
        return sqrt((self.width / 2) * (self.width / 2) + (self.height / 2) * (self.height / 2)) * self.unit

    def ranges(self) -> Sequence[tuple[int, int]]:
        """Ranges of 52-bit numbers, the second end not included, in which every place of the shape lies, in Redis's order."""
        return _ranges_of(self)


@lru_cache(maxsize=256)  # searches look round the same places time and again
def _ranges_of(shape: Shape) -> Sequence[tuple[int, int]]:
    return _ranges(shape.centre, shape._radius(), shape._bounds())


class Polygon(NamedTuple):
    """The area between some places, each the neighbour of the next and the last of the first."""

    vertices: tuple[Place, ...]

    @property
    def centre(self) -> Place:
        """The middle of the vertices on the globe."""
        x = y = z = 0.0
        for longitude, latitude in self.vertices:
            over, up = longitude * _RADIANS, latitude * _RADIANS
            x, y, z = x + cos(up) * cos(over), y + cos(up) * sin(over), z + sin(up)
        count = len(self.vertices)
        x, y, z = x / count, y / count, z / count
        return atan2(y, x) / _RADIANS, atan2(z, sqrt(x * x + y * y)) / _RADIANS

    def metres_to(self, scores: Sequence[float]) -> Sequence[float]:
        """The metres from the centre to the places of scores of up to 52 bits; `OUTSIDE` for one that is not within."""
        distance_of = distance_from(self.centre)
        return _one_by_one(lambda place: distance_of(place) if self._has(place) else OUTSIDE, scores)

    def _has(self, place: Place) -> bool:
        """Whether a ray to the east crosses an odd number of sides."""
        x, y = place
        inside = False
        before = self.vertices[-1]
        for vertex in self.vertices:
            (x1, y1), (x2, y2) = vertex, before
            if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
                inside = not inside
            before = vertex
        return inside

    def ranges(self) -> Sequence[tuple[int, int]]:
        """The same for a polygon."""
        over, up = zip(*self.vertices, strict=True)
        bounds = Area(min(over), min(up), max(over), max(up))
        corners = ((bounds.west, bounds.south), (bounds.east, bounds.north))
        return _ranges(self.centre, max(distance(self.centre, corner) for corner in corners), bounds)


def _one_by_one(measure: Callable[[Place], float], scores: Sequence[float]) -> Sequence[float]:
    return [measure(place_of(score)) for score in scores]


def _ranges(centre: Place, metres: float, bounds: Area) -> list[tuple[int, int]]:
    """The ranges of numbers that cover the bounds, in Redis's order; a shape reaches so many metres round its centre."""
    steps = _estimate_steps(metres, centre[1])
    cell = _cell_of(centre, steps, LATITUDE_LIMIT)
    if steps > 1 and not _reaches(cell, steps, bounds):
        steps -= 1
        cell = _cell_of(centre, steps, LATITUDE_LIMIT)
    shift = 2 * (STEPS - steps)
    found: list[tuple[int, int]] = []
    last: Cell | None = None
    for part in _cells(cell, steps, bounds):
        if part != last:
            number = _number_of_cell(*part)
            found.append((number << shift, (number + 1) << shift))
        last = part
    return found


def _cosine(angle: float) -> float:
    """Of an infinite angle (a search without bounds) it is no number."""
    return cos(angle) if isfinite(angle) else nan


def _estimate_steps(metres: float, latitude: float) -> int:
    """How fine cells may be so that nine of them cover a circle."""
    if metres == 0:
        return STEPS
    steps = 1
    while metres < _MERCATOR_MAX:
        metres *= 2
        steps += 1
    steps -= 2
    if abs(latitude) > 66:
        steps -= 1
        if abs(latitude) > 80:
            steps -= 1
    return min(max(steps, 1), STEPS)


def _neighbour(cell: Cell, steps: int, east: int, north: int) -> Cell:
    """The cell beside one, round the world.

    A cell on the outermost line (longitude 180) has a bit too many, which stays unless one moves in that direction.
    """
    mask = (1 << steps) - 1
    x, y = cell
    return (x + north) & mask if north else x, (y + east) & mask if east else y


def _reaches(cell: Cell, steps: int, bounds: Area) -> bool:
    """Whether the cells round one cell go as far as the bounds."""
    (x, y), mask = cell, (1 << steps) - 1
    return not (
        _latitude((x + 1 & mask) + 1, steps) < bounds.north
        or _latitude(x - 1 & mask, steps) > bounds.south
        or _longitude((y + 1 & mask) + 1, steps) < bounds.east
        or _longitude(y - 1 & mask, steps) > bounds.west
    )


def _cells(cell: Cell, steps: int, bounds: Area) -> list[Cell]:
    """A cell and those of its eight neighbours that are needed to cover the bounds, which may be no numbers."""
    area = _area(cell, steps)
    wide = steps < 2
    east = wide or not area.east > bounds.east
    west = wide or not area.west < bounds.west
    north = wide or not area.north > bounds.north
    south = wide or not area.south < bounds.south
    around = [
        (0, 1, north),
        (0, -1, south),
        (1, 0, east),
        (-1, 0, west),
        (1, 1, north and east),
        (-1, 1, north and west),
        (1, -1, south and east),
        (-1, -1, south and west),
    ]
    return [cell, *(_neighbour(cell, steps, x, y) for x, y, needed in around if needed)]
