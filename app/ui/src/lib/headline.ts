// The state as a person reads it: one headline, one line, one button. Nothing is claimed that the helper hasn't confirmed:
// "protected", "not protected" and "blocked" mean exactly the policies tunnelled, open and blocked.

import type { Link } from "../bridge.ts";
import type { ErrorCause, Snapshot, Step } from "../wire.ts";
import { address, clock, countdown } from "./format.ts";
import { t } from "./i18n.svelte.ts";
import { said } from "./warnings.ts";
import { cause, meaning, meanwhile, step } from "./words.ts";

/** The icon's shape; it says the same as the words. */
export type Look = "open" | "bar" | "filling" | "tick" | "dot" | "broken" | "clock" | "question";
/** The colour's meaning. */
export type Tone = "protected" | "attention" | "exposed" | "neutral";
export type Act = "connect" | "disconnect" | "reconnect" | "unlock" | "start_helper" | "ready" | "logs";

export interface Button {
  label: string;
  act: Act;
}

export interface Headline {
  look: Look;
  tone: Tone;
  /** Never changes by the second, so that it can be read out. */
  title: string;
  /** Counts in digits of its own, outside of what is read out. */
  count: string;
  line: string;
  /** What can be done about it; empty: nothing needs to be. */
  hint: string;
  primary: Button | null;
  secondary: Button[];
}

/** Seconds after which a step that isn't done gets a hint. */
const PATIENCE = 10;
/** slopn_app/words.py says these in the window's language, which is English before the page's is known to it. */
const NOT_RUNNING = "SloPN's service isn't running";
const IN_FORCE = "Rules that were in force stay in force.";
const LIKELY: Partial<Record<Step, ErrorCause>> = { resolving: "resolve", handshake: "handshake", configuring: "host" };

/** `now`: Unix seconds. `view` is null before the first snapshot. */
export function headline(view: Snapshot | null, link: Link | null, now: number): Headline {
  if (link && !link.up) return unreachable(link);
  if (!view) return { ...blank, title: t("One moment…"), line: t("SloPN's service is being asked.") };
  const state = view.state;
  switch (state.type) {
    case "disconnected":
      return view.target === "paused" && view.paused_until !== null ? paused(view, now) : disconnected(view);
    case "connecting":
      return connecting(view, now);
    case "connected":
      return connected(view, now);
    case "disconnecting":
      return {
        ...blank,
        look: "filling",
        tone: "attention",
        title: { reconnect: t("Reconnecting…"), pause: t("Pausing…") }[state.then as string] ?? t("Disconnecting…"),
        line: sentence(meanwhile(view.policy)),
        primary: state.then === "reconnect" ? { label: t("Cancel"), act: "disconnect" } : null,
      };
    case "error":
      return failed(view);
  }
}

const blank: Headline = {
  look: "question",
  tone: "neutral",
  title: "",
  count: "",
  line: "",
  hint: "",
  primary: null,
  secondary: [],
};

/** Nothing is known of the traffic then. The other half's sentences: what happened, what it means, what to do. */
function unreachable(link: Link): Headline {
  if (!link.permitted || link.number_until !== undefined) {
    return {
      ...blank,
      tone: "attention",
      title: link.number_until === undefined ? t("This window may not use SloPN") : t("Pair this window"),
      line: t("What is protected can't be shown here."),
      hint: link.number_until === undefined ? link.text : "",
    };
  }
  const [what = "", ...rest] = link.text.split(/(?<=\.)\s+/);
  const notRunning = t("SloPN's service isn't running");
  const inForce = t("Rules that were in force stay in force.");
  const stopped = !what || what.startsWith(NOT_RUNNING) || what.startsWith(notRunning);
  return {
    ...blank,
    tone: "attention",
    title: stopped ? notRunning : what.replace(/\.$/, ""),
    line: inForce,
    hint: rest.filter((one) => one !== inForce && one !== IN_FORCE).join(" "),
    primary: stopped ? { label: t("Start it"), act: "start_helper" } : { label: t("Try again"), act: "ready" },
  };
}

function disconnected(view: Snapshot): Headline {
  const primary: Button = { label: t("Connect"), act: "connect" };
  switch (view.policy) {
    case "open":
      return {
        ...blank,
        look: "open",
        tone: "exposed",
        title: t("Not protected"),
        line: meaning("open"),
        primary,
      };
    case "blocked":
      return {
        ...blank,
        look: "bar",
        tone: "attention",
        title: t("Blocked"),
        line: t("Nothing leaves this computer until you connect."),
        primary,
        secondary: [{ label: t("Unblock"), act: "unlock" }],
      };
    default:
      return { ...blank, tone: "attention", title: t("Not connected"), line: meaning(view.policy), primary };
  }
}

function paused(view: Snapshot, now: number): Headline {
  return {
    ...blank,
    look: "clock",
    tone: view.policy === "open" ? "exposed" : "attention",
    title: t("Paused"),
    count: countdown((view.paused_until ?? now) - now),
    line: `${meaning(view.policy)} ${t("SloPN connects again by itself.")}`,
    primary: { label: t("Resume now"), act: "connect" },
    secondary: [{ label: t("Disconnect"), act: "disconnect" }],
  };
}

function connecting(view: Snapshot, now: number): Headline {
  if (view.state.type !== "connecting") return blank;
  const { profile, attempt, cause: why } = view.state;
  const seconds = Math.max(Math.floor(now - view.since), 0);
  const doing = step(view.state.step);
  const failing = attempt > 0 && why !== null;
  const likely = why ?? (seconds >= PATIENCE ? LIKELY[view.state.step] : undefined) ?? null;
  const left = view.next_try === null ? null : Math.max(Math.ceil(view.next_try - now), 0);
  const wait =
    view.state.step === "waiting" && left !== null
      ? t("next try in {seconds} s", { seconds: left })
      : t("{doing} · {seconds} s", { doing, seconds });
  const parts = failing
    ? [sentence(cause(why).short), t("try {number}", { number: attempt + 1 }), wait, meanwhile(view.policy)]
    : [sentence(wait), meanwhile(view.policy)];
  return {
    ...blank,
    look: "filling",
    tone: "attention",
    title: failing ? t("Reconnecting to {profile}…", { profile }) : t("Connecting to {profile}…", { profile }),
    line: parts.join(" · "),
    hint: likely ? cause(likely).remedy : "",
    primary: { label: t("Cancel"), act: "disconnect" },
  };
}

function connected(view: Snapshot, now: number): Headline {
  if (view.state.type !== "connected") return blank;
  const { profile } = view.state;
  const detail = details(view, now);
  const primary: Button = { label: t("Disconnect"), act: "disconnect" };
  if (view.policy !== "tunnelled") {
    const rest =
      view.policy === "open"
        ? t("The kill switch is off: if the tunnel fails, your traffic goes out directly.")
        : meaning(view.policy);
    return { ...blank, look: "dot", tone: "attention", title: t("Connected through {profile}", { profile }), line: detail, hint: rest, primary }; // prettier-ignore
  }
  const problem = view.health.find((found) => found.severity !== "info");
  if (problem) {
    return {
      ...blank,
      look: "dot",
      tone: "attention",
      title: t("Protected, with a problem"),
      line: detail,
      hint: said(problem).text,
      primary,
    };
  }
  return { ...blank, look: "tick", tone: "protected", title: t("Protected through {profile}", { profile }), line: detail, primary }; // prettier-ignore
}

/** Where to, since when, and how wide the road is. */
function details(view: Snapshot, now: number): string {
  const endpoint = gateway(view);
  return [
    endpoint,
    t("since {time}", { time: clock(view.since, now) }),
    view.live.path_mtu === null ? null : t("path MTU {mtu}", { mtu: view.live.path_mtu }),
  ]
    .filter(Boolean)
    .join(" · ");
}

/** Where the tunnel's packets go: the first peer's address, or what it moved to. */
export function gateway(view: Snapshot): string | null {
  const state = view.state;
  if (state.type === "connected" && view.stats.endpoint) return address(view.stats.endpoint);
  const first = state.type === "connecting" || state.type === "connected" ? state.endpoints[0] : undefined;
  return first ? address(first) : null;
}

function failed(view: Snapshot): Headline {
  if (view.state.type !== "error") return blank;
  const { short, remedy } = cause(view.state.cause);
  const blocked = view.policy === "blocked";
  const title = blocked
    ? t("Blocked: {cause}", { cause: short })
    : view.policy === "open"
      ? t("Not protected: {cause}", { cause: short })
      : t("Not connected: {cause}", { cause: short });
  return {
    ...blank,
    look: blocked ? "bar" : "broken",
    tone: "exposed",
    title,
    line: meaning(view.policy),
    hint: remedy,
    primary: { label: t("Try again"), act: "reconnect" },
    secondary: [
      { label: t("Disconnect"), act: "disconnect" },
      { label: t("Show the log"), act: "logs" },
    ],
  };
}

/** A person's word for their traffic, for the corner of each page. */
export function brief(view: Snapshot | null, link: Link | null): string {
  if (!view || (link && !link.up)) return t("Not known");
  switch (view.policy) {
    case "open":
      return view.state.type === "connected" ? t("Connected") : t("Not protected");
    case "blocked":
      return t("Blocked");
    case "tunnelled":
      return t("Protected");
    case "unknown":
      return t("Not known");
  }
}

function sentence(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
