from __future__ import annotations

import errno
import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from slopn_helper.host.firewall import owner

Kernel = tuple[int, socket.socket]


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    """A descriptor to claim through, and the other end of it, which plays the kernel."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        theirs.settimeout(5)
        yield ours.fileno(), theirs


def answer(*codes: int) -> bytes:
    """Netlink acknowledgements with these error numbers; 0 is success."""
    return b"".join(struct.pack("=IHHIIi", 36, 2, 0, 2, 0, -code) + bytes(16) for code in codes)


def messages(batch: bytes) -> list[tuple[int, int, bytes]]:
    """(type, flags, body) of each message in a batch."""
    found = []
    while batch:
        length, kind, flags = struct.unpack_from("=IHH", batch)
        found.append((kind, flags, batch[16:length]))
        batch = batch[length:]
    return found


def test_a_claim_is_one_batch_for_owner_and_persist(kernel: Kernel) -> None:
    """The table of family inet is asked for with both flags, never with `owner` alone, which would open the host."""
    fd, theirs = kernel
    theirs.send(answer(0))
    assert owner.claim(fd, "inet", "slopn")
    begin, table, end = messages(theirs.recv(4096))
    assert (begin[0], end[0]) == (0x10, 0x11)
    kind, flags, body = table
    assert (kind, flags) == (0xA00, 0x1 | 0x4 | 0x400)
    assert body[0] == 1
    assert b"slopn\0" in body
    assert body.endswith(struct.pack("=HH", 8, 2) + struct.pack("!I", 0x2 | 0x4))


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.EINVAL])
def test_a_kernel_without_owned_tables_is_no_error(kernel: Kernel, code: int) -> None:
    """Older kernels refuse the flags in one of two ways: then there is no owner, and nothing was changed."""
    fd, theirs = kernel
    theirs.send(answer(code))
    assert not owner.claim(fd, "inet", "slopn")


def test_a_table_of_somebody_else_is_a_permission_error(kernel: Kernel) -> None:
    """The kernel says EPERM; so does Python."""
    fd, theirs = kernel
    theirs.send(answer(errno.EPERM))
    with pytest.raises(PermissionError):
        owner.claim(fd, "inet", "slopn")


def test_the_first_error_of_all_answers_counts(kernel: Kernel) -> None:
    """A later success in the same or the next datagram doesn't hide a failure."""
    fd, theirs = kernel
    theirs.send(answer(errno.ENOMEM, 0))
    theirs.send(answer(0))
    with pytest.raises(OSError, match=os.strerror(errno.ENOMEM)):
        owner.claim(fd, "inet", "slopn")


def test_netfilter_sockets_are_found_among_all_descriptors() -> None:
    """A netfilter socket appears and goes again; other sockets, pipes and files are none."""
    before = owner.netfilter_sockets()
    pipe = os.pipe()
    try:
        with socket.socket(socket.AF_INET), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0):
            assert owner.netfilter_sockets() == before
            with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as sock:
                assert owner.netfilter_sockets() - before == {sock.fileno()}
            assert owner.netfilter_sockets() == before
    finally:
        for fd in pipe:
            os.close(fd)


def test_looking_for_sockets_leaves_no_descriptor_behind() -> None:
    """The search copies descriptors, and closes every copy, while another thread opens and closes its own."""
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            os.close(os.open("/", os.O_RDONLY))

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(50):
            owner.netfilter_sockets()
    finally:
        stop.set()
        thread.join()
    before = len(list(Path("/proc/self/fd").iterdir()))
    owner.netfilter_sockets()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
