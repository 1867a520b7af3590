"""`make dist-windows`: freeze, sign, make the installer, sign that, and verify every signature, into dist/windows."""

from __future__ import annotations

import sys
from pathlib import Path

from tools import bundle_check, dist
from tools.console import ROOT, Word, run, say, timed
from tools.windows import freeze, judge, pe, sign, wine
from tools.windows.bundles import BUNDLES

SCRIPT = ROOT / "installers/windows/slopn.nsi"
INTO = ROOT / "dist/windows"
FROZEN = wine.HOME / "bundles"
MOST = 40_000_000
"""Bytes that the installer may have."""


def make(into: Path = INTO) -> Path:
    """The installer, below `into`. Raises `SystemExit` with a sentence for whatever isn't as it must be."""
    freeze.freeze(FROZEN)
    return assemble(FROZEN, into)


def assemble(bundles: Path, into: Path) -> Path:
    """The installer of frozen bundles: each file in it that has no maker's signature gets ours."""
    with timed("signatures"):
        sign.sign([path for path in judge.executables(bundles) if not is_signed(path)])
    return package(bundles, into, dist.version())


def package(bundles: Path, into: Path, version: str) -> Path:
    """The signed and verified installer of signed bundles, as that version."""
    into.mkdir(parents=True, exist_ok=True)
    made = into / f"slopn-{version}-x64-setup.exe"
    defined: dict[str, Word | int] = {
        "VERSION": version,
        "NUMBERS": ".".join([*version.split("."), "0", "0", "0"][:4]),
        "BUNDLES": bundles,
        "OUT": made,
        "SIZE": bundle_check.size(bundles) // 1024,
        "ICON": ROOT / "assets/icons/rendered/slopn.ico",
        "LICENCE": ROOT / "LICENSE",
        "SIGN": f"{sys.executable} -m tools.windows.sign",
    }
    with timed(f"the installer of {version}"):
        words = [f"-D{name}={value}" for name, value in defined.items()]
        run(
            ["makensis", "-V2", "-WX", *words, SCRIPT],
            env={"SOURCE_DATE_EPOCH": str(dist.epoch()), "PYTHONPATH": str(ROOT)},
        )
        sign.sign([made])
    if findings := wrong(bundles, made):
        made.unlink()
        bundle_check.refuse(made.name, findings)
    say(f"   {made}: {made.stat().st_size:,} bytes, {bundle_check.size(bundles):,} unpacked")
    return made


def wrong(bundles: Path, installer: Path) -> list[str]:
    """What is wrong with signatures and size, a line each. Another signer's are for its own tool to verify."""
    found = []
    for path in (*judge.executables(bundles), installer):
        if not is_signed(path):
            found.append(f"{path.name} isn't signed")
        elif sign.is_test() and not is_theirs(path) and (what := sign.verified(path)):
            found.append(f"{path.name}: {what.strip()}")
    programs = [bundles / name / each for name, bundle in BUNDLES.items() for each in bundle.programs]
    if sign.is_test():
        found += [f"{path.name} isn't signed by us" for path in (*programs, installer) if is_theirs(path)]
    if installer.stat().st_size > MOST:
        found.append(f"{installer.stat().st_size:,} bytes are more than {MOST:,}")
    return found


def is_signed(path: Path) -> bool:
    """Whether a program or library carries a signature, whosever it is."""
    image = pe.read(path.read_bytes())
    return image is not None and image.signature[1] > 0


def is_theirs(path: Path) -> bool:
    """Whether the signature of a signed file is its maker's."""
    data = path.read_bytes()
    image = pe.read(data)
    at, length = image.signature if image is not None else (0, 0)
    return sign.PUBLISHER.encode() not in data[at : at + length]
