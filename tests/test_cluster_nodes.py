"""A node of a cluster by itself: what it makes of the packets of others."""

from dataclasses import replace

import pytest

from emulator.cluster.packet import (
    AUTH_ACK,
    AUTH_REQUEST,
    FAIL,
    FORCE_ACK,
    HAS_EXTENSIONS,
    HEADER_SIZE,
    MEET,
    PING,
    PONG,
    PUBLISH,
    UPDATE,
    Claim,
    Extensions,
    Failure,
    Gossip,
    Greeting,
    Header,
    Message,
    Packet,
    encode,
)
from emulator.cluster.state import FAIL as FAILED
from emulator.cluster.state import MASTER, REPLICA, bitmap, members
from emulator.cluster.state import PFAIL as MAY_HAVE_FAILED
from emulator.testing.handles import perform
from tests.one_node import GREATER, LESSER, OF_SLOT_0, THIRD, OneNode, header_of, strange_packets


def test_who_claims_a_slot_by_a_greater_epoch_has_it():
    one = OneNode(range(100))
    one.me.config_epoch = 1
    other = one.know(GREATER, range(100, 200), epoch=2)
    perform(one.engine, [("SET", OF_SLOT_0, "value")])
    assert one.cluster.count_keys(0) == 1
    one.hear(header_of(other, slots=bitmap(range(200)) & ~bitmap(range(1, 100))), Greeting())
    assert list(members(one.me.slots)) == list(range(1, 100))
    assert one.state.owners[0] is other
    assert one.cluster.count_keys(0) == 0


def test_who_claims_a_slot_by_a_lesser_epoch_is_told_so():
    one = OneNode(range(100))
    one.me.config_epoch = 3
    other = one.know(GREATER, range(100, 200), epoch=2)
    one.hear(header_of(other, slots=bitmap(range(200))), Greeting())
    assert one.me.slots == bitmap(range(100))
    (update,) = one.told(other, UPDATE)
    assert update.body == Claim(3, one.me.id, bitmap(range(100)))


def test_a_slot_that_is_being_imported_stays_with_its_owner():
    one = OneNode(range(1, 100))
    other, third = one.know(GREATER, range(1), epoch=1), one.know(THIRD, port=7002, epoch=5)
    one.state.importing[0] = other
    one.hear(header_of(third, slots=1), Greeting())
    assert one.state.owners[0] is other


def test_who_loses_its_last_slot_follows_who_has_it():
    one = OneNode(range(100))
    other = one.know(GREATER, epoch=2)
    one.hear(header_of(other, slots=bitmap(range(100))), Greeting())
    assert one.me.master is other
    assert one.engine.config.replicaof == ("127.0.0.1", 7001)


def test_a_replica_of_a_replica_follows_the_master_of_both():
    one = OneNode()
    other, third = one.know(GREATER), one.know(THIRD, range(100), 7002)
    one.bus.become_replica(other)
    one.hear(header_of(other, master=THIRD, flags=REPLICA), Greeting())
    assert one.me.master is third
    assert one.engine.config.replicaof == ("127.0.0.1", 7002)


@pytest.mark.parametrize(("id", "bumped"), [(GREATER, True), (LESSER, False)])
def test_of_two_masters_with_one_epoch_the_one_with_the_lesser_id_takes_another(id, bumped):
    one = OneNode(range(1))
    one.me.config_epoch = one.state.current_epoch = 4
    other = one.know(id, range(1, 2), epoch=4)
    one.hear(header_of(other), Greeting())
    assert one.me.config_epoch == (5 if bumped else 4)


def test_an_update_takes_slots_from_a_node_that_has_come_back():
    one = OneNode(range(100))
    one.me.config_epoch = 1
    other = one.know(GREATER, range(100, 200), epoch=2)
    one.hear(header_of(other, UPDATE), Claim(7, GREATER, bitmap(range(200))))
    assert other.slots == bitmap(range(200))
    assert one.me.master is other
    one.hear(header_of(other, UPDATE), Claim(6, GREATER, bitmap(range(300))))
    assert other.slots == bitmap(range(200))


# Failures


def silent_for(one, milliseconds):
    one.engine.timers.turn_clock(one.engine.clock.now + milliseconds)


def test_a_node_has_failed_when_most_masters_say_so():
    one = OneNode(range(100), cluster_node_timeout=1000)
    other, third = one.know(GREATER, range(100, 200)), one.know(THIRD, range(200, 300), 7002)
    silent_for(one, 2000)
    assert other.flags & MAY_HAVE_FAILED
    assert third.flags & MAY_HAVE_FAILED
    entry = Gossip(GREATER, 0, 0, b"127.0.0.1", 7001, 17001, MASTER | MAY_HAVE_FAILED)
    one.hear(header_of(third), Greeting((entry,)))
    assert other.has_failed
    assert one.told(third, FAIL)[0].body == Failure(GREATER)
    assert not third.has_failed


def test_the_report_of_a_node_without_slots_does_not_count():
    one = OneNode(range(100), cluster_node_timeout=1000)
    other, third = one.know(GREATER, range(100, 200)), one.know(THIRD, range(0), 7002)
    one.know(b"a" * 40, range(200, 300), 7003)
    silent_for(one, 2000)
    entry = Gossip(GREATER, 0, 0, b"127.0.0.1", 7001, 17001, MASTER | MAY_HAVE_FAILED)
    one.hear(header_of(third), Greeting((entry,)))
    assert other.flags & MAY_HAVE_FAILED
    assert not other.has_failed


def test_a_report_counts_no_longer_than_two_timeouts():
    one = OneNode(range(100), cluster_node_timeout=1000)
    other, third = one.know(GREATER, range(100, 200)), one.know(THIRD, range(200, 300), 7002)
    entry = Gossip(GREATER, 0, 0, b"127.0.0.1", 7001, 17001, MASTER | MAY_HAVE_FAILED)
    one.hear(header_of(third), Greeting((entry,)))
    one.engine.clock.advance(3)
    one.bus.fire()
    silent_for(one, 5000)
    assert other.flags & MAY_HAVE_FAILED
    assert not other.has_failed


def test_a_node_that_answers_has_not_failed():
    one = OneNode(range(100), cluster_node_timeout=1000)
    other = one.know(GREATER, range(100, 200))
    one.know(THIRD, range(200, 300), 7002)
    silent_for(one, 2000)
    assert other.flags & MAY_HAVE_FAILED
    other.link.received(encode(Packet(header_of(other, PONG), Greeting())))
    assert not other.may_have_failed
    assert other.ping_sent == 0


def test_a_failed_master_is_well_again_if_nobody_has_taken_its_place_in_time():
    one = OneNode(range(100), cluster_node_timeout=1000)
    other = one.know(GREATER, range(100, 200))
    third = one.know(THIRD, range(200, 300), 7002)
    one.hear(header_of(third, FAIL), Failure(GREATER))
    assert other.has_failed
    other.link.received(encode(Packet(header_of(other, PONG), Greeting())))
    assert other.has_failed
    one.engine.clock.advance(2.5)
    other.link.received(encode(Packet(header_of(other, PONG), Greeting())))
    assert not other.has_failed


# Votes


def asks_for_vote(one, replica, **others):
    told = {"current_epoch": one.state.current_epoch + 1, **others}
    one.hear(header_of(replica, AUTH_REQUEST, **told))
    return len(one.told(replica, AUTH_ACK))


@pytest.fixture
def voter():
    """A master; another one that has failed, and its replica."""
    one = OneNode(range(100))
    other = one.know(GREATER, range(100, 200), epoch=2)
    replica = one.know(THIRD, port=7002, master=other)
    one.hear(header_of(replica, FAIL), Failure(GREATER))
    return one, other, replica


def test_a_master_votes_for_the_replica_of_a_failed_one(voter):
    one, _, replica = voter
    assert asks_for_vote(one, replica) == 1
    assert one.state.last_vote_epoch == one.state.current_epoch == 1


def test_a_master_votes_once_in_an_epoch_and_seldom_for_one_master(voter):
    one, _, replica = voter
    assert asks_for_vote(one, replica) == 1
    assert asks_for_vote(one, replica, current_epoch=1) == 1
    assert asks_for_vote(one, replica) == 1
    one.engine.clock.advance(30)
    assert asks_for_vote(one, replica) == 2


@pytest.mark.parametrize(
    "others", [{"current_epoch": 0}, {"config_epoch": 1}], ids=["an old epoch", "slots that others have by a newer one"]
)
def test_a_master_does_not_vote_for(voter, others):
    one, _, replica = voter
    one.state.current_epoch = 5
    assert asks_for_vote(one, replica, **{"current_epoch": 6, **others}) == 0


def test_a_master_does_not_vote_while_the_old_one_is_up_unless_it_hands_over(voter):
    one, other, replica = voter
    other.flags &= ~FAILED
    assert asks_for_vote(one, replica) == 0
    assert asks_for_vote(one, replica, message_flags=FORCE_ACK) == 1


def test_a_node_without_slots_has_no_vote():
    one = OneNode()
    other = one.know(GREATER, range(100, 200))
    replica = one.know(THIRD, port=7002, master=other)
    other.flags |= FAILED
    assert asks_for_vote(one, replica) == 0


def test_the_replica_with_the_newest_data_stands_first():
    one = OneNode()
    other = one.know(GREATER, range(100), epoch=1)
    rival = one.know(THIRD, port=7002, master=other)
    one.bus.become_replica(other)
    rival.replication_offset = 100
    one.hear(header_of(rival, FAIL, offset=100), Failure(GREATER))
    one.bus.fire()
    one.engine.timers.turn_clock(one.engine.clock.now + 1400)  # within the second that a better rank is worth
    assert one.told(rival, AUTH_REQUEST) == []
    one.engine.timers.turn_clock(one.engine.clock.now + 1000)
    assert len(one.told(rival, AUTH_REQUEST)) == 1


@pytest.mark.parametrize(
    "settings",
    [{"cluster_replica_no_failover": "yes"}, {"cluster_replica_validity_factor": 1, "cluster_node_timeout": 1000}],
    ids=["that is not to", "whose data are too old"],
)
def test_a_replica_does_not_stand(settings):
    one = OneNode(**settings)
    other = one.know(GREATER, range(100), epoch=1)
    third = one.know(THIRD, range(100, 200), 7002)
    one.bus.become_replica(other)
    one.engine.clock.advance(60)
    one.hear(header_of(third, FAIL), Failure(GREATER))
    one.engine.timers.turn_clock(one.engine.clock.now + 10_000)
    assert one.told(third, AUTH_REQUEST) == []


def test_votes_of_most_masters_make_a_replica_the_master():
    one = OneNode()
    other = one.know(GREATER, range(100), epoch=1)
    third, fourth = one.know(THIRD, range(100, 200), 7002), one.know(b"d" * 40, range(200, 300), 7003)
    one.bus.become_replica(other)
    one.hear(header_of(third, FAIL), Failure(GREATER))
    one.engine.timers.turn_clock(one.engine.clock.now + 1200)
    (request,) = one.told(third, AUTH_REQUEST)
    epoch = request.header.current_epoch
    one.hear(header_of(third, AUTH_ACK, current_epoch=epoch - 1))
    one.hear(header_of(third, AUTH_ACK, current_epoch=epoch))
    assert one.me.is_replica
    one.hear(header_of(fourth, AUTH_ACK, current_epoch=epoch))
    assert one.me.is_master
    assert one.me.slots == bitmap(range(100))
    assert one.me.config_epoch == epoch
    assert one.told(third, PONG)[-1].header.slots == bitmap(range(100))


# Acquaintances


def test_who_is_told_of_by_a_known_node_is_taken_up_and_by_a_stranger_not():
    one = OneNode()
    other = one.know(GREATER)
    entry = Gossip(THIRD, 0, 0, b"127.0.0.1", 7002, 17002, MASTER)
    one.hear(replace(header_of(other), sender=b"a" * 40), Greeting((entry,)))
    assert THIRD not in one.state.nodes
    one.hear(header_of(other), Greeting((entry,)))
    assert one.state.nodes[THIRD].port == 7002


def test_who_was_forgotten_is_not_taken_up_for_a_minute():
    one = OneNode()
    other, third = one.know(GREATER), one.know(THIRD, port=7002)
    one.cluster.forget(third)
    entry = Gossip(THIRD, 0, 0, b"127.0.0.1", 7002, 17002, MASTER)
    one.hear(header_of(other), Greeting((entry,)))
    assert THIRD not in one.state.nodes
    one.engine.clock.advance(61)
    one.hear(header_of(other), Greeting((entry,)))
    assert THIRD in one.state.nodes


def test_nodes_tell_one_another_whom_to_forget():
    one = OneNode()
    other = one.know(GREATER)
    one.know(THIRD, port=7002)
    header = header_of(other, message_flags=HAS_EXTENSIONS)
    one.hear(header, Greeting((), Extensions(b"", b"", GREATER, ((THIRD, 60), (one.me.id, 60)))))
    assert set(one.state.nodes) == {one.me.id, GREATER}
    assert THIRD in one.state.forgotten


def test_names_and_shard_are_told():
    one = OneNode(cluster_announce_hostname="here.example")
    other = one.know(GREATER)
    header = header_of(other, message_flags=HAS_EXTENSIONS)
    one.hear(header, Greeting((), Extensions(b"there.example", b"second", THIRD)))
    assert (other.hostname, other.human_name, other.shard_id) == (b"there.example", b"second", THIRD)
    pong = one.inbound.wire.sent[-1]
    assert pong.body.extensions.hostname == b"here.example"
    assert pong.body.extensions.shard_id == one.me.shard_id


def test_a_node_that_has_moved_is_found_at_its_new_address():
    one = OneNode()
    other = one.know(GREATER)
    one.hear(header_of(other, port=7009, cport=17009), Greeting())
    assert (other.port, other.cport) == (7009, 17009)
    one.bus.fire()
    assert 17009 in one.wires


# Hostile packets


@pytest.mark.parametrize("packet", [data for _, data in strange_packets()], ids=[name for name, _ in strange_packets()])
def test_a_strange_packet_changes_little(packet, caplog):
    one = OneNode(range(100))
    one.know(GREATER, range(100, 200))
    one.inbound.received(packet)
    assert "internal error" not in caplog.text
    assert len(one.state.nodes) <= 2000
    assert one.me.slots == bitmap(range(100))
    assert not any(map(len, one.engine.databases))
    one.bus.fire()


def test_thousands_of_meetings_are_not_kept():
    one = OneNode()
    for number in range(2500):
        one.hear(Header(MEET, b"%040x" % number, port=number + 1, cport=number + 1), Greeting())
    assert len(one.state.nodes) <= 2000
    one.engine.clock.advance(20)
    one.bus.fire()
    assert len(one.state.nodes) == 1


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\n\r\n", b"RCmb\0\0\0\1" + bytes(8), b"RCmb\xff\xff\xff\xff" + bytes(HEADER_SIZE)],
    ids=["another protocol", "a short length", "a huge length"],
)
def test_who_does_not_speak_the_protocol_is_cut_off(data):
    one = OneNode()
    wire = one.inbound.wire
    one.inbound.received(data)
    assert wire.closed


def test_a_large_message_is_gathered_for_a_known_node_only():
    one = OneNode()
    other = one.know(GREATER)
    data = encode(Packet(header_of(other, PUBLISH), Message(b"c", bytes(2 << 20))))
    for place in range(0, len(data), 1 << 16):
        one.inbound.received(data[place : place + (1 << 16)])
    assert one.bus.received[PUBLISH] == 1
    wire = one.inbound.wire
    one.inbound.received(encode(Packet(Header(PUBLISH, THIRD), Message(b"c", bytes(2 << 20))))[: HEADER_SIZE + 1])
    assert wire.closed


def test_who_greets_and_does_not_read_is_cut_off():
    one = OneNode()
    wire = one.inbound.wire
    wire.unsent = 2 << 20
    one.hear(Header(PING, GREATER), Greeting())
    assert wire.closed
