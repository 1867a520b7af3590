from __future__ import annotations

from support.enginepair import Star, transfer
from support.until import until


def test_sessions_are_renewed_without_losing_a_packet() -> None:
    """With sessions that are renewed every second instead of every two minutes, no ping of hundreds is lost.

    The engine's `rekey_after` shortens the age at which the initiator asks for new keys; everything after that is the
    protocol's own way: both keys are valid while the sides change over.
    """
    with Star(rekey_after=1.0) as star:
        star.connect()
        client, server = star.clients[0], star.server
        before = client.handshakes(server)
        assert client.pings(server.inner4, "-q -c400 -i0.02 -W2")
        assert client.handshakes(server) >= before + 4
        assert server.handshakes(client) >= before + 4


def test_bulk_data_survives_renewals() -> None:
    """A stream that goes on over several renewals arrives whole."""
    with Star(rekey_after=0.5) as star:
        star.connect()
        client, server = star.clients[0], star.server
        before = client.handshakes(server)

        def enough() -> bool:
            transfer(client.namespace, server.namespace, server.inner6, 30 << 20)
            return client.handshakes(server) >= before + 3

        until(enough, 60, "three renewals")


def test_without_the_argument_sessions_are_not_renewed_so_soon() -> None:
    """The positive control: by default the same traffic causes no renewal."""
    with Star() as star:
        star.connect()
        client, server = star.clients[0], star.server
        before = client.handshakes(server)
        assert client.pings(server.inner4, "-q -c100 -i0.02 -W2")
        assert client.handshakes(server) == before
