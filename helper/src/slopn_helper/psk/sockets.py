"""Sockets that reach the other end through the tunnel and no other way (socket(7): SO_BINDTODEVICE)."""

from __future__ import annotations

import socket
from ipaddress import ip_address

from slopn_helper.psk import PORT


def open_socket(interface: str, address: str, port: int = PORT) -> socket.socket:
    """A UDP socket at our address in the tunnel that sends and receives by `interface` alone. Raises `OSError`.

    What the strong binding gives: a datagram that comes in on another interface, with whatever addresses,
    never arrives, and one that we send without the tunnel fails.
    """
    family = socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET
    made = socket.socket(family, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        made.bind((address, port))
    except BaseException:
        made.close()
        raise
    return made
