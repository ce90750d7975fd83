"""Keys in parts are a mapping as a dict is, also while they go over to them, and whatever is done meanwhile."""

import random

import pytest

from emulator.keyspace import database, parted
from emulator.keyspace.parted import PARTS, Moving, Parted, dicts_of

from .test_image import moment, played


@pytest.mark.parametrize("seed", range(20))
def test_is_as_a_dict(seed):
    chance = random.Random(seed)
    model = {b"%d" % number: number for number in range(chance.randrange(300))}
    parted = Moving(dict(model))
    for number in range(2000):
        key = b"%d" % chance.randrange(500)
        match chance.randrange(6):
            case 0 | 1:
                model[key] = parted[key] = number
            case 2:
                assert parted.pop(key, None) == model.pop(key, None)
            case 3 if key in model:
                del model[key], parted[key]
            case 4:
                assert (parted.get(key), key in parted) == (model.get(key), key in model)
            case _:
                assert dict(parted.items()) == model and sorted(parted.values()) == sorted(model.values())
        assert len(parted) == len(model) and all(parted[key] == model[key] for key in list(model)[:5])
    assert {key: value for part in dicts_of(parted) for key, value in part.items()} == model


def test_all_go_over_while_others_come():
    parted = Moving({b"%d" % number: 0 for number in range(100)})
    for number in range(100, 125):
        assert type(parted) is Moving
        parted[b"%d" % number] = 0
    assert type(parted) is Parted and len(parted.dicts) == PARTS and len(parted) == 125


@pytest.fixture
def few(monkeypatch):
    """Databases have their keys in parts from 300 on, which they notice when so many have changed."""
    monkeypatch.setattr(parted, "MANY", 300)
    monkeypatch.setattr(database, "MOST_STRINGS", 255)


def test_a_database_that_grows_has_its_keys_in_parts(few, client):
    db = client.engine.databases[0]
    for number in range(1500):
        client.play(f"SET k{number} {number}" + (f" PX {10_000 + number}" if number % 3 else ""))
    assert type(db.entries) is Parted
    assert client.play("DBSIZE") == b":1500\r\n"
    assert client.play("KEYS *").startswith(b"*1500\r\n")
    assert client.play("DEL k7 k8") == b":2\r\n"
    assert client.play("EXISTS k7 k9") == b":1\r\n"
    before = client.play("DEBUG DIGEST")
    client.engine.persistence.reload(save=True, flush=True, merge=False)
    assert client.play("DEBUG DIGEST") == before and type(db.entries) is Parted
    client.play("FLUSHALL")
    assert client.play("DBSIZE") == b":0\r\n" and type(db.entries) is dict and not db.wheel.count


@pytest.mark.parametrize("seed", range(40))
def test_an_image_is_of_its_moment_while_keys_come_into_parts(few, client, seed):
    chance = random.Random(seed)
    for number in range(chance.choice((0, 250, 299, 310, 700, 1400))):
        client.play(f"SET k{number} {number}")
    expected = moment(client.engine)

    def act():
        for _ in range(chance.randrange(1200)):
            client.play(f"{chance.choice(('SET', 'APPEND', 'GETSET'))} k{chance.randrange(2000)} x")
            client.play(f"DEL k{chance.randrange(2000)}")
        if not chance.randrange(4):
            client.play("FLUSHALL")

    assert played(client.engine, chance, act) == expected
