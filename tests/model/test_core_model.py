"""The whole core enumerated: every reachable state, every input, each effect failing, every mode."""

from __future__ import annotations

from functools import cache

import msgspec
import pytest

from model.world import ENDPOINTS, FACTS, Move, World, advance, explore, settle, wanted
from slopn_helper.host.firewall.policy import Blocked, Open, Tunnelled
from slopn_helper.tunnel.effects import ApplyFirewall, ConfigureHost, SetTimer
from slopn_helper.tunnel.inputs import (
    Connect,
    Drifted,
    EffectFailed,
    HandshakeDone,
    Input,
    NetworkChanged,
    Part,
    Pause,
    ProtectionChanged,
    Resolved,
    Stopping,
    TimerFired,
)
from slopn_helper.tunnel.policy import closed
from slopn_helper.tunnel.states.disconnecting import TRIES
from slopn_wire.commands import Disconnect, Reconnect
from slopn_wire.settings import KillSwitchMode, Settings
from slopn_wire.state import Connected, Connecting, Disconnected, Disconnecting, ErrorCause, ErrorState, Step

MODES = [Settings(kill_switch=mode) for mode in KillSwitchMode]
each_mode = pytest.mark.parametrize("settings", MODES, ids=lambda s: s.kill_switch.value)
UP: tuple[Input, ...] = (Resolved((ENDPOINTS,)), HandshakeDone(), ProtectionChanged())


@cache
def moves(settings: Settings) -> tuple[Move, ...]:
    """All moves under `settings`, also after a change from any other kill switch mode."""
    return tuple(explore(settings, after_others=[world for other in MODES for world in alone(other)]))


@cache
def alone(settings: Settings) -> frozenset[World]:
    """Every place of rest under `settings` and no others."""
    return frozenset(move.after for move in explore(settings) if move.after.resting)


@cache
def rests(settings: Settings) -> frozenset[World]:
    """Every place where the core can come to rest."""
    return frozenset(move.after for move in moves(settings) if move.after.resting)


@each_mode
def test_enough_is_explored(settings: Settings) -> None:
    """The walk reaches every kind of state, and refusals of the firewall in each."""
    kinds = {type(world.state) for world in rests(settings)}
    assert kinds >= {Disconnected, Connecting, Connected, Disconnecting, ErrorState}
    refused = {
        type(move.before.state)
        for move in moves(settings)
        for ran in move.ran
        if ran.failed and isinstance(ran.effect, ApplyFirewall)
    }
    assert refused >= {Disconnected, Connecting}
    assert len(moves(settings)) > 1000


@each_mode
def test_open_only_where_the_table_says(settings: Settings) -> None:
    """With the kill switch on, an open host is disconnected, or stands in an error that says so, or is on its way there."""
    for world in rests(settings):
        if settings.kill_switch is KillSwitchMode.OFF or closed(world.in_force):
            continue
        match world.state:
            case Disconnected():
                assert settings.kill_switch is KillSwitchMode.ON or world.timer, world
            case ErrorState(blocking=blocking):
                assert not blocking, world
            case Disconnecting():
                assert world.timer, world
            case _:
                pytest.fail(f"open in {world}")


@each_mode
def test_what_is_in_force_is_what_the_state_demands(settings: Settings) -> None:
    """At rest the demanded policy is in force, unless it was refused; then there is an error state or none is wanted."""
    for world in rests(settings):
        if world.in_force != wanted(world, settings):
            assert isinstance(world.state, Disconnected | Disconnecting | ErrorState), world
            assert world.timer or isinstance(world.state, ErrorState), world


@each_mode
def test_an_error_tells_the_truth_about_blocking(settings: Settings) -> None:
    """`blocking` says whether the policy in force holds traffic back."""
    for world in rests(settings):
        if isinstance(world.state, ErrorState):
            assert world.state.blocking == closed(world.in_force), world


@each_mode
def test_connected_means_connected(settings: Settings) -> None:
    """Connected is claimed only with the engine running, the host configured and the policy in force."""
    for world in rests(settings):
        if isinstance(world.state, Connected):
            assert world.engine, world
            assert world.configured, world
            assert world.in_force == wanted(world, settings), world


def demanding(world: World) -> bool:
    """Whether the profile that is wanted demands a post-quantum key."""
    return not isinstance(world.state, Disconnected) and bool(FACTS[world.state.profile].demands)


@each_mode
def test_nothing_passes_without_the_key_that_is_demanded(settings: Settings) -> None:
    """In any mode: connected is claimed with the key alone, and whatever else is wanted is closed, the tunnel as well."""
    seen = set()
    for world in filter(demanding, rests(settings)):
        if isinstance(world.state, Connected):
            assert world.protected, world
        elif not isinstance(world.state, ErrorState | Disconnecting):
            assert isinstance(world.in_force, Blocked), world
        else:
            assert isinstance(world.in_force, Blocked) or world.in_force != wanted(world, settings), world
        seen.add(type(world.state))
    assert seen == {Connecting, Connected, Disconnecting, ErrorState}


@each_mode
def test_a_key_that_is_gone_closes_before_anything_else(settings: Settings) -> None:
    """And nothing of the tunnel is undone: it is open again as soon as there is another."""
    for world in rests(settings):
        if not isinstance(world.state, Connected) or not demanding(world):
            continue
        lost = advance(msgspec.structs.replace(world, protected=False), ProtectionChanged(), settings)
        assert isinstance(lost.ran[0].effect, ApplyFirewall), lost
        assert lost.after.state == Connecting(
            "q", 1, Step.PROTECTING, ENDPOINTS, world.state.interface, ErrorCause.UNPROTECTED
        )
        assert isinstance(settle(lost.after, settings, ProtectionChanged()).state, Connected)


@each_mode
def test_the_firewall_leads_when_it_closes_and_trails_when_it_opens(settings: Settings) -> None:
    """A block goes before every other effect of its step, an opening after all of them."""
    for move in moves(settings):
        at = [i for i, ran in enumerate(move.ran) if isinstance(ran.effect, ApplyFirewall)]
        assert len(at) <= 1
        for i in at:
            effect = move.ran[i].effect
            assert isinstance(effect, ApplyFirewall)
            if isinstance(effect.policy, Blocked):
                assert i == 0, move
            else:
                assert isinstance(effect.policy, Open | Tunnelled)
                assert i == len(move.ran) - 1, move


@each_mode
def test_nothing_is_begun_in_the_open(settings: Settings) -> None:
    """With the kill switch on, no effect that prepares a tunnel runs before the block is in force."""
    if settings.kill_switch is KillSwitchMode.OFF:
        return
    for move in moves(settings):
        if isinstance(move.after.state, Connecting | Connected):
            for ran in move.ran:
                assert closed(ran.in_force) or isinstance(ran.effect, ApplyFirewall), move


@each_mode
def test_a_refused_firewall_is_never_silent(settings: Settings) -> None:
    """A refusal leads to an error state, unless no tunnel is wanted; then it is tried again."""
    for move in moves(settings):
        if isinstance(move.inp, EffectFailed) and isinstance(move.inp.effect, ApplyFirewall):
            assert isinstance(move.after.state, ErrorState | Disconnected | Disconnecting), move
            assert not any(isinstance(ran.effect, ApplyFirewall) for ran in move.ran), move


@each_mode
def test_what_others_change_is_put_back(settings: Settings) -> None:
    """Rules are put in force again wherever we stand, the tunnel's routes and DNS while it is up; the state stays."""
    for world in rests(settings):
        for part in Part:
            move = advance(world, Drifted(part), settings)
            did = [type(ran.effect) for ran in move.ran]
            assert type(move.after.state) is type(world.state), move
            if part is Part.FIREWALL:
                assert did == [ApplyFirewall], move
                assert move.after.in_force == wanted(move.after, settings), move
            elif isinstance(world.state, Connected):
                assert did[0] is ConfigureHost, move


@each_mode
def test_nothing_waits_for_ever(settings: Settings) -> None:
    """Every state that isn't an end has a timer, unless only the user can help or the timer itself was refused."""
    refused = {world for move in moves(settings) if _refuses_the_timer(move) for world in (move.after,)}
    for world in rests(settings) - refused:
        match world.state:
            case ErrorState(cause=ErrorCause.BAD_PROFILE) | Disconnected(resume=None) | Connected():
                continue
            case Connecting(step=step):
                assert step is not Step.CONFIGURING, world
                assert world.timer, world
            case _:
                assert world.timer, world


def _refuses_the_timer(move: Move) -> bool:
    return isinstance(move.inp, EffectFailed) and isinstance(move.inp.effect, SetTimer)


@each_mode
def test_disconnect_always_leads_home(settings: Settings) -> None:
    """From everywhere, when nothing fails any more: disconnected, nothing left, the policy of the table."""
    for world in rests(settings):
        home = settle(world, settings, Disconnect(), *[TimerFired()] * TRIES)
        assert isinstance(home.state, Disconnected), world
        assert (home.engine, home.configured) == (False, False), world
        assert home.in_force == wanted(home, settings), world


@each_mode
def test_the_end_of_the_helper_undoes_all_but_the_block(settings: Settings) -> None:
    """From everywhere, when nothing fails any more: engine and host are as before, a closed host stays closed."""
    for world in rests(settings):
        end = settle(world, settings, Stopping(), *[TimerFired()] * TRIES)
        if isinstance(world.state, Connecting | Connected | ErrorState):
            before = advance(world, Stopping(), settings).after
            assert closed(before.in_force) == (settings.kill_switch is not KillSwitchMode.OFF or demanding(world)), (
                world
            )
            stopped = settle(world, settings, Stopping())
            assert isinstance(stopped.state, ErrorState), world
            assert (stopped.engine, stopped.configured) == (False, False), world
            assert stopped.in_force == before.in_force, world
        else:
            assert isinstance(end.state, Disconnected | ErrorState | Connecting), world


@each_mode
def test_connect_always_leads_to_a_tunnel(settings: Settings) -> None:
    """From everywhere, when nothing fails any more: connected to what was asked for."""
    for world in rests(settings):
        up = settle(world, settings, Connect("b"), *[TimerFired()] * TRIES, Connect("b"), *UP)
        assert isinstance(up.state, Connected), (world, up)
        assert up.state.profile == "b"
        assert up.in_force == wanted(up, settings)


@each_mode
def test_a_pause_always_begins(settings: Settings) -> None:
    """From everywhere, when nothing fails any more: no tunnel, nothing left, a timer runs, the policy of the table."""
    for world in rests(settings):
        paused = settle(world, settings, Pause("b"), *[TimerFired()] * TRIES, pause_left=60.0)
        assert paused.state == Disconnected(resume="b"), world
        assert paused.timer, world
        assert (paused.engine, paused.configured) == (False, False) or isinstance(world.state, Disconnected), world
        assert paused.in_force == wanted(paused, settings), world


@each_mode
@pytest.mark.parametrize("end", [TimerFired(), NetworkChanged(online=True), Connect("b")], ids=repr)
def test_a_pause_always_ends(settings: Settings, end: Input) -> None:
    """When its time is up, by the timer, after sleep or because the user says so, a tunnel is built, closed from the start."""
    for world in rests(settings):
        if not isinstance(world.state, Disconnected) or world.state.resume is None:
            continue
        begun = advance(world, end, settings).after
        assert isinstance(begun.state, Connecting), world
        assert closed(begun.in_force) == (settings.kill_switch is not KillSwitchMode.OFF), world
        assert isinstance(settle(world, settings, end, *UP).state, Connected), world


@each_mode
def test_a_pause_lasts_its_time(settings: Settings) -> None:
    """While there is time left, only the user or a timer that can't be set ends it."""
    for move in moves(settings):
        before, after = move.before.state, move.after.state
        if isinstance(before, Disconnected) and before.resume and isinstance(after, Connecting) and move.pause_left:
            by_user = isinstance(move.inp, Connect | Reconnect)
            assert by_user or _refuses_the_timer(move), move


@each_mode
def test_a_wish_is_worked_at_without_the_user(settings: Settings) -> None:
    """From every state that wants a tunnel, timers and answers alone lead to it."""
    for world in rests(settings):
        hopeless = isinstance(world.state, ErrorState) and world.state.cause is ErrorCause.BAD_PROFILE
        if isinstance(world.state, Connecting | ErrorState) and not hopeless:
            up = settle(world, settings, TimerFired(), TimerFired(), *UP, *UP)
            if not isinstance(up.state, Connected):
                up = settle(up, settings, TimerFired(), *UP)
            assert isinstance(up.state, Connected), (world, up)
