"""What the programs of a desktop session are told: the bus, the panel, who shows notifications, and keyrings of all kinds."""

from __future__ import annotations

SCREEN = {
    "GDK_BACKEND": "x11",
    "LIBGL_ALWAYS_SOFTWARE": "1",
    "NO_AT_BRIDGE": "1",
    "WEBKIT_DISABLE_DMABUF_RENDERER": "1",
    "XDG_CURRENT_DESKTOP": "XFCE",
    "XDG_SESSION_TYPE": "x11",
}
"""What programs of a session at Xvfb's screen have in their environment."""
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>{address}</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{services}</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""
"""dbus-daemon(1): nothing can be started by asking for it but what stands in `services`."""
PANEL = """<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array"><value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="length" type="uint" value="100"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="size" type="uint" value="32"/>
      <property name="dark-mode" type="bool" value="true"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/></property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="systray"><property name="square-icons" type="bool" value="true"/></property>
  </property>
</channel>
"""
DUNST = """[global]
monitor = 0
width = 360
origin = top-right
offset = 10x50
dmenu = {choose}
[urgency_normal]
timeout = 600
"""
CHOOSE = '#!/bin/sh\ngrep -F -m 1 -f "$HOME/wanted"\n'
"""dunst gives it what can be chosen, a line each."""
PASSWORD = b"a login password"
HANGING = "[D-BUS Service]\nName=org.freedesktop.secrets\nExec={python} -c 'import time; time.sleep(600)'\n"
"""A service that never comes up."""
SILENT = """
from jeepney import message_bus
from jeepney.io.blocking import open_dbus_connection
with open_dbus_connection() as bus:
    bus.send_and_get_reply(message_bus.RequestName("org.freedesktop.secrets"))
    while True:
        bus.receive()
"""
"""Owns the keyring's name and answers nothing."""
LOCK = """
from jeepney import DBusAddress, new_method_call
from jeepney.io.blocking import open_dbus_connection
service = DBusAddress("/org/freedesktop/secrets", "org.freedesktop.secrets", "org.freedesktop.Secret.Service")
with open_dbus_connection() as bus:
    call = new_method_call(service, "Lock", "ao", (["/org/freedesktop/secrets/collection/login"],))
    assert bus.send_and_get_reply(call, timeout=20).body[0], "nothing was locked"
"""
"""secret-tool's own `lock` crashes (libsecret 0.20.5)."""
