"""Geohashes: there and back, and ranges that cover what they are to cover."""

import math
from random import Random

import pytest

from emulator.datatypes.geohash import OUTSIDE, STEPS, Shape, _area, _separate, as_text, distance, encode, place_of
from emulator.datatypes.partial_sort import partial_sort


def somewhere(random):
    return random.uniform(-180, 180), random.uniform(-85, 85)


def test_a_place_lies_in_its_cell_and_the_middle_is_near():
    random = Random(1)
    for _ in range(2000):
        place = somewhere(random)
        number = encode(place)
        area = _area(_separate(number), STEPS)
        assert 0 <= number < 1 << 52
        assert area.west <= place[0] <= area.east
        assert area.south <= place[1] <= area.north
        assert distance(place, place_of(number)) < 1
        assert encode(place_of(number)) == number


def test_the_usual_text():
    assert as_text(encode((13.361389, 38.115556))) == b"sqc8b49rny0"


@pytest.mark.parametrize("seed", range(6))
def test_every_place_within_a_shape_lies_in_its_ranges(seed):
    random = Random(seed)
    for _ in range(60):
        centre = random.uniform(-150, 150), random.uniform(-75, 75)
        height = random.choice((None, random.uniform(0.1, 800)))
        shape = Shape(centre, random.uniform(0.1, 800), height, 1000.0)
        ranges, measure = shape.ranges(), shape.measure()
        assert 1 <= len(ranges) <= 9
        for _ in range(100):
            place = (centre[0] + random.gauss(0, 4), centre[1] + random.gauss(0, 3))
            number = encode(place)
            if measure(place_of(number)) != OUTSIDE:
                assert any(low <= number < high for low, high in ranges), (centre, place)


def test_half_round_the_earth():
    assert math.isclose(distance((0.0, 0.0), (180.0, 0.0)), math.pi * 6372797.560856)
    assert distance((5.0, 5.0), (5.0, 5.0)) == 0.0


@pytest.mark.parametrize("reverse", [False, True])
def test_a_partial_sort_is_a_sort(reverse):
    random = Random(3)
    for size in (1, 5, 8, 30, 41, 200):
        items = [random.randrange(size) for _ in range(size)]
        for most in (1, size // 2, size):
            assert partial_sort(items, float, reverse, most) == sorted(items, reverse=reverse)[:most]
