"""Disconnected waits for a wish."""

from __future__ import annotations

from slopn_helper.host.firewall.policy import Blocked, Open
from slopn_helper.tunnel.effects import ApplyFirewall, ResolveEndpoints, RestoreHost, SetTimer, StopEngine
from slopn_helper.tunnel.inputs import Connect, NetworkChanged, Started
from slopn_helper.tunnel.states.connecting import RESOLVE_WITHIN
from slopn_helper.tunnel.states.disconnected import REFUSED_AGAIN_AFTER
from slopn_wire.commands import Disconnect, Reconnect
from slopn_wire.settings import KillSwitchMode
from slopn_wire.state import Connecting, Disconnected
from support.playbook import ADDRESS, UPSTREAM, Playbook


def test_connect() -> None:
    """A wish leads to connecting, closed."""
    book = Playbook().give(Connect("a")).then(Connecting("a"))
    book.expect(SetTimer(RESOLVE_WITHIN), ResolveEndpoints("a"))
    book.firewall(Blocked(resolvers=(UPSTREAM,), addresses=(ADDRESS,)))


def test_a_start_with_a_wish_undoes_what_is_left_and_connects() -> None:
    """A helper that was killed while connected connects again by itself."""
    book = Playbook().give(Started("a")).then(Connecting("a"))
    book.expect(RestoreHost(), SetTimer(RESOLVE_WITHIN), ResolveEndpoints("a"))


def test_a_start_without_a_wish_opens() -> None:
    """Leftovers are undone, and the host is open."""
    book = Playbook().give(Started(None)).then(Disconnected())
    book.expect(RestoreHost(), StopEngine()).firewall(Open())


def test_a_start_in_mode_always_blocks() -> None:
    """Nothing leaves before a tunnel is up."""
    Playbook(mode=KillSwitchMode.ALWAYS).give(Started(None)).firewall(Blocked())


def test_disconnect_once_more_tries_the_teardown_again() -> None:
    """What could not be undone gets another chance."""
    Playbook().give(Disconnect()).then(Disconnected()).expect(RestoreHost(), StopEngine())


def test_a_refused_opening_is_tried_again() -> None:
    """The user must not stay locked out."""
    Playbook().fail(ApplyFirewall(Open())).then(Disconnected()).expect(SetTimer(REFUSED_AGAIN_AFTER))


def test_the_rest_means_nothing() -> None:
    """Networks come and go, nobody is connected."""
    Playbook().give(NetworkChanged(online=True), Reconnect()).then(Disconnected()).expect()
