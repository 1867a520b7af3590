"""Is this server a gateway that works? What `net.doctor` doesn't judge: service, ports, names, clock, keys, bans. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from slopn_helper.gateway import names
from slopn_helper.gateway.config import Config
from slopn_helper.gateway.net.doctor import Finding, Verdict
from slopn_wire.profile import IPAddress

OFF = "off"
"""Of Fail2Ban: it isn't installed, or doesn't run."""


class Seen(Struct, frozen=True, kw_only=True):
    """What was found. A sentence says what is wrong; None: nothing is."""

    running: str | None = None
    """Why the gateway doesn't answer."""
    trouble: tuple[str, ...] = ()
    """What the running gateway itself complains of."""
    enabled: bool | None = None
    """Whether systemd starts it at boot; None: there is no systemd."""
    udp: frozenset[int] = frozenset()
    """Ports that somebody listens on here."""
    tcp: frozenset[int] = frozenset()
    endpoint: tuple[IPAddress, ...] = ()
    """Where its name leads; empty: nowhere."""
    own: frozenset[IPAddress] = frozenset()
    """This host's addresses."""
    synchronised: bool | None = None
    """Of the clock; None: the kernel doesn't say."""
    fail2ban: str | None = None
    """`OFF`, or why it can't be asked for SloPN's jail."""
    certificate: str | None = None
    database: str | None = None
    key: str | None = None
    readable: tuple[str, ...] = ()
    """Files that others may read, and mustn't."""
    names: str | None = None
    """Why the gateway's own name server doesn't answer."""


def examine(config: Config, seen: Seen) -> Iterator[Finding]:
    """All findings, good ones too, in the order in which they are best mended."""
    yield from _service(seen)
    yield from _files(seen)
    yield _one("certificate", seen.certificate, "The certificate is good.", "Mend it, then `slopn-gateway init` again.")
    yield _one(
        "database",
        seen.database,
        "The registry of devices answers.",
        "Look at database.url in the settings and whether that server runs; tunnels go on meanwhile.",
    )
    yield from _ports(config, seen)
    yield _endpoint(config, seen)
    yield from _names(config, seen)
    yield _clock(seen)
    yield _bans(config, seen)


def _one(check: str, problem: str | None, good: str, remedy: str) -> Finding:
    if problem is None:
        return Finding(check, Verdict.OK, good)
    return Finding(check, Verdict.FAILED, problem, remedy)


def _service(seen: Seen) -> Iterator[Finding]:
    yield _one(
        "service",
        seen.running,
        "The gateway runs.",
        "Run `systemctl start slopn-gateway`; `journalctl -u slopn-gateway` says why it ended.",
    )
    for trouble in seen.trouble:
        yield Finding("service", Verdict.WARNING, trouble, "`journalctl -u slopn-gateway` has more.")
    if seen.enabled is False:
        yield Finding(
            "boot",
            Verdict.WARNING,
            "The gateway isn't started at boot.",
            "Run `systemctl enable slopn-gateway`.",
        )


def _files(seen: Seen) -> Iterator[Finding]:
    yield _one("key", seen.key, "The gateway's key is there, and root's alone.", "Put it back from a backup.")
    if not seen.readable:
        yield Finding("files", Verdict.OK, "Nobody else can read what is secret.")
    for path in seen.readable:
        yield Finding(
            "files",
            Verdict.FAILED,
            f"Others than root can read or change {path}.",
            f"Run `chown root:root {path}` and `chmod go= {path}`.",
        )


def _ports(config: Config, seen: Seen) -> Iterator[Finding]:
    for kind, port, open_ports in (
        ("udp", config.wireguard.port, seen.udp),
        ("tcp", config.enrolment.port, seen.tcp),
    ):
        reachable = f"Whether {port}/{kind} comes through from outside, your provider's firewall decides: try a device."
        if port in open_ports:
            yield Finding(f"port_{kind}", Verdict.OK, f"Port {port}/{kind} is open here.", reachable)
        else:
            yield Finding(
                f"port_{kind}",
                Verdict.FAILED,
                f"Nobody listens on port {port}/{kind}.",
                "Start the gateway; if its log says that the port is taken, choose another by `slopn-gateway init`.",
            )


def _endpoint(config: Config, seen: Seen) -> Finding:
    host = config.wireguard.endpoint
    if not seen.endpoint:
        return Finding(
            "endpoint",
            Verdict.FAILED,
            f"{host} has no address: clients don't find this server.",
            f"Make a DNS record for {host} (A, and AAAA where the server has IPv6).",
        )
    elsewhere = [str(address) for address in seen.endpoint if address not in seen.own]
    if not elsewhere:
        return Finding("endpoint", Verdict.OK, f"{host} leads to this server.")
    ports = f"{config.wireguard.port}/udp and {config.enrolment.port}/tcp"
    return Finding(
        "endpoint",
        Verdict.WARNING,
        f"{host} leads to {', '.join(elsewhere)}, which is no address of this server's own.",
        f"Behind NAT that is right: have {ports} forwarded to this server. Else correct the DNS record.",
    )


def _names(config: Config, seen: Seen) -> Iterator[Finding]:
    if config.dns.servers:
        yield Finding("names", Verdict.OK, f"Devices ask {', '.join(map(str, config.dns.servers))} for names.")
        return
    yield _one(
        "names",
        seen.names,
        "The gateway answers devices' questions for names.",
        f"`{names.INSTALL}`, `slopn-gateway init` again, `journalctl -u {names.UNIT}`; or name other resolvers (--dns).",
    )


def _clock(seen: Seen) -> Finding:
    if seen.synchronised is False:
        return Finding(
            "clock",
            Verdict.WARNING,
            "The clock isn't synchronised: tokens and enrolments may end at the wrong time, handshakes fail after a jump.",
            "Run `timedatectl set-ntp true`, or install chrony.",
        )
    return Finding(
        "clock", Verdict.OK, "The clock is synchronised." if seen.synchronised else "The clock isn't judged."
    )


def _bans(config: Config, seen: Seen) -> Finding:
    own = config.bans.enabled
    if seen.fail2ban is None:
        return Finding("bans", Verdict.OK, "Fail2Ban watches" + (", and the gateway bans by itself." if own else "."))
    if seen.fail2ban == OFF:
        if own:
            return Finding("bans", Verdict.OK, "The gateway bans by itself; Fail2Ban doesn't run, and needn't.")
        return Finding(
            "bans",
            Verdict.FAILED,
            "Nobody bans attackers: bans.enabled is false, and Fail2Ban doesn't run.",
            "Set bans.enabled to true, or install Fail2Ban and run `slopn-gateway init` again.",
        )
    return Finding(
        "bans",
        Verdict.WARNING if own else Verdict.FAILED,
        f"Fail2Ban doesn't watch SloPN's log: {seen.fail2ban}.",
        "Run `slopn-gateway init` again and `systemctl reload fail2ban`, then `fail2ban-client status slopn`.",
    )


def listening(tables: Iterable[str], state: str) -> frozenset[int]:
    """Local ports in /proc/net/{tcp,udp}{,6} whose sockets are in `state` (tcp 0A: listening, udp 07), proc(5)."""
    found: set[int] = set()
    for table in tables:
        for row in table.splitlines()[1:]:
            fields = row.split()
            if len(fields) > 3 and fields[3] == state:
                found.add(int(fields[1].rpartition(":")[2], 16))
    return frozenset(found)
