"""Packages of one file, and an apt of its own that takes them from a repository: nothing of the machine's is touched."""

from __future__ import annotations

import functools
import http.server
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tools.signing import Key, throw_away

EPOCH = 1_700_000_000


@contextmanager
def a_key() -> Iterator[Key]:
    """A throw-away key, in a short path: the socket of gpg's agent stands in it."""
    with tempfile.TemporaryDirectory(prefix="slopn-key-") as home:
        key = throw_away(Path(home))
        yield key
        key.close()


def deb(folder: Path, version: str = "1.0") -> Path:
    """`tiny`, which holds one file."""
    stage = folder / f"stage-{version}"
    (stage / "DEBIAN").mkdir(parents=True)
    (stage / "usr/share/tiny").mkdir(parents=True)
    (stage / "usr/share/tiny/word").write_text(version)
    (stage / "DEBIAN/control").write_text(
        f"Package: tiny\nVersion: {version}\nArchitecture: amd64\nSection: misc\nPriority: optional\n"
        "Maintainer: Nobody <nobody@slopn.example>\nDescription: one word\n"
    )
    package = folder / f"tiny_{version}_amd64.deb"
    build = ["dpkg-deb", "--root-owner-group", "--build", str(stage), str(package)]
    subprocess.run(build, env={**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)}, check=True, capture_output=True)
    return package


def rpm(folder: Path) -> Path:
    """The same for rpm."""
    spec = folder / "tiny.spec"
    spec.write_text(
        "Name: tiny\nVersion: 1.0\nRelease: 1\nSummary: one word\nLicense: Apache-2.0\nBuildArch: noarch\n"
        "%description\nOne word.\n%install\nmkdir -p %{buildroot}/usr/share/tiny\n"
        "echo 1.0 > %{buildroot}/usr/share/tiny/word\n%files\n/usr/share/tiny\n"
    )
    build = ["rpmbuild", "-bb", "--define", f"_topdir {folder}/rpm", "--define", f"_dbpath {folder}/db", str(spec)]
    subprocess.run(build, check=True, capture_output=True)
    (made,) = (folder / "rpm/RPMS").rglob("*.rpm")
    return made


@dataclass
class Served:
    """A folder on the web. `asked`: the paths that were asked for, in order."""

    url: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    """The folder by HTTP on loopback."""
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_words: object) -> None:
            asked.append(self.path)

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield Served(f"http://127.0.0.1:{server.server_address[1]}", asked)
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True)
class Apt:
    """An apt whose lists, cache, keys and dpkg's status are all below `root`."""

    root: Path

    @classmethod
    def make(cls, root: Path, sources: str) -> Apt:
        """One that knows nothing but these sources, as a deb822 text."""
        for name in ("etc/apt/sources.list.d", "etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/trusted.gpg.d"):
            (root / name).mkdir(parents=True)
        for name in ("var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/lib/dpkg", "var/log/apt"):
            (root / name).mkdir(parents=True)
        (root / "var/lib/dpkg/status").touch()
        (root / "etc/apt/sources.list.d/slopn.sources").write_text(sources)
        (root / "apt.conf").write_text(
            f'Dir "{root}";\nDir::State::status "{root}/var/lib/dpkg/status";\nAPT::Architecture "amd64";\n'
            'APT::Architectures {"amd64";};\nAPT::Sandbox::User "root";\nAcquire::http::Proxy "DIRECT";\n'
            'Acquire::Languages "none";\nAcquire::Retries "0";\n'
        )
        return cls(root)

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run apt-get; what it says on both streams is in stdout."""
        return subprocess.run(
            ["apt-get", "--assume-yes", *words],
            env={"APT_CONFIG": str(self.root / "apt.conf"), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
