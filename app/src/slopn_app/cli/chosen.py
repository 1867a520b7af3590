"""Pairing as the user chooses: under a name of their own, with fewer rights, or once more."""

from __future__ import annotations

import os

from slopn_app.bootstrap import host
from slopn_app.cli.channel import REPLY_TIMEOUT, ask_number, tell
from slopn_app.endpoint import socket_path
from slopn_app.pairing import Pairing
from slopn_app.trouble import Trouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from slopn_app.link import Document, Link


class ChosenPairing(Pairing):
    """The command line's standing with the helper. `name`: None for the usual one. Raises `Trouble`."""

    def __init__(self, name: str | None, rights: tuple[str, ...]) -> None:
        path = socket_path(os.environ)
        super().__init__("cli", host(), path, ask=ask_number, say=tell, name=name, rights=rights)

    def once(self) -> str | None:
        """Be paired, by now or since long; the device."""
        conversation = self.link(REPLY_TIMEOUT)
        try:
            result = _asked(conversation)
        finally:
            conversation.close()
        if result["type"] == "refused" and result["kind"] == "not_paired":
            self.refused(result["message"], REPLY_TIMEOUT)
        return self.device()

    def again(self) -> tuple[str | None, str]:
        """Be paired anew, and end the pairing of before; the device, and what went wrong with that, or nothing."""
        before = self.device()
        if before is None:
            return self.once(), ""
        conversation = self.link(REPLY_TIMEOUT)
        try:
            known = _asked(conversation)
            self.pair_anew(REPLY_TIMEOUT)
            problem = "" if known["type"] == "refused" and known["kind"] == "not_paired" else _end(conversation, before)
        finally:
            conversation.close()
        return self.device(), problem


def _asked(conversation: Link) -> Document:
    """Whether the helper accepts this program shows in any answer; this is the cheapest question."""
    try:
        return conversation.ask({"type": "get_snapshot"}, REPLY_TIMEOUT)
    except Trouble as problem:
        if problem.kind != "not_paired":
            raise
        return {"type": "refused", "kind": "not_paired", "message": str(problem)}


def _end(conversation: Link, device: str) -> str:
    """Revoke the pairing that `conversation` stands on. Empty, or a sentence."""
    still = f"The old pairing holds until `slopn devices revoke {device}`."
    try:
        result = conversation.ask({"type": "revoke_device", "device": device}, REPLY_TIMEOUT)
    except Trouble as problem:
        # Its connections end at once, this one may before it has said so.
        return "" if problem.kind in {"unreachable", "not_paired"} else still
    return "" if result["type"] == "done" else still
