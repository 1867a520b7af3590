from __future__ import annotations

import tomllib
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slopn_helper.gateway import config as c
from slopn_helper.gateway.config import Config, defaults, problem
from slopn_helper.gateway.config_file import MOST_BYTES, ConfigError, load, locate, parse, write

FILE = Path("gateway.toml")
SMALL = """\
[wireguard]
endpoint = "vpn.example.org"

[pools]
ipv4 = ["10.0.0.0/24"]
"""

ports = st.integers(1, 65535)
addresses = st.lists(st.ip_addresses(), max_size=3).map(tuple)
names = st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,8}){0,2}", fullmatch=True)
networks4 = st.builds(
    lambda n, p: IPv4Network((0x0A000000 | n, p), strict=False), st.integers(0, 2**24 - 1), st.integers(8, 30)
)
networks6 = st.builds(
    lambda n, p: IPv6Network(((0xFD << 120) | n, p), strict=False), st.integers(0, 2**120 - 1), st.integers(32, 126)
)
paths = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(lambda text: f"/{text}")
configs = st.builds(
    Config,
    st.builds(c.WireGuardSection, names, ports, st.from_regex(r"[a-z][A-Za-z0-9_-]{0,14}", fullmatch=True)),
    st.builds(c.PoolsSection, st.tuples(networks4), st.lists(networks6, max_size=1).map(tuple)).flatmap(
        lambda section: st.builds(
            c.PoolsSection,
            st.just(section.ipv4),
            st.just(section.ipv6),
            st.lists(st.integers(0, 3), max_size=3).map(lambda at: tuple(section.ipv4[0][each] for each in at)),
        )
    ),
    st.builds(c.NetworkSection, st.sampled_from(c.Nat), st.sampled_from(c.Nat), st.booleans()),
    st.builds(c.DnsSection, addresses, st.lists(names, max_size=2).map(tuple)),
    st.one_of(
        st.builds(c.EnrolmentSection, addresses, ports),
        st.builds(c.EnrolmentSection, addresses, ports, paths, paths),
    ),
    st.builds(c.DevicesSection, st.integers(1, 3650), st.integers(1, 3650)),
    st.builds(
        c.DatabaseSection, st.one_of(paths.map(lambda p: f"sqlite:////a{p}"), paths.map(lambda p: f"postgresql://h{p}"))
    ),
    st.builds(c.BansSection, st.booleans(), st.lists(st.one_of(networks4, networks6), max_size=3).map(tuple)),
    st.builds(c.WatchSection, st.integers(0, 65535)),
)


@given(configs)
def test_what_is_written_is_read_back(config: Config) -> None:
    """Any settings that hold, with any letters in their texts."""
    assert problem(config) is None
    assert parse(write(config), FILE) == config


def test_little_must_be_said() -> None:
    """An endpoint and a network: the rest has defaults."""
    config = parse(SMALL, FILE)
    assert config == Config(c.WireGuardSection("vpn.example.org"), c.PoolsSection((IPv4Network("10.0.0.0/24"),)))


def test_defaults_stand_as_comments() -> None:
    """A key that is as by default is shown and described, and a later default counts for it."""
    text = write(defaults("vpn.example.org", bytes(7)))
    assert "# UDP port of WireGuard.\n# Allowed: a number from 1 to 65535.\n#port = 51820\n" in text
    assert 'endpoint = "vpn.example.org"\n' in text
    assert set(tomllib.loads(text)["wireguard"]) == {"endpoint"}


@pytest.mark.parametrize(
    ("change", "line", "key", "says"),
    [
        (("[pools]", "[pool]"), 4, "pool", "is pools meant. Allowed: [wireguard], [pools]"),
        (("[pools]", "port = 1.5\n[pools]"), 4, "wireguard.port", "1.5 can't be. Allowed: a number from 1 to 65535."),
        (("[pools]", "port = 0\n[pools]"), 4, "wireguard.port", "0 can't be."),
        (
            ("[pools]", "prt = 1\n[pools]"),
            4,
            "wireguard.prt",
            "is port meant. Allowed: the keys endpoint, port, interface.",
        ),
        (("endpoint", "#endpoint"), 1, "wireguard.endpoint", "must be said"),
        (('endpoint = "vpn.example.org"', "endpoint = '''\n\n\na b'''"), 2, "wireguard.endpoint", "name in ASCII"),
        (
            ('"10.0.0.0/24"', '\n  # one\n "10.0.0.0/24",\n "10.0.0.1/24"]#\n#'),
            5,
            "pools.ipv4[1]",
            '"10.0.0.1/24" can\'t',
        ),
        (('"10.0.0.0/24"', "7"), 5, "pools.ipv4[0]", "7 can't be. Allowed: a list of networks"),
        (('["10.0.0.0/24"]', "[]"), 4, "pools", "at least one network"),
        (("[wireguard]\nendpoint", "wireguard.endpoint"), 1, "wireguard.endpoint", None),
        (("[wireguard]\n", "wireguard = 3\n#"), 1, "wireguard", "3 can't be"),
        (("[wireguard]\n", "[wireguard\n"), 1, "", "isn't TOML"),
        (('"vpn.example.org"', '"vpn'), 2, "", "isn't TOML"),
        (('["10.0.0.0/24"]', '["'), 5, "", "isn't TOML"),
        (('["10.0.0.0/24"]', "[" * 3000), None, "", "nested"),
        (('["10.0.0.0/24"]', "9" * 5000), 5, "", "isn't TOML"),
        (('["10.0.0.0/24"]', '["fe80::1"]'), 5, "pools.ipv4[0]", "can't be"),
        (("[pools]", "[bans]\nallow = ['fe80::1%eth0']\n[pools]"), 5, "bans.allow[0]", "can't be"),
        (("[pools]", "[dns]\nservers = ['fe80::1%eth0']\n[pools]"), 5, "dns.servers[0]", "can't be"),
        (("[pools]", "[database]\nurl = 'geheim'\n[pools]"), 5, "database.url", "no URL"),
        (("[pools]", "[database]\nurl = ['geheim']\n[pools]"), 5, "database.url", "This can't be"),
        (("[pools]", '"a\\u001b\\nb" = 1\n[pools]'), 4, 'wireguard."a\\u001b\\nb"', "no key"),
    ],
)
def test_errors_name_line_and_key(change: tuple[str, str], line: int | None, key: str, says: str | None) -> None:
    """Each error says where it is and what is allowed there, on one line, without anything secret."""
    text = SMALL.replace(*change)
    assert text != SMALL
    if says is None:
        assert parse(text, FILE).wireguard.endpoint == "vpn.example.org"
        return
    with pytest.raises(ConfigError) as caught:
        parse(text, FILE)
    assert (caught.value.line, caught.value.key) == (line, key)
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"gateway.toml{'' if line is None else f', line {line}'}")
    assert str(caught.value).isprintable()
    assert "geheim" not in str(caught.value)


def test_a_missing_section_is_placed_at_the_end() -> None:
    """There it can be written."""
    with pytest.raises(ConfigError) as caught:
        parse('[wireguard]\nendpoint = "a"\n', FILE)
    assert (caught.value.line, caught.value.key) == (2, "pools")
    with pytest.raises(ConfigError, match=r"line 1, wireguard: This must be said"):
        parse("", FILE)


scalars = st.one_of(
    st.integers(-5, 5).map(str),
    st.sampled_from(
        ['"a # b"', "'[x]'", '"""\nk = 1\n[t]\n"""', "'''\n\n'''", "[\n 1,\n # ]\n 2\n]", "{ a = 1 }", '"a\\\\"']
    ),
)
fillers = st.sampled_from(["", "# comment", "  # = [", "\t"])


@given(st.lists(st.tuples(st.lists(fillers, max_size=3), scalars, st.booleans()), min_size=1, max_size=8), st.data())
def test_locate_finds_where_a_statement_was_put(
    statements: list[tuple[list[str], str, bool]], data: st.DataObject
) -> None:
    """In a file of statements with known lines, strings and arrays over several lines, comments and tables."""
    lines: list[str] = []
    places: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for at, (before, value, new_table) in enumerate(statements):
        lines += before
        if new_table:
            table = (f"t{at}",)
            lines.append(f"[t{at}]")
            places[table] = len(lines)
        places[(*table, f"k{at}")] = len(lines) + 1
        lines += f"k{at} = {value} # behind".split("\n")
    path = data.draw(st.sampled_from(sorted(places)))
    assert locate("\n".join(lines), path) == places[path]
    assert locate("\n".join(lines), (*path, "nothing")) is None


def test_locate_in_arrays_of_tables() -> None:
    """Each has its own line."""
    assert locate("[[a]]\nb = 1\n[[a]]\nb = 2\n", ("a", 1, "b")) == 4


def test_load(tmp_path: Path) -> None:
    """A file as an editor may leave it."""
    path = tmp_path / "gateway.toml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    assert load(path) == parse(SMALL, FILE)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"# \n# \xff\n", "line 2: This isn't UTF-8"),
        (b"#" * (MOST_BYTES + 1), "more than 64 KiB"),
        (None, "No such file"),
    ],
)
def test_load_refuses(tmp_path: Path, raw: bytes | None, says: str) -> None:
    """What can't be read says why."""
    path = tmp_path / "gateway.toml"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(ConfigError, match=says):
        load(path)
