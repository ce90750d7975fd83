"""Deadlines of fields against a dict, and that no call does what many calls have put off."""

import random

from emulator.datatypes.deadlines import Deadlines


class Field(bytes):
    """A field that counts how often one is looked at."""

    looks = 0

    def __eq__(self, other):
        Field.looks += 1
        return bytes.__eq__(self, other)

    def __lt__(self, other):
        Field.looks += 1
        return bytes.__lt__(self, other)

    def __hash__(self):
        Field.looks += 1
        return bytes.__hash__(self)


def test_they_are_as_a_dict_has_them():
    chance = random.Random(7)
    deadlines, model = Deadlines(), {}
    for _ in range(5000):
        field, now = b"%d" % chance.randrange(300), chance.randrange(100)
        match chance.randrange(8):
            case 0:
                due = sorted((deadline, field) for field, deadline in model.items() if deadline <= now)[:3]
                assert deadlines.take_due(now, 3) == [field for _, field in due]
                for _, gone in due:
                    del model[gone]
            case 1:
                assert deadlines.remove(field) == (model.pop(field, None) is not None)
            case 2:
                deadlines.shift(5)
                model = {field: deadline + 5 for field, deadline in model.items()}
            case 3:
                deadlines = deadlines.copy()
            case _:
                deadlines.set(field, now)
                model[field] = now
        assert deadlines.by_field == model and deadlines.next == min(model.values(), default=None)
    deadlines._check()


def test_no_call_does_what_many_calls_have_put_off():
    deadlines = Deadlines()
    fields = [Field(b"%d" % number) for number in range(20_000)]
    calls = [lambda field=field, late=late: deadlines.set(field, late) for late in (1, 3, 2) for field in fields]
    calls += [lambda field=field: deadlines.remove(field) for field in fields[::2]]
    calls += [lambda: deadlines.next, lambda: deadlines.take_due(2, 1)] * 10_000
    for call in calls:
        before = Field.looks
        call()
        assert Field.looks - before < 200
    assert not deadlines.by_field
