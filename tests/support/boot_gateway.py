"""A server that boots a real Debian, with a cable to the lab's router: what `slopn-gateway init` makes a gateway of.

What a kernel forgets with each boot, and a network namespace doesn't, is forgotten while the server is off.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterable
from typing import Self

from support.boot import BIN, BootedSystem
from support.lab_root import LabRoot
from support.topology import DNS4, GATEWAY4, GATEWAY6, GATEWAY_NAME, Lab

SERVICE, NAMES = "slopn-gateway.service", "slopn-gateway-dns.service"
FULL = ("dns-root-data", "fail2ban", "python3-systemd", "unbound")
"""What Debian has for a gateway, all of it."""
_ADDRESSES = f"""\
addr replace 192.0.2.6/30 dev wan0 scope link
addr replace 2001:db8:0:6::2/64 dev wan0 nodad preferred_lft 0
addr replace {GATEWAY4}/32 dev wan0
addr replace {GATEWAY6}/128 dev wan0 nodad
route replace default via 192.0.2.5 src {GATEWAY4}
route replace default via 2001:db8:0:6::1 src {GATEWAY6}
"""
_NETWORK = """
[Unit]
Description=The lab's network, as ifupdown would bring it up
DefaultDependencies=no
Wants=network.target
After=network-pre.target
Before=network.target network-online.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/sbin/ip link set wan0 up
ExecStart=/sbin/ip -batch /etc/lab-network
[Install]
WantedBy=multi-user.target network-online.target
"""
_FILES = {
    "/etc/lab-network": _ADDRESSES,
    "/etc/systemd/system/lab-network.service": _NETWORK,
    "/etc/resolv.conf": f"nameserver {DNS4}\n",
    # The first two mount /proc anew, with the machine's boot_id in it; the others hide the checkout, wherever it is.
    f"/etc/systemd/system/{SERVICE}.d/lab.conf": (
        "[Service]\nProtectControlGroups=no\nProtectProc=default\nPrivateTmp=no\nProtectHome=no\n"
    ),
}
_NO_SSHD = "[sshd]\nenabled = false\n"
"""There is none whose log Debian's own jail could watch."""
_FORWARDING = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding")


class BootGateway:
    """Up while entered: `lab`, and the server in its gateway's place, booted, with the packages `packages`."""

    def __init__(self, packages: Iterable[str] = (), program: str = str(BIN / "slopn-gateway")) -> None:
        self._program = program
        self.lab = Lab(uplinks=("eth0",))
        self._packages = tuple(packages)
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        files = dict(_FILES)
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.lab)
            if "dns-root-data" in self._packages:
                files["/usr/share/dns/root.key"] = stack.enter_context(LabRoot(self.lab)).anchor
            if "fail2ban" in self._packages:
                files["/etc/fail2ban/jail.d/zz.local"] = _NO_SSHD
            self._forget()
            self.system = BootedSystem(
                packages=self._packages,
                namespace=self.lab.gateway,
                files=files,
            )
            stack.enter_context(self.system)
            self.system.run("systemctl enable --now lab-network")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def call(self, *words: str, status: int | None = 0, timeout: float = 180.0) -> subprocess.CompletedProcess[str]:
        """`slopn-gateway` with these words as root there; it must end with `status`, unless that is None."""
        done = self.system.run([self._program, *words], check=False, timeout=timeout)
        assert status in {None, done.returncode}, f"slopn-gateway {words}: {done}\n{self.log()}"
        return done

    def init(self, *words: str) -> str:
        """`init` for the lab's name of this server; what it says."""
        return self.call("init", "--endpoint", GATEWAY_NAME, "--yes", *words).stdout

    def reboot(self) -> None:
        """In order, with the kernel's memory gone in between."""
        self.system.power_off()
        self._forget()
        self.system.boot()

    def log(self) -> str:
        """What the gateway's units have written of late."""
        return self.system.journal(SERVICE)[-6000:] + self.system.journal(NAMES)[-2000:]

    def restarts(self) -> int:
        """How often systemd has started the gateway again by itself."""
        return int(self.system.run(["systemctl", "show", SERVICE, "--value", "-P", "NRestarts"]).stdout)

    def _forget(self) -> None:
        gateway = self.lab.gateway
        gateway.ip("link set wan0 down\naddr flush dev wan0", check=False)
        gateway.run(["nft", "flush", "ruleset"])
        gateway.sysctl(dict.fromkeys(_FORWARDING, "0"))
