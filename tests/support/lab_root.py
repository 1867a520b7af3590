"""The lab's root of all names: signed (DNSSEC), served at the addresses where resolvers look for the root's servers.

So a resolver that asks the internet by itself, and believes nothing unsigned, works in the lab as it is.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Self

from support.topology import GATEWAY4, GATEWAY6, GATEWAY_NAME, WEB4, WEB6, WEB_NAME, Lab
from support.unbound import SERVER
from support.until import until

ADDRESS = "198.51.100.54"
_ROOTS = (
    "198.41.0.4, 170.247.170.2, 192.33.4.12, 199.7.91.13, 192.203.230.10, 192.5.5.241, 192.112.36.4, "
    "198.97.190.53, 192.36.148.17, 192.58.128.30, 193.0.14.129, 199.7.83.42, 202.12.27.33, 199.9.14.201"
)
"""Those of the internet's root servers, old and new."""
_ZONE = f"""
. 86400 IN SOA a.root-servers.net. lab.example.net. 1 1800 900 604800 300
. 86400 IN NS a.root-servers.net.
a.root-servers.net. 86400 IN A 198.41.0.4
{WEB_NAME}. 300 IN A {WEB4}
{WEB_NAME}. 300 IN AAAA {WEB6}
{GATEWAY_NAME}. 300 IN A {GATEWAY4}
{GATEWAY_NAME}. 300 IN AAAA {GATEWAY6}
"""


class LabRoot:
    """Answers while entered, in the lab's web namespace. `anchor`: what /usr/share/dns/root.key must say in the lab."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._folder = lab.dir / "root"
        self._process: subprocess.Popen[bytes] | None = None
        self.anchor, self._zone = _signed()

    def __enter__(self) -> Self:
        self._folder.mkdir(mode=0o755)
        (self._folder / "zone").write_text(self._zone, encoding="ascii")
        (self._folder / "conf").write_text(_config(self._folder / "zone"), encoding="ascii")
        web = self._lab.web
        web.ip(f"addr add {ADDRESS}/32 dev lo")
        self._lab.router.ip("route add default via 192.0.2.2")
        web.nft(
            "table ip roots { chain prerouting { type nat hook prerouting priority dstnat; "
            f"ip daddr {{ {_ROOTS} }} meta l4proto {{ tcp, udp }} th dport 53 dnat to {ADDRESS}; }}; }}"
        )
        self._process = web.popen([SERVER, "-d", "-p", "-c", str(self._folder / "conf")])
        until(self._answers, 30.0, "the lab's root answers")
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        assert self._process is not None
        if (status := self._process.poll()) is not None:
            raise RuntimeError(f"the lab's root ended with {status}")
        return bool(self._lab.web.run(f"ss -Hlun src {ADDRESS}:53").stdout)


def _signed() -> tuple[str, str]:
    signer = [sys.executable, "-m", "support.lab_root_sign"]
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(signer, input=_ZONE, capture_output=True, text=True, check=True, env=path)
    anchor, _, zone = done.stdout.partition("\n")
    return f"{anchor}\n", zone


def _config(zone: Path) -> str:
    return f"""
server:
    interface: {ADDRESS}
    access-control: 0.0.0.0/0 allow
    do-daemonize: no
    username: ""
    chroot: ""
    directory: ""
    pidfile: ""
    use-syslog: no
    module-config: "iterator"
auth-zone:
    name: "."
    zonefile: "{zone}"
    for-downstream: yes
    for-upstream: yes
remote-control:
    control-enable: no
"""
