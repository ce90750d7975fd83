"""Geohashes against bits one by one and searches against looking at every member."""

import math
import random

import pytest

from emulator.datatypes import geohash
from emulator.datatypes.geohash import LATITUDE_LIMIT, LONGITUDE_LIMIT, STEPS, Shape
from emulator.datatypes.partial_sort import partial_sort
from emulator.datatypes.zset import ZSet

EARTH_RADIUS = 6372797.560856


def places(count, seed, latitude=85.0):
    rng = random.Random(seed)
    return [(rng.uniform(-180, 180), rng.uniform(-latitude, latitude)) for _ in range(count)]


def halving(place, steps):
    """The number of a cell by halving the world: longitude first, a bit for each half."""
    number = 0
    sides = [[-LONGITUDE_LIMIT, LONGITUDE_LIMIT], [-LATITUDE_LIMIT, LATITUDE_LIMIT]]
    for step in range(2 * steps):
        side, value = sides[step % 2], place[step % 2]
        middle = (side[0] + side[1]) / 2
        number = number << 1 | (value >= middle)
        side[value < middle] = middle
    return number


# Numbers and places


@pytest.mark.parametrize("steps", [1, 2, 5, 13, STEPS])
def test_a_number_is_the_halves_in_which_a_place_lies(steps):
    for place in places(300, steps):
        assert geohash.encode(place, steps) == halving(place, steps)


def test_a_place_lies_in_its_cell_and_near_its_middle():
    for place in places(300, 1):
        for steps in (1, 7, STEPS):
            area = geohash._area(geohash._separate(geohash.encode(place, steps)), steps)
            assert area.west <= place[0] < area.east
            assert area.south <= place[1] < area.north
        middle = geohash.place_of(geohash.encode(place))
        assert geohash.distance(place, middle) < 0.7
        assert geohash.encode(middle) == geohash.encode(place)


@pytest.mark.parametrize(
    ("score", "number"),
    [
        (12.9, 12),
        (-5.5, 2**64 - 5),
        (2.0**63, 2**63),
        (2.0**64 - 2**11, 2**64 - 2**11),
        (2.0**64, 0),
        (math.inf, 0),
        (-(2.0**63), 2**63),
        (-math.inf, 2**63),
    ],
)
def test_scores_that_are_no_geohashes(score, number):
    assert geohash.number_of(score) == number
    longitude, latitude = geohash.place_of(number)
    assert -LONGITUDE_LIMIT <= longitude <= LONGITUDE_LIMIT
    assert -LATITUDE_LIMIT <= latitude <= LATITUDE_LIMIT


def test_the_usual_geohash():
    letters = "0123456789bcdefghjkmnpqrstuvwxyz"
    for place in places(100, 2):
        longitude, latitude = geohash.place_of(geohash.encode(place))
        south, north, west, east = -90.0, 90.0, -180.0, 180.0
        for letter in geohash.as_text(geohash.encode(place)).decode()[:9]:
            for bit in f"{letters.index(letter):05b}":
                if east - west > north - south or (east - west == north - south and east - west == 360):
                    middle = (east + west) / 2
                    west, east = (middle, east) if bit == "1" else (west, middle)
                else:
                    middle = (south + north) / 2
                    south, north = (middle, north) if bit == "1" else (south, middle)
        assert west <= longitude <= east
        assert south <= latitude <= north


# Distances


def test_distances():
    quarter = EARTH_RADIUS * math.pi / 2
    assert geohash.distance((0, 0), (90, 0)) == pytest.approx(quarter)
    assert geohash.distance((7, -45), (7, 45)) == pytest.approx(quarter)
    assert geohash.distance((0, 45), (180, 45)) == pytest.approx(quarter)
    assert geohash.distance((-180, 3), (180, 3)) == pytest.approx(0, abs=0.001)
    assert geohash.distance((5, 5), (5, 5)) == 0


def test_distances_by_vectors():
    def vector(place):
        longitude, latitude = map(math.radians, place)
        return (
            math.cos(latitude) * math.cos(longitude),
            math.cos(latitude) * math.sin(longitude),
            math.sin(latitude),
        )

    for one, other in zip(places(200, 3), places(200, 4), strict=True):
        angle = 2 * math.asin(math.dist(vector(one), vector(other)) / 2)
        assert geohash.distance(one, other) == pytest.approx(EARTH_RADIUS * angle, rel=1e-9)


# Areas


def in_box(shape, place):
    """Whether a place is in a box, its width being taken along the place's own latitude."""
    up = geohash.distance((shape.centre[0], place[1]), shape.centre)
    aside = geohash.distance(place, (shape.centre[0], place[1]))
    return 2 * up <= shape.height * shape.unit and 2 * aside <= shape.width * shape.unit


def shapes(seed):
    """Circles and boxes, many at the date line; from exactly 180 degrees Redis does not see what lies beyond it."""
    rng = random.Random(seed)
    for _ in range(150):
        centre = rng.choice([-180.0, 179.999, 0.0, rng.uniform(-180, 180)]), rng.uniform(-75, 75)
        width = 10 ** rng.uniform(2, 6.3)
        yield Shape(centre, width, rng.choice([None, 10 ** rng.uniform(2, 6.3)]), 1.0)


@pytest.mark.parametrize("seed", range(3))
def test_the_ranges_of_a_shape_have_every_place_in_it(seed):
    rng = random.Random(seed)
    for shape in shapes(seed):
        reach = max(shape.width, shape.height or 0) / 111_000
        ranges = shape.ranges()
        assert len(ranges) == len(set(ranges)) <= 9
        for _ in range(40):
            longitude = shape.centre[0] + rng.uniform(-1, 1) * reach / math.cos(math.radians(shape.centre[1]))
            latitude = shape.centre[1] + rng.uniform(-1, 1) * reach
            if abs(latitude) > 75:
                continue
            place = (longitude + 180) % 360 - 180, latitude
            metres = geohash.distance(shape.centre, place)
            inside = metres <= shape.width if shape.height is None else in_box(shape, place)
            assert shape.measure()(place) == (metres if inside else geohash.OUTSIDE)
            if inside:
                number = geohash.encode(place)
                assert sum(low <= number < high for low, high in ranges) == 1


def test_many_places_are_measured_as_one_by_one():
    rng = random.Random(11)
    scores = [float(geohash.encode(place)) for place in places(400, 12)] + [0.0, 2.0**52 - 1, 2.0**53 + 2, 77.5]
    assert geohash.places_of(scores) == [geohash.place_of(int(score)) for score in scores]
    for shape in shapes(13):
        wide = shape._replace(width=10 ** rng.uniform(5, 8), height=shape.height and 10 ** rng.uniform(5, 8))
        measure = wide.measure()
        near = [float(geohash.encode(wide.centre)), *scores]
        assert list(wide.metres_to(near)) == [measure(geohash.place_of(int(score))) for score in near]


def test_small_shapes_have_small_ranges():
    """Nine cells that are as high as the shape's radius up to four times that cover what the search looks at."""
    for shape in shapes(7):
        radius = shape.width if shape.height is None else math.hypot(shape.width, shape.height) / 2
        highest = 4 * radius * (2 if abs(shape.centre[1]) > 66 else 1)
        for low, high in shape.ranges():
            cell = geohash._separate(low // (high - low))
            area = geohash._area(cell, int(math.log2(4**STEPS // (high - low))) // 2)
            assert math.radians(area.north - area.south) * EARTH_RADIUS <= max(highest, 1)


# Searching


class Limits:
    zset_max_listpack_entries = 128
    zset_max_listpack_value = 64


@pytest.fixture
def crowd(client):
    """Members all over a country, and their places."""
    rng = random.Random(5)
    found = {}
    for number in range(500):
        member = b"m%d" % number
        found[member] = geohash.encode((rng.gauss(10, 2), rng.gauss(50, 2)))
    client.engine.databases[0].insert(b"g", ZSet.of({name: float(at) for name, at in found.items()}, Limits()))
    return {member: geohash.place_of(number) for member, number in found.items()}


def members(reply):
    return [line for line in reply.split(b"\r\n") if line.startswith(b"m")]


@pytest.mark.parametrize("kilometres", [1, 30, 200, 1000])
def test_a_search_finds_what_is_near(client, crowd, kilometres):
    centre = (10.0, 50.0)
    near = {member for member, place in crowd.items() if geohash.distance(centre, place) <= kilometres * 1000}
    search = f"GEOSEARCH g FROMLONLAT 10 50 BYRADIUS {kilometres} km"
    everything = members(client.play(search))
    assert len(everything) == len(near)
    assert set(everything) == near
    assert members(client.play(f"{search} ASC")) == sorted(
        everything, key=lambda member: geohash.distance(centre, crowd[member])
    )
    if near:
        assert members(client.play(f"{search} COUNT 7 ANY")) == everything[:7]
        assert members(client.play(f"{search} COUNT 7")) == members(client.play(f"{search} ASC"))[:7]
        assert members(client.play(f"{search} COUNT 7 DESC")) == members(client.play(f"{search} DESC"))[:7]


def test_a_search_looks_at_the_members_nearby_only(client, crowd, monkeypatch):
    looked_at = []
    place_of = geohash.place_of
    monkeypatch.setattr(geohash, "place_of", lambda number: looked_at.append(number) or place_of(number))
    found = members(client.play("GEOSEARCH g FROMLONLAT 10 50 BYRADIUS 30 km"))
    assert 0 < len(found) <= len(looked_at) < len(crowd) / 8
    looked_at.clear()
    assert len(members(client.play("GEOSEARCH g FROMLONLAT 10 50 BYRADIUS 1000 km COUNT 3 ANY"))) == 3
    assert len(looked_at) < 30


# The partial sort


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_the_partial_sort_sorts(seed, reverse):
    rng = random.Random(seed)
    for size in (0, 1, 2, 6, 7, 8, 40, 41, 200):
        for different in (2, 10, 1000):
            items = [(rng.randrange(different), number) for number in range(size)]
            for most in (1, size // 3, size, size + 1):
                first = partial_sort(items, lambda item: item[0], reverse, most)
                assert [item[0] for item in first] == sorted((item[0] for item in items), reverse=reverse)[:most]
                assert len(set(first)) == len(first)
                assert set(first) <= set(items)
