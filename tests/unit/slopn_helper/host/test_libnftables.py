from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from slopn_helper.host import libnftables
from slopn_helper.host.libnftables import Nftables
from support.netns import Namespace

pytestmark = pytest.mark.root


@pytest.fixture
def nft() -> Iterator[Nftables]:
    """A context in a namespace of its own; none is left of it afterwards."""
    with Namespace("nft") as host, host.entered():
        made = Nftables()
        assert made.cmd("add table inet there; add chain inet there c")[0] == 0
        yield made


def test_a_script_changes_the_kernel_and_a_list_reads_it_back(nft: Nftables) -> None:
    """As nft(8) prints it, then as JSON, then as text again."""
    assert nft.cmd("add rule inet there c tcp dport 53 drop") == (0, "", "")
    status, text, errors = nft.cmd("list table inet there")
    assert (status, errors) == (0, "")
    assert "tcp dport 53 drop" in text
    nft.set_json_output(True)
    kinds = {kind for item in json.loads(nft.cmd("list table inet there")[1])["nftables"] for kind in item}
    assert {"table", "chain", "rule"} <= kinds
    nft.set_json_output(False)
    assert nft.cmd("list table inet there")[1] == text


def test_one_bad_line_leaves_everything_as_it_was(nft: Nftables) -> None:
    """A transaction: what stands before the mistake isn't done either, and the library complains."""
    status, output, errors = nft.cmd("add table inet fresh\nadd rule inet there nowhere drop")
    assert status != 0
    assert not output
    assert "No such file or directory" in errors
    assert "fresh" not in nft.cmd("list tables")[1]


def test_what_was_said_before_is_not_said_again(nft: Nftables) -> None:
    """Output and complaints are of the last script alone."""
    assert nft.cmd("list tables inet")[1] == "table inet there\n"
    assert "syntax error" in nft.cmd("nonsense")[2]
    assert nft.cmd("add table inet other") == (0, "", "")


def test_a_zero_byte_does_nothing(nft: Nftables) -> None:
    """C would take what stands before it for the whole script."""
    with pytest.raises(ValueError, match="zero byte"):
        nft.cmd("add table inet half\0; add table inet rest")
    assert "half" not in nft.cmd("list tables")[1]


def test_a_missing_library_is_an_os_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever needs it turns that into a sentence of his own."""
    monkeypatch.setattr(libnftables, "LIBRARY", "libnftables.so.0.not.there")
    monkeypatch.setattr(libnftables, "_loaded", None)
    with pytest.raises(OSError, match=r"libnftables\.so\.0\.not\.there"):
        Nftables()
