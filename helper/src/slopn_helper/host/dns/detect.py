"""Which mechanism rules this host's DNS: a pure decision that explains itself.

The trace goes to the log and into a problem report: it must be enough to see, a year later, why.
"""

from __future__ import annotations

from typing import NamedTuple

RESOLVED = "resolved"
NETWORKMANAGER = "networkmanager"
RESOLVCONF = "resolvconf"
RESOLV_CONF = "resolv_conf"
MECHANISMS = (RESOLVED, NETWORKMANAGER, RESOLVCONF, RESOLV_CONF)

OPENRESOLV, DEBIAN = "openresolv", "debian"
"""The programs called resolvconf that keep records of their own."""

_STUBS = {"127.0.0.53", "127.0.0.54"}
_TAGS = {
    "systemd-resolved": RESOLVED,
    "NetworkManager": "nm",
    "resolvconf": "resolvconf",
    "dhcpcd": "dhcpcd",
    "netconfig": "netconfig",
    "Docker Engine": "docker",
}
_NM_WRITES = {"default", "dnsmasq"}
"""NetworkManager's modes in which it fills resolv.conf; in `none` it doesn't, in `systemd-resolved` resolved does."""


class DnsEnv(NamedTuple):
    """What decides, as it was before we changed anything."""

    resolv_conf: str | None
    """Text of /etc/resolv.conf; None: there is none, or a link that leads nowhere."""
    target: str | None = None
    """Where /etc/resolv.conf leads if it is a link."""
    nsswitch: str | None = None
    """Text of /etc/nsswitch.conf."""
    resolved_on_bus: bool = False
    """Somebody owns org.freedesktop.resolve1 now; it is never started by asking."""
    nm: tuple[str, str] | None = None
    """NetworkManager's mode and the way it writes resolv.conf; None: it isn't on the bus."""
    resolvconf: str | None = None
    """`openresolv`, `debian`, `resolvectl`, or `unknown`; None: there is none."""
    mounted: bool = False
    """/etc/resolv.conf is a mount point, as container engines make it of a copy of the host's."""


class Choice(NamedTuple):
    """A mechanism, and why."""

    mechanism: str
    trace: str
    """`rc=nm link=no nss=dns bus=no nm=default/file resolvconf=no mount=no (why) -> networkmanager`."""


def choose(env: DnsEnv, override: str | None = None) -> Choice:
    """The mechanism for this host. Pure; an unknown `override` is named in the trace and ignored."""
    seen = (
        f"rc={_owner(env)} link={_link(env.target)} nss={_nss(env.nsswitch)} bus={_yes(env.resolved_on_bus)}"
        f" nm={'/'.join(env.nm) if env.nm else 'no'} resolvconf={env.resolvconf or 'no'} mount={_yes(env.mounted)}"
    )
    if override in MECHANISMS:
        return Choice(override, f"{seen} override={override} -> {override}")
    if override is not None:
        seen += f" override={override}?"
    mechanism, why = _decide(env)
    return Choice(mechanism, f"{seen} ({why}) -> {mechanism}")


def nameservers(text: str) -> list[str]:
    """The words after `nameserver` in a resolv.conf(5), in order, unchecked."""
    lines = (line.split() for line in text.splitlines())
    return [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]


def asks_resolved_first(nsswitch: str | None) -> bool:
    """Whether programs ask resolved before they read resolv.conf, by the text of nsswitch.conf(5)."""
    return _nss(nsswitch) == "resolve"


def _decide(env: DnsEnv) -> tuple[str, str]:
    if env.resolved_on_bus:
        asked = set(nameservers(env.resolv_conf or ""))
        if _link(env.target) == "stub" or (asked and asked <= _STUBS):
            # Whoever wrote the file: who reads it asks resolved.
            return RESOLVED, "the file leads to resolved's stub"
        if _nss(env.nsswitch) == "resolve":
            return RESOLVED, "programs ask resolved before they read the file"
        why = "programs read the file and never ask resolved"
    else:
        why = "resolved isn't there"
    if env.mounted:
        return RESOLV_CONF, f"{why}; the file is a mount, which no daemon can replace"
    owner, link = _owner(env), _link(env.target)
    if owner == "resolvconf" and env.resolvconf == OPENRESOLV:
        return RESOLVCONF, "openresolv writes the file, and lists ours alone when told to"
    if env.nm and env.nm[0] in _NM_WRITES and _nm_rules(env.nm[1], owner, link):
        return NETWORKMANAGER, "NetworkManager says what is in the file"
    if link == "resolvconf" and env.resolvconf == DEBIAN:
        return RESOLVCONF, "resolvconf writes the file; others stay listed after ours, and the firewall refuses them"
    return RESOLV_CONF, f"{why}; nobody else rules the file"


def _nm_rules(rc_manager: str, owner: str, link: str) -> bool:
    if rc_manager in {"file", "symlink"}:
        return owner == "nm" or link == "nm"
    # It hands its servers to these, and they write the file.
    return rc_manager == owner and rc_manager in {"resolvconf", "netconfig"}


def _owner(env: DnsEnv) -> str:
    """Whose header the file bears, as most generators write one into its first comment."""
    if env.resolv_conf is None:
        return "missing"
    for line in env.resolv_conf.splitlines():
        if not line.startswith(("#", ";")):
            if line.strip():
                break
            continue
        for tag, name in _TAGS.items():
            if tag in line:
                return name
    return "plain"


def _link(target: str | None) -> str:
    if target is None:
        return "no"
    if "/systemd/resolve/" in target or target.startswith("/usr/lib/systemd/resolv.conf"):
        return "uplink" if target.endswith("/systemd/resolve/resolv.conf") else "stub"
    for name, part in (("nm", "/NetworkManager/"), ("resolvconf", "/resolvconf/")):
        if part in target:
            return name
    return "other"


def _nss(text: str | None) -> str:
    """The first of `resolve` and `dns` in the hosts line of nsswitch.conf(5)."""
    for line in (text or "").splitlines():
        words = line.split("#")[0].replace(":", ": ").split()
        if words[:1] == ["hosts:"]:
            return next((word for word in words if word in {"resolve", "dns"}), "neither")
    return "unset"


def _yes(flag: bool) -> str:  # noqa: FBT001 (it is the value that is shown)
    return "yes" if flag else "no"
