"""`slopn-gateway status`: how the running gateway is, once or again and again."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator

from slopn_helper.gateway import cli
from slopn_helper.gateway.cli import asked, output
from slopn_helper.gateway.status import GatewayStatus, PeerStatus
from slopn_helper.gateway.watch.traffic import is_connected

HELP = "how the running gateway is"
EVERY = 2.0
"""Seconds between two looks."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("--watch", action="store_true", help=f"again every {EVERY:g} seconds, until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="for programs; with --watch a line each time")


def run(arguments: argparse.Namespace) -> int:
    """Do it. Exit status 1 where no gateway runs, or it lets no devices in."""
    path = cli.paths(arguments).admin_socket
    while True:
        found = asked.status(path)
        if arguments.json:
            output.put_json(found)
        else:
            if arguments.watch and sys.stdout.isatty():
                output.put("\x1b[H\x1b[2J")
            output.say(*lines(found, time.time()))
        if not arguments.watch:
            return cli.DONE if found.serving else cli.FAILED
        try:
            time.sleep(EVERY)
        except KeyboardInterrupt:
            return cli.DONE


def lines(status: GatewayStatus, now: float) -> Iterator[str]:
    """It for a person."""
    state = "lets devices in" if status.serving else "LETS NO DEVICE IN"
    enrols = "enrols" if status.enrolling else "CAN'T ENROL now"
    yield f"Gateway {status.id} at {status.endpoint}: {state}, {enrols}."
    yield f"Version {status.version}, for {output.span(max(0.0, now - status.since))}; interface {status.interface}."
    for pool in status.pools:
        yield f"Pool {pool.name}: {pool.lent} of {pool.size} addresses lent."
    refused = {why: count for why, count in sorted(status.refused_packets.items()) if count}
    if refused:
        yield f"Refused packets: {', '.join(f'{why} {count}' for why, count in refused.items())}."
    yield f"Bans of its own: {status.bans} (`slopn-gateway bans list` has Fail2Ban's as well)."
    for trouble in status.trouble:
        yield f"Trouble ({trouble.code}): {trouble.message}"
    connected = sum(is_connected(peer, now) for peer in status.peers)
    yield f"Devices: {connected} connected of {len(status.peers)} that may."
    if status.peers:
        head = ("NAME", "ADDRESSES", "HANDSHAKE", "RECEIVED", "SENT", "FROM", "POST-QUANTUM")
        yield from output.table(head, (_row(peer, now) for peer in status.peers))


def _row(peer: PeerStatus, now: float) -> tuple[str, ...]:
    return (
        peer.name,
        " ".join(map(str, peer.addresses)),
        output.ago(peer.last_handshake, now),
        output.size(peer.rx_bytes),
        output.size(peer.tx_bytes),
        "" if peer.endpoint is None else str(peer.endpoint),
        "yes" if peer.post_quantum else "no",
    )
