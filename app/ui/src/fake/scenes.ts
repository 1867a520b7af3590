// Snapshots to look at: each a moment that a person may meet.

import type { Link } from "../bridge.ts";
import type { Profile, Snapshot, TunnelStateOf } from "./types.ts";

export const KEY = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";

export function profile(name: string, host: string, more: Partial<Profile> = {}): Profile {
  return {
    name,
    addresses: ["10.9.0.2/32", "fd00:9::2/128"],
    peers: [
      {
        public_key: KEY,
        endpoint: { host, port: 51820 },
        allowed_ips: ["0.0.0.0/0", "::/0"],
        persistent_keepalive: 25,
        has_preshared_key: true,
      },
    ],
    dns: { servers: ["10.9.0.1"], search: [], match: [] },
    mtu: null,
    listen_port: null,
    table: "auto",
    fwmark: null,
    notes: [],
    enrolment: null,
    post_quantum: "off",
    ...more,
  };
}

const HOME = profile("Home", "home.example.net", {
  dns: { servers: ["192.168.7.1"], search: [], match: ["home.arpa"] },
});
HOME.peers[0]!.allowed_ips = ["192.168.7.0/24", "fd00:7::/64"];

export function base(): Snapshot {
  const now = Date.now() / 1000;
  return {
    type: "snapshot",
    seq: 10,
    epoch: "fa4e0000fa4e0000",
    protocol: [1, 0],
    version: "1.0.0",
    state: { type: "disconnected", resume: null },
    since: now - 60,
    target: "unsecured",
    target_profile: null,
    paused_until: null,
    policy: "open",
    settings: {
      kill_switch: "on",
      allow_lan: false,
      resolvers: [],
      dns_mechanism: null,
      exclude: [],
      include: [],
      local_user: true,
      log_level: "info",
      log_addresses: true,
      portal_url: "",
    },
    profiles: [profile("Berlin", "vpn.example.org"), HOME, profile("Kyōto", "2001:db8::7")],
    health: [],
    network: { online: true, interface: "wlan0", mtu: 1500, ssid: "Kitchen", metered: false },
    live: {
      interface: null,
      addresses: [],
      dns: { servers: [], search: [], match: [] },
      mtu: null,
      path_mtu: null,
      gateway: null,
      post_quantum: null,
    },
    stats: { type: "stats", rx_bytes: 0, tx_bytes: 0, last_handshake: null, endpoint: null, latency: null },
    devices: [
      {
        id: "d-1f",
        name: "command line",
        user: "ann",
        uid: 1000,
        rights: ["view", "connect", "configure"],
        created: now - 40 * 86400,
        expires: now + 325 * 86400,
        last_seen: now - 86400,
      },
      {
        id: "d-2a",
        name: "window",
        user: "ann",
        uid: 1000,
        rights: ["view", "connect", "configure"],
        created: now - 4 * 86400,
        expires: now + 361 * 86400,
        last_seen: now,
      },
      {
        id: "d-3c",
        name: "Status bar script",
        user: "ann",
        uid: 1000,
        rights: ["view"],
        created: now - 2 * 86400,
        expires: now + 363 * 86400,
        last_seen: null,
      },
    ],
    pairings: [],
    next_try: null,
  };
}

export const ENDPOINT = { host: "198.51.100.7", port: 51820 };

export function live(): Snapshot["live"] {
  return {
    interface: "slopn0",
    addresses: ["10.9.0.2/32", "fd00:9::2/128"],
    dns: { servers: ["10.9.0.1"], search: [], match: [] },
    mtu: 1420,
    path_mtu: 1500,
    gateway: null,
    post_quantum: null,
  };
}

export interface Scene {
  view: Snapshot | null;
  link: Link;
  /** Bytes flow, and counters rise. */
  flows?: boolean;
  /** Nobody has used it yet. */
  fresh?: boolean;
}

const UP: Link = { up: true, text: "", permitted: true, device: "d-2a" };

type Maker = () => Scene;

function scene(change: (view: Snapshot) => Partial<Snapshot>, more: Partial<Scene> = {}): Maker {
  return () => {
    const view = base();
    return { view: { ...view, ...change(view) }, link: UP, ...more };
  };
}

const now = (): number => Date.now() / 1000;
const CONNECTED: TunnelStateOf<"connected"> = {
  type: "connected",
  profile: "Berlin",
  endpoints: [ENDPOINT],
  interface: "slopn0",
};

function connected(): Partial<Snapshot> {
  return {
    state: CONNECTED,
    since: now() - 754,
    target: "secured",
    target_profile: "Berlin",
    policy: "tunnelled",
    live: live(),
    stats: {
      type: "stats",
      rx_bytes: 483_912_000,
      tx_bytes: 36_120_000,
      last_handshake: now() - 41,
      endpoint: ENDPOINT,
      latency: 0.018,
    },
  };
}

function connecting(more: Partial<TunnelStateOf<"connecting">>, rest: Partial<Snapshot> = {}): Partial<Snapshot> {
  return {
    state: {
      type: "connecting",
      profile: "Berlin",
      attempt: 0,
      step: "handshake",
      endpoints: [ENDPOINT],
      interface: "slopn0",
      cause: null,
      ...more,
    },
    since: now() - 3,
    target: "secured",
    target_profile: "Berlin",
    policy: "blocked",
    ...rest,
  };
}

function failed(cause: TunnelStateOf<"error">["cause"], policy: Snapshot["policy"]): Partial<Snapshot> {
  return {
    state: { type: "error", cause, profile: "Berlin", blocking: policy === "blocked", attempt: 1 },
    target: "secured",
    target_profile: "Berlin",
    policy,
  };
}

const PROBLEM = {
  code: "dns_silent",
  severity: "warning" as const,
  text: "The resolver 10.9.0.1 gives no answer through the tunnel.",
  remedy: "Check the profile's DNS line, or ask whoever runs the gateway.",
  args: {},
};

export const SCENES: Record<string, Maker> = {
  disconnected: scene(() => ({})),
  connected: scene(connected, { flows: true }),
  warning: scene(() => ({ ...connected(), health: [PROBLEM] }), { flows: true }),
  off: scene((view) => ({ ...connected(), policy: "open", settings: { ...view.settings, kill_switch: "off" } }), {
    flows: true,
  }),
  blocked: scene((view) => ({ policy: "blocked", settings: { ...view.settings, kill_switch: "always" } })),
  connecting: scene(() => connecting({ step: "resolving", endpoints: [] })),
  slow: scene(() => connecting({}, { since: now() - 14 })),
  attempt3: scene(() => connecting({ attempt: 2, step: "waiting", cause: "handshake" }, { next_try: now() + 20 })),
  reconnecting: scene(() => ({
    state: { type: "disconnecting", profile: "Berlin", then: "reconnect", attempt: 0, cause: null, retries: 0 },
    target: "secured",
    target_profile: "Berlin",
    policy: "blocked",
  })),
  portal: scene(() =>
    connecting(
      { attempt: 2, step: "handshake", cause: "handshake" },
      {
        health: [
          {
            code: "captive_portal",
            severity: "warning",
            text: "This network answers in the place of the internet: it wants a sign-in first.",
            remedy: "Open any page in a browser and sign in; SloPN then goes on by itself.",
            args: {},
          },
        ],
      },
    ),
  ),
  error: scene(() => failed("bad_profile", "blocked")),
  "error-open": scene(() => failed("firewall", "open")),
  paused: scene(() => ({
    state: { type: "disconnected", resume: "Berlin" },
    target: "paused",
    target_profile: "Berlin",
    paused_until: now() + 14 * 60,
  })),
  unknown: scene(() => ({ policy: "unknown" })),
  pairing: scene(() => ({
    pairings: [
      {
        id: "p-9",
        name: "tray",
        user: "ann",
        uid: 1000,
        program: "/home/ann/bin/python3",
        rights: ["view", "connect"],
        expires: now() + 110,
      },
    ],
  })),
  many: scene(() => ({
    profiles: Array.from({ length: 120 }, (_, index) =>
      profile(`Gateway ${String(index + 1).padStart(3, "0")}`, `g${index + 1}.example.org`),
    ),
  })),
  first: scene(() => ({ profiles: [], devices: [] }), { fresh: true }),
  empty: scene(() => ({ profiles: [] })),
  "no-helper": () => ({
    view: null,
    link: {
      up: false,
      text: "SloPN's service isn't running. Rules that were in force stay in force. Start it with `sudo systemctl start slopn-helper`.",
      permitted: true,
    },
  }),
  locked: () => ({
    view: null,
    link: {
      up: false,
      text: "Your keyring is locked, and this program's key belongs into it. Unlock it, then try again.",
      permitted: true,
    },
  }),
  "not-permitted": () => ({
    view: null,
    link: {
      up: false,
      text: "You may not use SloPN on this computer. An administrator can add you: `sudo slopn users add ann`.",
      permitted: false,
    },
  }),
  number: () => ({
    view: null,
    link: { up: false, text: "", permitted: false, number_until: now() + 118 },
  }),
};
