from __future__ import annotations

import asyncio
from pathlib import Path

import dns.message
import pytest

from slopn_helper.host.facts import linux
from slopn_helper.host.facts.linux import LinuxFacts


@pytest.mark.parametrize(
    ("release", "keeps"),
    [("6.9.0-amd64", True), ("6.10.1", True), ("7.0-rc1", True), ("6.8.12", False), ("5.15.0-91", False), ("?", False)],
)
def test_kernels_that_keep_tables_are_known(release: str, keeps: bool) -> None:
    """By their numbers, not by their spelling."""
    assert linux._keeps_tables(release) == keeps


def test_only_an_answer_to_the_question_counts() -> None:
    """Anything else that comes is passed over."""
    question = dns.message.make_query(".", "NS")
    answer = dns.message.make_response(question)
    assert linux._answers(question, answer.to_wire())
    assert not linux._answers(question, question.to_wire())
    assert not linux._answers(question, b"rubbish")
    assert not linux._answers(question, dns.message.make_response(dns.message.make_query(".", "NS")).to_wire())


def test_files_of_resolvers_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With where a link leads, and why one can't be read; none is read for ever."""
    (tmp_path / "real").write_text("nameserver 192.0.2.53\n")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "large").write_text("x" * 100_000)
    monkeypatch.setattr(linux, "RESOLVER_FILES", [tmp_path / name for name in ("link", "none", "large")])
    told = asyncio.run(LinuxFacts("slopn").resolvers())
    assert told.startswith(f"# {tmp_path}/link -> real\nnameserver 192.0.2.53\n")
    assert f"# {tmp_path}/none\n(No such file or directory)" in told
    assert len(told) < 20_000


def test_a_missing_device_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its path and the reason."""
    monkeypatch.setattr(linux, "TUN", tmp_path / "tun")
    system = asyncio.run(LinuxFacts("slopn").system())
    assert system.tun == f"{tmp_path}/tun: No such file or directory"
    (tmp_path / "tun").touch()
    assert asyncio.run(LinuxFacts("slopn").system()).tun is None
    assert system.name
    assert system.kernel
