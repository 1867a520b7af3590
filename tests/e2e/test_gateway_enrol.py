"""From a token to browsing, and out again: gateway, helper and command line as they are."""

from __future__ import annotations

import json

from support.gateway_process import GatewayProcess
from support.helper_process import HelperProcess
from support.probe import ping
from support.topology import DNS4, WEB4, Lab
from support.until import until


def test_a_link_is_all_that_a_device_needs() -> None:
    """`token create`, `slopn enrol`, `slopn connect`: traffic by NAT under a post-quantum key, until it is revoked."""
    settings = {"dns": {"servers": [DNS4]}}
    with (
        Lab(uplinks=("eth0",)) as lab,
        GatewayProcess(lab.gateway, settings) as gateway,
        HelperProcess(lab.client) as helper,
    ):
        link = json.loads(gateway.cli("token", "create", "--json").stdout)["link"]
        enrolled = helper.cli("enrol", link, "--yes")
        assert enrolled.returncode == 0, enrolled.stderr
        assert helper.cli("connect").returncode == 0
        helper.wait_state("connected", 60.0)
        assert ping(lab.client, WEB4)

        def protected() -> bool:
            (peer,) = gateway.status()["peers"]
            return bool(peer["post_quantum"])

        until(protected, 60.0, "the gateway has a post-quantum key with the device")
        (peer,) = gateway.status()["peers"]
        gateway.cli("device", "revoke", peer["device"])
        until(lambda: gateway.status()["peers"] == [], 30.0, "the device is out")
        assert not ping(lab.client, WEB4)
        # The token was for one device.
        again = helper.cli("enrol", link, "--yes")
        assert again.returncode != 0
