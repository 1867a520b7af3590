"""A DNS server whose answers a test holds in its hand, and which may keep silent."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from support.netns import Namespace


class NameServer:
    """Answers at `address` of `host`, which must be its own, while entered. Change `records` at any time."""

    def __init__(self, host: Namespace, address: str) -> None:
        self._host = host
        self.address = address
        self.records: dict[str, tuple[str, ...]] = {}
        """Addresses by name, of both families; a name that is missing does not exist."""
        self.silent = False
        self.asked: list[tuple[str, str, str]] = []
        """Each query: the sender's address, the name, the type."""
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        with self._host.entered():
            self._socket = socket.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((self.address, 53))
        self._socket.settimeout(0.05)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                wire, sender = self._socket.recvfrom(4096)
                query = dns.message.from_wire(wire)
                question = query.question[0]
                name = question.name.to_text(omit_final_dot=True)
                self.asked.append((sender[0], name, dns.rdatatype.to_text(question.rdtype)))
                if not self.silent:
                    self._socket.sendto(self._answer(query, name).to_wire(), sender)

    def _answer(self, query: dns.message.Message, name: str) -> dns.message.Message:
        reply = dns.message.make_response(query)
        question = query.question[0]
        if name not in self.records:
            reply.set_rcode(dns.rcode.NXDOMAIN)
            return reply
        six = question.rdtype == dns.rdatatype.AAAA
        found = [address for address in self.records[name] if (":" in address) is six]
        if found:
            reply.answer.append(dns.rrset.from_text_list(question.name, 30, "IN", question.rdtype, found))
        return reply
