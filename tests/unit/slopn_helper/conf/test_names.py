from __future__ import annotations

import pytest

from slopn_helper.conf import name_of_file, name_problem, valid_name


@pytest.mark.parametrize("name", ["home", "a", "Büro Wien", "東京", "wg0.conf", "x" * 64, "50% off: a*b?"])
def test_a_good_name_is_valid(name: str) -> None:
    """Letters of any script, digits, signs and inner spaces make a name."""
    assert valid_name(name)
    assert name_problem(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x" * 65,
        "..",
        ".hidden",
        "-rf",
        "~",
        " a",
        "a ",
        "a/b",
        "a\\b",
        "a\nb",
        "a\0b",
        "\u202eevil",
        "\ud800",
        "e\u0301",
    ],
)
def test_a_bad_name_is_refused_with_a_sentence(name: str) -> None:
    """What could be taken for a path, an option or another name can't name a profile."""
    assert not valid_name(name)
    assert "; " in (name_problem(name) or "")


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("wg0.conf", "wg0"),
        ("/etc/wireguard/se-sto.CONF", "se-sto"),
        ("C:\\Users\\x\\office.conf", "office"),
        ("plain", "plain"),
        ("two.parts.conf", "two.parts"),
        ("e\u0301.conf", "é"),
        (".conf", ""),
    ],
)
def test_a_file_names_its_profile(filename: str, name: str) -> None:
    """The last part of the path without `.conf` is the name."""
    assert name_of_file(filename) == name
