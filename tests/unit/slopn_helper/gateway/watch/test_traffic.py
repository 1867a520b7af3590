from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.gateway.watch.traffic import Traffic, is_connected
from support.gateway_status import peer

LOOKS = st.lists(st.dictionaries(st.sampled_from("abc"), st.tuples(st.integers(0, 99), st.integers(0, 99))))


@given(LOOKS)
def test_the_sums_only_grow(looks: list[dict[str, tuple[int, int]]]) -> None:
    """Whatever devices come, go or begin anew: a counter that falls would be a restart to Prometheus."""
    traffic = Traffic()
    for look in looks:
        before = (traffic.received, traffic.sent)
        traffic.see([peer(name, rx=rx, tx=tx) for name, (rx, tx) in look.items()])
        assert traffic.received >= before[0]
        assert traffic.sent >= before[1]


def test_who_goes_takes_nothing_with_him() -> None:
    """And who comes back, counted from nothing, adds what is new."""
    traffic = Traffic()
    traffic.see([peer("a", rx=10, tx=1), peer("b", rx=5, tx=2)])
    traffic.see([peer("b", rx=7, tx=2)])
    traffic.see([peer("a", rx=4, tx=0), peer("b", rx=7, tx=2)])
    assert (traffic.received, traffic.sent) == (21, 3)


def test_a_session_lasts_three_minutes() -> None:
    """As WireGuard has it; who was never heard isn't connected."""
    assert is_connected(peer("a", handshake=1000.0), 1179.0)
    assert not is_connected(peer("a", handshake=1000.0), 1180.0)
    assert not is_connected(peer("a"), 1000.0)
