// A judgement of wg-quick text for the fake helper, good enough to try the page; the real parser is the helper's alone.

import type { Checked, Peer, Profile } from "../wire.ts";

const SECTIONS = ["[interface]", "[peer]"];
const KEYS = /^(PrivateKey|Address|DNS|MTU|ListenPort|Table|PreUp|PostUp|PreDown|PostDown|PublicKey|PresharedKey|AllowedIPs|Endpoint|PersistentKeepalive)$/i; // prettier-ignore

export function judge(name: string, text: string): Checked {
  const wrong = (line: number, column: number, problem: string): Checked => ({
    type: "checked",
    profile: null,
    line,
    column,
    problem,
  });
  const profile: Profile = {
    name,
    addresses: [],
    peers: [],
    dns: { servers: [], search: [], match: [] },
    mtu: null,
    listen_port: null,
    table: "auto",
    fwmark: null,
    enrolment: null,
    post_quantum: "off",
    notes: [],
  };
  let peer: Peer | null = null;
  let key = false;
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.split("#")[0]!.trim();
    if (!line) continue;
    const column = raw.indexOf(line) + 1;
    if (line.startsWith("[")) {
      if (!SECTIONS.includes(line.toLowerCase())) {
        return wrong(index + 1, column, `“${line}” as section; the sections are [Interface] and [Peer]`);
      }
      if (line.toLowerCase() === "[peer]") {
        peer = {
          public_key: "",
          endpoint: null,
          allowed_ips: [],
          persistent_keepalive: null,
          has_preshared_key: false,
        };
        profile.peers.push(peer);
      }
      continue;
    }
    const [left, ...rest] = line.split("=");
    const [word, value] = [left!.trim(), rest.join("=").trim()];
    if (rest.length === 0) return wrong(index + 1, column, `“${line}” without a =; a line is a [section], key = value, or # comment`); // prettier-ignore
    if (!KEYS.test(word)) return wrong(index + 1, column, `“${word}” as a key; wg-quick(8) has no such one`);
    const list = value.split(/[,\s]+/).filter(Boolean);
    const at = raw.indexOf(value, raw.indexOf("=") + 1) + 1;
    if (/^(PreUp|PostUp|PreDown|PostDown)$/i.test(word)) profile.notes.push(`${word} is kept, but never run.`);
    if (/^PrivateKey$/i.test(word)) key = true;
    if (/^Address$/i.test(word)) profile.addresses.push(...list);
    if (/^DNS$/i.test(word)) profile.dns.servers.push(...list);
    if (/^PublicKey$/i.test(word) && peer) peer.public_key = value;
    if (/^AllowedIPs$/i.test(word) && peer) peer.allowed_ips.push(...list);
    if (/^Endpoint$/i.test(word) && peer) {
      const found = /^(.+):(\d+)$/.exec(value);
      if (!found) return wrong(index + 1, at, `“${value}” without a port; an endpoint is host:port`);
      peer.endpoint = { host: found[1]!.replace(/^\[|\]$/g, ""), port: Number(found[2]) };
    }
  }
  if (!key) return wrong(1, 1, "no PrivateKey; [Interface] needs one");
  return { type: "checked", profile, line: null, column: null, problem: "" };
}

export const SAMPLE = `[Interface]
PrivateKey = 6Mxx0CVdpAJZ5E6vSpcfVHLVm1pGyKJGqgr0YyzQY1c=
Address = 10.9.0.2/32, fd00:9::2/128
DNS = 10.9.0.1

[Peer]
PublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=
AllowedIPs = 0.0.0.0/0, ::/0
Endpoint = vpn.example.org:51820
PersistentKeepalive = 25
`;
