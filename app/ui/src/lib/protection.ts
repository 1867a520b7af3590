// What is protected and what isn't, as short answers that each open their explanation. From the snapshot alone.

import type { Profile, Snapshot } from "../wire.ts";
import { n, t } from "./i18n.svelte.ts";

export interface Answer {
  id: "traffic" | "dns" | "ipv6" | "lan";
  /** yes: inside the tunnel or held back · no: goes out directly · off: there is nothing of it. */
  verdict: "yes" | "no" | "off";
  label: string;
  text: string;
}

/** Nothing is said while there is no tunnel or nothing is known: the headline says it all then. */
export function answers(view: Snapshot): Answer[] {
  if (view.state.type !== "connected") return [];
  const name = view.state.profile;
  const profile = view.profiles.find((each) => each.name === name);
  return [traffic(view, profile), dns(view), ipv6(view, profile), lan(view)];
}

function covers(profile: Profile | undefined, family: 4 | 6): boolean {
  const networks = new Set((profile?.peers ?? []).flatMap((peer) => peer.allowed_ips));
  // wg-quick's two halves are the same as the whole.
  return family === 4
    ? networks.has("0.0.0.0/0") || (networks.has("0.0.0.0/1") && networks.has("128.0.0.0/1"))
    : networks.has("::/0") || (networks.has("::/1") && networks.has("8000::/1"));
}

function traffic(view: Snapshot, profile: Profile | undefined): Answer {
  const { include, exclude } = view.settings;
  const id = "traffic" as const;
  if (include.length > 0) {
    return {
      id,
      verdict: "no",
      label: t("Some traffic"),
      text: t("Only {networks} goes through the tunnel; everything else goes out directly.", {
        networks: include.join(", "),
      }),
    };
  }
  const closed = view.policy === "tunnelled";
  if (!covers(profile, 4)) {
    const networks = [...new Set((profile?.peers ?? []).flatMap((peer) => peer.allowed_ips))];
    const shown = networks.slice(0, 6).join(", ") + (networks.length > 6 ? ", …" : "");
    return {
      id,
      verdict: closed ? "yes" : "no",
      label: n("{count} network", "{count} networks", networks.length),
      text: closed
        ? t("The tunnel carries {networks}; everything else is held back.", { networks: shown })
        : t("The tunnel carries {networks}; everything else goes out directly.", { networks: shown }),
    };
  }
  const beside = exclude.length > 0 ? t("{networks} is reached beside it.", { networks: exclude.join(", ") }) : "";
  const rest = closed
    ? t("All traffic of this computer goes through the tunnel; what doesn't fit in is held back.")
    : t("All traffic of this computer goes through the tunnel, as long as the tunnel stands.");
  return { id, verdict: "yes", label: t("All traffic"), text: [rest, beside].filter(Boolean).join(" ") };
}

function dns(view: Snapshot): Answer {
  const { servers, match } = view.live.dns;
  const id = "dns" as const;
  if (servers.length === 0) {
    return {
      id,
      verdict: "no",
      label: t("DNS"),
      text: t("The profile names no resolver: this computer goes on asking those it had before."),
    };
  }
  const list = servers.join(", ");
  if (match.length > 0) {
    return {
      id,
      verdict: "no",
      label: t("Some DNS"),
      text: t("Names below {names} are asked of {servers} through the tunnel; others of the resolvers from before.", {
        names: match.join(", "),
        servers: list,
      }),
    };
  }
  return { id, verdict: "yes", label: t("DNS"), text: t("Names are asked of {servers}, through the tunnel.", { servers: list }) }; // prettier-ignore
}

function ipv6(view: Snapshot, profile: Profile | undefined): Answer {
  const id = "ipv6" as const;
  if (view.settings.include.length === 0 && covers(profile, 6)) {
    return { id, verdict: "yes", label: t("IPv6"), text: t("IPv6 goes through the tunnel as well.") };
  }
  if (view.policy === "tunnelled" && view.settings.include.length === 0) {
    return { id, verdict: "yes", label: t("IPv6"), text: t("What the tunnel doesn't carry of IPv6 is held back.") };
  }
  return { id, verdict: "no", label: t("IPv6"), text: t("The tunnel doesn't carry all of IPv6: the rest goes out directly.") }; // prettier-ignore
}

function lan(view: Snapshot): Answer {
  return view.settings.allow_lan
    ? {
        id: "lan",
        verdict: "no",
        label: t("Local network"),
        text: t("Printers and others on the local network are reached directly, as you have set it."),
      }
    : {
        id: "lan",
        verdict: "off",
        label: t("Local network"),
        text: t("The local network can't be reached; Settings change that."),
      };
}
