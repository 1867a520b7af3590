"""`make packages`: the packages slopn, slopn-helper and slopn-gateway as .deb and .rpm, into dist/.

What is in them stands in installers/linux/packages.yaml; tools/libraries.py adds the libraries that they are linked with. The
same bundles and SOURCE_DATE_EPOCH (else the time of the last commit) give the same bytes.
ARGS=--plain packs sources for Debian's Python instead of frozen bundles.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import json
import os
import string
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from tools import libraries, man, nfpm, plain
from tools.console import ROOT, give_up, output, run, timed
from tools.project import MAINTAINER

LINUX = ROOT / "installers/linux"
CONFIG = LINUX / "packages.yaml"
NEEDS = {"deb": libraries.deb, "rpm": libraries.rpm}
FORMATS = tuple(NEEDS)
_LICENCE = """SloPN
Copyright: the SloPN authors

License: Apache-2.0
On Debian systems the whole text is in /usr/share/common-licenses/Apache-2.0.

"""


def main() -> None:
    """Build them into dist/."""
    parser = argparse.ArgumentParser(prog="make packages", description=__doc__)
    parser.add_argument("--plain", action="store_true", help="sources for this Debian's Python; for tests alone")
    parser.add_argument("--into", type=Path, default=ROOT / "dist", help="folder (default: dist)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="slopn-packages-") as made, timed("packages"):
        if arguments.plain:
            found = packages(plain.plain(Path(made)), arguments.into, frozen=False)
        else:
            freeze = importlib.import_module("tools.freeze")
            found = packages(freeze.freeze(Path(made)), arguments.into)
    for path in found:
        sys.stdout.write(f"{path}\n")


def packages(
    bundles: Mapping[str, Path],
    into: Path,
    *,
    formats: Sequence[str] = FORMATS,
    version: str | None = None,
    frozen: bool = True,
    compression: str | None = None,
) -> list[Path]:
    """The package of each bundle in each format, made in `into`. Raises `SystemExit` with a sentence.

    `version`: another than ours, for tests of upgrades. `frozen=False`: bundles of tools/plain.py.
    """
    into.mkdir(parents=True, exist_ok=True)
    version = version or version_of("slopn-helper")
    made = []
    with tempfile.TemporaryDirectory(prefix="slopn-nfpm-") as folder:
        work = Path(folder)
        pages(work / "made")
        for name, bundle in bundles.items():
            for kind in formats:
                words = _words(version, bundle, work / "made", frozen=frozen)
                # Not a field of Debian's: its copyright file says it.
                words["license"] = "Apache-2.0" if kind == "rpm" else ""
                config = configuration(name, kind, words)
                needs = NEEDS[kind](bundle)
                config["depends"] += needs.always
                config.setdefault("recommends", []).extend(needs.desktop)
                if compression is not None:
                    config[kind]["compression"] = compression
                _scripts(config, work / name / kind, version)
                config["contents"] += _documents(name, version, work / name)
                file = work / name / f"{kind}.json"
                file.write_text(json.dumps(config), encoding="utf-8")
                target = into / f"{name}_{version}_{words['arch']}.{kind}"
                env = {"SOURCE_DATE_EPOCH": epoch()}
                run([nfpm.program(), "package", "-f", file, "-p", kind, "-t", target], cwd=LINUX, env=env, quiet=True)
                made.append(target)
    return made


def configuration(name: str, kind: str, words: Mapping[str, str]) -> dict[str, Any]:
    """What nfpm is told for one package in one format. `words`: what stands for $arch and the like; an empty one is left out."""
    told = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    entry = dict(told["packages"][name])
    merged = {"name": name, **told["common"], **{key: value for key, value in entry.items() if key != "overrides"}}
    merged |= entry["overrides"][kind]
    merged["contents"] = [_at_home(each) for each in merged["contents"] if each.get("packager", kind) == kind]
    filled: dict[str, Any] = _filled(merged, words)
    return filled


def pages(folder: Path) -> None:
    """Man pages (man1, man8) and completions, made from the command line's own description."""
    from slopn_app.cli import shells
    from slopn_app.cli.main import VERBS, load
    from slopn_app.cli.verbs.settings import KEYS

    date = time.strftime("%Y-%m-%d", time.gmtime(float(epoch())))
    for name, text in man.pages(date).items():
        _gzip(folder / f"man{name[-1]}" / f"{name}.gz", text)
    verbs = {name: load(name).VERB for name in VERBS}
    (folder / "completions").mkdir()
    for shell, make in {"bash": shells.bash, "zsh": shells.zsh, "fish": shells.fish}.items():
        (folder / "completions" / f"slopn.{shell}").write_text(make(verbs, KEYS), encoding="utf-8")


def epoch() -> str:
    """SOURCE_DATE_EPOCH, or else the time of the last commit: seconds."""
    return os.environ.get("SOURCE_DATE_EPOCH") or (output(["git", "log", "-1", "--format=%ct"]) or "0").strip()


def _words(version: str, bundle: Path, made: Path, *, frozen: bool) -> dict[str, str]:
    arch = (output(["dpkg", "--print-architecture"]) or "").strip()
    if not arch:
        give_up("`dpkg --print-architecture` failed: the packages are made on Debian or Ubuntu.")
    first, after = plain.python()
    return {
        "arch": arch,
        "version": version,
        "maintainer": MAINTAINER,
        "bundle": str(bundle),
        "made": str(made),
        "python_deb": "" if frozen else f"python3 (>= {first}), python3 (<< {after}), python3-nftables",
        "python_rpm": "" if frozen else f"python({first})",
        "gi_deb": "" if frozen else "python3-gi",
        "gi_rpm": "" if frozen else "python3-gobject",
    }


def _filled(value: Any, words: Mapping[str, str]) -> Any:
    match value:
        case str():
            return string.Template(value).substitute(words)
        case dict():
            return {key: _filled(each, words) for key, each in value.items()}
        case list():
            return [filled for filled in (_filled(each, words) for each in value) if filled]
        case _:
            return value


def _at_home(content: dict[str, Any]) -> dict[str, Any]:
    source = content["src"]
    if content.get("type") == "symlink" or source.startswith("$"):
        return content
    return {**content, "src": str((LINUX / source).resolve())}


def _scripts(config: dict[str, Any], work: Path, version: str) -> None:
    work.mkdir(parents=True)
    for name, source in config.get("scripts", {}).items():
        path = work / name
        path.write_text((LINUX / source).read_text(encoding="utf-8").replace("@VERSION@", version), encoding="utf-8")
        config["scripts"][name] = str(path)


def _documents(name: str, version: str, work: Path) -> list[dict[str, Any]]:
    """Licence and changelog, as Debian wants them; rpm doesn't mind."""
    stamp = formatdate(float(epoch()))
    entry = f"{name} ({version}) stable; urgency=medium\n\n  * See CHANGELOG.md in SloPN's repository.\n\n"
    _gzip(work / "changelog.gz", f"{entry} -- {MAINTAINER}  {stamp}\n")
    copyright_ = work / "copyright"
    copyright_.write_text(_LICENCE + (ROOT / "NOTICE").read_text(encoding="utf-8"), encoding="utf-8")
    place = f"/usr/share/doc/{name}"
    found = [{"src": str(each), "dst": f"{place}/{each.name}"} for each in (work / "changelog.gz", copyright_)]
    found.append({"src": str(ROOT / "LICENSE"), "dst": f"/usr/share/licenses/{name}/LICENSE", "packager": "rpm"})
    overrides = LINUX / "lintian" / name
    if overrides.is_file():
        found.append({"src": str(overrides), "dst": f"/usr/share/lintian/overrides/{name}", "packager": "deb"})
    return found


def _gzip(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    main()
