"""What `step` adds to the states: the firewall, in its place, and the truth about blocking."""

from __future__ import annotations

from slopn_helper.host.firewall.policy import Blocked, Open, Tunnelled
from slopn_helper.tunnel.context import Context
from slopn_helper.tunnel.effects import ApplyFirewall, ResolveEndpoints, SetTimer, StartEngine
from slopn_helper.tunnel.inputs import Connect, EffectFailed, HostConfigured, SettingsApplied, Stopping
from slopn_helper.tunnel.machine import step
from slopn_wire.settings import KillSwitchMode, Settings
from slopn_wire.state import (
    AfterDisconnect,
    Connected,
    Connecting,
    Disconnected,
    Disconnecting,
    ErrorCause,
    ErrorState,
    Step,
)
from support.playbook import ADDRESS, ENDPOINT, FACTS, RESOLVER, UPSTREAM, Playbook

BLOCKED = Blocked(resolvers=(UPSTREAM,), addresses=(ADDRESS,))
TUNNELLED = Tunnelled(allow_lan=False, endpoints=(ENDPOINT,), interface="slopn0", addresses=(ADDRESS,), dns=(RESOLVER,))


def test_a_block_goes_first() -> None:
    """Before anything of the connection is begun."""
    nxt = step(Disconnected(), Connect("a"), Settings(), Context(FACTS, (UPSTREAM,), Open()))
    assert nxt.effects[0] == ApplyFirewall(BLOCKED)
    assert nxt.effects[-1] == ResolveEndpoints("a")


def test_an_opening_goes_last() -> None:
    """The tunnel is let through once it carries traffic."""
    configured = Connecting("a", step=Step.CONFIGURING, endpoints=(ENDPOINT,), interface="slopn0")
    nxt = step(configured, HostConfigured(), Settings(), Context(FACTS, (), Blocked()))
    assert nxt.effects[-1] == ApplyFirewall(TUNNELLED)


def test_what_is_in_force_is_not_applied_again() -> None:
    """An input that changes nothing asks for nothing."""
    nxt = step(Connected("a", (ENDPOINT,), "slopn0"), Connect("a"), Settings(), Context(FACTS, (), TUNNELLED))
    assert nxt.effects == ()


def test_settings_take_effect_at_once() -> None:
    """Switching the kill switch off opens the host, whatever the state."""
    off = Settings(kill_switch=KillSwitchMode.OFF)
    nxt = step(Connected("a", (ENDPOINT,), "slopn0"), SettingsApplied(), off, Context(FACTS, (), TUNNELLED))
    assert nxt.effects == (ApplyFirewall(Open()),)


def test_a_refused_policy_is_not_demanded_in_the_same_breath() -> None:
    """A firewall that always refuses doesn't keep the driver busy for ever."""
    refusal = EffectFailed(ApplyFirewall(BLOCKED), "no")
    nxt = step(Connecting("a"), refusal, Settings(), Context(FACTS, (UPSTREAM,), Open()))
    assert not any(isinstance(effect, ApplyFirewall) for effect in nxt.effects)
    assert nxt.state == ErrorState(ErrorCause.FIREWALL, "a", blocking=False)


def test_an_error_is_blocking_when_the_block_is_in_force() -> None:
    """The same failure with the block already there."""
    refusal = EffectFailed(ApplyFirewall(TUNNELLED), "no")
    nxt = step(Connected("a", (ENDPOINT,), "slopn0"), refusal, Settings(), Context(FACTS, (), BLOCKED))
    assert nxt.state == ErrorState(ErrorCause.FIREWALL, "a", blocking=True)


def test_the_end_keeps_the_block() -> None:
    """A helper that is told to end undoes the tunnel and not the kill switch."""
    book = Playbook(Connected("a", (ENDPOINT,), "slopn0")).give(Stopping())
    assert book.in_force == Blocked(addresses=(ADDRESS,))


def test_equal_arguments_give_equal_results() -> None:
    """A recorded list of inputs is the whole bug report."""
    arguments = (Connecting("a"), EffectFailed(StartEngine("a", ()), "x"), Settings(), Context(FACTS))
    assert step(*arguments) == step(*arguments)
    assert SetTimer(None) in step(*arguments).effects


def test_the_end_lets_nothing_begin_anew() -> None:
    """A profile that was to come after the teardown comes with the next start; what else comes after it stays."""
    for then, after in ((AfterDisconnect.RECONNECT, AfterDisconnect.BLOCK), (AfterDisconnect.NOTHING,) * 2):
        nxt = step(Disconnecting("b", then, 1), Stopping(), Settings(), Context(FACTS, (), Blocked()))
        assert isinstance(nxt.state, Disconnecting)
        assert (nxt.state.profile, nxt.state.then, nxt.state.attempt) == ("b", after, 1)
