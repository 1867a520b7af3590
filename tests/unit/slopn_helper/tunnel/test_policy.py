"""The policy table of docs/security.md, row by row: the test reads it there."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path

import msgspec
import pytest

from slopn_helper.host.firewall.policy import Blocked, FirewallPolicy, Inside, Open, Tunnelled
from slopn_helper.tunnel.context import Context, Errand, ProfileFacts
from slopn_helper.tunnel.policy import closed, policy_for
from slopn_wire.profile import Endpoint
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
    TunnelState,
)
from support.playbook import ADDRESS, ENDPOINT, FACTS, RESOLVER, UPSTREAM

SECURITY = Path(__file__).parents[4] / "docs/security.md"
STATES: dict[str, TunnelState] = {
    "disconnected": Disconnected(),
    "connecting": Connecting("a"),
    "connected": Connected("a", (ENDPOINT,), "slopn0"),
    "disconnecting": Disconnecting("a", AfterDisconnect.NOTHING),
    "error": ErrorState(ErrorCause.HOST, "a"),
}
WORDS: dict[str, type[FirewallPolicy]] = {"open": Open, "blocked": Blocked, "tunnelled": Tunnelled}
CTX = Context(FACTS, (UPSTREAM,))


def documented() -> list[tuple[str, str, str]]:
    """(mode, state, word) of each cell of the table "by state" in docs/security.md."""
    text = SECURITY.read_text(encoding="utf-8")
    table = text.split("<!-- policy by state -->")[1].split("\n\n")[1]
    header, _, *rows = [re.split(r"\s*\|\s*", line.strip().strip("|").strip()) for line in table.splitlines()]
    return [(mode, state, word) for mode, *words in rows for state, word in zip(header[1:], words, strict=True)]


def test_the_table_is_whole() -> None:
    """A cell for each mode and state."""
    assert {(mode, state) for mode, state, _ in documented()} == {(m.value, s) for m in KillSwitchMode for s in STATES}


@pytest.mark.parametrize(("mode", "state", "word"), documented())
def test_each_cell_of_the_table_holds(mode: str, state: str, word: str) -> None:
    """What the document says of a mode and a state is what the function gives."""
    policy = policy_for(STATES[state], Settings(kill_switch=KillSwitchMode(mode)), CTX)
    assert isinstance(policy, WORDS[word])


def test_resolvers_are_reachable_only_while_resolving() -> None:
    """The pinhole for names is closed again before the handshake."""
    for step in Step:
        policy = policy_for(Connecting("a", step=step), Settings(), CTX)
        assert isinstance(policy, Blocked)
        assert policy.resolvers == ((UPSTREAM,) if step is Step.RESOLVING else ())


@pytest.mark.parametrize("state", STATES)
def test_an_enrolment_api_is_reachable_during_the_errand_alone(state: str) -> None:
    """In every closed policy, with the resolvers while its name is asked for; an open one stays open."""
    always, off = Settings(kill_switch=KillSwitchMode.ALWAYS), Settings(kill_switch=KillSwitchMode.OFF)
    api = Endpoint("203.0.113.10", 443)
    for errand in (Errand(), Errand(names=True), Errand(apis=(api,))):
        policy = policy_for(STATES[state], always, msgspec.structs.replace(CTX, errand=errand))
        assert not isinstance(policy, Open)
        assert policy.apis == errand.apis
        resolving = errand.names or state == "connecting"
        assert policy.resolvers == ((UPSTREAM,) if resolving else ())
        assert policy_for(STATES[state], off, msgspec.structs.replace(CTX, errand=errand)) == Open()


@pytest.mark.parametrize("lan", [False, True])
def test_the_lan_is_the_settings_word(lan: bool) -> None:
    """In every closed policy, and in none else."""
    for state in STATES.values():
        policy = policy_for(state, Settings(kill_switch=KillSwitchMode.ALWAYS, allow_lan=lan), CTX)
        assert not isinstance(policy, Open)
        assert policy.allow_lan is lan


def test_tunnelled_knows_interface_addresses_and_resolvers() -> None:
    """All that the firewall needs to tell the tunnel from the rest."""
    policy = policy_for(STATES["connected"], Settings(), CTX)
    assert policy == Tunnelled(
        allow_lan=False, endpoints=(ENDPOINT,), interface="slopn0", addresses=(ADDRESS,), dns=(RESOLVER,)
    )


def test_a_forgotten_profile_still_has_a_policy() -> None:
    """The function is total: a profile that is gone has no addresses, and the host stays closed."""
    assert policy_for(Connecting("gone"), Settings(), CTX) == Blocked(resolvers=(UPSTREAM,))


def test_closed() -> None:
    """Unknown is not closed: nobody may be told that he is protected by rules that nobody has seen."""
    assert not closed(None)
    assert not closed(Open())
    assert closed(Blocked())
    assert closed(Tunnelled(allow_lan=False, endpoints=(), interface="slopn0", dns=(ip_address("10.0.0.1"),)))


def test_a_demanded_key_closes_in_every_mode() -> None:
    """Whatever is wanted, and connected too: only its agreement goes into the tunnel. With it, all is as in the table."""
    inside = ip_address("10.9.0.1")
    bare = Context({"a": ProfileFacts((ADDRESS,), (RESOLVER,), (inside,))}, (UPSTREAM,))
    for mode in KillSwitchMode:
        settings = Settings(kill_switch=mode)
        for name in ("connecting", "connected", "disconnecting", "error"):
            assert isinstance(policy_for(STATES[name], settings, bare), Blocked), (mode, name)
        connected = policy_for(STATES["connected"], settings, bare)
        assert isinstance(connected, Blocked)
        assert connected.inside == Inside("slopn0", (inside,))
        assert connected.endpoints == (ENDPOINT,)
        going = policy_for(Connecting("a", step=Step.PROTECTING, interface="slopn0"), settings, bare)
        assert isinstance(going, Blocked)
        assert going.inside == Inside("slopn0", (inside,))
        held = msgspec.structs.replace(bare, protected=True)
        assert isinstance(policy_for(STATES["connected"], settings, held), Tunnelled)
    assert policy_for(Disconnected(), Settings(), bare) == Open()
