"""A disk that keeps only what was synced: is the inverse there before the host is changed, and until the host is put back?

The strictest disk that POSIX allows: a file holds after a power cut what it held at its last fsync(2), under the name
that its directory had at the directory's last fsync. Real file systems are kinder.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from kills.deaths import Deaths
from slopn_helper.host import journal

NEEDS = {
    "before nft claim": "nft-table",
    "before nft run": "nft-table",
    "before netlink link set": "addresses",
    "before netlink addr add": "addresses",
    "before netlink route add": "routes",
    "before netlink rule add": "rules",
    "before write_text src_valid_mark": "sysctl",
    "before write_text arp_ignore": "sysctl",
    "before replace .resolv.conf.slopn": "file",
    "before bus SetLinkDNS": "resolved",
    "before bus Set": "networkmanager",
    "before program -a": "resolvconf",
}
"""A change of the host, and the kind of inverse that must be on the disk by then."""
MISSING, KEPT = "power: not on the disk", "power: on the disk"
_ON_DISK = {"file", "networkmanager", "resolvconf"}
"""What these undo is on a disk, too: it must be synced before they are forgotten."""
_CHANGES = {
    "after replace .resolv.conf.slopn", "after unlink resolv.conf",
    "after program -a", "after program -d", "after program -u", "after bus Set",
}  # fmt: skip


class Power(Deaths):
    """Nobody dies: each change is compared with what a power cut would leave of the journal, and noted."""

    def __init__(self, state_dir: Path, notes: Path) -> None:
        super().__init__(None, notes)
        self._journal = state_dir / "journal"
        self._contents: dict[int, bytes] = {}
        self._names: dict[str, dict[str, int]] = {}
        self._unsettled = False
        """/etc was changed, and isn't synced since."""
        if self._journal.exists():
            found = self._journal.stat()
            self._contents[found.st_ino] = self._journal.read_bytes()
            self._names[str(state_dir)] = {"journal": found.st_ino}

    def install(self) -> None:
        """See `Deaths.install`; also watch what is synced."""
        real = os.fsync

        def fsync(descriptor: int) -> None:
            real(descriptor)
            self._synced(descriptor)

        os.fsync = fsync  # type: ignore[assignment]
        super().install()
        self._watch_forgetting()

    def comes(self, kind: str, label: str) -> bool:
        """Compare, where it is a change."""
        needed = NEEDS.get(label)
        if needed is not None:
            there = any(key.split()[0] == needed for key in self._keys())
            self.note(f"{KEPT if there else MISSING}: {needed}, {label}")
        if label in _CHANGES:
            self._unsettled = True
        return super().comes(kind, label)

    def _watch_forgetting(self) -> None:
        real = journal.Journal.forget

        def forget(book: journal.Journal, *keys: str) -> None:
            known = {entry.key for entry in book.entries()}
            for key in known.intersection(keys):
                if key.split()[0] in _ON_DISK:
                    self.note(f"{MISSING if self._unsettled else KEPT}: what {key.split()[0]} has put back")
            real(book, *keys)

        journal.Journal.forget = forget  # type: ignore[method-assign, assignment]

    def _synced(self, descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))  # noqa: PTH115 (Path's own are the ones with moments)
        if path.is_dir():
            self._names[str(path)] = {entry.name: entry.inode() for entry in os.scandir(path)}
            self._unsettled = self._unsettled and path != Path("/etc")
        elif path.parent == self._journal.parent:
            self._contents[os.fstat(descriptor).st_ino] = Path(f"/proc/self/fd/{descriptor}").read_bytes()

    def _keys(self) -> list[str]:
        """What a helper would find in the journal after a power cut now."""
        inode = self._names.get(str(self._journal.parent), {}).get("journal")
        lines = self._contents.get(inode or -1, b"").splitlines()
        return [msgspec.json.decode(line, type=journal._Line).entry.key for line in lines]
