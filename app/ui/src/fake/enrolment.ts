// Enrolment for the fake helper: any link that looks like one is good, and leads to a gateway that isn't.

import type { LinkHolds, Profile } from "../wire.ts";

export class Refused extends Error {
  constructor(
    readonly code: string,
    text: string,
  ) {
    super(text);
  }
}

/** What a link holds; refuses one that lacks something. */
export function holds(link: string): LinkHolds {
  const parts = new URLSearchParams(link.split("?")[1] ?? "");
  const [host, token] = [parts.get("host"), parts.get("token")];
  if (!link.startsWith("slopn://enrol?")) throw new Refused("invalid", "An enrolment link begins with slopn://enrol?");
  if (!host || !token) throw new Refused("invalid", "The link lacks its token: was all of it copied?");
  return { type: "link_holds", host, port: Number(parts.get("port") ?? 443), pin: "5f3a".repeat(16), name: host };
}

/** The profile that it becomes. */
export function enrolled(link: LinkHolds, name: string | null): Profile {
  const key = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
  const endpoint = { host: link.host, port: 51820 };
  const api = { host: link.host, port: link.port };
  return {
    name: name ?? link.name,
    addresses: ["10.64.0.2/32", "fd00:64::2/128"],
    peers: [
      {
        public_key: key,
        endpoint,
        allowed_ips: ["0.0.0.0/0", "::/0"],
        persistent_keepalive: 25,
        has_preshared_key: false,
      },
    ],
    dns: { servers: ["10.64.0.1"], search: [], match: [] },
    mtu: null,
    listen_port: null,
    table: "auto",
    fwmark: null,
    notes: [],
    enrolment: {
      device: "abcdefghijklmnop",
      gateways: [{ endpoint, public_key: key, pin: link.pin, api }],
      inside: ["10.64.0.1"],
      since: Date.now() / 1000,
      expires: Date.now() / 1000 + 90 * 86400,
    },
    post_quantum: "on",
  };
}
