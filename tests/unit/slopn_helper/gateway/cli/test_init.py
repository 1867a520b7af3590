from __future__ import annotations

import argparse
import stat
from pathlib import Path

import pytest

from slopn_helper.gateway import cli
from slopn_helper.gateway.cli import init
from slopn_helper.gateway.machine import Machine
from slopn_helper.gateway.paths import Paths
from slopn_helper.gateway.setup import SERVICE
from slopn_helper.store.lock import StateLock
from support.gateway_cli import ENDPOINT, Cli
from support.machine import Systemd, machine


@pytest.fixture
def fresh(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """A server that is no gateway yet."""
    return Cli(tmp_path, capsys)


def run(gateway: Cli, on: Machine, *words: str) -> int:
    """`init` on a machine of folders."""
    parser = argparse.ArgumentParser()
    init.configure(parser)
    cli.add_paths(parser)
    return init.run(parser.parse_args([*words, *gateway.paths]), on)


def held(folder: Path) -> dict[str, bytes]:
    """Every file, but the logs of what was done and the database's own."""
    return {
        str(path): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "audit.jsonl" and "registry.db" not in path.name
    }


def test_from_nothing_to_a_link(fresh: Cli) -> None:
    """Settings and keys are its owner's alone; a second run changes nothing and says so."""
    out = fresh.good("init", "--endpoint", ENDPOINT, "--no-start")
    assert "slopn-gateway token create" in out
    assert fresh.config.wireguard.endpoint == ENDPOINT
    secret = [fresh.config_file, *fresh.state.rglob("*.key"), *fresh.state.glob("registry.db*")]
    assert len(secret) >= 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}
    before = held(fresh.folder)
    again = fresh.good("init", "--no-start")
    assert "nothing was changed" in again
    assert held(fresh.folder) == before
    assert fresh.good("token", "create", "--no-qr").startswith("slopn://enrol?")
    assert [line["what"] for line in fresh.audit()] == ["init", "init", "token.create"]


def test_two_at_once_are_one(fresh: Cli) -> None:
    """The second changes nothing and says who is at work."""
    fresh.state.mkdir()
    lock = StateLock(fresh.state / init.LOCK)
    lock.acquire()
    status, _, err = fresh.run("init", "--endpoint", ENDPOINT, "--no-start")
    assert status == cli.FAILED
    assert "another `slopn-gateway init`" in err
    assert not fresh.config_file.exists()
    lock.release()
    fresh.good("init", "--endpoint", ENDPOINT, "--no-start")


def test_settings_that_differ_are_never_overwritten_unasked(fresh: Cli) -> None:
    """It says what differs; with --overwrite the old ones are kept beside, and the keys stay."""
    fresh.good("init", "--endpoint", ENDPOINT, "--no-start")
    before = held(fresh.folder)
    status, _, err = fresh.run("init", "--port", "443", "--no-start")
    assert (status, "wireguard.port: 51820 → 443" in err) == (cli.USAGE, True)
    assert held(fresh.folder) == before
    fresh.good("init", "--port", "443", "--no-start", "--overwrite")
    assert fresh.config.wireguard.port == 443
    after = held(fresh.folder)
    kept = str(fresh.config_file) + init.BEFORE
    assert after.pop(kept) == before[str(fresh.config_file)]
    assert {name for name in before if after[name] != before[name]} == {str(fresh.config_file)}


@pytest.mark.parametrize(
    "words",
    [(), ("--endpoint", "a b"), ("--endpoint", ENDPOINT, "--ipv4", "x"), ("--endpoint", ENDPOINT, "--port", "0")],
)
def test_what_cannot_be_makes_nothing(fresh: Cli, words: tuple[str, ...]) -> None:
    """A sentence."""
    status, out, err = fresh.run("init", "--no-start", *words)
    assert (status, out, err.count("\n")) == (cli.USAGE, "", 1)
    assert held(fresh.folder) == {}


def test_a_registry_that_is_there_gives_its_networks(fresh: Cli, tmp_path: Path) -> None:
    """A second gateway of one registry lends of the same; other networks of that name are refused, and nothing is set."""
    fresh.good("init", "--endpoint", ENDPOINT, "--no-start")
    url = fresh.config.database.url
    other = Cli(tmp_path / "other", fresh.capsys)
    out = other.good("init", "--endpoint", "b.example.org", "--database", url, "--no-start")
    assert "has networks for devices already" in out
    assert other.config.pools == fresh.config.pools
    third = Cli(tmp_path / "third", fresh.capsys)
    words = ("--endpoint", "c.example.org", "--database", url, "--ipv4", "10.0.0.0/16", "--no-start")
    status, _, err = third.run("init", *words)
    assert (status, "in the registry" in err) == (cli.FAILED, True)
    assert not third.config_file.exists()


def test_without_a_name_server_nothing_is_done(fresh: Cli, tmp_path: Path) -> None:
    """Nobody's resolvers are told to devices unasked; whoever names some needs none here."""
    on = machine(tmp_path / "machine", unbound=False)
    with pytest.raises(cli.CliError, match="apt install unbound"):
        run(fresh, on, "--endpoint", ENDPOINT)
    assert not fresh.config_file.exists()
    assert run(fresh, on, "--endpoint", ENDPOINT, "--dns", "9.9.9.9") == cli.DONE
    assert [str(each) for each in fresh.config.dns.servers] == ["9.9.9.9"]


def test_folders_of_ones_own_have_no_unit(fresh: Cli, tmp_path: Path) -> None:
    """The unit knows the usual ones alone."""
    systemd = Systemd()
    assert run(fresh, machine(tmp_path / "machine", systemd), "--endpoint", ENDPOINT) == cli.DONE
    assert "slopn-gateway serve --config" in fresh.capsys.readouterr().out
    assert systemd.told == []


def test_the_whole_set_up_and_its_removal(fresh: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unit, name server and Fail2Ban; afterwards devices and keys are still there."""
    made = Paths(fresh.state, fresh.folder / "run", fresh.config_file)
    monkeypatch.setattr(init, "Paths", lambda: made)
    systemd = Systemd()
    on = machine(tmp_path / "machine", systemd, fail2ban=True)
    assert run(fresh, on, "--endpoint", ENDPOINT) == cli.DONE
    assert SERVICE in systemd.active
    systemd.told.clear()
    assert run(fresh, on) == cli.DONE
    assert "nothing was changed" in fresh.capsys.readouterr().out
    assert systemd.told == []
    assert run(fresh, on, "--port", "443", "--overwrite") == cli.DONE
    assert ("restart", SERVICE) in systemd.told
    drop_in = tmp_path / "machine/etc/systemd/system" / f"{SERVICE}.d/registry.conf"
    assert not drop_in.exists()
    away = tmp_path / "away"
    away.mkdir()
    assert run(fresh, on, "--database", f"sqlite:///{away}/registry.db", "--overwrite") == cli.DONE
    assert f"ReadWritePaths={away}\n" in drop_in.read_text()
    kept = {name for name in held(fresh.folder) if "/state/" in name and "installed" not in name}
    assert run(fresh, on, "--remove") == cli.DONE
    assert not any((tmp_path / "machine/etc").rglob("*.conf"))
    assert SERVICE not in systemd.active
    assert kept <= set(held(fresh.folder))
    assert fresh.config_file.exists()


def test_a_damaged_file_of_settings_is_named(fresh: Cli) -> None:
    """And stays."""
    fresh.good("init", "--endpoint", ENDPOINT, "--no-start")
    fresh.config_file.write_text("[wireguard]\n", encoding="utf-8")
    status, _, err = fresh.run("init", "--no-start")
    assert (status, "wireguard.endpoint" in err) == (cli.FAILED, True)
    assert fresh.config_file.read_text() == "[wireguard]\n"
