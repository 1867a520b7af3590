// Sentences about causes, steps and rights, in the words of slopn_wire/words.py and slopn_app/words.py; what to do is said for
// somebody who looks at a window.

import type { ErrorCause, LogLevel, PolicyKind, Right, Severity, Step, UserBasis, Verdict } from "../wire.ts";
import { t } from "./i18n.svelte.ts";

export interface Cause {
  /** Fits behind a colon. */
  short: string;
  what: string;
  remedy: string;
}

export function cause(of: ErrorCause): Cause {
  switch (of) {
    case "offline":
      return {
        short: t("no network"),
        what: t("This computer isn't on any network."),
        remedy: t("Join a network; SloPN then goes on by itself."),
      };
    case "resolve":
      return {
        short: t("the gateway's name can't be found"),
        what: t("No resolver knows the address of the gateway's name."),
        remedy: t("Check the name in the profile and that this network's resolver answers; SloPN keeps trying."),
      };
    case "handshake":
      return {
        short: t("the gateway doesn't answer"),
        what: t("The gateway doesn't answer."),
        remedy: t(
          "Check that it runs, that both keys are right and that this network lets UDP through; SloPN keeps trying.",
        ),
      };
    case "stale":
      return {
        short: t("the tunnel went silent"),
        what: t("Nothing has come back through the tunnel for a while."),
        remedy: t("Wait: SloPN connects again by itself."),
      };
    case "unprotected":
      return {
        short: t("no post-quantum key with the gateway"),
        what: t("The profile demands a post-quantum key, and the gateway agrees none."),
        remedy: t(
          "Check that the gateway is SloPN's, and up to date; `slopn profiles NAME --post-quantum on` goes without. SloPN keeps trying.",
        ),
      };
    case "bad_profile":
      return {
        short: t("the profile can't be used"),
        what: t("The profile can't be used as it is."),
        remedy: t("The log says what is wrong with it. Disconnect, then edit the profile."),
      };
    case "overlap":
      return {
        short: t("this network is in the tunnel's way"),
        what: t("The tunnel and the network that this computer is on use the same addresses."),
        remedy: t(
          "Join another network, or have one of them numbered anew; the log names both. SloPN tries again on the next network.",
        ),
      };
    case "tun_device":
      return {
        short: t("no tunnel device"),
        what: t("The network device of the tunnel can't be made."),
        remedy: t("Check that /dev/net/tun is there and that no other program uses the device's name."),
      };
    case "engine":
      return {
        short: t("the tunnel broke down"),
        what: t("The part that carries the tunnel's packets has stopped."),
        remedy: t("Try again; the log says why it stopped."),
      };
    case "firewall":
      return {
        short: t("the firewall can't be set"),
        what: t("The rules that hold traffic back can't be set."),
        remedy: t("See the log; check that nftables works on this computer."),
      };
    case "host":
      return {
        short: t("routes or DNS can't be set"),
        what: t("This computer's addresses, routes or DNS can't be set."),
        remedy: t("See the log; another program may be managing them."),
      };
    case "restore":
      return {
        short: t("routes or DNS can't be put back"),
        what: t("This computer's addresses, routes or DNS can't be put back as they were."),
        remedy: t("Run {command} in a terminal; the log says what stands in the way.", {
          command: "sudo slopn-helper restore",
        }),
      };
    case "stopped":
      return {
        short: t("SloPN's service is stopping"),
        what: t("SloPN's service is being stopped, though you wanted to be connected."),
        remedy: t("Start it again to connect, or run {command} in a terminal to go without.", {
          command: "sudo slopn-helper restore",
        }),
      };
  }
}

/** What a policy means for a person's traffic. */
export function meaning(policy: PolicyKind): string {
  switch (policy) {
    case "open":
      return t("Your traffic goes out directly.");
    case "blocked":
      return t("Nothing leaves this computer.");
    case "tunnelled":
      return t("Your traffic goes through the tunnel.");
    case "unknown":
      return t("The firewall gives no answer: your traffic may be going out directly.");
  }
}

/** The same inside a line, while something is under way. */
export function meanwhile(policy: PolicyKind): string {
  if (policy === "open") return t("your traffic still goes out directly");
  if (policy === "unknown") return t("your traffic may be going out directly");
  return t("nothing leaves meanwhile");
}

export function step(of: Step): string {
  switch (of) {
    case "resolving":
      return t("looking up the gateway");
    case "handshake":
      return t("waiting for the gateway's answer");
    case "configuring":
      return t("setting addresses, routes and DNS");
    case "protecting":
      return t("agreeing the post-quantum key");
    case "waiting":
      return t("waiting before the next try");
  }
}

export function right(of: Right): string {
  switch (of) {
    case "view":
      return t("see state, settings and log");
    case "connect":
      return t("connect, disconnect, pause");
    case "configure":
      return t("change settings and profiles, export keys, pair others, unlock");
  }
}

export function basis(of: UserBasis): string {
  switch (of) {
    case "root":
      return t("root may do everything");
    case "group":
      return t("a member of the group slopn");
    case "added":
      return t("added by an administrator");
    case "seat":
      return t("sits at this computer's screen");
  }
}

export function verdict(of: Verdict): string {
  switch (of) {
    case "fine":
      return t("fine");
    case "notice":
      return t("worth knowing");
    case "broken":
      return t("broken");
    case "unknown":
      return t("not known");
  }
}

export function severity(of: Severity): string {
  switch (of) {
    case "info":
      return t("worth knowing");
    case "warning":
      return t("problem");
    case "error":
      return t("serious problem");
  }
}

export function level(of: LogLevel): string {
  switch (of) {
    case "debug":
      return t("everything");
    case "info":
      return t("info and graver");
    case "warning":
      return t("warnings and graver");
    case "error":
      return t("errors and graver");
    case "critical":
      return t("the gravest only");
  }
}
