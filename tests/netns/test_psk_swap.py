from __future__ import annotations

import base64
import os
import secrets
import threading
from functools import partial

from support.enginepair import End, Star
from support.until import until

_DEVICE = f"wp{os.getpid()}{secrets.token_hex(2)}"[:15]


def shown(end: End) -> str:
    """The preshared key of its only peer, as `wg` has it."""
    return end.namespace.run(["wg", "show", _DEVICE, "preshared-keys"]).stdout.split()[1]


def agreed(client: End, server: End, label: int) -> bool:
    """Whether the last session of both has the key of that name."""
    return client.last_key() == server.last_key() == label


def test_a_key_changes_20_times_under_1000_packets_a_second() -> None:
    """No ping of thousands is lost, no handshake fails, each session has the new key, and `wg show` shows it."""
    with Star(interface=_DEVICE, uapi=True) as star:
        star.connect()
        client, server = star.clients[0], star.server
        result: list[str] = []
        enough = threading.Event()

        def ping() -> None:
            while not enough.is_set():
                done = client.namespace.run(f"ping -q -c1000 -i0.001 -W2 {server.inner4}", check=False, timeout=120)
                result.append(done.stdout)

        thread = threading.Thread(target=ping)
        thread.start()
        old: tuple[int, bytes | None] = (0, None)
        invalid = client.loss("rx_invalid"), server.loss("rx_invalid")
        for label in range(1, 21):
            new = (label, secrets.token_bytes(32))
            client.engine.set_preshared_keys(server.public, [old, new])
            server.engine.set_preshared_keys(client.public, [new, old])
            client.engine.set_preshared_keys(server.public, [new, old], initiate=True)
            until(partial(agreed, client, server, label), 10, "a session with the new key")
            client.engine.set_preshared_keys(server.public, [new])
            server.engine.set_preshared_keys(client.public, [new])
            assert shown(client) == base64.b64encode(new[1]).decode()
            old = new
        enough.set()
        thread.join()
        for said in result:
            assert "1000 packets transmitted, 1000 received, 0% packet loss" in said
        assert (client.loss("rx_invalid"), server.loss("rx_invalid")) == invalid


def test_apply_leaves_the_agreed_key_until_the_configured_one_is_another() -> None:
    """The same configuration again keeps key and session; one with another preshared key puts that in force."""
    with Star(interface=_DEVICE, uapi=True) as star:
        star.connect()
        client, server = star.clients[0], star.server
        agreed, configured = secrets.token_bytes(32), secrets.token_bytes(32)
        client.engine.set_preshared_keys(server.public, [(1, agreed)])
        before = client.handshakes(server)
        client.apply(server.as_peer(star.address(client)), initiate=False)
        assert shown(client) == base64.b64encode(agreed).decode()
        assert client.pings(server.inner4, "-c3 -i0.05 -W1")
        assert client.handshakes(server) == before
        client.apply(server.as_peer(star.address(client), psk=configured), initiate=False)
        assert shown(client) == base64.b64encode(configured).decode()
        assert client.pings(server.inner4, "-c3 -i0.05 -W1")


def test_who_was_started_anew_gets_in_with_the_configured_key() -> None:
    """The gateway answers with the agreed key, sees that it isn't used, and tries the configured one."""
    with Star(interface=_DEVICE) as star:
        star.connect()
        client, server = star.clients[0], star.server
        server.engine.set_preshared_keys(client.public, [(1, secrets.token_bytes(32)), (0, None)])
        star.restart(client)
        client.apply(server.as_peer(star.address(client)))
        until(lambda: client.handshakes(server), 15, "the client is in again")
        assert client.pings(server.inner4)
        assert server.last_key() == 0
