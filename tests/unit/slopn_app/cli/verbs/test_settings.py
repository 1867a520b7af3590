from __future__ import annotations

import enum
import typing
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from msgspec.structs import replace

from slopn_app.cli.verbs.settings import KEYS, SETTINGS
from slopn_wire.commands import ApplySettings
from slopn_wire.events import Done, ErrorKind, Refused, Snapshot
from slopn_wire.logs import LogLevel
from slopn_wire.settings import KillSwitchMode, Settings
from support.fake_helper import FakeHelper
from support.slopn import Slopn

PRESENT = Settings(
    KillSwitchMode.ALWAYS,
    allow_lan=True,
    resolvers=(ip_address("192.0.2.53"), ip_address("2001:db8::53")),
    dns_mechanism="resolved",
    exclude=(ip_network("10.1.0.0/16"),),
    include=(ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")),
    local_user=False,
    portal_url="",
    log_level=LogLevel.DEBUG,
    log_addresses=False,
)


@pytest.fixture(autouse=True)
def present(helper: FakeHelper) -> None:
    """Settings that are not the default."""
    helper.show(Snapshot(settings=PRESENT))


def test_every_setting_has_its_key() -> None:
    """A new setting can't be forgotten."""
    assert Settings.__struct_fields__ == KEYS


@pytest.mark.parametrize("arguments", [[], ["get"]])
def test_all(slopn: Slopn, arguments: list[str]) -> None:
    """A line each."""
    assert slopn("settings", *arguments).out.splitlines() == [
        "kill_switch    always",
        "allow_lan      yes",
        "resolvers      192.0.2.53, 2001:db8::53",
        "dns_mechanism  resolved",
        "exclude        10.1.0.0/16",
        "include        10.0.0.0/8, 2001:db8::/32",
        "local_user     no",
        "portal_url     none",
        "log_level      debug",
        "log_addresses  no",
    ]


def test_all_as_json(slopn: Slopn) -> None:
    """Types as on the wire."""
    assert slopn("settings", "--json").json == {
        "kill_switch": "always",
        "allow_lan": True,
        "resolvers": ["192.0.2.53", "2001:db8::53"],
        "dns_mechanism": "resolved",
        "exclude": ["10.1.0.0/16"],
        "include": ["10.0.0.0/8", "2001:db8::/32"],
        "local_user": False,
        "portal_url": "",
        "log_level": "debug",
        "log_addresses": False,
    }


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [("kill_switch", "always", "always"), ("allow-lan", "yes", True), ("RESOLVERS", None, None)],
)
def test_one(slopn: Slopn, key: str, text: str | None, value: object) -> None:
    """Its value alone; keys in any case, with _ or -."""
    outcome = slopn("settings", "get", key)
    assert outcome.status == 0
    if text is not None:
        assert outcome.out == f"{text}\n"
        assert slopn("settings", "get", key, "--json").json == value


def test_get_may_be_left_out(slopn: Slopn) -> None:
    """A key alone shows its value."""
    assert slopn("settings", "kill_switch").out == "always\n"


@pytest.mark.parametrize(("key", "words"), [(key, words.split()) for key, (words, _) in SETTINGS.items()])
def test_every_word_that_is_offered_is_taken(helper: FakeHelper, slopn: Slopn, key: str, words: list[str]) -> None:
    """Help and completion name no value that the helper's own types refuse, and all that an enumeration has."""
    for word in words:
        assert slopn("settings", "set", key, word).status == 0
    kind = typing.get_type_hints(Settings)[key]
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        assert words == [member.value for member in kind]
    assert [type(command) for command in helper.commands].count(ApplySettings) == len(words)


@pytest.mark.parametrize(
    ("key", "value", "changed", "shown"),
    [
        ("kill_switch", "off", {"kill_switch": KillSwitchMode.OFF}, "off"),
        ("kill-switch", "ON", {"kill_switch": KillSwitchMode.ON}, "on"),
        ("allow_lan", "no", {"allow_lan": False}, "no"),
        ("allow_lan", "off", {"allow_lan": False}, "no"),
        ("allow_lan", "true", {"allow_lan": True}, "yes"),
        ("resolvers", "9.9.9.9, ::1", {"resolvers": (ip_address("9.9.9.9"), ip_address("::1"))}, "9.9.9.9, ::1"),
        ("resolvers", "default", {"resolvers": ()}, "default"),
        ("resolvers", "", {"resolvers": ()}, "default"),
        ("dns_mechanism", "auto", {"dns_mechanism": None}, "auto"),
        ("dns_mechanism", "resolv_conf", {"dns_mechanism": "resolv_conf"}, "resolv_conf"),
        ("local_user", "yes", {"local_user": True}, "yes"),
        ("portal_url", "http://Example.org/", {"portal_url": "http://Example.org/"}, "http://Example.org/"),
        ("portal_url", "None", {"portal_url": ""}, "none"),
        ("log_level", "Warning", {"log_level": LogLevel.WARNING}, "warning"),
        ("log_addresses", "on", {"log_addresses": True}, "yes"),
    ],
)
def test_set(helper: FakeHelper, slopn: Slopn, key: str, value: str, changed: dict[str, Any], shown: str) -> None:
    """One changes, all others go back as they were."""
    outcome = slopn("settings", "set", key, value)
    name = next(iter(changed))
    assert (outcome.status, outcome.out) == (0, f"{name} is now {shown}.\n")
    assert helper.commands[-1] == ApplySettings(replace(PRESENT, **changed), PRESENT)


def test_somebody_else_changes_another_setting(helper: FakeHelper, slopn: Slopn) -> None:
    """Refused once, it is asked for again on top of theirs, and neither change is lost."""
    theirs = replace(PRESENT, allow_lan=not PRESENT.allow_lan)

    def answer(command: object) -> Done | Refused:
        assert isinstance(command, ApplySettings)
        if command.instead_of == theirs:
            return Done()
        helper.hub.view = Snapshot(settings=theirs)
        return Refused(ErrorKind.CONFLICT, "changed meanwhile")

    helper.answer(ApplySettings, answer)
    assert slopn("settings", "set", "kill_switch", "always").status == 0
    assert helper.commands[-1] == ApplySettings(replace(theirs, kill_switch=KillSwitchMode.ALWAYS), theirs)


def test_somebody_else_changes_it_there_and_back(helper: FakeHelper, slopn: Slopn) -> None:
    """Refused although nothing looks different: asked again all the same."""
    answers = iter([Refused(ErrorKind.CONFLICT, "changed meanwhile")] * 3)
    helper.answer(ApplySettings, lambda _: next(answers, Done()))
    assert slopn("settings", "set", "kill_switch", "always").status == 0


def test_somebody_else_never_ends(helper: FakeHelper, slopn: Slopn) -> None:
    """Given up with a failure, not with wrong usage."""
    helper.answer(ApplySettings, Refused(ErrorKind.CONFLICT, "changed meanwhile"))
    outcome = slopn("settings", "set", "kill_switch", "always")
    assert (outcome.status, outcome.err) == (1, "slopn: Other programs keep changing the settings.\n")


def test_a_refusal_for_another_reason(helper: FakeHelper, slopn: Slopn) -> None:
    """Is told; nothing is tried again."""
    helper.answer(ApplySettings, Refused(ErrorKind.INVALID, "0.0.0.0 can't be a resolver"))
    outcome = slopn("settings", "set", "resolvers", "0.0.0.0")
    assert (outcome.status, outcome.err) == (2, "slopn: 0.0.0.0 can't be a resolver\n")
    assert [type(command) for command in helper.commands].count(ApplySettings) == 1


def test_set_with_json_and_notes(helper: FakeHelper, slopn: Slopn) -> None:
    """The new value; the helper's notes beside it."""
    helper.answer(ApplySettings, Done(("Your traffic isn't held back any more.",)))
    outcome = slopn("settings", "set", "kill_switch", "off", "--json")
    assert (outcome.json, outcome.err) == ({"kill_switch": "off"}, "Your traffic isn't held back any more.\n")


@pytest.mark.parametrize(
    ("key", "text", "sent"),
    [
        ("exclude", "10.1.2.3/16, 2001:db8::/32", ["10.1.0.0/16", "2001:db8::/32"]),
        ("include", "192.0.2.1", ["192.0.2.1/32"]),
        ("exclude", "none", []),
        ("include", "ALL", []),
    ],
)
def test_networks(helper: FakeHelper, slopn: Slopn, key: str, text: str, sent: list[str]) -> None:
    """Host bits are masked off, an address is a network of its own, one word stands for an empty list."""
    assert slopn("settings", "set", key, text).status == 0
    (command,) = helper.commands[-1:]
    assert isinstance(command, ApplySettings)
    assert [str(network) for network in getattr(command.settings, key)] == sent


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["set"], "slopn settings set KEY VALUE"),
        (["set", "kill_switch"], "slopn settings set KEY VALUE"),
        (["get", "kill_switch", "on"], "Usage: slopn settings"),
        (["show"], "Usage: slopn settings"),
        (["get", "colour"], "There is no setting 'colour'; there are kill_switch,"),
        (["set", "colour", "red"], "There is no setting 'colour'"),
        (["set", "kill_switch", "maybe"], "kill_switch can't be 'maybe'; it can be off, on, always."),
        (["set", "allow_lan", "2"], "allow_lan can't be '2'"),
        (["set", "resolvers", "9.9.9"], "'9.9.9' does not appear to be an IPv4 or IPv6 address"),
        (["set", "log_level", "loud"], "log_level can't be 'loud'; it can be debug, info, warning, error, critical."),
        (["set", "dns_mechanism", "magic"], "dns_mechanism can't be 'magic'; it can be auto, resolved, networkmanager"),
        (["set", "exclude", "10.0.0"], "exclude takes networks such as 10.0.0.0/8 with commas between them, or none"),
        (
            ["set", "include", "all,1.2.3.4"],
            "include takes networks such as 10.0.0.0/8 with commas between them, or all",
        ),
    ],
)
def test_wrong_usage(helper: FakeHelper, slopn: Slopn, arguments: list[str], sentence: str) -> None:
    """Status 2, what is allowed, and nothing was sent."""
    outcome = slopn("settings", *arguments)
    assert outcome.status == 2
    assert sentence in outcome.err
    assert helper.commands == []
