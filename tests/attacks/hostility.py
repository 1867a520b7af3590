"""More of a hostile local user, see `support.hostile`: what can be asked of the real helper alone.

python -m attacks.hostility ATTACK SOCKET CHAIN UID
"""

from __future__ import annotations

import contextlib
import sys
import time
import zlib
from pathlib import Path

from slopn_wire.codec import encode
from slopn_wire.commands import (
    Command,
    Diagnose,
    FollowLogs,
    GetLogs,
    GetSnapshot,
    ImportProfile,
    Pair,
    RemoveProfile,
    Replay,
    Request,
    Watch,
)
from slopn_wire.events import ErrorKind, Refused
from slopn_wire.framing import frame
from slopn_wire.logs import LogFilter
from support.blunt import Blunt
from support.certificates import new_key, request_for
from support.hostile import ATTACKS, attack, main

__all__ = ["ATTACKS"]

_CONNECTIONS = 40
_PIECE = 1 << 14


def _everywhere(path: str, chain: Path | None, *commands: Command) -> list[Blunt]:
    """Ask all of it on as many connections as there may be, and read nothing."""
    raw = b"".join(frame(encode(Request(number, command))) for number, command in enumerate(commands, 1))
    kept: list[Blunt] = []
    with contextlib.suppress(OSError):
        while len(kept) < _CONNECTIONS:
            kept.append(Blunt.secured(path, chain))
    for start in range(0, len(raw), _PIECE):
        for client in kept:
            client.socket.settimeout(0.01)
            with contextlib.suppress(OSError):
                client.socket.send(raw[start : start + _PIECE])
    return kept


@attack
def compressed_bombs(path: str, chain: Path) -> object:
    """Two hundred megabytes of nothing, in two hundred kilobytes, as a recording."""
    squeeze = zlib.compressobj(9)
    bomb = b"".join(squeeze.compress(bytes(1 << 20)) for _ in range(200)) + squeeze.flush()
    return _everywhere(path, chain, *[Replay(bomb)] * 4)


def longest_recording() -> bytes:
    """One whose replay makes as long an answer as there may be: each step is in a state that is long to tell."""
    profile = '\\"' * 90
    state = f'{{"type":"connecting","profile":"{profile}","attempt":1}}'
    first = f'{{"n":1,"at":1.0,"v":"1","before":{state},"input":{{"type":"timer_fired"}},"after":{state}}}'
    rest = (f'{{"n":{number},"at":1,"input":{{"type":"timer_fired"}}}}' for number in range(2, 20_001))
    return zlib.compress("\n".join([first, *rest]).encode(), 9)


@attack
def longest_replays(path: str, chain: Path) -> object:
    """Recordings whose replays make answers as long as there may be, which nobody reads."""
    return _everywhere(path, chain, *[Replay(longest_recording())] * 6)


@attack
def diagnoses(path: str, chain: Path) -> object:
    """The whole computer looked at, again and again, for nobody."""
    return _everywhere(path, chain, *[Diagnose()] * 10)


@attack
def pairings(path: str, _: Path) -> object:
    """Programs that want to be paired, as many as there may be."""
    return _everywhere(path, None, *(Pair(f"p{number}", request_for(new_key())) for number in range(20)))


@attack
def watches(path: str, chain: Path) -> object:
    """The whole state and all events, asked for again and again on each connection."""
    return _everywhere(path, chain, *[Watch(None), Watch(0, "x")] * 60)


@attack
def costly_filters(path: str, chain: Path) -> object:
    """The log read with filters that find nothing, and take as long as they can, on each connection again and again."""
    text = LogFilter(text="\N{LATIN SMALL LETTER SHARP S}" * 2000)
    return _everywhere(path, chain, *(command for _ in range(20) for command in (FollowLogs(text), GetLogs(text))))


@attack
def a_log_of_quotes(path: str, chain: Path) -> object:
    """Fills the log with lines that take twice their room on the wire, then asks for it everywhere and doesn't read."""
    with Blunt.secured(path, chain) as client:
        for _number in range(520):
            client.ask(ImportProfile('"' * 8000 + "/", "", "a.conf"))
    return _everywhere(path, chain, *[GetLogs()] * 15)


@attack
def long_names(path: str, chain: Path) -> object:
    """Names of a megabyte, of characters that a log would have to escape."""
    return _everywhere(path, chain, *[ImportProfile("\u2028" * 300_000, "", "a.conf")] * 4)


@attack
def refusals_to_remember(path: str, chain: Path) -> object:
    """Requests whose answers are remembered for a retry, each with a file name of a megabyte in it."""
    with Blunt.secured(path, chain) as client:
        for number in range(80):
            client.ask(ImportProfile("a", "no file", "x" * 900_000), f"key {number}")
    return None


@attack
def thousands_of_networks(path: str, chain: Path) -> object:
    """Profiles with as many networks as a file may have, again and again, one name after the other."""
    networks = ",".join(f"10.{number >> 8}.{number & 255}.0/24" for number in range(10_000))
    return _everywhere(path, chain, *(ImportProfile(f"many{number}", wg(networks), "x") for number in range(5)))


@attack
def bloated_files(path: str, chain: Path) -> object:
    """Files of a megabyte, of sections, of addresses, of resolvers, of nothing."""
    fillers = ("[Interface]\n" * 80_000, "\n" * 500_000, "[Interface]\nDNS=" + "1.1.1.1," * 120_000, "x" * 1_000_000)
    return _everywhere(path, chain, *(ImportProfile("bloated", text, "x") for text in fillers))


@attack
def many_profiles(path: str, chain: Path) -> object:
    """Profiles with long lists of notes, until no more are taken; each import tells everybody of all of them."""
    text = wg("10.0.0.0/8").replace("[Peer]", "PostUp=x\n" * 50 + "[Peer]")
    with Blunt.secured(path, chain) as client:
        for number in range(1000):
            if not _patiently(client, ImportProfile(f"p{number}", text, "x")):
                break
        else:
            raise AssertionError("there was room for a thousand")
        kept = _everywhere(path, chain, *(command for _ in range(20) for command in (GetSnapshot(), Watch())))
        for number in range(1000):
            if not _patiently(client, RemoveProfile(f"p{number}")):
                break
    return kept


def wg(networks: str) -> str:
    """A wg-quick file."""
    interface = f"[Interface]\nPrivateKey={'A' * 42}E=\nAddress=10.0.0.2\n"
    return f"{interface}[Peer]\nPublicKey={'B' * 42}E=\nAllowedIPs={networks}"


def _patiently(client: Blunt, command: Command) -> bool:
    """Whether it is done, once there were not too many in a second."""
    while isinstance(answer := client.ask(command), Refused):
        if answer.kind is not ErrorKind.LIMITED:
            return False
        time.sleep(0.1)
    return True


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
