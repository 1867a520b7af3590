from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from slopn_app.locale import speak
from slopn_wire.commands import Connect, Disconnect, GetSnapshot
from slopn_wire.events import Done, ErrorKind, PolicyKind, Refused, Severity, Snapshot, Warning  # noqa: A004 - as the wire has it
from slopn_wire.state import AfterDisconnect, Connecting, Disconnecting, ErrorCause, ErrorState, Step, TargetState
from support.fake_helper import FakeHelper
from support.samples import CONNECTED, DISCONNECTED
from support.slopn import Slopn, spawned
from tools import locale

LOADED = "import sys; from slopn_app.cli.main import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
BLOCKED = PolicyKind.BLOCKED
STATES = [
    (DISCONNECTED, "Nicht geschützt", "Ihr Verkehr geht direkt hinaus."),
    (replace(DISCONNECTED, policy=BLOCKED), "Gesperrt", "Nichts verlässt diesen Rechner, bis Sie verbinden."),
    (
        replace(DISCONNECTED, target=TargetState.PAUSED, paused_until=1.0),
        "Pause noch 0:00",
        "SloPN verbindet von selbst wieder; `slopn connect` beendet die Pause sofort.",
    ),
    (CONNECTED, "Geschützt über berlin", "203.0.113.5:51820 · seit "),
    (replace(CONNECTED, policy=PolicyKind.OPEN), "Verbunden über berlin", "Die Sperre ist aus: fällt der Tunnel aus"),
    (
        replace(CONNECTED, state=Connecting("berlin", step=Step.HANDSHAKE), policy=BLOCKED),
        "Verbindet mit berlin …",
        "Wartet auf die Antwort des Gateways · solange verlässt nichts den Rechner",
    ),
    (
        replace(
            CONNECTED,
            state=Connecting("berlin", 2, Step.WAITING, cause=ErrorCause.HANDSHAKE),
            policy=BLOCKED,
            next_try=1.0,
        ),
        "Verbindet neu mit berlin …",
        "Das Gateway antwortet nicht · Versuch 3: nächster Versuch in 0 s",
    ),
    (
        replace(CONNECTED, state=Disconnecting("berlin", AfterDisconnect.RECONNECT)),
        "Verbindet neu …",
        "Solange verlässt nichts den Rechner",
    ),
    (
        replace(CONNECTED, state=ErrorState(ErrorCause.OFFLINE, "berlin"), policy=BLOCKED),
        "Gesperrt: kein Netz",
        "Nichts verlässt diesen Rechner.",
    ),
]
SICK = replace(
    CONNECTED,
    health=(
        Warning("no_tunnel", Severity.WARNING, "No tunnel comes up: x.", "SloPN tries again.", {"why": "x"}),
        Warning("of_a_newer_helper", Severity.ERROR, "Said in English.", "Do this."),
    ),
)


@pytest.fixture(autouse=True, scope="module")
def compiled() -> None:
    """The catalogue as programs read it."""
    locale.compile_all()


@pytest.fixture(autouse=True)
def german(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The person's language; English is spoken again in the end."""
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    yield
    speak("en", {})


@pytest.mark.parametrize(("view", "title", "line"), STATES)
def test_each_state_is_said_in_german(helper: FakeHelper, slopn: Slopn, view: Snapshot, title: str, line: str) -> None:
    """Headline and second line, in the tray's and the window's words."""
    helper.show(view)
    first, second, *_ = slopn("status").out.splitlines()
    assert first == title
    assert line in second


def test_facts_and_warnings(helper: FakeHelper, slopn: Slopn) -> None:
    """Labels are German, and warnings by their codes; what the catalogue doesn't know stays English."""
    helper.show(SICK)
    out = slopn("status").out
    assert "  letzter Handshake    vor " in out
    assert "  Netz                 online über eth0" in out
    assert "  Warnung: Es kommt kein Tunnel zustande: x." in out
    assert "  Fehler: Said in English.\n    Do this." in out


@pytest.mark.parametrize("view", [view for view, _, _ in [*STATES, (SICK, "", "")]])
def test_programs_read_the_same(
    helper: FakeHelper, slopn: Slopn, monkeypatch: pytest.MonkeyPatch, view: Snapshot
) -> None:
    """`--json` and the exit status are the same in both languages."""
    helper.show(view)
    german = slopn("status", "--json")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert slopn("status", "--json") == german


def test_a_failures_document_is_english(slopn: Slopn, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person reads German, a program the sentence that it may know."""
    monkeypatch.setenv("SLOPN_SOCKET", "/nonexistent/socket")
    assert slopn("status").err.startswith("slopn: Der Dienst von SloPN läuft nicht.")
    assert slopn("status", "--json").json["error"]["message"].startswith("SloPN's service isn't running.")


def test_what_was_done_is_said_in_german(helper: FakeHelper, slopn: Slopn) -> None:
    """Outcomes, and nothing of the language that was spoken before."""
    helper.answer(Connect, Done())
    helper.answer(Disconnect, Done())
    assert slopn("connect").out == "SloPN verbindet jetzt.\n"
    assert slopn("disconnect").out == "SloPN trennt jetzt.\n"


def test_what_the_helper_says_stays(helper: FakeHelper, slopn: Slopn) -> None:
    """Its refusals come in its own words."""
    helper.answer(GetSnapshot, Refused(ErrorKind.NOT_PERMITTED, "You may not."))
    assert slopn("status").err == "slopn: You may not.\n"


def test_a_language_without_a_catalogue(helper: FakeHelper, slopn: Slopn, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said in English."""
    monkeypatch.setenv("LC_ALL", "tlh_KX.UTF-8")
    helper.show(CONNECTED)
    assert slopn("status").out.startswith("Protected through berlin\n")


def test_help_stays_english(slopn: Slopn) -> None:
    """As the manual."""
    assert "Say what is protected and what isn't." in slopn("status", "--help").out


@pytest.mark.parametrize(("language", "reads"), [("de_DE.UTF-8", True), ("en_GB.UTF-8", False), ("C", False)])
def test_english_reads_no_catalogue(
    helper: FakeHelper, monkeypatch: pytest.MonkeyPatch, language: str, *, reads: bool
) -> None:
    """What finds one isn't even imported; a process of its own, as a person starts it."""
    assert helper.path
    monkeypatch.setenv("LC_ALL", language)
    with spawned("status", code=LOADED) as running:
        out, err = running.communicate(timeout=20)
    assert out.startswith("Nicht" if reads else "Not")
    assert ("slopn_app.assets" in err.split()) == reads
