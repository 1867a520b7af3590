"""The real wg and wg-quick as readers of configuration files: what they make of one, without any device.

`wg setconf` sends what it read to a UAPI socket, which is ours; wg-quick's parser is run by sourcing the script up to
the point that it marks for such use.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Self

from support.netns import Namespace

Device = tuple[dict[str, str], list[dict[str, Any]]]

# What wg-quick leaves for wg, and what it keeps for itself.
_QUICK = r"""
source <(sed '/^# ~~ function override insertion point ~~$/,$d' "$(command -v wg-quick)")
parse_options "$1" 2>/dev/null
printf '%s\0' "$WG_CONFIG" "$MTU" "$TABLE" "$SAVE_CONFIG" "${#ADDRESSES[@]}" "${ADDRESSES[@]}" \
    "${#DNS[@]}" "${DNS[@]}" "${#DNS_SEARCH[@]}" "${DNS_SEARCH[@]}" "${#PRE_UP[@]}" "${#POST_UP[@]}" \
    "${#PRE_DOWN[@]}" "${#POST_DOWN[@]}"
"""


class WgReader:
    """The real programs in `namespace`, which is private; files go to `folder`, `hosts` (name → address) resolve."""

    def __init__(self, namespace: Namespace, folder: Path, hosts: Mapping[str, str]) -> None:
        self._namespace = namespace
        self._folder = folder
        lines = "".join(f"{address} {name} {name}.\n" for name, address in hosts.items())
        (namespace.root() / "etc/hosts").write_text(lines)
        (namespace.root() / "etc/nsswitch.conf").write_text("hosts: files\n")
        self._received: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(namespace.root() / "run/wireguard/wgtest.sock"))
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def quick(self, text: str) -> dict[str, Any]:
        """What wg-quick reads; `rest` is what it hands to wg."""
        path = self._folder / "wgtest.conf"
        path.write_bytes(text.encode())
        done = subprocess.run(["bash", "-c", _QUICK, "bash", str(path)], capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.decode())
        fields = iter(done.stdout.decode().split("\0"))
        read: dict[str, Any] = {name: next(fields) for name in ("rest", "mtu", "table", "save")}
        for name in ("addresses", "dns", "search"):
            read[name] = [next(fields) for _ in range(int(next(fields)))]
        read["hooks"] = sum(int(next(fields)) for _ in range(4))
        return read

    def strip(self, text: str) -> str:
        """`wg-quick strip` itself."""
        path = self._folder / "wgtest.conf"
        path.write_bytes(text.encode())
        done = subprocess.run(["wg-quick", "strip", str(path)], capture_output=True, check=True)
        return done.stdout.decode()

    def device(self, text: str) -> Device | None:
        """What wg sends to a device for this file; None: it refuses it."""
        path = self._folder / "wg.conf"
        path.write_bytes(text.encode())
        self._received.clear()
        env = {"WG_ENDPOINT_RESOLUTION_RETRIES": "0"}
        done = self._namespace.run(["wg", "setconf", "wgtest", str(path)], check=False, env=env)
        return _device_of(self._received[0]) if done.returncode == 0 else None

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with connection, connection.makefile("rw", encoding="ascii") as stream:
                    lines: list[str] = []
                    while (line := stream.readline()) not in {"", "\n"}:
                        lines.append(line)
                    if lines:  # wg connects once more before, to see whether anybody is there.
                        self._received.append("".join(lines))
                        stream.write("errno=0\n\n")


def _device_of(uapi: str) -> Device:
    """What a UAPI `set` leaves in a device: an all-zero preshared key is none, host bits are masked off."""
    interface: dict[str, str] = {}
    peers: list[dict[str, Any]] = []
    for line in uapi.splitlines():
        key, _, value = line.partition("=")
        if key == "public_key":
            peers.append({"public_key": value, "allowed": []})
        elif key == "allowed_ip":
            peers[-1]["allowed"].append(ip_network(value, strict=False))
        elif key == "preshared_key" and not any(bytes.fromhex(value)):
            continue
        elif peers:
            peers[-1][key] = value
        else:
            interface[key] = value
    return interface, [_normal(peer) for peer in peers]


def _normal(peer: dict[str, Any]) -> dict[str, Any]:
    """A peer without what only says how it is set, and without what is off."""
    keep = {key: value for key, value in peer.items() if not key.startswith("replace")}
    if keep.get("persistent_keepalive_interval") == "0":
        del keep["persistent_keepalive_interval"]
    keep["allowed"] = set(keep["allowed"])
    return keep
