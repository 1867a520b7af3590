from __future__ import annotations

import time

from prometheus_client.parser import text_string_to_metric_families

from slopn_helper.gateway.bans import Why
from slopn_helper.gateway.status import GatewayStatus, Meter, Trouble
from slopn_helper.gateway.watch.metrics import Metrics
from support.gateway_status import peer, status

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def series(metrics: Metrics, found: GatewayStatus | None) -> Series:
    """All that is told, as the library's own parser reads it."""
    families = text_string_to_metric_families(metrics.text(found).decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_what_the_gateway_is_can_be_read() -> None:
    """Each figure of a status has its series."""
    seen = peer("a", rx=1000, tx=500, handshake=time.time() - 5)
    trouble = (Trouble("database", "It is gone."),)
    found = series(Metrics(), status(seen, peer("b"), enrolling=False, trouble=trouble))
    wanted = {
        ("slopn_gateway_up", ()): 1,
        ("slopn_gateway_info", (("gateway", "gw1"), ("version", "1.2.3"))): 1,
        ("slopn_gateway_serving", ()): 1,
        ("slopn_gateway_enrolling", ()): 0,
        ("slopn_gateway_peers", ()): 2,
        ("slopn_gateway_peers_connected", ()): 1,
        ("slopn_gateway_received_bytes_total", ()): 1000,
        ("slopn_gateway_sent_bytes_total", ()): 500,
        ("slopn_gateway_pool_leases", (("pool", "v4"),)): 2,
        ("slopn_gateway_pool_addresses", (("pool", "v4"),)): 253,
        ("slopn_gateway_refused_packets_total", (("why", "spoofed"),)): 3,
        ("slopn_gateway_bans", ()): 2,
        ("slopn_gateway_trouble", (("code", "database"),)): 1,
    }
    assert {key: found.get(key) for key in wanted} == wanted


def test_what_happens_is_counted() -> None:
    """By the meter's five words; refusals begin at nothing, so that the first one shows."""
    metrics = Metrics()
    meter: Meter = metrics
    assert series(metrics, None)["slopn_gateway_refusals_total", (("why", "bad_token"),)] == 0
    meter.request("/v1/enrol", 201, 0.03)
    meter.enrolled()
    meter.refused(Why.BAD_TOKEN)
    meter.handshake(None)
    meter.handshake(0.04)
    meter.put_in_force(0.004)
    found = series(metrics, None)
    labels = (("path", "/v1/enrol"), ("status", "201"))
    assert found["slopn_gateway_request_seconds_count", labels] == 1
    assert found["slopn_gateway_request_seconds_bucket", (("le", "0.02"), *labels)] == 0
    assert found["slopn_gateway_request_seconds_bucket", (("le", "0.05"), *labels)] == 1
    assert found["slopn_gateway_enrolments_total", ()] == 1
    assert found["slopn_gateway_refusals_total", (("why", "bad_token"),)] == 1
    assert found["slopn_gateway_handshakes_total", ()] == 2
    assert found["slopn_gateway_handshake_seconds_count", ()] == 1
    assert found["slopn_gateway_put_in_force_seconds_count", ()] == 1


def test_without_a_status_what_was_counted_is_told_all_the_same() -> None:
    """And that there is none; figures of an older status aren't repeated as if they were new."""
    metrics = Metrics()
    metrics.enrolled()
    series(metrics, status(peer("a")))
    found = series(metrics, None)
    assert found["slopn_gateway_up", ()] == 0
    assert found["slopn_gateway_enrolments_total", ()] == 1
    assert ("slopn_gateway_peers", ()) not in found


def test_devices_are_told_apart_only_where_that_is_asked_for() -> None:
    """By id; neither a name nor an address is ever in it."""
    seen = peer("device-1", name="Bob's phone", rx=7, handshake=time.time())
    usual, asked = (Metrics(per_device=each).text(status(seen)).decode() for each in (False, True))
    assert "device-1" not in usual
    assert 'slopn_gateway_device_received_bytes_total{device="device-1"} 7.0' in asked
    for text in (usual, asked):
        assert "Bob" not in text
        assert "198.51.100.7" not in text
        assert "10.0.0.2" not in text
