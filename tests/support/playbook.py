"""A conversation with the core, written down: `give` an input, `expect` the effects, `then` look at the state."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Self

from slopn_helper.host.firewall.policy import FirewallPolicy
from slopn_helper.tunnel.context import Context, ProfileFacts
from slopn_helper.tunnel.effects import ApplyFirewall, Effect
from slopn_helper.tunnel.inputs import EffectFailed, Input
from slopn_helper.tunnel.machine import step
from slopn_wire.profile import Endpoint
from slopn_wire.settings import KillSwitchMode, Settings
from slopn_wire.state import Disconnected, TunnelState

ENDPOINT = Endpoint("192.0.2.1", 51820)
ADDRESS, RESOLVER, UPSTREAM = ip_address("10.9.0.2"), ip_address("10.9.0.1"), ip_address("192.0.2.53")
FACTS: Mapping[str, ProfileFacts] = {"a": ProfileFacts((ADDRESS,), (RESOLVER,)), "b": ProfileFacts()}


class Playbook:
    """The core in a world where effects do what they should, until `fail` says otherwise.

    Policies are kept out of `expect` unless `firewall` asks for them: that they are right everywhere is the model's to
    say, here the steps of a tunnel are read like a dialogue.
    """

    def __init__(self, state: TunnelState | None = None, *, mode: KillSwitchMode = KillSwitchMode.ON) -> None:
        self.state = state or Disconnected()
        self.settings = Settings(kill_switch=mode)
        self.in_force: FirewallPolicy | None = None
        self._effects: tuple[Effect, ...] = ()

    def give(self, *inputs: Input) -> Self:
        """Feed inputs; the effects of the last one are what `expect` sees."""
        for inp in inputs:
            nxt = step(self.state, inp, self.settings, Context(FACTS, (UPSTREAM,), self.in_force))
            self.state, self._effects = nxt.state, nxt.effects
            for effect in nxt.effects:
                if isinstance(effect, ApplyFirewall):
                    self.in_force = effect.policy
        return self

    def fail(self, effect: Effect) -> Self:
        """`effect` fails."""
        return self.give(EffectFailed(effect, "for the test"))

    def expect(self, *effects: Effect) -> Self:
        """These effects were asked for, in this order, policies aside."""
        asked = tuple(effect for effect in self._effects if not isinstance(effect, ApplyFirewall))
        assert asked == effects, f"asked for {asked}, expected {effects}"
        return self

    def firewall(self, policy: FirewallPolicy) -> Self:
        """This policy is in force now."""
        assert self.in_force == policy, f"in force is {self.in_force}, expected {policy}"
        return self

    def then(self, state: TunnelState) -> Self:
        """The state is this one."""
        assert self.state == state, f"the state is {self.state}, expected {state}"
        return self
