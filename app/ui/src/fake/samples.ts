// What the fake helper says when it is asked for its log and for its health.

import type { Diagnosis } from "../wire.ts";

export const LINES: [string, string, string][] = [
  ["info", "tunnel.driver", "connecting → connected: handshake with 198.51.100.7:51820 done, # ms"],
  ["debug", "engine", "keepalive to peer 1, packet #"],
  ["debug", "host.netmon", "wlan0: carrier up, address 192.0.2.44/24, generation #"],
  ["info", "ipc.server", "uid 1000, pid 4#, d-2a: GetSnapshot"],
  ["debug", "host.dns", "resolved: link 7 has 10.9.0.1, default route yes"],
  ["warning", "host.dns", "10.9.0.1 took # ms to answer"],
  ["debug", "engine", "rekey in 118 s, session #"],
  ["info", "host.firewall", "policy tunnelled in force after 3 ms, generation #"],
  ["debug", "tunnel.driver", "statistics # read"],
  ["error", "host.routes", "route 0.0.0.0/0 dev slopn0 table 51820 vanished, put back (#)"],
];

export const DIAGNOSIS: Diagnosis = {
  type: "diagnosis",
  checks: [
    { code: "firewall", verdict: "fine", text: "The kill switch's rules are in force and whole.", remedy: "" },
    { code: "routes", verdict: "fine", text: "Routes and rules are as they should be.", remedy: "" },
    { code: "dns", verdict: "fine", text: "Names are asked of 10.9.0.1, by systemd-resolved.", remedy: "" },
    {
      code: "other_vpn",
      verdict: "notice",
      text: "Another VPN program is installed: Tailscale. It isn't running.",
      remedy: "Don't start both at once: they would fight for the routes.",
    },
    { code: "clock", verdict: "fine", text: "The clock is right, as far as can be told.", remedy: "" },
    {
      code: "mtu",
      verdict: "broken",
      text: "Packets of 1420 bytes don't get through to the gateway.",
      remedy: "Put MTU = 1380 into the profile.",
    },
    {
      code: "portal",
      verdict: "unknown",
      text: "Whether there is a captive portal could not be checked.",
      remedy: "",
    },
  ],
  files: {},
};
