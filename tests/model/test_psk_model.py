"""The preshared key's two machines against a network that loses, repeats and reorders, and against crashes."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from model.psk_world import World

BOUND = 330.0
"""Seconds of calm until both ends are protected again, whatever happened before: the longest pause between exchanges (120 s),
two exchanges with a handshake's proof (90 s), and a session lost at the far end (45 s)."""


class Exchanging(RuleBasedStateMachine):
    """What can happen to datagrams, in any order."""

    demanded = False

    def __init__(self) -> None:
        super().__init__()
        self.world = World(demanded=self.demanded, base=b"configured".ljust(32, b"."))
        self.crashed = False
        self.lost_answers = False

    @rule(by_client=st.booleans())
    def handshake(self, by_client: bool) -> None:
        """WireGuard renews the session."""
        if by_client or self.world.has_session:
            self.world.handshake(by_client=by_client)

    @rule(seconds=st.sampled_from((0.1, 0.6, 2.0, 5.0, 16.0, 111.0)))
    def time(self, seconds: float) -> None:
        """Time passes."""
        self.world.pass_time(seconds)

    @rule()
    def calm(self) -> None:
        """All goes well for a while."""
        assert self.world.calm(BOUND) is not None

    @rule()
    def deliver_first(self) -> None:
        """The oldest datagram arrives."""
        if self.world.wire:
            self.world.deliver(0)

    @precondition(lambda self: self.world.wire)
    @rule(data=st.data(), keep=st.booleans())
    def deliver(self, data: st.DataObject, keep: bool) -> None:
        """Any datagram on the way arrives, perhaps not for the last time."""
        self.world.deliver(data.draw(st.integers(0, len(self.world.wire) - 1)), keep=keep)

    @precondition(lambda self: self.world.wire)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        """Any is lost."""
        self.world.wire.pop(data.draw(st.integers(0, len(self.world.wire) - 1)))

    @precondition(lambda self: self.world.wire)
    @rule(data=st.data(), at=st.integers(0, 1300), flip=st.integers(1, 255))
    def forge(self, data: st.DataObject, at: int, flip: int) -> None:
        """A datagram with a changed byte does nothing at all to the keys."""
        to, datagram = data.draw(st.sampled_from(self.world.wire))
        forged = bytearray(datagram)
        forged[at % len(forged)] ^= flip
        host = self.world.client if to == "client" else self.world.gateway
        before = list(host.keys)
        host.do(host.side.received(bytes(forged), self.world.now))
        host.sent.clear()
        assert host.keys == before

    @invariant()
    def no_handshake_fails(self) -> None:
        """Unless an end was started anew, or answers were lost, no handshake fails for the key."""
        assert self.crashed or self.lost_answers or not self.world.failures

    @invariant()
    def the_gate_holds(self) -> None:
        """Where a key of the protocol is demanded, nothing passes in a session that has none."""
        world = self.world
        if self.demanded and world.has_session and world.session == world.base:
            assert not world.client.gate
            assert not world.gateway.gate

    @invariant()
    def keys_are_few(self) -> None:
        """An engine is never given more keys than it is worth trying."""
        assert max(len(self.world.client.keys), len(self.world.gateway.keys)) <= 5

    def teardown(self) -> None:
        """Whatever has happened, in calm both ends are soon protected by the same key."""
        assert self.world.calm(BOUND) is not None, (self.world.client, self.world.gateway)


class Crashing(Exchanging):
    """With ends that are started anew, and handshakes whose answers are lost."""

    @rule()
    def answer_lost(self) -> None:
        """A handshake's answer is lost."""
        self.lost_answers = True
        self.world.handshake(answered=False)

    @rule()
    def client_crashes(self) -> None:
        """The client forgets everything."""
        self.crashed = True
        self.world.start_client()

    @rule()
    def gateway_crashes(self) -> None:
        """The gateway forgets everything."""
        self.crashed = True
        self.world.start_gateway()

    @precondition(lambda self: not self.world.has_session or self.lost_answers)
    @rule()
    def stale(self) -> None:
        """The client's engine gives up on its handshakes."""
        self.world.stale()


class Demanding(Crashing):
    """The same where a key of the protocol is demanded."""

    demanded = True


_SETTINGS = settings(max_examples=300, stateful_step_count=40, deadline=None)
TestExchanging = Exchanging.TestCase
TestExchanging.settings = _SETTINGS
TestCrashing = Crashing.TestCase
TestCrashing.settings = _SETTINGS
TestDemanding = Demanding.TestCase
TestDemanding.settings = _SETTINGS
