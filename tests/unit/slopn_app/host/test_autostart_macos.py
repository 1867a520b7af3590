from __future__ import annotations

import plistlib
from pathlib import Path

from slopn_app.host.autostart_macos import LABEL, LaunchAgent


def test_on_and_off(tmp_path: Path) -> None:
    """The agent starts the tray at login, and again after a crash alone."""
    agent = LaunchAgent(tmp_path, "/Applications/SloPN.app/Contents/MacOS/slopn-tray")
    assert not agent.enabled()
    agent.enable(on=True)
    assert agent.enabled()
    found = plistlib.loads((tmp_path / f"LaunchAgents/{LABEL}.plist").read_bytes())
    assert found["ProgramArguments"] == ["/Applications/SloPN.app/Contents/MacOS/slopn-tray", "--login"]
    assert found["KeepAlive"] == {"SuccessfulExit": False}
    for _ in range(2):
        agent.enable(on=False)
        assert not agent.enabled()
