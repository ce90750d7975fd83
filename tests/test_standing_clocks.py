"""Servers whose clocks stand still find one another, although connections are refused or lost that clocks make anew."""

import pytest

import emulator
from emulator.clock import ManualClock
from emulator.cluster import layout
from emulator.cluster.bus import Bus
from emulator.server.dialler import Dialler
from emulator.testing import cluster as testing


class CutOff:
    """Who has dialled: the connection ends as soon as it is there."""

    def __init__(self, receiver):
        self.receiver = receiver

    def connected(self, wire):
        self.receiver.connected(wire)
        wire.close()
        self.receiver.lost("cut off")


@pytest.fixture(params=["refused", "cut off"])
def faulty(request, monkeypatch):
    """``faulty(way)``: each server's first connection to another is refused, or cut off; those who have met with that."""

    def begin(way):
        plain, met = getattr(Dialler, way), set()

        def dial(self, host, port, receiver):
            if (self, port) in met:
                return plain(self, host, port, receiver)
            met.add((self, port))
            if request.param == "cut off":
                return plain(self, host, port, CutOff(receiver))
            self._loop.call_soon(receiver.lost, "refused")
            return lambda: None

        monkeypatch.setattr(Dialler, way, dial)
        return met

    return begin


@pytest.mark.parametrize(("way", "connections"), [("dial_node", 4 * 3), ("dial", 2)])
def test_a_cluster_comes_up(faulty, way, connections):
    met = faulty(way)
    with emulator.Cluster(masters=2, replicas=1, clock=ManualClock()) as cluster:
        assert len(met) == connections
        for master in cluster.masters:
            assert len(cluster.replicas_of(master)) == 1


def test_nodes_answer_while_their_clocks_are_turned(faulty):
    met = faulty("dial_node")
    with emulator.Cluster(masters=3, replicas=0, clock=ManualClock()) as cluster:
        for server in cluster.nodes:
            server.run(hang_up)
        met.clear()
        cluster.advance(1)
        assert len(met) == 3 * 2


def hang_up(engine):
    for node in engine.cluster.state.nodes.values():
        engine.cluster.bus.hang_up(node)


def test_replicas_follow(faulty):
    met = faulty("dial")
    with emulator.Server(replicas=2, clock=ManualClock()) as server:
        assert len(met) == 2
        with server.connect() as client:
            client.set("k", "v")
        server.replicas.wait()
        assert [replica.command("GET", "k") for replica in server.replicas] == [b"v", b"v"]


def test_no_node_is_greeted_before_it_knows_who_it_is(monkeypatch):
    """It would answer as a master without slots, and that may be heard later than what it says when it knows."""
    order = []
    lay_out, begin = layout.lay_out, Bus.begin
    monkeypatch.setattr(testing, "lay_out", lambda *given: (order.append("knows"), lay_out(*given)))
    monkeypatch.setattr(Bus, "begin", lambda bus: (order.append("greets"), begin(bus)))
    with emulator.Cluster(masters=2, replicas=1, clock=ManualClock()):
        assert order[-8:] == ["knows"] * 4 + ["greets"] * 4
