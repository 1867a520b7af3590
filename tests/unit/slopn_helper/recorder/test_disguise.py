from __future__ import annotations

from pathlib import Path

from slopn_helper.logs.addresses import Veil
from slopn_helper.recorder import FlightRecorder, replay_lines
from slopn_helper.recorder.disguise import Cloak
from slopn_helper.tunnel.effects import ResolveEndpoints
from slopn_helper.tunnel.inputs import EffectFailed
from slopn_wire.settings import Settings
from support.recording import CONNECTING, INPUTS, drive

REAL = ("203.0.113.5", "2001:db8:1::5", "10.8.0.", "10.9.0.", "fd00:8::2", "192.0.2.53", "vpn.example.org")


def test_a_disguised_recording_has_no_address_and_replays(tmp_path: Path) -> None:
    """The core takes the stand-ins as it took the addresses: all states are equal again."""
    recorder = FlightRecorder(tmp_path)
    noted = drive(recorder, [(inp, Settings(), 0.5) for inp in (*CONNECTING, *INPUTS)])
    raw = recorder.read()
    assert [real for real in REAL if real.encode() not in raw] == []
    told = Cloak(Veil()).recording(raw)
    assert [real for real in REAL if real.encode() in told] == []
    found = replay_lines(told)
    assert found.problem == ""
    assert len(found.steps) == len(noted)
    assert all(step.state == step.recorded for step in found.steps)


def test_text_and_recording_have_the_same_stand_ins() -> None:
    """Who reads both can tell what is what."""
    cloak = Cloak(Veil())
    assert cloak.text("from 192.0.2.1 to 192.0.2.2") == "from [address 1] to [address 2]"
    assert cloak.recording(b'{"a":["192.0.2.2","fe80::7","127.0.0.1"],"b":"by 192.0.2.1"}') == (
        b'{"a":["198.18.0.2","2001:db8::3","127.0.0.1"],"b":"by [address 1]"}\n'
    )


def test_a_damaged_line_is_left_out(tmp_path: Path) -> None:
    """What can't be read can't be covered."""
    recorder = FlightRecorder(tmp_path)
    drive(recorder, [(EffectFailed(ResolveEndpoints("berlin"), "192.0.2.53"), Settings(), 0.5)])
    told = Cloak(Veil()).recording(recorder.read() + b'{"n":2,"at":1.0,"x":"192.0.2.53')
    assert b"192.0.2.53" not in told
    assert told.endswith(b"(a damaged line)\n")
    assert replay_lines(told).problem == ""
