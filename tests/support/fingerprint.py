"""What a host's network set-up is, as text that can be compared: was it put back as it was?"""

from __future__ import annotations

import difflib
import hashlib
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from support.netns import Namespace

_SYSCTLS = ("net/ipv4/conf", "net/ipv6/conf", "net/ipv4/ip_forward", "net/core/rmem_max", "net/core/wmem_max")
"""Files, or folders that are read whole."""

_COMMANDS = {
    "nft ruleset": "nft -s list ruleset",
    "policy rules, IPv4": "ip rule",
    "policy rules, IPv6": "ip -6 rule",
    "routes, IPv4": "ip -4 route show table all",
    "routes, IPv6": "ip -6 route show table all",
    "links": "ip -o link",
    "addresses": "ip -o addr",
}

# What changes by itself: a lifetime that counts down, the state of a carrier, an interface index of a device made anew.
_VOLATILE = re.compile(r"\s(?:expires \d+sec|valid_lft \S+|preferred_lft \S+|qlen \d+|hoplimit \d+)|\s(?:pref medium)")


def fingerprint(namespace: Namespace, folders: Iterable[Path | str] = ()) -> dict[str, str]:
    """Everything of `namespace` that the helper may change, by heading; equal when the host is as it was.

    Rules, policy rules, the routes of all tables, links, addresses, the sysctls that VPNs touch, resolv.conf with its
    mode and link target, and the names, modes and contents below `folders` (paths as the namespace sees them).
    """
    script = "; echo =====; ".join(_COMMANDS.values())
    shown = namespace.run(script).stdout.split("=====\n")
    done = {title: _tidy(title, text) for title, text in zip(_COMMANDS, shown, strict=True)}
    with namespace.entered():
        done["sysctls"] = "\n".join(line for name in _SYSCTLS for line in _sysctls(Path("/proc/sys", name)))
    root = namespace.root()
    done["resolv.conf"] = _file(root, Path("/etc/resolv.conf"), whole=True)
    for folder in folders:
        top = root / str(folder).lstrip("/")
        found = sorted(top.rglob("*")) if top.is_dir() else []
        lines = [_file(root, Path("/") / path.relative_to(root)) for path in found if not path.is_socket()]
        done[f"files below {folder}"] = "\n".join(lines)
    return done


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What changed, one line each with its heading: `- ` was there, `+ ` is new. Empty: nothing."""
    found = []
    for title in sorted(before.keys() | after.keys()):
        old, new = before.get(title, "").splitlines(), after.get(title, "").splitlines()
        changed = [line for line in difflib.ndiff(old, new) if line[:2] in {"- ", "+ "} and line[2:].strip()]
        found += [f"{title}: {line}" for line in changed]
    return found


def _tidy(title: str, text: str) -> str:
    lines = [_VOLATILE.sub("", line).rstrip() for line in text.splitlines()]
    # The order of rules is their meaning; that of routes and addresses is the order in which they were made.
    return "\n".join(lines if "rule" in title else sorted(lines))


def _sysctls(path: Path) -> list[str]:
    found = []
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        try:
            found.append(f"{file.relative_to('/proc/sys')} = {file.read_text(encoding='ascii').strip()}")
        except OSError:
            continue  # a folder, write-only, or never set
    return found


def _file(root: Path, path: Path, *, whole: bool = False) -> str:
    """One line about a file of the namespace; a link is described, not followed, so that it can't lead out of `root`."""
    inside = root / str(path).lstrip("/")
    try:
        status = inside.lstat()
    except FileNotFoundError:
        return f"{path} is absent"
    kind = stat.filemode(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return f"{path} {kind} -> {inside.readlink()}"
    if not stat.S_ISREG(status.st_mode):
        return f"{path} {kind}"
    content = inside.read_bytes()
    shown = "\n" + content.decode("utf-8", "replace") if whole else " " + hashlib.sha256(content).hexdigest()[:16]
    return f"{path} {kind} {status.st_uid}:{status.st_gid}{shown}"
