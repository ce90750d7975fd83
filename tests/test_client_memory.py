"""What all clients take in memory is worked out anew for each who asks only where there are few."""

import pytest

from emulator.clients import memory
from emulator.clients.memory import Buffers
from emulator.clients.session import Session


@pytest.mark.parametrize(("count", "looks"), [(10, 50), (1000, 1)])
def test_many_clients_are_looked_at_now_and_then(engine, count, looks, monkeypatch):
    monkeypatch.setattr(memory, "monotonic", lambda: 1.0)
    asked = []
    clients = [Session(engine) for _ in range(count)]
    clients[0].buffers = lambda: asked.append(1) or Buffers()
    for _ in range(50):
        engine.client_memory.totals()
    assert len(asked) == looks


def test_what_a_client_holds_counts(engine):
    idle = Session(engine)
    before = engine.client_memory.totals()
    idle.buffers = lambda: Buffers(waiting=50_000, unsent=200_000)
    after = engine.client_memory.totals()
    assert after.query_buffer > 50_000 and after.output > 100_000
    assert after.total - before.total == after.query_buffer + after.output
