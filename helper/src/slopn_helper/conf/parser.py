"""From a wg-quick file's text to a profile and its keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from slopn_helper.conf import values
from slopn_helper.conf.errors import ConfError, Defect, quoted
from slopn_helper.conf.lexer import Entry, Section, Token, lex
from slopn_helper.overlap import literal, own_endpoint
from slopn_helper.secrets import ProfileSecrets, Secret
from slopn_wire.profile import DnsConfig, IPAddress, IPInterface, IPNetwork, Peer, Profile

MAX_PEERS = 1000
"""Most peers a profile may have."""
MAX_NETWORKS = 10_000
"""Most networks that AllowedIPs may name in one file, those named twice counted twice."""
_MAX_NOTES = 50

_HOOKS = ("PreUp", "PostUp", "PreDown", "PostDown")
_QUICK = ("Address", "DNS", "MTU", "Table", "SaveConfig", *_HOOKS)
_INTERFACE = ("PrivateKey", "ListenPort", "FwMark")
_PEER = ("PublicKey", "PresharedKey", "AllowedIPs", "Endpoint", "PersistentKeepalive")
_REPEATABLE = frozenset({"Address", "DNS", "AllowedIPs", *_HOOKS})
_SPELLING = {key.lower(): key for key in (*_INTERFACE, *_QUICK, *_PEER)}
_SCALARS: dict[str, Callable[[Token], Any]] = {
    "MTU": values.mtu,
    "Table": values.table,
    "ListenPort": values.listen_port,
    "FwMark": values.fwmark,
    "Endpoint": values.endpoint,
    "PersistentKeepalive": values.keepalive,
    "PrivateKey": values.nonzero_key,
    "PublicKey": values.public_key,
    "PresharedKey": values.secret_key,
    "SaveConfig": values.boolean,
}


class Parsed(Struct, frozen=True):
    """A file's content: all of a profile but its name, and its keys."""

    addresses: tuple[IPInterface, ...]
    peers: tuple[Peer, ...]
    dns: DnsConfig
    mtu: int | None
    listen_port: int | None
    table: str
    fwmark: int | None
    notes: tuple[str, ...]
    secrets: ProfileSecrets

    def named(self, name: str) -> Profile:
        """The profile under `name`."""
        return Profile(
            name=name,
            addresses=self.addresses,
            peers=self.peers,
            dns=self.dns,
            mtu=self.mtu,
            listen_port=self.listen_port,
            table=self.table,
            fwmark=self.fwmark,
            notes=self.notes,
        )


def parse(text: str, filename: str) -> Parsed:
    """Read a wg-quick file. Raises `ConfError` at the first defect; `filename` only appears there.

    Accepts what wg-quick(8) and wg(8) accept, and a byte order mark; refuses what they take silently though it can only
    be a mistake (a key given twice, one network for two peers, no Address). Hooks become notes and are never run.
    """
    try:
        return _Reader().read(text)
    except Defect as defect:
        raise ConfError(filename, defect.line, defect.column, defect.found, defect.allowed) from None


class _Part:
    """One section while it is read: its scalars by key, with the token of each."""

    def __init__(self, section: Section) -> None:
        self.token = section.token
        self.is_peer = section.name == "peer"
        self.scalars: dict[str, Any] = {}
        self.tokens: dict[str, Token] = {}
        self.networks: dict[IPNetwork, None] = {}

    def require(self, key: str) -> Any:
        if key not in self.scalars:
            name = "[Peer]" if self.is_peer else "[Interface]"
            raise self.token.defect(f"a section {name} without {key}", f"{name} needs {key}")
        return self.scalars[key]


class _Reader:
    def __init__(self) -> None:
        self._interface: _Part | None = None
        self._peers: list[_Part] = []
        self._public_keys: dict[str, Token] = {}
        self._networks: dict[IPNetwork, tuple[_Part, Token]] = {}
        self._addresses: dict[IPInterface, Token] = {}
        self._servers: dict[IPAddress, None] = {}
        self._search: dict[str, None] = {}
        self._named = 0
        self._notes: list[str] = []

    def read(self, text: str) -> Parsed:
        part: _Part | None = None
        for item in lex(text):
            if isinstance(item, Section):
                part = self._open(item)
            elif part is None:
                raise item.key.defect("a key before the first section", "the file begins with [Interface] or [Peer]")
            else:
                self._take(part, item)
        return self._finish()

    def _open(self, section: Section) -> _Part:
        part = _Part(section)
        if part.is_peer:
            if len(self._peers) == MAX_PEERS:
                raise section.token.defect(f"a peer beyond {MAX_PEERS}", f"a profile has at most {MAX_PEERS} peers")
            self._peers.append(part)
            return part
        if self._interface is not None:
            line = self._interface.token.line
            raise section.token.defect(f"[Interface] again, after line {line}", "a file has one [Interface]")
        self._interface = part
        return part

    def _take(self, part: _Part, entry: Entry) -> None:
        key = _key(part, entry)
        if key not in _REPEATABLE:
            if key in part.tokens:
                first = part.tokens[key].line
                raise entry.key.defect(f"{key} again, after line {first}", f"{key} stands once in a section")
            part.tokens[key] = entry.value
            part.scalars[key] = _SCALARS[key](entry.value)
            self._check_scalar(part, key, entry)
        elif key == "Address":
            self._add_addresses(entry.value)
        elif key == "DNS":
            servers, search = values.resolvers(entry.value)
            self._servers.update(dict.fromkeys(servers))
            self._search.update(dict.fromkeys(search))
        elif key == "AllowedIPs":
            self._add_networks(part, entry.value)
        else:
            self._notes.append(f"Line {entry.key.line}: {key} is never run.")

    def _check_scalar(self, part: _Part, key: str, entry: Entry) -> None:
        value = part.scalars[key]
        if key == "SaveConfig" and value:
            self._notes.append(f"Line {entry.key.line}: SaveConfig is not obeyed; a profile changes only by an import.")
        elif key == "FwMark" and value is not None:
            self._notes.append(f"Line {entry.key.line}: FwMark is kept but not used; SloPN has a mark of its own.")
        elif key == "PublicKey":
            if value in self._public_keys:
                first = self._public_keys[value].line
                raise entry.value.defect(f"the key of the peer in line {first}", "each peer has a key of its own")
            self._public_keys[value] = entry.value
        elif key == "PresharedKey" and not any(value.reveal()):
            del part.scalars[key]
            self._notes.append(f"Line {entry.key.line}: a PresharedKey of zeros is none.")

    def _add_addresses(self, value: Token) -> None:
        for word, address in values.addresses(value):
            if address in self._addresses:
                first = self._addresses[address].line
                raise word.defect(f"the address {address} again, after line {first}", "an address is given once")
            self._addresses[address] = word

    def _add_networks(self, part: _Part, value: Token) -> None:
        for item, network in values.networks(value):
            self._named += 1
            if self._named > MAX_NETWORKS:
                raise item.defect(
                    f"a network beyond {MAX_NETWORKS}", f"a profile's AllowedIPs name at most {MAX_NETWORKS} networks"
                )
            owner, first = self._networks.setdefault(network, (part, item))
            if owner is not part:
                found = f"{network}, which line {first.line} gives another peer"
                raise item.defect(found, "a network belongs to one peer")
            part.networks[network] = None

    def _finish(self) -> Parsed:
        interface = self._interface
        if interface is None:
            raise Defect(1, 1, "no section [Interface]", "a file has one [Interface] and at least one [Peer]")
        private_key = interface.require("PrivateKey")
        if not self._addresses:
            raise interface.token.defect("a section [Interface] without Address", "[Interface] needs an Address")
        if not self._peers:
            raise interface.token.defect(
                "a file without a [Peer]", "a file has one [Interface] and at least one [Peer]"
            )
        self._check_mtu(interface)
        self._check_endpoints()
        return Parsed(
            addresses=tuple(self._addresses),
            peers=tuple(_peer(part) for part in self._peers),
            dns=DnsConfig(servers=tuple(self._servers), search=tuple(self._search)),
            mtu=interface.scalars.get("MTU"),
            listen_port=interface.scalars.get("ListenPort"),
            table=interface.scalars.get("Table", "auto"),
            fwmark=interface.scalars.get("FwMark"),
            notes=_shortened(self._notes),
            secrets=ProfileSecrets(private_key, self._preshared_keys()),
        )

    def _check_mtu(self, interface: _Part) -> None:
        mtu = interface.scalars.get("MTU")
        least = values.least_mtu((*self._addresses, *self._networks))
        if mtu is not None and mtu < least:
            raise interface.tokens["MTU"].defect(f"an MTU of {mtu} with IPv6 inside", f"IPv6 needs {least} or more")

    def _check_endpoints(self) -> None:
        for part in self._peers:
            endpoint = part.scalars.get("Endpoint")
            address = None if endpoint is None else literal(endpoint)
            if address is not None and own_endpoint(self._addresses, address) is not None:
                found = f"a gateway at {address}, inside the tunnel's own network"
                raise part.tokens["Endpoint"].defect(found, "the gateway is reached outside the tunnel")

    def _preshared_keys(self) -> dict[str, Secret]:
        return {
            part.scalars["PublicKey"]: part.scalars["PresharedKey"]
            for part in self._peers
            if "PresharedKey" in part.scalars
        }


def _shortened(notes: list[str]) -> tuple[str, ...]:
    more = len(notes) - _MAX_NOTES
    return (*notes[:_MAX_NOTES], f"And {more} lines more that are not obeyed.") if more > 0 else tuple(notes)


def _peer(part: _Part) -> Peer:
    return Peer(
        public_key=part.require("PublicKey"),
        endpoint=part.scalars.get("Endpoint"),
        allowed_ips=tuple(part.networks),
        persistent_keepalive=part.scalars.get("PersistentKeepalive"),
        has_preshared_key="PresharedKey" in part.scalars,
    )


def _key(part: _Part, entry: Entry) -> str:
    token = entry.key
    key = _SPELLING.get(token.text.lower()) or _SPELLING.get(token.squeezed.lower())
    if not token.text.isascii() or (key in _QUICK and token.text.lower() not in _SPELLING):
        # wg closes up “Private Key”; wg-quick doesn't close up “Post Up”.
        key = None
    here = _PEER if part.is_peer else (*_INTERFACE, *_QUICK)
    name = "[Peer]" if part.is_peer else "[Interface]"
    allowed = f"{name} takes {', '.join(here)}"
    if key is None:
        raise token.defect(f"{quoted(token.text)} as key", allowed)
    if key not in here:
        raise token.defect(f"{key} in {name}", allowed)
    return key
