"""The host that helpers die on: a lab with a gateway, one of the daemons that rule DNS, and what it all was before."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import uuid
from typing import Any, Self

from kills.deaths import EFFECT, POWER, STEP
from kills.front_end import FrontEnd
from support.dns_world import ENV, LAN, DnsWorld, NetworkManager, Resolved
from support.fingerprint import differences, fingerprint
from support.gateway import CLIENT4, CLIENT6, TUNNEL4, TUNNEL6, Gateway
from support.topology import GATEWAY4, GATEWAY6, GATEWAY_PORT, Lab
from support.until import Expired, until

MECHANISMS = ("resolv_conf", "resolved", "networkmanager", "openresolv", "debian")
SETTLE = 5.0
"""Seconds that a daemon may take until its files show what it was told."""
OWN = ("/run-lock", "/lock", "/metrics ", "/exclusive ", "/postponed-update")
"""resolvconf's own: a lock stays once it was taken, and so do folders that it needs."""
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_PROTOCOL = 151


class World:
    """Up while entered. `profiles` are stored, a front end is paired, the helper is not running."""

    def __init__(self, mechanism: str) -> None:
        self.mechanism = mechanism
        self.lab = Lab(uplinks=("eth0",))
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.lab)
            self.gateway = stack.enter_context(Gateway(self.lab))
            self.client = self.lab.client
            self.folder = self.lab.dir / "kills"
            self.folder.mkdir()
            self.state_dir, self.runtime_dir = self.folder / "state", self.folder / "run"
            self.log, self.notes = self.folder / "helper.log", self.folder / "moments"
            self.front_end = FrontEnd(str(self.runtime_dir / "helper.sock"))
            stack.callback(self.front_end.close)
            # What is changed in /etc here, and nothing that the machine's own /etc shows through of.
            upper = "/run/.lab/upper"
            self._etc = upper if (self.client.root() / upper.lstrip("/")).is_dir() else "/etc"
            self._boot_id = self.folder / "boot_id"
            self._new_boot()
            self.client.run(f"mount --bind {self._boot_id} {_BOOT_ID}")
            self._daemons = DnsWorld(self.folder, self.client, None, None, None)  # type: ignore[arg-type]
            self._ruler: NetworkManager | Resolved | None = None
            getattr(self, f"_install_{self.mechanism}")()
            self._nursery = self.client.popen(
                [sys.executable, "-m", "kills.nursery"], env=ENV, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            self._store_profiles()
            self.before = self.look()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def bear(self, verb: str = "client", at: tuple[str, int] | None = None) -> int:
        """Start a helper, or `restore`, that dies at that moment; its process id."""
        runtime = ["--runtime-dir", str(self.runtime_dir), "--log-level", "debug"] if verb == "client" else []
        self.log.unlink(missing_ok=True)
        self.notes.unlink(missing_ok=True)
        about = {
            "argv": [verb, "--state-dir", str(self.state_dir), *runtime],
            "env": {"DBUS_SYSTEM_BUS_ADDRESS": ENV["DBUS_SYSTEM_BUS_ADDRESS"]},
            "log": str(self.log),
            "notes": str(self.notes),
            "at": at,
        }
        return int(self._ask(about)["pid"])

    def wait(self, pid: int) -> int:
        """Its exit status, once it has ended."""
        return int(self._ask({"wait": pid})["status"])

    def moments(self) -> list[str]:
        """What the last one born has come to."""
        return [line for line in self._noted() if line.startswith((EFFECT, STEP))]

    def power(self) -> list[str]:
        """What `Power` has said of the last one born, if it wasn't to die."""
        return [line for line in self._noted() if line.startswith(POWER)]

    def said(self) -> str:
        """What the last one born has written."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def restored(self) -> list[str]:
        """`slopn-helper restore` in its whole length; what it says if there is anything that it couldn't undo."""
        status = self.wait(self.bear("restore"))
        return [] if status == 0 else [f"restore ended with {status}: {self.said()}"]

    def fresh(self, **settings: Any) -> None:
        """The state directory as of the beginning, with these settings."""
        shutil.rmtree(self.state_dir, ignore_errors=True)
        shutil.copytree(self.folder / "template", self.state_dir, symlinks=True)
        if settings:
            path = self.state_dir / "settings.json"
            stored = json.loads(path.read_text(encoding="utf-8"))
            stored["content"].update(settings)
            path.write_text(json.dumps(stored), encoding="utf-8")

    def look(self) -> dict[str, str]:
        """Rules, routes, sysctls, links, addresses, /etc, and what the daemon itself has."""
        folders = (self._etc, "/run/resolvconf")
        found = fingerprint(self.client, folders)
        for title in (f"files below {folder}" for folder in folders):
            found[title] = "\n".join(
                line for line in found[title].splitlines() if not any(part in line for part in OWN)
            )
        # The kernel makes this one by itself for an interface that is up, sooner or later.
        routes = (line for line in found["routes, IPv6"].splitlines() if "ff00::/8" not in line)
        found["routes, IPv6"] = "\n".join(routes)
        if isinstance(self._ruler, NetworkManager):
            found["NetworkManager's state"] = self._ruler.state()
        if self._ruler is not None:
            view = self.folder / "view"
            assert self.wait(int(self._ask({"view": str(view)})["pid"])) == 0
            found["the daemon's view"] = view.read_text(encoding="utf-8")
        return found

    def changed(self) -> list[str]:
        """What isn't as it was, now."""
        return differences(self.before, self.look())

    def left(self) -> list[str]:
        """What isn't as it was, once daemons have had their time."""
        found = self.changed()
        if found and self._ruler is not None:
            with contextlib.suppress(Expired):
                until(lambda: not self.changed(), SETTLE, "the host is as it was")
            found = self.changed()
        return found

    def reboot(self) -> None:
        """What a boot does to a host: nothing in the kernel or in /run outlives it; files do."""
        if self._ruler is not None:
            self._ruler.kill()
        self.client.run(f"""
            nft flush ruleset
            for family in -4 -6; do
              while ip $family rule show | grep -q 'proto {_PROTOCOL}'; do ip $family rule del proto {_PROTOCOL}; done
              ip $family route flush table all proto {_PROTOCOL}
            done
            rm -rf /run/systemd/resolve/* /run/resolvconf /run/NetworkManager /run/slopn-resolvconf.lock
        """)
        lines = dict(line.split(" = ", 1) for line in self.before["sysctls"].splitlines() if " = " in line)
        for name in ("net/ipv4/conf/all/src_valid_mark", "net/ipv4/conf/all/arp_ignore"):
            self.client.sysctl({name: lines[name]})
        self._new_boot()
        getattr(self, f"_boot_{self.mechanism}")()

    def _noted(self) -> list[str]:
        return self.notes.read_text(encoding="utf-8").splitlines() if self.notes.exists() else []

    def _install_resolv_conf(self) -> None:
        pass

    def _boot_resolv_conf(self) -> None:
        pass

    def _install_resolved(self) -> None:
        self._daemons.start_bus()
        self._ruler = Resolved(self._daemons)

    def _boot_resolved(self) -> None:
        assert isinstance(self._ruler, Resolved)
        self._ruler.start()
        self._ruler.tell()

    def _install_networkmanager(self) -> None:
        self._daemons.start_bus()
        self._ruler = NetworkManager(self._daemons)

    def _boot_networkmanager(self) -> None:
        assert isinstance(self._ruler, NetworkManager)
        self.client.run("mkdir -p /run/NetworkManager")
        self.client.ip("addr flush dev eth0")
        self._ruler.start()

    def _install_openresolv(self) -> None:
        self._daemons.bring("openresolv", "sbin", "lib", "etc")
        self._boot_openresolv()

    def _boot_openresolv(self) -> None:
        self.client.run("resolvconf -a eth0.dhcp", input=f"nameserver {LAN}\nsearch lan.example\n")

    def _install_debian(self) -> None:
        self._daemons.bring("resolvconf", "sbin", "lib/resolvconf", "etc")
        self._boot_debian()

    def _boot_debian(self) -> None:
        self.client.run("""
            mkdir -p /run/resolvconf/interface
            ln -sf /run/resolvconf/resolv.conf /etc/resolv.conf
            resolvconf --enable-updates
        """)
        self.client.run("resolvconf -a eth0.dhcp", input=f"nameserver {LAN}\nsearch lan.example\n")

    def _store_profiles(self) -> None:
        # NetworkManager's uplink here has no IPv6; the tunnel's addresses have.
        six = GATEWAY4 if self.mechanism == "networkmanager" else f"[{GATEWAY6}]"
        profiles = {
            "both": self.gateway.config(),
            "four": self._profile(f"{CLIENT4}/32", TUNNEL4, f"{GATEWAY4}:{GATEWAY_PORT}", "0.0.0.0/0"),
            "six": self._profile(f"{CLIENT6}/128", TUNNEL6, f"{six}:{GATEWAY_PORT}", "::/0"),
            "split": self._profile(
                f"{CLIENT4}/32", TUNNEL4, f"{GATEWAY4}:{GATEWAY_PORT}", "10.9.0.0/24, 172.16.0.0/12"
            ),
        }
        pid = self.bear()
        self.front_end.reach(lambda: True)
        for name, text in profiles.items():
            self.front_end.ask("import_profile", name=name, text=text, filename=f"{name}.conf", replace=True)
        self.front_end.set(portal_url="") if "portal_url" in self.front_end.ask("get_snapshot")["settings"] else None
        self.front_end.set(local_user=False)
        self.front_end.close()
        os.kill(pid, 15)
        assert self.wait(pid) == 0, self.said()
        self.state_dir.rename(self.folder / "template")

    def _profile(self, addresses: str, dns: str, endpoint: str, routes: str) -> str:
        lines = []
        for line in self.gateway.config(endpoint=endpoint).splitlines():
            key = line.partition(" =")[0]
            replaced = {"Address": addresses, "DNS": dns, "AllowedIPs": routes}.get(key)
            lines.append(line if replaced is None else f"{key} = {replaced}")
        return "\n".join(lines) + "\n"

    def _new_boot(self) -> None:
        # In place: it is mounted.
        self._boot_id.write_text(f"{uuid.uuid4()}\n", encoding="ascii")

    def _ask(self, about: dict[str, Any]) -> dict[str, Any]:
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.write(json.dumps(about).encode() + b"\n")
        self._nursery.stdin.flush()
        answer: dict[str, Any] = json.loads(self._nursery.stdout.readline())
        return answer
