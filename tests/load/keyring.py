"""A session bus and an unlocked keyring of one user's, real ones: dbus-daemon and gnome-keyring-daemon."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from load.people import PYTHON, Person
from support.until import until

_STARTS_WITHIN = 20.0
_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={path}</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


@contextlib.contextmanager
def keyring(person: Person) -> Iterator[None]:
    """While entered, the user's programs find both. The bus starts no services: the keyring is the only one."""
    path = person.home / "run/bus"
    config = person.home / "bus.conf"
    config.write_text(_CONFIG.format(path=path), encoding="ascii")
    config.chmod(0o644)
    before = dict(person.env)
    bus = person.popen("dbus-daemon", f"--config-file={config}", "--nofork")
    try:
        until(path.exists, _STARTS_WITHIN, "the session bus listens")
        person.env["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={path}"
        daemon = person.popen("gnome-keyring-daemon", "--unlock", "--foreground", "--components=secrets")
        try:
            assert daemon.stdin is not None
            daemon.stdin.write("a pass word")
            daemon.stdin.close()
            until(lambda: _unlocked(person), _STARTS_WITHIN, "the keyring is unlocked")
            yield
        finally:
            daemon.kill()
            daemon.wait()
    finally:
        bus.kill()
        bus.wait()
        person.env.clear()
        person.env.update(before)


def _unlocked(person: Person) -> bool:
    ask = "from slopn_app.bootstrap import host\nhost().vault().get('x')"
    try:
        person.run(PYTHON, "-c", ask)
    except RuntimeError:
        return False
    return True
