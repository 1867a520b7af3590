"""Keys that a release is signed with, and the signatures: GnuPG for the repositories, minisign beside each file.

The real keys are named by the environment (docs/releasing.md); GnuPG's may lie on a card, since only its fingerprint is asked for.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.console import Word, give_up, run

GPG_KEY = "SLOPN_GPG_KEY"
"""Fingerprint, 40 hexadecimal digits, of a key that the `gpg` of this account can sign with."""
MINISIGN_KEY = "SLOPN_MINISIGN_KEY"
"""Path of minisign's secret key; the public one lies beside it, with `.pub` for `.key`."""
MINISIGN_PASSWORD = "SLOPN_MINISIGN_PASSWORD"  # noqa: S105 - the name of a variable
_PERSON = "SloPN, throw-away key for tests <nobody@slopn.example>"


@dataclass(frozen=True)
class Key:
    """A GnuPG key. `home`: its GNUPGHOME, or None for the account's own."""

    fingerprint: str
    home: Path | None = None

    @property
    def env(self) -> dict[str, str]:
        """What gpg, and rpmsign which calls it, must find in their environment."""
        return {} if self.home is None else {"GNUPGHOME": str(self.home)}

    def public(self, into: Path, *, armor: bool = False) -> Path:
        """Write the public key alone, as apt's Signed-By (binary) or rpm's import (armored) take it."""
        form = ["--armor"] if armor else []
        self._gpg([*form, "--export-options", "export-minimal", "--output", into, "--export", self.fingerprint])
        if not into.is_file():
            give_up(f"gpg knows no key {self.fingerprint}: import it, or see docs/releasing.md.")
        return into

    def clearsign(self, file: Path, into: Path) -> None:
        """The file's text with the signature around it, as apt's InRelease."""
        self._sign(["--output", into, "--clearsign", file])

    def detach(self, file: Path, into: Path) -> None:
        """The signature alone, armored."""
        self._sign(["--armor", "--output", into, "--detach-sign", file])

    def close(self) -> None:
        """End the agent of a home that is ours alone; the account's own agent goes on."""
        if self.home is not None:
            run(["gpgconf", "--kill", "gpg-agent"], env=self.env, quiet=True)

    def _sign(self, words: Sequence[Word]) -> None:
        self._gpg(["--local-user", f"{self.fingerprint}!", "--digest-algo", "SHA512", *words])

    def _gpg(self, words: Sequence[Word]) -> None:
        run(["gpg", "--batch", "--yes", "--quiet", *words], env=self.env, quiet=True)


@dataclass(frozen=True)
class Minisign:
    """A pair of minisign's keys. `password`: what the secret one is locked with, None if it isn't."""

    secret: Path
    public: Path
    password: str | None = None

    def sign(self, file: Path, comment: str) -> Path:
        """FILE.minisig beside the file. `comment` is signed as well: one line that says what this file is."""
        argv = ["minisign", "-S", "-s", str(self.secret), "-t", comment, "-c", "SloPN", "-m", str(file)]
        _minisign(argv, None if self.password is None else f"{self.password}\n")
        self.verify(file)
        return file.with_name(f"{file.name}.minisig")

    def verify(self, file: Path) -> None:
        """Ends with a sentence unless the signature beside the file is this key's."""
        _minisign(["minisign", "-V", "-q", "-p", str(self.public), "-m", str(file)], None)


@dataclass(frozen=True)
class Keys:
    """Both keys of a release. `real`: they are those of the environment."""

    gpg: Key
    minisign: Minisign
    real: bool


def keys(environment: Mapping[str, str], home: Path) -> Keys:
    """The keys that the environment names, or throw-away ones in `home`. One real and one thrown away is refused."""
    fingerprint, secret = environment.get(GPG_KEY, ""), environment.get(MINISIGN_KEY, "")
    if not fingerprint and not secret:
        return Keys(throw_away(home / "gnupg"), throw_away_minisign(home), real=False)
    if not (fingerprint and secret):
        there, lacks = (GPG_KEY, MINISIGN_KEY) if fingerprint else (MINISIGN_KEY, GPG_KEY)
        give_up(f"{there} is set, {lacks} is not: set both for a release, or neither for throw-away keys.")
    fingerprint = fingerprint.replace(" ", "").upper()
    if not re.fullmatch("[0-9A-F]{40}", fingerprint):
        give_up(f"{GPG_KEY} is no fingerprint: write all 40 hexadecimal digits, since shorter ones can be forged.")
    path = Path(secret).expanduser().absolute()
    public = path.with_suffix(".pub")
    for file in (path, public):
        if not file.is_file():
            give_up(f"{MINISIGN_KEY}: there is no {file}.")
    return Keys(Key(fingerprint), Minisign(path, public, environment.get(MINISIGN_PASSWORD)), real=True)


def throw_away(home: Path) -> Key:
    """A key without a password that is worth nothing, in a GNUPGHOME of its own: made at first, the same from then on."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    note = home / "fingerprint"
    if not note.is_file():
        make = ["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
        env = {"GNUPGHOME": str(home)}
        run([*make, "--quick-generate-key", _PERSON, "rsa3072", "sign", "never"], env=env, quiet=True)
        listing = subprocess.run(
            ["gpg", "--batch", "--with-colons", "--list-secret-keys"],
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        note.write_text(re.findall(r"^fpr:+([0-9A-F]{40}):", listing, re.MULTILINE)[0], encoding="utf-8")
    return Key(note.read_text(encoding="utf-8"), home)


def throw_away_minisign(home: Path) -> Minisign:
    """The same for minisign."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    pair = Minisign(home / "minisign.key", home / "minisign.pub")
    if not pair.public.is_file():
        run(["minisign", "-G", "-W", "-f", "-p", pair.public, "-s", pair.secret], quiet=True)
    return pair


def _minisign(argv: Sequence[str], typed: str | None) -> None:
    """By standard input comes the password; none there means that a locked key fails instead of waiting for somebody."""
    done = subprocess.run(argv, input=typed or "", capture_output=True, text=True, check=False)
    if done.returncode != 0:
        give_up(f"`{' '.join(argv)}` ended with status {done.returncode}: {(done.stderr or done.stdout).strip()}")
