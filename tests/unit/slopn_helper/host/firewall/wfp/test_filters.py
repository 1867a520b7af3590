from __future__ import annotations

from ipaddress import ip_network

from slopn_helper.host.firewall.wfp.filters import (
    CLEAR_ACTION_RIGHT,
    Action,
    Condition,
    Field,
    Filter,
    Layer,
    Lifetime,
    Match,
    seen,
)

BLOCK = Filter(Layer.CONNECT_4, 4, Action.BLOCK, "x", (Condition(Field.REMOTE_ADDRESS, ip_network("10.0.0.0/8")),))


def test_a_filter_is_its_key() -> None:
    """Whatever it says is in the key, so that reading the keys back is reading the filters back."""
    others = (
        BLOCK._replace(layer=Layer.CONNECT_6),
        BLOCK._replace(weight=5),
        BLOCK._replace(action=Action.PERMIT),
        BLOCK._replace(conditions=()),
        BLOCK._replace(conditions=(BLOCK.conditions[0]._replace(match=Match.NOT_EQUAL),)),
        BLOCK._replace(lifetime=Lifetime.BOOT),
    )
    assert len({f.key for f in (BLOCK, *others)}) == 1 + len(others)
    assert BLOCK.key == Filter(*BLOCK).key


def test_a_block_is_final_and_a_permit_is_not() -> None:
    """FWPM_FILTER_FLAG_CLEAR_ACTION_RIGHT, with the lifetime's own flag."""
    assert BLOCK.flags == CLEAR_ACTION_RIGHT
    assert BLOCK._replace(action=Action.PERMIT, lifetime=Lifetime.PERSISTENT).flags == 1
    assert seen(BLOCK) == (BLOCK.key, Layer.CONNECT_4.value, 0x1001, 8)


def test_a_layer_knows_its_version() -> None:
    """By its name."""
    assert {layer.version for layer in Layer} == {4, 6}
    assert Layer.FORWARD_6.version == 6
